"""The Compute service over gRPC. It decodes, hands on and encodes; the driver decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from antiphon.protocol.codec import commands_to_pass, facts_to_proto, responses_to_batch
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    EpochFenced,
    InstanceMismatch,
    InvalidArgument,
    RemoteProtocolError,
    Unavailable,
)
from antiphon.protocol.facts import with_digests
from antiphon.protocol.ids import RANDOM_ID_BYTES, CollectionId, PeekId
from antiphon.protocol.limits import BATCH_MESSAGES_MAX
from antiphon.protocol.response import Response
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.io.streams import OpenStream, Outgoing, Streams
from antiphon.replica.ports import StatePart
from antiphon.v1 import command_pb2, compute_pb2, compute_pb2_grpc, response_pb2

Context = grpc.aio.ServicerContext[Any, Any]
log = structlog.get_logger()


class ComputeService(compute_pb2_grpc.ComputeServicer):
    """`now_ms`: the driver's clock. `crashed`: told of a bug, after which nothing is trusted."""

    def __init__(
        self,
        driver: ReplicaDriver,
        streams: Streams,
        now_ms: Callable[[], int],
        crashed: Callable[[BaseException], None],
        *,
        verbose: bool = False,
    ) -> None:
        self._verbose = verbose
        self._driver = driver
        self._streams = streams
        self._now_ms = now_ms
        self._crashed = crashed

    async def Probe(
        self, request: compute_pb2.ProbeRequest, context: Context
    ) -> compute_pb2.ReplicaStatus:
        facts = self._driver.facts()
        if request.digests_of:
            facts = with_digests(facts, await self._digests(request))
        return facts_to_proto(facts)

    async def _digests(self, request: compute_pb2.ProbeRequest) -> Mapping[CollectionId, bytes]:
        """As long as the asker waits: its deadline ends the call, not the sum."""
        told: asyncio.Future[Mapping[CollectionId, bytes]] = (
            asyncio.get_running_loop().create_future()
        )

        def tell(digests: Mapping[CollectionId, bytes]) -> None:
            if not told.done():
                told.set_result(digests)

        collections = tuple(CollectionId(collection) for collection in request.digests_of)
        self._driver.ask_digests(collections, request.digests_at, tell, self._now_ms())
        return await told

    async def Session(
        self, request_iterator: AsyncIterator[command_pb2.CommandBatch], context: Context
    ) -> AsyncIterator[response_pb2.ResponseBatch]:
        stream = self._streams.open()
        log.debug("stream opened", stream=stream.number, peer=context.peer())
        reader = asyncio.ensure_future(self._read(stream, request_iterator))
        try:
            self._driver.stream_opened(stream.number, self._now_ms())
            while outgoing := await stream.next():
                if self._verbose:
                    for _, responses in outgoing:
                        for response in responses:
                            log.debug(">", stream=stream.number, response=describe(response))
                for batch in _batches(outgoing):
                    yield batch
            if stream.error is not None:
                log.info("stream ended", stream=stream.number, reason=str(stream.error))
                raise stream.error
        except (AntiphonError, grpc.aio.BaseError):
            raise
        except Exception as error:
            self._crashed(error)
            raise
        finally:
            # The reader is a task of ours; cancelling it does not touch the call.
            reader.cancel()
            self._streams.forget(stream)
            self._driver.stream_closed(stream.number, self._now_ms())

    async def _read(
        self, stream: OpenStream, requests: AsyncIterator[command_pb2.CommandBatch]
    ) -> None:
        number = stream.number
        try:
            async for message in requests:
                try:
                    commands = commands_to_pass(message)
                except RemoteProtocolError as error:
                    self._driver.stream_broken(number, error, self._now_ms())
                    return
                if self._verbose:
                    for sent in commands:
                        log.debug("<", stream=number, command=describe(sent.command))
                encoded = message.SerializeToString()
                self._driver.commands_received(number, commands, self._now_ms(), encoded)
        except (grpc.aio.UsageError, grpc.aio.InternalError, grpc.aio.AioRpcError) as error:
            # The connection is gone; the end of the stream tells everybody.
            log.debug("stream broke", stream=number, reason=str(error))
        except DecodeError as error:
            refusal = RemoteProtocolError(f"a message cannot be read: {error}")
            self._driver.stream_broken(number, refusal, self._now_ms())
            return
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._crashed(error)
        stream.finish()

    async def FetchResult(
        self, request: compute_pb2.FetchResultRequest, context: Context
    ) -> AsyncIterator[compute_pb2.ResultChunk]:
        if len(request.peek_id) != RANDOM_ID_BYTES:
            raise InvalidArgument(f"a peek id has {RANDOM_ID_BYTES} bytes")
        peek_id = PeekId(request.peek_id)
        fetch = self._driver.take_result(peek_id, self._now_ms())
        if fetch is None:
            raise Unavailable(
                f"no result waits for peek {peek_id}: it was fetched, canceled or too old",
                peek=str(peek_id),
            )
        # A chunk is taken only once gRPC has room for it: what its reader does not read stays in
        # the stash, and counts there.
        try:
            while (chunk := fetch.next_chunk(self._now_ms())) is not None:
                batch, row_count = chunk
                yield compute_pb2.ResultChunk(batch=batch, row_count=row_count)
        finally:
            fetch.close()

    async def FetchState(
        self, request: compute_pb2.FetchStateRequest, context: Context
    ) -> AsyncIterator[compute_pb2.StateChunk]:
        """One chunk on its way, one in the making: a peer that does not read asks for no more."""
        facts = self._driver.facts()
        fence = facts.highest_epoch
        if request.epoch < fence:
            raise EpochFenced(f"epoch {request.epoch} is over", epoch=request.epoch, highest=fence)
        ours = facts.history_id
        if request.history_id and (ours is None or ours.value != request.history_id):
            raise InstanceMismatch(
                "the collections that are kept here are those of another history"
            )
        chunks: asyncio.Queue[StatePart | ComputeError] = asyncio.Queue()
        ask = self._driver.ask_state(
            CollectionId(request.collection),
            request.time,
            request.first_chunk,
            chunks.put_nowait,
            self._now_ms(),
        )
        try:
            while True:
                answer = await chunks.get()
                if isinstance(answer, ComputeError):
                    raise answer
                if not answer.last:
                    self._driver.more_state(ask, self._now_ms())
                yield _state_chunk(answer)
                if answer.last:
                    return
        finally:
            self._driver.end_state(ask, self._now_ms())


def _state_chunk(part: StatePart) -> compute_pb2.StateChunk:
    return compute_pb2.StateChunk(
        index=part.index,
        batch=b"".join(part.delta.rows),
        error_batch=b"".join(part.delta.errors),
        last=part.last,
        digest=part.digest,
        rows_total=part.rows_total,
        time=part.time,
    )


def _batches(outgoing: list[Outgoing]) -> list[response_pb2.ResponseBatch]:
    """Everything that waits in as few messages as may be: each costs about 100 µs."""
    batches: list[response_pb2.ResponseBatch] = []
    waiting: list[Response] = []
    for index, (connection_id, responses) in enumerate(outgoing):
        waiting += responses
        last = index + 1 == len(outgoing) or outgoing[index + 1][0] != connection_id
        while len(waiting) >= BATCH_MESSAGES_MAX or (last and waiting):
            batches.append(responses_to_batch(connection_id, waiting[:BATCH_MESSAGES_MAX]))
            del waiting[:BATCH_MESSAGES_MAX]
    return batches
