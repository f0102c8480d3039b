"""A replica's front process: serves gRPC, keeps its worker process, ends in order.

One process lost is the replica lost: when the worker dies, the front exits, and whoever started
the replica starts it again. The worker ends with the front, whatever ends the front.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Final

import grpc
import structlog

from antiphon.history.io.liveness import LOCK, Liveness
from antiphon.protocol.errors import DirectoryInUse, InvalidArgument, Unavailable
from antiphon.protocol.ids import RANDOM_ID_BYTES, ConnectionId, Incarnation, ReplicaId
from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.protocol.io.health import Health, add_health_and_reflection
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.log import configure_logging
from antiphon.protocol.io.memory import spare_what_is_loaded
from antiphon.protocol.limits import DRAIN_MS, HEARTBEAT_INTERVAL_MS
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.io.collections import Collections
from antiphon.replica.io.config import ReplicaConfig
from antiphon.replica.io.fence_file import FenceFile
from antiphon.replica.io.metrics import resident_bytes
from antiphon.replica.io.pipe import FromWorker
from antiphon.replica.io.service import ComputeService
from antiphon.replica.io.streams import Streams
from antiphon.replica.io.worker_channel import WorkerChannel
from antiphon.replica.io.worker_start import start_worker
from antiphon.replica.ports import Event
from antiphon.v1 import compute_pb2, compute_pb2_grpc

OK: Final = 0
CRASHED: Final = 70  # a bug here, or the worker is gone: start the replica again
WORKER_EXIT_S: Final = 0.3  # from the closed pipe to SIGKILL
_HALF_CLOSE_S: Final = DRAIN_MS / 5_000  # for the controller to close its side by itself

log = structlog.get_logger()


def run_replica(config: ReplicaConfig) -> int:
    """Serves until SIGTERM, SIGINT, or the end of a watched stdin; then the exit code.

    Raises:
        ComputeError: it cannot start: the address is in use, the data directory is damaged.
    """
    configure_logging(config.log)
    return asyncio.run(_Replica(config).run())


class _Replica:
    """Everything one run owns."""

    def __init__(self, config: ReplicaConfig) -> None:
        self._config = config
        self._streams = Streams()
        self._stop = asyncio.Event()
        self._reason = "stopped"
        self._exit_code = OK
        self._handled = 0
        self._full_set: ConnectionId | None = None  # whose verdicts were logged last
        self._is_full = False  # as was logged last
        self._driver: ReplicaDriver | None = None

    async def run(self) -> int:
        structlog.contextvars.bind_contextvars(replica=self._config.name)
        directory = self._config.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = Liveness(directory / LOCK)
        if not lock.acquire():
            # Two fences in one file: each would forget whom the other obeys.
            raise DirectoryInUse(
                f"another replica (process {lock.holder()}) works in {directory}: give each its"
                " own --data or --name",
                directory=str(directory),
                process=lock.holder(),
            )
        try:
            return await self._run()
        finally:
            lock.release()

    async def _run(self) -> int:
        fences = FenceFile(self._config.directory)
        fences.load()  # a damaged file is told before anything is started
        security = self._config.client_security()
        async with self._worker() as (channel, worker):
            collections = Collections(
                [partial(open_channel, one, security) for one in self._config.controllers],
                ReplicaId(self._config.name),
                self._deliver,
                channel.writable,
                self._crash,
                partial(open_channel, security=security),
            )
            self._driver = ReplicaDriver(
                replica=ReplicaId(self._config.name),
                incarnation=Incarnation(secrets.token_bytes(RANDOM_ID_BYTES)),
                fences=fences,
                streams=self._streams,
                worker=channel,
                collections=collections,
            )
            try:
                await self._serve(self._driver, worker)
            finally:
                await collections.close()
        return self._exit_code

    async def _serve(self, driver: ReplicaDriver, worker: subprocess.Popen[bytes]) -> None:
        security = self._config.server_security()
        server = create_server([Gate(security)])
        service = ComputeService(
            driver, self._streams, now_ms, self._crash, verbose=self._config.log == "debug"
        )
        compute_pb2_grpc.add_ComputeServicer_to_server(service, server)
        name = compute_pb2.DESCRIPTOR.services_by_name["Compute"].full_name
        health = await add_health_and_reflection(server, (name,))
        try:
            address = listen(server, self._config.listen, security)
        except InvalidArgument as error:
            raise self._config.refused("listen", error.message) from error
        await server.start()
        spare_what_is_loaded()
        await health.serve()
        log.info("serving", address=address, worker=worker.pid)
        with _signals(self._ask_to_stop):
            watching = [asyncio.ensure_future(self._beat(driver, worker.pid))]
            if self._config.watch_stdin:
                watching.append(asyncio.ensure_future(self._watch_stdin()))
            await self._stop.wait()
            for task in watching:
                task.cancel()
        await self._drain(server, health, driver)

    async def _drain(self, server: grpc.aio.Server, health: Health, driver: ReplicaDriver) -> None:
        """Announced first: gRPC tells a long stream nothing of the end that comes."""
        log.info("stopping", reason=self._reason)
        await health.drain()
        if self._exit_code == OK:
            driver.drain(self._reason)
            deadline = time.monotonic() + _HALF_CLOSE_S
            while not self._streams.is_empty and time.monotonic() < deadline:
                await asyncio.sleep(_HALF_CLOSE_S / 10)
        self._streams.end_all(Unavailable(f"the replica goes away: {self._reason}"))
        await server.stop(DRAIN_MS / 3_000)

    # The worker.

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[tuple[WorkerChannel, subprocess.Popen[bytes]]]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = start_worker(theirs, self._config.name, self._config.copies)
        channel = await WorkerChannel.open(ours, self._received, self._crash)
        watching = asyncio.ensure_future(self._watch_worker(channel))
        try:
            yield channel, process
        finally:
            watching.cancel()
            channel.close()
            await _reap(process)

    async def _watch_worker(self, channel: WorkerChannel) -> None:
        await channel.closed.wait()
        log.error("the worker process is gone")
        self._fail("the worker process is gone")

    def _received(self, message: FromWorker) -> None:
        assert self._driver is not None, "the worker spoke first"
        self._driver.worker_handled(message.handled - self._handled)
        self._handled = message.handled
        for ready in message.ready:
            self._driver.worker_ready(ready, now_ms())
        full_set, verdicts = self._driver.front.reconciled()
        if full_set != self._full_set:
            self._full_set = full_set
            for verdict in verdicts:
                log.info("reconciled", dataflow=str(verdict))

    def _deliver(self, event: Event) -> None:
        assert self._driver is not None, "an answer without a question"
        self._driver.store_answered(event, now_ms())

    # Its own life.

    async def _beat(self, driver: ReplicaDriver, worker: int) -> None:
        while True:
            driver.front.resident(resident_bytes(os.getpid(), worker))
            try:
                wake_at_ms = driver.tick(now_ms())
            except Exception as error:
                self._crash(error)
                return
            self._note_state(*driver.front.state)
            silence_ms = driver.front.worker_silence_ms(now_ms())
            if 0 < self._config.worker_silence_ms_max <= silence_ms:
                log.error("the worker hangs", silence_ms=silence_ms)
                self._fail(f"its worker was silent for {silence_ms // 1000} s")
                return
            # A stream that opens meanwhile has its first deadline later than this.
            longest = now_ms() + HEARTBEAT_INTERVAL_MS // 4
            until_ms = longest if wake_at_ms is None else min(wake_at_ms, longest)
            await asyncio.sleep(max(0, until_ms - now_ms()) / 1_000)

    def _note_state(self, state_bytes: int, state_bytes_max: int) -> None:
        """Said once when it is full, and once when it is not any more."""
        is_full = state_bytes >= state_bytes_max
        if is_full == self._is_full:
            return
        self._is_full = is_full
        facts = {"state_bytes": state_bytes, "state_bytes_max": state_bytes_max}
        if is_full:
            log.warning("full", refused="new dataflows, until some are dropped", **facts)
        else:
            log.info("not full any more", **facts)

    async def _watch_stdin(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while await reader.read(1 << 16):
            pass
        self._ask_to_stop("the parent closed stdin")

    def _ask_to_stop(self, reason: str) -> None:
        if not self._stop.is_set():
            self._reason = reason
            self._stop.set()

    def _fail(self, reason: str) -> None:
        self._exit_code = CRASHED
        self._ask_to_stop(reason)

    def _crash(self, error: BaseException) -> None:
        """A bug of ours: nothing in memory is to be trusted, a fresh start is."""
        log.critical("crashed", exc_info=error)
        self._fail(f"a bug: {type(error).__name__}")


def now_ms() -> int:
    """For deadlines only: data never carries it."""
    return time.monotonic_ns() // 1_000_000


@contextlib.contextmanager
def _signals(stop: Callable[[str], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    wanted = (signal.SIGTERM, signal.SIGINT)
    for one in wanted:
        loop.add_signal_handler(one, stop, one.name)
    try:
        yield
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)


async def _reap(process: subprocess.Popen[bytes]) -> None:
    """The pipe is closed, and the worker ends by itself; unless it computes for long."""
    deadline = time.monotonic() + WORKER_EXIT_S
    while process.poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(WORKER_EXIT_S / 20)
    if process.poll() is None:
        process.kill()
        process.wait()
