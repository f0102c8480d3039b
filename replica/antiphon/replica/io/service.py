"""The Compute service over gRPC. It decodes, hands on and encodes; the driver decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import structlog

from antiphon.protocol.codec import commands_from_batch, facts_to_proto, responses_to_batch
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import (
    AntiphonError,
    InvalidArgument,
    NotServed,
    RemoteProtocolError,
    Unavailable,
)
from antiphon.protocol.ids import RANDOM_ID_BYTES, PeekId
from antiphon.protocol.limits import BATCH_MESSAGES_MAX
from antiphon.protocol.response import Response
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.io.streams import OpenStream, Outgoing, Streams
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
        return facts_to_proto(self._driver.facts())

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
                    commands = commands_from_batch(message)
                except RemoteProtocolError as error:
                    self._driver.stream_broken(number, error, self._now_ms())
                    return
                if self._verbose:
                    for sent in commands:
                        log.debug("<", stream=number, command=describe(sent.command))
                self._driver.commands_received(number, commands, self._now_ms())
        except (grpc.aio.UsageError, grpc.aio.InternalError, grpc.aio.AioRpcError) as error:
            # The connection is gone; the end of the stream tells everybody.
            log.debug("stream broke", stream=number, reason=str(error))
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
        result = self._driver.take_result(peek_id)
        if result is None:
            raise Unavailable(
                f"no result waits for peek {peek_id}: it was fetched, canceled or too old",
                peek=str(peek_id),
            )
        for batch, row_count in zip(result.batches, result.row_counts, strict=True):
            yield compute_pb2.ResultChunk(batch=batch, row_count=row_count)

    async def FetchState(
        self, request: compute_pb2.FetchStateRequest, context: Context
    ) -> AsyncIterator[compute_pb2.StateChunk]:
        nothing: tuple[compute_pb2.StateChunk, ...] = ()
        for chunk in nothing:
            yield chunk  # what makes this a stream; there is no durable state to send yet
        raise NotServed("state is not served to peers yet")


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
