"""A client's way to the simulated controller: a request, its replies, or its loss.

The network in between is slow and cut; what is lost is for the clients to repeat. `Definer` is the
simplest of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import (
    DoneReply,
    ErrorReply,
    ReplanReply,
    Reply,
    RowsReply,
    SubscribeReply,
)
from antiphon.controller.request import (
    DriverEvent,
    ReadOptions,
    StatementReceived,
)
from antiphon.proof.simulation.controller_process import ControllerProcess
from antiphon.proof.simulation.seats import Seats
from antiphon.proof.simulation.world import Process
from antiphon.protocol.errors import ComputeError

RETRY_MS: Final = (20, 400)

EventOf = Callable[[int], DriverEvent]


class Client:
    """One client's way to the controller: a request, its replies, or its loss."""

    def __init__(self, seats: Seats, name: str) -> None:
        self.seats = seats
        self.controller: ControllerProcess = seats.live  # who serves the call that is looked at
        self.world = seats.world
        self.process = Process(name)
        self.process.start()

    def call(
        self,
        event_of: Callable[[], EventOf],
        on_reply: Callable[[Reply], None],
        on_loss: Callable[[str], None],
    ) -> None:
        """`event_of` runs at the controller when the request arrives there; it may raise. The call
        is over with its last reply: what happens to its stream afterwards is nobody's loss."""
        controller = self.seats.asked()
        stream = self.seats.network.open(self.process, controller.process)

        def receive(reply: Reply) -> None:
            if _is_last(reply):
                stream.close(0, "answered")
            on_reply(reply)

        def serve(_: object) -> None:
            self.controller = controller
            try:
                build = event_of()
            except ComputeError as error:
                stream.send(1, ErrorReply(error))
                return
            request = controller.ask(build, lambda reply: stream.send(1, reply))
            stream.attach(1, serve, lambda reason: _abandon(controller, request))

        stream.attach(0, receive, on_loss)
        stream.attach(1, serve, lambda reason: None)
        if controller.process.alive:
            stream.send(0, None)
        else:
            stream.cut("nobody listens")

    def statement(self, sql: str, options: ReadOptions) -> EventOf:
        statement, version = self.controller.plan(sql)
        return lambda request: StatementReceived(
            request=request, statement=statement, catalog_version=version, options=options
        )

    def later(self, action: Callable[[], None], delay: tuple[int, int] = RETRY_MS) -> None:
        self.world.after(self.world.random.between(*delay), action, self.process)


class Definer(Client):
    """Runs statements that change the catalog, each until it is known to have happened."""

    def __init__(
        self,
        seats: Seats,
        statements: tuple[str, ...],
        pause_ms: tuple[int, int] = (0, 0),  # before each
    ) -> None:
        super().__init__(seats, "definer")
        self._waiting = list(statements)
        self._pause_ms = pause_ms
        self.later(self._next, pause_ms)

    def stop(self) -> None:
        """What has not begun is not wanted any more."""
        del self._waiting[1:]

    @property
    def done(self) -> bool:
        return not self._waiting

    def _next(self) -> None:
        if self._waiting:
            sql = self._waiting[0]
            self.call(lambda: self.statement(sql, ReadOptions()), self._replied, self._lost)

    def _replied(self, reply: Reply) -> None:
        match reply:
            case DoneReply():
                self._done_one()
            case ErrorReply(error=error) if error.code == "collection_exists":
                # The first attempt had happened, and only its answer was lost.
                self._done_one()
            case ReplanReply() | ErrorReply():
                self.later(self._next)
            case _:
                raise AssertionError(f"{type(reply).__name__} answers a definition")

    def _lost(self, reason: str) -> None:
        self.later(self._next)

    def _done_one(self) -> None:
        self._waiting.pop(0)
        self.later(self._next, self._pause_ms)


def _abandon(controller: ControllerProcess, request: int) -> None:
    controller.forget(request)
    controller.handle(RequestCanceled(request=request))


def _is_last(reply: Reply) -> bool:
    match reply:
        case RowsReply(last=last):
            return last
        case SubscribeReply():
            return False
        case _:
            return True
