"""The controller's Collections service, as the driver's port.

What may pass by itself is retried here, with back-off; what may not, or what would have to start
over, goes to the worker as an event. A tail that breaks is asked for again from where it had got
to, so that the worker does not notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import grpc
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.codec.frontier import frontier_field
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    Internal,
    LimitExceeded,
    LinkTimeout,
    OutcomeUnknown,
    RemoteProtocolError,
    Unauthenticated,
    Unavailable,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.limits import (
    RECONNECT_BACKOFF_MAX_MS,
    RECONNECT_BACKOFF_MIN_MS,
    UNARY_DEADLINE_MS,
)
from antiphon.replica.ports import (
    AppendShard,
    CancelSnapshot,
    EncodedDelta,
    Event,
    OpenTail,
    ReadSnapshot,
    ShardAppended,
    ShardAppendFailed,
    SnapshotFailed,
    SnapshotPart,
    TailFailed,
    TailReceived,
)
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1 import collections_pb2_grpc

log = structlog.get_logger()

# These pass: the controller restarts, a queue was full, a token is being replaced. A missing
# collection passes too: it was dropped a moment ago, and the drop of its readers is on its way.
PASSING: Final = (
    Unavailable,
    OutcomeUnknown,
    LinkTimeout,
    Internal,
    LimitExceeded,
    Unauthenticated,
)


class Collections:
    """One channel's worth of reads and writes. `writable` waits until the worker keeps up."""

    def __init__(
        self,
        open_channel: Callable[[], grpc.aio.Channel],
        replica: ReplicaId,
        deliver: Callable[[Event], None],
        writable: Callable[[], Coroutine[Any, Any, None]],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._store = _Store(open_channel)
        self._replica = replica
        self._deliver = deliver
        self._writable = writable
        self._crashed = crashed
        self._tail: asyncio.Task[None] | None = None
        self._snapshots: dict[int, asyncio.Task[None]] = {}
        self._appends: set[asyncio.Task[None]] = set()

    # The port.

    def open_tail(self, request: OpenTail) -> None:
        if self._tail is not None:
            self._tail.cancel()
            self._tail = None
        if request.collections:
            self._tail = self._start(self._run_tail(request))

    def read_snapshot(self, request: ReadSnapshot) -> None:
        task = self._start(self._run_snapshot(request))
        self._snapshots[request.snapshot] = task
        task.add_done_callback(lambda _: self._snapshots.pop(request.snapshot, None))

    def cancel_snapshot(self, request: CancelSnapshot) -> None:
        task = self._snapshots.get(request.snapshot)
        if task is not None:
            task.cancel()

    def append_shard(self, request: AppendShard) -> None:
        task = self._start(self._run_append(request))
        self._appends.add(task)
        task.add_done_callback(self._appends.discard)

    async def close(self) -> None:
        tasks = [*self._snapshots.values(), *self._appends]
        if self._tail is not None:
            tasks.append(self._tail)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._store.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashed(error)

    def _attempts(self, what: str) -> AsyncRetrying:
        def note(state: RetryCallState) -> None:
            outcome = state.outcome
            error = None if outcome is None else outcome.exception()
            if isinstance(error, Unavailable):
                self._store.renew()
            if state.attempt_number == 1:
                log.info("retrying", what=what, reason=str(error))

        return AsyncRetrying(
            retry=retry_if_exception(_passes),
            wait=wait_random_exponential(
                multiplier=RECONNECT_BACKOFF_MIN_MS / 1_000, max=RECONNECT_BACKOFF_MAX_MS / 1_000
            ),
            before_sleep=note,
            reraise=True,
        )

    # The tail.

    async def _run_tail(self, request: OpenTail) -> None:
        progress = _Progress()
        try:
            while True:
                # A stream that made progress starts the back-off afresh.
                async for attempt in self._attempts("tail"):
                    with attempt:
                        await self._follow(request, progress)
        except ComputeError as error:
            self._deliver(TailFailed(tail=request.tail, error=error))

    async def _follow(self, request: OpenTail, progress: _Progress) -> None:
        """Delivers until the stream breaks. Returns if it got further, raises if not."""
        start = progress.reached
        call = self._store.stub.Tail(
            pb.TailRequest(
                collections=[
                    _tail_from(collection, lower.join(start))
                    for collection, lower in request.collections.items()
                ],
                replica=self._replica,
            )
        )
        try:
            async for batch in _messages(call):
                event = _tail_received(request.tail, batch)
                progress.reached = event.upper
                self._deliver(event)
                await self._writable()
            raise Unavailable("the tail ended")
        except ComputeError as error:
            if not start.less_than(progress.reached) or not _passes(error):
                raise
            log.info("tail broke", reason=str(error), reached=str(progress.reached))
        finally:
            call.cancel()

    # Snapshots.

    async def _run_snapshot(self, request: ReadSnapshot) -> None:
        failure: ComputeError | None = None
        try:
            async for attempt in self._attempts("snapshot"):
                with attempt:
                    failure = await self._read(request)
        except ComputeError as error:
            failure = error
        if failure is not None:
            self._deliver(SnapshotFailed(snapshot=request.snapshot, error=failure))

    async def _read(self, request: ReadSnapshot) -> ComputeError | None:
        """Delivers the parts. What breaks before the first is raised, to be tried again; what
        breaks later is returned, for the worker must first forget the parts it has."""
        call = self._store.stub.Snapshot(
            pb.SnapshotRequest(
                collection=request.collection, as_of=request.as_of, replica=self._replica
            )
        )
        started = False
        try:
            async for chunk in _messages(call):
                started = True
                self._deliver(
                    SnapshotPart(
                        snapshot=request.snapshot,
                        delta=_encoded(chunk.delta),
                        rows_total=chunk.rows_total,
                        last=chunk.last,
                    )
                )
                if chunk.last:
                    return None
                await self._writable()
            raise Unavailable("the snapshot ended before its last part")
        except ComputeError as error:
            if started:
                return error
            raise
        finally:
            call.cancel()

    # Appends.

    async def _run_append(self, request: AppendShard) -> None:
        try:
            answer = await self._store.stub.CompareAndAppend(
                pb.CompareAndAppendRequest(
                    collection=request.collection,
                    expected_upper=frontier_to_proto(request.expected_upper),
                    new_upper=frontier_to_proto(request.new_upper),
                    delta=pb.CollectionDelta(
                        collection=request.collection,
                        batches=request.delta.rows,
                        error_batches=request.delta.errors,
                    ),
                    epoch=request.epoch,
                    claim_id=request.claim_id.value,
                    replica=self._replica,
                ),
                timeout=UNARY_DEADLINE_MS / 1_000,
            )
        except grpc.aio.AioRpcError as error:
            failure = from_rpc_error(error)
            self._deliver(
                ShardAppendFailed(
                    append=request.append, collection=request.collection, error=failure
                )
            )
            return
        self._deliver(
            ShardAppended(
                append=request.append,
                collection=request.collection,
                applied=answer.applied,
                upper=frontier_from_proto(answer.upper),
            )
        )


@dataclass(slots=True)
class _Progress:
    reached: Frontier = START  # everything before it was delivered


class _Store:
    """The channel to the controller. One that could not connect backs off by itself, for seconds;
    a fresh one tries at once, and the back-off above is the only one."""

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._open_channel = open_channel
        self._channel = open_channel()
        self._closing: set[asyncio.Task[None]] = set()
        self.stub = collections_pb2_grpc.CollectionsStub(self._channel)

    def renew(self) -> None:
        """If the channel is failing to connect, replaces it."""
        if self._channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return
        task = asyncio.get_running_loop().create_task(self._channel.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._channel = self._open_channel()
        self.stub = collections_pb2_grpc.CollectionsStub(self._channel)

    async def close(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._channel.close()


def _passes(error: BaseException) -> bool:
    return isinstance(error, (*PASSING, CollectionMissing))


async def _messages(call: Any) -> AsyncIterator[Any]:
    """A stream's messages; its status as a typed error."""
    try:
        async for message in call:
            yield message
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


def _tail_from(collection: CollectionId, lower: Frontier) -> pb.TailFrom:
    return pb.TailFrom(collection=collection, lower=frontier_to_proto(lower))


def _tail_received(tail: int, batch: pb.TailBatch) -> TailReceived:
    try:
        lower = frontier_field("lower", batch.HasField("lower"), batch.lower)
        upper = frontier_field("upper", batch.HasField("upper"), batch.upper)
    except RemoteProtocolError as error:
        raise Internal(f"a malformed tail: {error}") from error
    return TailReceived(
        tail=tail,
        lower=lower,
        upper=upper,
        deltas={CollectionId(delta.collection): _encoded(delta) for delta in batch.deltas},
    )


def _encoded(delta: pb.CollectionDelta) -> EncodedDelta:
    return EncodedDelta(rows=tuple(delta.batches), errors=tuple(delta.error_batches))
