"""One link per replica: probe, session stream, heartbeat deadline, and the way back.

A link goes round: wait, probe, hand the facts to the driver, and if the driver opens a session, run
it until it ends. The wait grows, with jitter, also for a replica that connects and then dies at
once; a session that has lasted proves the replica well and starts over. Keepalive does not notice a
frozen peer in time, so silence on the stream has a deadline of its own.

The send queue is bounded: a replica that does not keep up is disconnected, and told everything
afresh when it is back. Everything that is ready leaves in one batch, for a message costs the same
whatever it carries. The cancellation of a read, which mostly finds it answered, waits a moment for
company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import grpc
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from antiphon.controller.instance.event import DigestsTold, LinkLost, ResponsesReceived
from antiphon.controller.io.orchestrator.local import Orchestrator
from antiphon.controller.request import DriverEvent, ReplicaReached, ResultFetched
from antiphon.protocol.codec import commands_to_batch, facts_from_proto, responses_from_batch
from antiphon.protocol.command import CancelPeek, Hello, Sent
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    Internal,
    ProtocolViolated,
    RemoteProtocolError,
    ReplicaFailed,
)
from antiphon.protocol.ids import CollectionId, ConnectionId, PeekId, ReplicaId
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.security import OPEN_CLIENT, ClientSecurity
from antiphon.protocol.io.status import calling, from_rpc_error
from antiphon.protocol.limits import (
    BATCH_MESSAGES_MAX,
    HEARTBEAT_INTERVAL_MS,
    HEARTBEAT_SILENCE_MS,
    RECONNECT_BACKOFF_MAX_MS,
    RECONNECT_BACKOFF_MIN_MS,
    SEND_QUEUE_COMMANDS_MAX,
    UNARY_DEADLINE_MS,
)
from antiphon.v1 import compute_pb2 as pb
from antiphon.v1.compute_pb2_grpc import ComputeStub

PROBE_DEADLINE_S: Final = 5.0
# A replica of this machine that starts is not worth waiting long for, and asking costs nothing.
LOCAL_BACKOFF_MAX_S: Final = 1.0
CANCEL_WAIT_S: Final = 0.005  # until a cancellation leaves alone
STABLE_SESSION_S: Final = 10.0  # a session that lasted so long ends a row of failures
SILENT_LOOKS_MAX: Final = 10  # without a word between them, in HEARTBEAT_SILENCE_MS: it is dead

Post = Callable[[DriverEvent], None]

_log = structlog.get_logger(__name__)


class _Ended(Exception):
    """One round is over: what ended it."""


class Links:
    """The driver's `LinkPort`."""

    def __init__(self, post: Post, security: ClientSecurity = OPEN_CLIENT) -> None:
        self._post = post
        self._security = security
        self._links: dict[ReplicaId, Link] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._orchestrator: Orchestrator | None = None
        self._is_stopped = False  # what the driver still owes its replicas goes nowhere

    def run_replicas_by(self, orchestrator: Orchestrator) -> None:
        """What runs the replicas that have no address."""
        self._orchestrator = orchestrator

    def connect(self, replica: ReplicaId, address: str) -> None:
        if self._is_stopped:
            return
        if not address:
            assert self._orchestrator is not None, f"nobody runs {replica}"
            address = self._orchestrator.start(replica)
        link = Link(replica, address, self._post, self._security)
        self._links[replica] = link
        link.start()

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        if not self._is_stopped:
            self._links[replica].open(commands)

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        if not self._is_stopped:
            self._links[replica].send(commands)

    def close(self, replica: ReplicaId, reason: str) -> None:
        if not self._is_stopped:
            self._links[replica].close(reason)

    def disconnect(self, replica: ReplicaId) -> None:
        if not self._is_stopped:
            self._beside(self._disconnect(self._links.pop(replica), replica))

    async def _disconnect(self, link: Link, replica: ReplicaId) -> None:
        await link.stop()
        if replica not in self._links:
            await self.end_local(replica)

    def ask_digests(
        self, replica: ReplicaId, collections: tuple[CollectionId, ...], time: int
    ) -> None:
        self._beside(self._ask_digests(replica, collections, time))

    async def _ask_digests(
        self, replica: ReplicaId, collections: tuple[CollectionId, ...], time: int
    ) -> None:
        link = self._links.get(replica)
        stub = None if link is None else link.stub
        if stub is None:
            return
        request = pb.ProbeRequest(digests_of=collections, digests_at=time)
        try:
            with calling(f"replica {replica}"):
                answer = await stub.Probe(request, timeout=UNARY_DEADLINE_MS / 1000)
            facts = facts_from_proto(answer)
        except AntiphonError as error:
            _log.info("digests were not told", replica=replica, reason=_reason(error))
            return
        digests = {
            export: dataflow.content_digest
            for dataflow in facts.dataflows
            for export in dataflow.exports
            if dataflow.content_digest
        }
        self._post(DigestsTold(replica=replica, time=time, digests=digests))

    def fetch(self, replica: ReplicaId, peek_id: PeekId, request: int) -> None:
        self._beside(self._fetch(replica, peek_id, request))

    async def _fetch(self, replica: ReplicaId, peek_id: PeekId, request: int) -> None:
        batches: list[bytes] = []
        try:
            async for chunk in self.stream_result(replica, peek_id):
                batches.append(chunk.batch)
        except ComputeError as error:
            self._post(ResultFetched(request=request, error=error))
            return
        self._post(ResultFetched(request=request, batches=tuple(batches)))

    async def stream_result(
        self, replica: ReplicaId, peek_id: PeekId
    ) -> AsyncIterator[pb.ResultChunk]:
        """A stashed result, chunk by chunk, as fast as the caller reads.

        Raises:
            ComputeError: the replica is gone, or no longer has it.
        """
        link = self._links.get(replica)
        stub = None if link is None else link.stub
        if stub is None:
            raise ReplicaFailed(f"replica {replica} is gone", replica=replica)
        call = stub.FetchResult(pb.FetchResultRequest(peek_id=peek_id.value))
        try:
            with calling(f"replica {replica}"):
                async for chunk in call:
                    yield chunk
        finally:
            call.cancel()

    def phase(self, replica: ReplicaId) -> str:
        """connected, connecting, backing off or stopped."""
        link = self._links.get(replica)
        return "stopped" if link is None else link.phase

    async def release(self) -> None:
        """End all links. Replicas that the orchestrator runs go on running."""
        links, self._links = list(self._links.values()), {}
        if ending := [self._beside(link.stop()) for link in links]:
            await asyncio.wait(ending)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Goes on until its end, whoever gives up; `stop` waits for it."""
        task = asyncio.ensure_future(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task

    async def end_local(self, replica: ReplicaId) -> None:
        """End a replica's process, if the orchestrator runs it."""
        if self._orchestrator is not None:
            await self._orchestrator.stop(replica)

    async def stop(self) -> None:
        """End all sessions. Calls in flight may still end, and have something to tell a replica."""
        self._is_stopped = True
        await asyncio.gather(self.release(), *self._ending)


class Link:
    """The way to one replica."""

    def __init__(
        self, replica: ReplicaId, address: str, post: Post, security: ClientSecurity
    ) -> None:
        self.replica = replica
        self.phase = "connecting"
        self.stub: Any = None
        self._address = address
        self._post = post
        self._security = security
        self._task: asyncio.Task[None] | None = None
        self._session: _Session | None = None
        self._refusal: str | None = None
        self._stopping = False

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End the stream and the link; nothing is posted any more."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self.phase = "stopped"

    # What the driver says; on the event loop, within an event that this link posted or another.

    def open(self, commands: tuple[Sent, ...]) -> None:
        hello = commands[0].command
        assert isinstance(hello, Hello), "a session begins with Hello"
        self._session = _Session(self.replica, hello.connection_id)
        self._session.enqueue(commands)

    def send(self, commands: tuple[Sent, ...]) -> None:
        if self._session is not None:
            self._session.enqueue(commands)

    def close(self, reason: str) -> None:
        if self._session is not None:
            self._session.end(reason)
        else:
            self._refusal = reason

    # The rounds.

    async def _run(self) -> None:
        is_local = self._address.startswith("unix:")
        while True:
            wait = wait_random_exponential(
                multiplier=RECONNECT_BACKOFF_MIN_MS / 1000,
                min=RECONNECT_BACKOFF_MIN_MS / 1000,
                max=LOCAL_BACKOFF_MAX_S if is_local else RECONNECT_BACKOFF_MAX_MS / 1000,
            )
            rounds = AsyncRetrying(
                wait=wait,
                retry=retry_if_exception_type(Exception),
                before_sleep=self._before_sleep,
            )
            await rounds(self._round)

    def _before_sleep(self, state: RetryCallState) -> None:
        self.phase = "backing off"
        error = None if state.outcome is None else state.outcome.exception()
        if not isinstance(error, _Ended):
            # A bug of ours, on this link alone: the others go on, and so may this one.
            _log.error("link.failed", replica=self.replica, exc_info=error)
        waits_s = 0.0 if state.next_action is None else state.next_action.sleep
        _log.info(
            "link.waits",
            replica=self.replica,
            attempt=state.attempt_number,
            seconds=round(waits_s, 3),
        )

    async def _round(self) -> None:
        """Returns after a session that lasted; raises `_Ended` after anything else."""
        self.phase = "connecting"
        self._session, self._refusal = None, None
        channel = open_channel(self._address, self._security)
        try:
            self.stub = ComputeStub(channel)
            await self._probe()
            lasted_s = await self._run_session()
        finally:
            self.stub = None
            self._session = None
            await channel.close()
        if lasted_s < STABLE_SESSION_S:
            raise _Ended(f"the session lasted {lasted_s:.1f} s")

    async def _probe(self) -> None:
        try:
            answer = await self.stub.Probe(pb.ProbeRequest(), timeout=PROBE_DEADLINE_S)
            facts = facts_from_proto(answer)
            if facts.replica != self.replica:
                raise RemoteProtocolError(f"{self._address} is replica {facts.replica}")
        except (grpc.aio.AioRpcError, AntiphonError) as error:
            reason = _reason(error)
            self._post(LinkLost(replica=self.replica, connection_id=None, reason=reason))
            raise _Ended(reason) from error
        self._post(ReplicaReached(replica=self.replica, facts=facts, address=self._address))
        if self._session is None:
            refusal = self._refusal or "nobody opened a session"
            _log.warning("link.refused", replica=self.replica, reason=refusal)
            raise _Ended(refusal)

    async def _run_session(self) -> float:
        session = self._session
        assert session is not None, "the probe opened it"
        loop = asyncio.get_running_loop()
        started = loop.time()
        self.phase = "connected"
        reason = "canceled"
        try:
            reason = await session.run(self.stub, self._post)
        finally:
            if not self._stopping:
                _log.warning("link.lost", replica=self.replica, reason=reason)
                self._post(
                    LinkLost(
                        replica=self.replica,
                        connection_id=session.connection_id,
                        reason=reason,
                        found=session.found,
                    )
                )
        return loop.time() - started


class _Session:
    """One stream: a queue out, responses in, and the reason for its end."""

    def __init__(self, replica: ReplicaId, connection_id: ConnectionId) -> None:
        self.connection_id = connection_id
        self.found = ""  # the code of what the replica could not go on with
        self._replica = replica
        self._queue: deque[Sent] = deque()
        self._wake = asyncio.Event()
        self._wakes_soon = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._heard_count = 0

    def enqueue(self, commands: Sequence[Sent]) -> None:
        self._queue.extend(commands)
        if len(self._queue) > SEND_QUEUE_COMMANDS_MAX:
            self.end(f"it fell {SEND_QUEUE_COMMANDS_MAX} commands behind")
        if not all(isinstance(sent.command, CancelPeek) for sent in commands):
            self._wake.set()
        elif not self._wakes_soon:
            self._wakes_soon = True
            asyncio.get_running_loop().call_later(CANCEL_WAIT_S, self._wake_now)

    def _wake_now(self) -> None:
        self._wakes_soon = False
        self._wake.set()

    def end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)

    async def run(self, stub: Any, post: Post) -> str:
        """Until it ends, for whatever reason, which is returned."""
        call = stub.Session()
        tasks = [
            asyncio.ensure_future(self._write(call)),
            asyncio.ensure_future(self._read(call, post)),
            asyncio.ensure_future(self._watch()),
        ]
        for task in tasks:
            task.add_done_callback(self._done)
        try:
            return await self._ended
        finally:
            for task in tasks:
                task.cancel()
            call.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Nobody waits for a task that fails, so its failure ends the session."""
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("link.failed", replica=self._replica, exc_info=error)
            self.end(f"a bug: {error}")

    async def _write(self, call: Any) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    count = min(len(self._queue), BATCH_MESSAGES_MAX)
                    batch = [self._queue.popleft() for _ in range(count)]
                    await call.write(commands_to_batch(batch))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            # The reader hears the status of a stream that ended; here it only cannot be written.
            await asyncio.sleep(HEARTBEAT_INTERVAL_MS / 1000)
            self.end(_reason(error))

    async def _read(self, call: Any, post: Post) -> None:
        try:
            async for message in call:
                self._heard_count += 1
                connection_id, responses = responses_from_batch(message)
                if connection_id != self.connection_id:
                    continue
                post(
                    ResponsesReceived(
                        replica=self._replica, connection_id=connection_id, responses=responses
                    )
                )
            self.end("the replica ended the session")
        except (grpc.aio.AioRpcError, AntiphonError) as error:
            self.found = self.found or _found(error)
            self.end(_reason(error))

    async def _watch(self) -> None:
        """What counts is looks without a word, not time: if we were stopped, or the machine slept,
        what the replica said meanwhile is yet to be read."""
        heard_count = silent_looks = 0
        while silent_looks < SILENT_LOOKS_MAX:
            await asyncio.sleep(HEARTBEAT_SILENCE_MS / 1000 / SILENT_LOOKS_MAX)
            silent_looks = silent_looks + 1 if self._heard_count == heard_count else 0
            heard_count = self._heard_count
        self.end(f"it was silent for {HEARTBEAT_SILENCE_MS / 1000:.0f} s")


def _found(error: BaseException) -> str:
    """Whether the session ended by what one of both found in it, and not by the way between them:
    the one is counted against what the replica holds, the other never is."""
    told = from_rpc_error(error) if isinstance(error, grpc.aio.AioRpcError) else error
    if isinstance(told, ProtocolViolated | Internal):
        return told.code
    return "protocol_broken" if isinstance(told, RemoteProtocolError) else ""


def _reason(error: BaseException) -> str:
    """In a few words, for people."""
    if isinstance(error, grpc.aio.AioRpcError):
        return from_rpc_error(error).message.splitlines()[0]
    return str(error) or type(error).__name__
