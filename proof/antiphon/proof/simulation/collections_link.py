"""How a replica reaches the controller's collections in the simulated world."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from antiphon.proof.simulation.collections_service import (
    serve_append,
    serve_snapshot,
    serve_tail,
)
from antiphon.proof.simulation.network import Stream
from antiphon.proof.simulation.peers import read_state
from antiphon.protocol.errors import OutcomeUnknown, Unavailable
from antiphon.protocol.frontier import START
from antiphon.protocol.ids import ReplicaId
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    CancelSnapshot,
    Event,
    OpenTail,
    ReadSnapshot,
    ShardAppendFailed,
    ShardPieceWanted,
    SnapshotFailed,
    SnapshotPart,
    TailReceived,
)

if TYPE_CHECKING:
    from antiphon.proof.simulation.controller_process import ControllerProcess
    from antiphon.proof.simulation.replica_process import ReplicaProcess
    from antiphon.proof.simulation.seats import Seats

RETRY_MS: Final = (50, 500)
BASE_MS_MAX: Final = 500  # a rebuild's base is large, and slow to come


class CollectionsLink:
    """A replica's `CollectionsPort`. Failures that may pass are retried here, below the port."""

    def __init__(self, seats: Seats, replica: ReplicaProcess) -> None:
        self._seats = seats
        self._replica = replica
        self._tail: tuple[int, Stream] | None = None
        self._wanted = 0  # the number of the newest tail
        self._snapshots: dict[int, Stream] = {}
        self._canceled: set[int] = set()
        self._appends: dict[int, Stream] = {}

    def open_tail(self, request: OpenTail) -> None:
        self._wanted = request.tail
        if self._tail is not None:
            self._tail[1].close(0, "replaced")
            self._tail = None
        if request.collections:
            self._start_tail(request)

    def _start_tail(self, request: OpenTail) -> None:
        if request.tail != self._wanted:
            return
        stream = self._open(lambda controller, stream: serve_tail(controller, stream, request))
        self._tail = (request.tail, stream)
        reached = START

        def receive(event: Event) -> None:
            nonlocal reached
            if isinstance(event, TailReceived):
                reached = event.upper
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            """A tail that breaks is asked for again from where it had got."""
            rest = {c: lower.join(reached) for c, lower in request.collections.items()}
            again = OpenTail(tail=request.tail, collections=rest)
            self._later(lambda: self._start_tail(again))

        stream.attach(0, receive, lost)

    def read_snapshot(self, request: ReadSnapshot) -> None:
        """All parts or none count: a cut read begins again where no part has arrived, and is a
        failure otherwise."""
        parts: list[Event] = []

        def receive(event: Event) -> None:
            parts.append(event)
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            if request.snapshot not in self._snapshots:
                return
            if parts and isinstance(parts[-1], SnapshotFailed):
                return
            if parts and isinstance(parts[-1], SnapshotPart) and parts[-1].last:
                return
            if parts:
                self._replica.deliver(
                    SnapshotFailed(snapshot=request.snapshot, error=Unavailable(reason))
                )
            else:
                self._later(lambda: self.read_snapshot(request))

        if request.snapshot in self._canceled:
            return
        if request.peer:
            peer = self._seats.live.replicas[ReplicaId(request.peer)]
            stream = read_state(self._seats.network, self._replica, peer, request)
            self._snapshots[request.snapshot] = stream
            return
        reader = self._replica
        is_base = reader.rebuilds_from(request.snapshot)
        fills = reader.spoils_next and not self._seats.has_accepted(reader.name)
        spoils = fills or (is_base and request.as_of == reader.spoils_at)

        def serve(controller: ControllerProcess, stream: Stream) -> None:
            delay_ms = controller.world.random.between(0, BASE_MS_MAX) if is_base else 0
            controller.world.after(
                delay_ms,
                lambda: serve_snapshot(controller, stream, request, reader if spoils else None),
                controller.process,
            )

        stream = self._open(serve)
        self._snapshots[request.snapshot] = stream
        stream.attach(0, receive, lost)

    def cancel_snapshot(self, request: CancelSnapshot) -> None:
        self._canceled.add(request.snapshot)
        stream = self._snapshots.pop(request.snapshot, None)
        if stream is not None:
            stream.close(0, "canceled")

    def append_shard(self, request: AppendShard) -> None:
        """Never retried here: whether it took effect is for the sink to find out."""
        name = self._replica.name
        stream = self._open(
            lambda controller, stream: serve_append(controller, stream, request, name)
        )
        self._appends[request.append] = stream

        def receive(event: Event) -> None:
            if not isinstance(event, ShardPieceWanted):
                self._appends.pop(request.append, None)
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            if self._appends.pop(request.append, None) is not None:
                self._replica.deliver(
                    ShardAppendFailed(
                        append=request.append,
                        collection=request.collection,
                        error=OutcomeUnknown(reason),
                    )
                )

        stream.attach(0, receive, lost)

    def append_piece(self, request: AppendPiece) -> None:
        stream = self._appends.get(request.append)
        if stream is not None:
            stream.send(0, request)

    def cancel_append(self, request: CancelAppend) -> None:
        stream = self._appends.pop(request.append, None)
        if stream is not None:
            stream.close(0, "canceled")

    def _open(self, serve: Callable[[ControllerProcess, Stream], None]) -> Stream:
        """A stream whose far end begins to serve when the request arrives."""
        controller = self._seats.live
        stream = self._seats.network.open(self._replica.process, controller.process)
        if controller.process.alive:
            stream.attach(1, lambda _: serve(controller, stream), lambda reason: None)
            stream.send(0, None)
        else:
            self._replica.world.after(
                0, lambda: stream.cut("nobody listens"), self._replica.process
            )
        return stream

    def _later(self, action: Callable[[], None]) -> None:
        world = self._replica.world
        world.after(world.random.between(*RETRY_MS), action, self._replica.process)
