"""A controller as a process: the driver among its ports, the services, the replicas it starts.

Everything runs on one event loop but the store's writer, its readers and the planner, which are
threads. The driver is called from the loop alone; what it raises is our bug, and ends the process:
nothing in memory is to be trusted then, and what is durable is all that a new one needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import structlog

from antiphon.controller.driver import Driver
from antiphon.controller.instance.event import Ticked
from antiphon.controller.io.calls import Calls
from antiphon.controller.io.collections_service import CollectionsService
from antiphon.controller.io.config import ControllerConfig
from antiphon.controller.io.control_service import ControlService
from antiphon.controller.io.execution import Execution
from antiphon.controller.io.inspection import Inspection
from antiphon.controller.io.introspection import VERSION, Introspection
from antiphon.controller.io.link import Links
from antiphon.controller.io.orchestrator.local import (
    REPLICA_COMMAND,
    LocalOrchestrator,
    socket_of,
)
from antiphon.controller.io.planning import Planning
from antiphon.controller.io.replies import Replies
from antiphon.controller.io.seat import Seat
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.io.tails import Tails
from antiphon.controller.io.wall import Randomness, WallClock
from antiphon.controller.ports import EnginePort, ErrorReply, World
from antiphon.controller.request import DriverEvent
from antiphon.history.store import Completion
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    Internal,
    InvalidArgument,
    OutcomeUnknown,
    Unavailable,
)
from antiphon.protocol.ids import Epoch
from antiphon.protocol.io.channel import create_server, is_loopback, listen, reachable
from antiphon.protocol.io.health import Health, add_health_and_reflection
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.log import configure_logging
from antiphon.protocol.io.memory import spare_what_is_loaded
from antiphon.v1 import collections_pb2, collections_pb2_grpc, control_pb2, control_pb2_grpc

OK: Final = 0
FAILED: Final = 1  # it cannot go on: fenced, or the store failed
CRASHED: Final = 70  # a bug here: start the controller again
STOP_GRACE_S: Final = 0.2  # for calls in flight to hear the reason
TICK_MS_MAX: Final = 1_000  # between two looks at the clock, whatever else happens

_log = structlog.get_logger(__name__)


def run_controller(config: ControllerConfig, engine: EnginePort | None = None) -> int:
    """Serve until SIGTERM or SIGINT, or until it cannot go on; then the exit code. Without an
    engine, queries of introspection collections are not served.

    Raises:
        ComputeError: it cannot start: the address is in use, another controller holds the store.
    """
    configure_logging(config.log)
    return asyncio.run(_run(config, engine))


async def _run(config: ControllerConfig, engine: EnginePort | None) -> int:
    controller = Controller(config, engine)
    with _signals(controller.ask_to_stop):
        await controller.start()
        spare_what_is_loaded()
        try:
            await controller.stopped.wait()
        finally:
            await controller.stop()
    if controller.failure is not None:
        print(f"antiphon: {controller.failure}", file=sys.stderr)
    return controller.exit_code


class Controller:
    """One controller, to be started and stopped within a running event loop.

    `address` is where it listens, once started; `stopped` is set when it should end, for the reason
    that `failure` gives, if it is one.
    """

    def __init__(self, config: ControllerConfig, engine: EnginePort | None = None) -> None:
        self.config = config
        self._engine = engine
        self.address = ""
        self.exit_code = OK
        self.failure: AntiphonError | None = None
        self.stopped = asyncio.Event()
        self._clock = WallClock()
        self._replies = Replies()
        self._tails = Tails()
        self._planning = Planning()
        self._inspection: Inspection | None = None
        self._links = Links(self.handle, config.client_security())
        self._driver: Driver | None = None
        self._store: StoreRunner | None = None
        self._seat: Seat | None = None
        self._server: grpc.aio.Server | None = None
        self._health: Health | None = None
        self._orchestrator: LocalOrchestrator | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ms = 0

    @property
    def driver(self) -> Driver:
        assert self._driver is not None, "the controller is not started"
        return self._driver

    async def __aenter__(self) -> Controller:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Open the store, recover, listen, then start and connect the replicas.

        Raises:
            ComputeError: it cannot start. Nothing is left behind.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config = self.config
        for number in range(config.local_replicas):
            # What cannot run is told before anything is begun.
            socket_of(self._replicas, f"r{number + 1}")
        self._store = store = await StoreRunner.open(
            config.data, self._on_completions, standby=config.standby
        )
        await self._take_seat(store)
        assert self._health is not None, "the server is up"
        await self._health.serve()
        if not is_loopback(self.address) and config.secret is None and not config.tls_client_ca:
            _log.warning(
                "controller.open_to_all",
                address=self.address,
                remedy="set a token, or tls_client_ca, or listen on 127.0.0.1",
            )
        _log.info(
            "controller.serving",
            address=self.address,
            role="standby" if self.driver.is_standby else "live",
            epoch=self.driver.fence.epoch,
            data=str(config.data),
            version=VERSION,
        )

    async def _take_seat(self, store: StoreRunner) -> None:
        world = World(
            store=store,
            links=self._links,
            tails=self._tails,
            replies=self._replies,
            clock=self._clock,
            random=Randomness(),
        )
        self._seat = seat = Seat(self.config, store, world, self._tails, self._links)
        self._driver = await seat.recover()
        control = await self._serve(store, self._driver)
        self._tick()
        await seat.start(self.address, self.handle, control.configure_replicas, self._cannot_go_on)

    async def promote(self) -> Epoch:
        """Of a standby: become the controller. Raises as `Seat.promote`."""
        if self._seat is None:
            raise self._last_word()
        return await self._seat.promote()

    @property
    def _replicas(self) -> Path:
        """Where local replicas have their directories."""
        return self.config.data.absolute() / "replicas"

    async def _serve(self, store: StoreRunner, driver: Driver) -> ControlService:
        """Listen and serve. The address is bound before replicas are told of it."""
        config = self.config
        security = config.server_security()
        self._server = server = create_server([Gate(security)])
        try:
            self.address = listen(server, config.listen, security)
        except InvalidArgument as error:
            raise config.refused("listen", error.message) from error
        self._orchestrator = LocalOrchestrator(
            self._replicas,
            reachable(self.address),
            command=config.replica_command or REPLICA_COMMAND,
            environment=self._child_environment(),
        )
        self._links.run_replicas_by(self._orchestrator)
        calls = Calls(driver=driver, handle=self.handle, replies=self._replies, links=self._links)
        self._inspection = Inspection(
            driver=driver,
            links=self._links,
            store=store,
            orchestrator=self._orchestrator,
            engine=self._engine,
        )
        control = ControlService(
            calls=calls,
            execution=Execution(calls, self._planning, self._inspection),
            introspection=Introspection(
                driver=driver,
                links=self._links,
                store=store,
                orchestrator=self._orchestrator,
            ),
            orchestrator=self._orchestrator,
            promote=self.promote,
        )
        collections = CollectionsService(
            driver=driver,
            handle=self.handle,
            store=store,
            tails=self._tails,
            replies=self._replies,
        )
        control_pb2_grpc.add_ControlServicer_to_server(control, server)
        collections_pb2_grpc.add_CollectionsServicer_to_server(collections, server)
        services = (
            control_pb2.DESCRIPTOR.services_by_name["Control"].full_name,
            collections_pb2.DESCRIPTOR.services_by_name["Collections"].full_name,
        )
        self._health = await add_health_and_reflection(server, services)
        await server.start()
        return control

    def _child_environment(self) -> dict[str, str]:
        """What local replicas share with us: secrets travel by environment, not by arguments."""
        config = self.config
        environment = dict(os.environ)
        environment["ANTIPHON_REPLICA_WATCH_STDIN"] = "true"
        copies = config.copy_directory or config.data / "copies"
        environment["ANTIPHON_REPLICA_COPY_DIRECTORY"] = str(copies.absolute())
        if config.token is not None:
            environment["ANTIPHON_REPLICA_TOKEN"] = config.token.get_secret_value()
        for name, path in (
            ("TLS_CA", config.tls_ca),
            ("TLS_CLIENT_CA", config.tls_client_ca),
            ("TLS_CERTIFICATE", config.tls_certificate),
            ("TLS_KEY", config.tls_key),
        ):
            if path is not None:
                environment[f"ANTIPHON_REPLICA_{name}"] = str(Path(path).absolute())
        return environment

    # Events.

    def handle(self, event: DriverEvent) -> None:
        """Feed the driver. On the loop's thread; never raises."""
        driver = self._driver
        if driver is None or self.exit_code == CRASHED:
            return
        try:
            driver.handle(event)
        except Exception as error:
            self._crash(error)
            return
        if driver.fault is not None and self.failure is None:
            _log.critical("controller.failed", reason=driver.fault.message)
            self._give_up(driver.fault, FAILED)
            return
        self._arm(driver.wake_at_ms)

    def _crash(self, error: BaseException) -> None:
        _log.critical("controller.crashed", exc_info=error)
        self._give_up(Internal(f"a bug: {type(error).__name__}: {error}"), CRASHED)

    def _cannot_go_on(self, error: Exception) -> None:
        if isinstance(error, AntiphonError):
            _log.critical("controller.failed", reason=str(error))
            self._give_up(error, FAILED)
        else:
            self._crash(error)

    def _on_completions(self, completions: tuple[Completion, ...]) -> None:
        for completion in completions:
            self.handle(completion)

    def _give_up(self, error: AntiphonError, exit_code: int) -> None:
        self.failure = error
        self.exit_code = exit_code
        self.stopped.set()

    def ask_to_stop(self) -> None:
        self.stopped.set()

    # The clock.

    def _tick(self) -> None:
        self._timer = None
        self.handle(Ticked())
        self._arm(None)

    def _arm(self, wake_at_ms: int | None) -> None:
        """Keep one timer, for the earliest moment that somebody waits for."""
        if self.stopped.is_set():
            return
        now_ms = self._clock.now_ms()
        latest_ms = now_ms + TICK_MS_MAX
        at_ms = latest_ms if wake_at_ms is None else min(max(wake_at_ms, now_ms), latest_ms)
        if self._timer is not None:
            if self._timer_at_ms <= at_ms:
                return
            self._timer.cancel()
        self._timer_at_ms = at_ms
        delay_s = (at_ms - now_ms) / 1000
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._tick)

    # The end.

    async def stop(self) -> None:
        """No new calls; what was submitted becomes durable and is answered; then everything that
        still waits is told, and the replicas that we started are ended. Within two seconds. May be
        repeated."""
        self.stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        health, self._health = self._health, None
        server, self._server = self._server, None
        orchestrator, self._orchestrator = self._orchestrator, None
        # The replicas first: they take longest, and all of this goes on at once.
        ending = [
            *(() if orchestrator is None else (asyncio.ensure_future(orchestrator.stop_all()),)),
            *(() if health is None else (asyncio.ensure_future(health.drain()),)),
            asyncio.ensure_future(self._links.stop()),
            *(() if server is None else (asyncio.ensure_future(server.stop(STOP_GRACE_S)),)),
        ]
        seat, self._seat = self._seat, None
        if seat is not None:
            await seat.stop()
        store, self._store = self._store, None
        if store is not None:
            # From here on another controller may write: what we would read could be old.
            if self._driver is not None:
                self._driver.kernel.retire(self._last_word())
            await store.close()
        self._replies.fail_all(ErrorReply(self._last_word()))
        self._tails.end_all(self._last_word())
        await asyncio.gather(*ending)
        self._planning.stop()
        if self._inspection is not None:
            self._inspection.stop()

    def _last_word(self) -> ComputeError:
        """What callers hear who still wait. After a bug nobody knows what was done."""
        if self.exit_code == CRASHED:
            return OutcomeUnknown(f"the controller crashed: {self.failure}")
        because = "" if self.failure is None else f": {self.failure}"
        return Unavailable(f"the controller stops{because}")


@contextlib.contextmanager
def _signals(stop: object) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    assert callable(stop), "what is to happen"
    wanted = (signal.SIGTERM, signal.SIGINT)
    for one in wanted:
        loop.add_signal_handler(one, stop)
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)
