"""One controller over gRPC: the control port. Its errors are ours from here on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

import grpc

from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.security import ClientSecurity
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.limits import UNARY_DEADLINE_MS
from antiphon.v1 import control_pb2 as wire
from antiphon.v1.control_pb2_grpc import ControlStub

if TYPE_CHECKING:
    from antiphon.v1.control_pb2_grpc import ControlAsyncStub  # exists in the stub file alone

Q = TypeVar("Q")
A = TypeVar("A")

UNARY_DEADLINE_S: Final = UNARY_DEADLINE_MS / 1000
CLOSED: Final = "the client is closed; nothing was sent"


class Connection:
    """Implements `ControlPort`. Reads have no deadline: keepalive notices a dead peer, and an
    answer may take as long as it takes."""

    def __init__(self, address: str, security: ClientSecurity) -> None:
        self.address = address
        self._channel = open_channel(address, security)
        self._stub: ControlAsyncStub = ControlStub(self._channel)

    def execute(self, request: wire.ExecuteRequest) -> AsyncIterator[wire.ExecuteResponse]:
        return _stream(self._stub.Execute, request)

    async def append(self, request: wire.AppendRequest) -> wire.AppendResponse:
        return await _unary(self._stub.Append, request)

    def peek(self, request: wire.PeekRequest) -> AsyncIterator[wire.PeekChunk]:
        return _stream(self._stub.Peek, request)

    async def lookup(self, request: wire.PeekRequest) -> wire.PeekChunk:
        return await _unary(self._stub.Lookup, request, deadline_s=None)

    def subscribe(self, request: wire.SubscribeRequest) -> AsyncIterator[wire.SubscribeChunk]:
        return _stream(self._stub.Subscribe, request)

    async def list_collections(self, name: str = "") -> wire.ListCollectionsResponse:
        return await _unary(self._stub.ListCollections, wire.ListCollectionsRequest(name=name))

    async def get_status(self) -> wire.GetStatusResponse:
        return await _unary(self._stub.GetStatus, wire.GetStatusRequest())

    async def add_replica(self, request: wire.AddReplicaRequest) -> wire.AddReplicaResponse:
        return await _unary(self._stub.AddReplica, request)

    async def remove_replica(self, request: wire.RemoveReplicaRequest) -> None:
        await _unary(self._stub.RemoveReplica, request)

    async def promote(self, request: wire.PromoteRequest) -> wire.PromoteResponse:
        return await _unary(self._stub.Promote, request)

    async def explain_replica(
        self, request: wire.ExplainReplicaRequest
    ) -> wire.ExplainReplicaResponse:
        return await _unary(self._stub.ExplainReplica, request)

    async def hold_subscription(
        self, request: wire.HoldSubscriptionRequest
    ) -> wire.HoldSubscriptionResponse:
        return await _unary(self._stub.HoldSubscription, request)

    def read_history(self, request: wire.ReadHistoryRequest) -> AsyncIterator[wire.HistoryRecord]:
        return _stream(self._stub.ReadHistory, request)

    async def close(self) -> None:
        await self._channel.close()


async def _unary(
    method: Callable[..., Awaitable[A]], request: Q, deadline_s: float | None = UNARY_DEADLINE_S
) -> A:
    try:
        call = method(request, timeout=deadline_s)
    except grpc.aio.UsageError as error:
        raise InvalidArgument(CLOSED) from error
    try:
        return await call
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


async def _stream(
    method: Callable[[Q], grpc.aio.UnaryStreamCall[Q, A]], request: Q
) -> AsyncIterator[A]:
    """Cancels the call when the iterator is closed before its end."""
    try:
        call = method(request)
    except grpc.aio.UsageError as error:
        raise InvalidArgument(CLOSED) from error
    try:
        async for message in call:
            yield message
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    finally:
        call.cancel()
