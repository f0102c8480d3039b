"""The controller's Collections service, as the driver's port.

There may be several controllers, of which one is live; all of them read the same store, and only
the live one writes to it. Who cannot be reached, or does not write for our session, is left for the
next.

What may pass by itself is retried here, with back-off; what may not, or what would have to start
over, goes to the worker as an event. A tail that breaks is asked for again from where it had got
to, so that the worker does not notice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
    EpochFenced,
    Internal,
    LimitExceeded,
    LinkTimeout,
    OutcomeUnknown,
    RemoteProtocolError,
    Standby,
    Unauthenticated,
    Unavailable,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.io.status import calling
from antiphon.protocol.limits import (
    RECONNECT_BACKOFF_MAX_MS,
    RECONNECT_BACKOFF_MIN_MS,
    UNARY_DEADLINE_MS,
)
from antiphon.replica.io.peers import read_peer
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    CancelSnapshot,
    EncodedDelta,
    Event,
    OpenTail,
    ReadSnapshot,
    ShardAppended,
    ShardAppendFailed,
    ShardPieceWanted,
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
    Standby,
)
# These say that another controller may be the one to write to.
ELSEWHERE: Final = (Unavailable, Standby, EpochFenced, LinkTimeout, OutcomeUnknown)


class Collections:
    """One channel's worth of reads and writes. `writable` waits until the worker keeps up."""

    def __init__(
        self,
        open_channels: Sequence[Callable[[], grpc.aio.Channel]],
        replica: ReplicaId,
        deliver: Callable[[Event], None],
        writable: Callable[[], Coroutine[Any, Any, None]],
        crashed: Callable[[BaseException], None],
        open_peer: Callable[[str], grpc.aio.Channel],
    ) -> None:
        self._store = _Store(open_channels)
        self._open_peer = open_peer
        self._replica = replica
        self._deliver = deliver
        self._writable = writable
        self._crashed = crashed
        self._tail: asyncio.Task[None] | None = None
        self._snapshots: dict[int, asyncio.Task[None]] = {}
        self._appends: dict[int, asyncio.Task[None]] = {}
        # Of those in pieces: what the worker has made next. At most one waits, it was asked for.
        self._pieces: dict[int, asyncio.Queue[AppendPiece]] = {}

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
        if not request.last:
            self._pieces[request.append] = asyncio.Queue()
        task = self._start(self._run_append(request))
        self._appends[request.append] = task

        def ended(_: asyncio.Task[None]) -> None:
            del self._appends[request.append]
            self._pieces.pop(request.append, None)

        task.add_done_callback(ended)

    def append_piece(self, request: AppendPiece) -> None:
        pieces = self._pieces.get(request.append)
        if pieces is not None:  # else it was answered meanwhile
            pieces.put_nowait(request)

    def cancel_append(self, request: CancelAppend) -> None:
        task = self._appends.get(request.append)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        tasks = [*self._snapshots.values(), *self._appends.values()]
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
        start, at = progress.reached, self._store.at
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
            self._store.failed(at, error)
            if not start.less_than(progress.reached) or not _passes(error):
                raise
            log.info("tail broke", reason=str(error), reached=str(progress.reached))
        finally:
            call.cancel()

    # Snapshots.

    async def _run_snapshot(self, request: ReadSnapshot) -> None:
        failure: ComputeError | None = None
        try:
            if request.peer:
                await self._read_peer(request)
                return
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
        at = self._store.at
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
            self._store.failed(at, error)
            if started:
                return error
            raise
        finally:
            call.cancel()

    async def _read_peer(self, request: ReadSnapshot) -> None:
        channel = self._open_peer(request.peer)
        try:
            async for part in read_peer(channel, request):
                self._deliver(part)
                await self._writable()
        finally:
            await channel.close()

    # Appends.

    async def _run_append(self, request: AppendShard) -> None:
        message = pb.CompareAndAppendRequest(
            collection=request.collection,
            expected_upper=frontier_to_proto(request.expected_upper),
            new_upper=frontier_to_proto(request.new_upper),
            delta=_delta(request.collection, request.delta),
            epoch=request.epoch,
            claim_id=request.claim_id.value,
            replica=self._replica,
        )
        try:
            if request.last:
                answer = await self._append(message)
            else:
                answer = await self._append_in_pieces(request, message)
        except ComputeError as failure:
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

    async def _append(self, message: pb.CompareAndAppendRequest) -> Any:
        """By the first controller that takes it. It is compared before it is appended, so asking
        again what may have been done does no harm."""
        asked = 0
        while True:
            at, asked = self._store.at, asked + 1
            try:
                with calling("the controller"):
                    return await self._store.stub.CompareAndAppend(
                        message, timeout=UNARY_DEADLINE_MS / 1_000
                    )
            except ComputeError as error:
                self._store.failed(at, error)
                if not isinstance(error, ELSEWHERE) or asked >= self._store.count:
                    raise

    async def _append_in_pieces(
        self, request: AppendShard, message: pb.CompareAndAppendRequest
    ) -> Any:
        """By the controller that is in use. Who asks again has to send all of it again."""
        at = self._store.at
        call = self._store.stub.AppendInPieces(self._pieces_of(request, message))
        try:
            with calling("the controller"):
                return await call
        except ComputeError as error:
            self._store.failed(at, error)
            raise
        finally:
            call.cancel()

    async def _pieces_of(
        self, request: AppendShard, message: pb.CompareAndAppendRequest
    ) -> AsyncIterator[pb.AppendPiece]:
        """gRPC takes the next one when there is room for it on the way; only then it is made."""
        yield pb.AppendPiece(append=message)
        pieces = self._pieces[request.append]
        while True:
            self._deliver(ShardPieceWanted(append=request.append))
            piece = await pieces.get()
            delta = _delta(request.collection, piece.delta)
            yield pb.AppendPiece(delta=delta, last=piece.last)
            if piece.last:
                return


@dataclass(slots=True)
class _Progress:
    reached: Frontier = START  # everything before it was delivered


class _Store:
    """The channels to the controllers, of which one is in use. Calls that run on another go on
    there: to close it would end them, though nothing is wrong with them."""

    def __init__(self, open_channels: Sequence[Callable[[], grpc.aio.Channel]]) -> None:
        self._open_channels = open_channels
        self.count = len(open_channels)
        self.at = 0
        self._channels: dict[int, grpc.aio.Channel] = {0: open_channels[0]()}
        self._closing: set[asyncio.Task[None]] = set()
        self.stub = collections_pb2_grpc.CollectionsStub(self._channels[0])

    def failed(self, at: int, error: ComputeError) -> None:
        """A call to that controller failed: the next one is asked from here on, unless another call
        has gone on already."""
        if at == self.at and isinstance(error, ELSEWHERE):
            self._use((at + 1) % self.count)

    def _use(self, at: int) -> None:
        """A channel that could not connect backs off by itself, for seconds; a fresh one tries at
        once, and the back-off of the caller is the only one."""
        self.at = at
        channel = self._channels.get(at)
        failing = grpc.ChannelConnectivity.TRANSIENT_FAILURE
        if channel is not None and channel.get_state() is failing:
            task = asyncio.get_running_loop().create_task(channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            channel = None
        if channel is None:
            channel = self._channels[at] = self._open_channels[at]()
        self.stub = collections_pb2_grpc.CollectionsStub(channel)

    async def close(self) -> None:
        await asyncio.gather(*self._closing, return_exceptions=True)
        for channel in self._channels.values():
            await channel.close()


def _passes(error: BaseException) -> bool:
    return isinstance(error, (*PASSING, CollectionMissing))


async def _messages(call: Any) -> AsyncIterator[Any]:
    """A stream's messages; its status as a typed error."""
    with calling("the controller"):
        async for message in call:
            yield message


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


def _delta(collection: CollectionId, delta: EncodedDelta) -> pb.CollectionDelta:
    return pb.CollectionDelta(collection=collection, batches=delta.rows, error_batches=delta.errors)


def _encoded(delta: pb.CollectionDelta) -> EncodedDelta:
    return EncodedDelta(rows=tuple(delta.batches), errors=tuple(delta.error_batches))
