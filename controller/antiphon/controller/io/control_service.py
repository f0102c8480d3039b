"""The `Control` service: what users, the CLI and the SDK speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
import pyarrow as pa

from antiphon.controller.appends import check_appendable, prepare
from antiphon.controller.catalog import CatalogItem
from antiphon.controller.io.calls import Calls
from antiphon.controller.io.execution import Execution, producer_of
from antiphon.controller.io.introspection import Introspection
from antiphon.controller.io.orchestrator.local import Orchestrator
from antiphon.controller.ports import AppendReply, Reply
from antiphon.controller.request import (
    AppendReceived,
    DriverEvent,
    ReplicaNamed,
    ReplicaPromoted,
    ReplicasConfigured,
    ReplicaUnnamed,
)
from antiphon.controller.sql.statements.named import named_item
from antiphon.protocol.arrow_stream import read_stream
from antiphon.protocol.codec import frontier_to_proto
from antiphon.protocol.errors import (
    InvalidArgument,
    LimitExceeded,
    RemoteProtocolError,
)
from antiphon.protocol.ids import Epoch, ReplicaId, check_replica_name
from antiphon.protocol.io.channel import check_address
from antiphon.protocol.limits import APPEND_BYTES_MAX, MIB
from antiphon.v1 import control_pb2 as pb
from antiphon.v1.control_pb2_grpc import ControlServicer

INLINE_PREPARE_BYTES: Final = 1 * MIB  # smaller appends are checked on the loop

Context = grpc.aio.ServicerContext[Any, Any]


class ControlService(ControlServicer):
    """Calls become events; replies become messages."""

    def __init__(
        self,
        *,
        calls: Calls,
        execution: Execution,
        introspection: Introspection,
        orchestrator: Orchestrator | None,
        promote: Callable[[], Awaitable[Epoch]],
    ) -> None:
        self._calls = calls
        self._execution = execution
        self._introspection = introspection
        self._orchestrator = orchestrator
        self._promote = promote

    async def Execute(
        self, request: pb.ExecuteRequest, context: Context
    ) -> AsyncIterator[pb.ExecuteResponse]:
        self._calls.driver.check_live()
        async with aclosing(self._execution.execute(request)) as responses:
            async for response in responses:
                yield response

    async def Peek(self, request: pb.PeekRequest, context: Context) -> AsyncIterator[pb.PeekChunk]:
        self._calls.driver.check_live()
        async with aclosing(self._execution.peek(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def Lookup(self, request: pb.PeekRequest, context: Context) -> pb.PeekChunk:
        self._calls.driver.check_live()
        return await self._execution.lookup(request)

    async def Subscribe(
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeChunk]:
        self._calls.driver.check_live()
        async with aclosing(self._execution.subscribe(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def Append(self, request: pb.AppendRequest, context: Context) -> pb.AppendResponse:
        self._calls.driver.check_live()
        item = self._appendable(request.collection)
        producer = producer_of(request.producer) if request.HasField("producer") else None
        if len(request.arrow_stream) < INLINE_PREPARE_BYTES:
            rows = _rows(item, request.arrow_stream)
        else:
            rows = await asyncio.to_thread(_rows, item, request.arrow_stream)
        reply = await self._ask(
            lambda number: AppendReceived(
                request=number, collection=item.id, rows=rows, producer=producer
            )
        )
        if not isinstance(reply, AppendReply):
            raise RemoteProtocolError(f"{type(reply).__name__} answers an append")
        return pb.AppendResponse(
            time=reply.time, row_count=reply.row_count, duplicate=reply.duplicate
        )

    def _appendable(self, name: str) -> CatalogItem:
        item = named_item(name, self._calls.driver.catalog)
        check_appendable(item)
        return item

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: Context
    ) -> pb.ListCollectionsResponse:
        self._calls.driver.check_live()
        return self._introspection.collections(request.name)

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        return self._introspection.status()

    async def AddReplica(
        self, request: pb.AddReplicaRequest, context: Context
    ) -> pb.AddReplicaResponse:
        """With no address, the orchestrator runs it."""
        self._calls.driver.check_live()
        check_replica_name(request.name)
        if request.address:
            check_address(request.address)
        elif self._orchestrator is None:
            raise InvalidArgument("an address is needed: this controller starts no replicas")
        else:
            self._orchestrator.address(request.name)
        await self._ask(
            lambda number: ReplicaNamed(
                request=number,
                replica=ReplicaId(request.name),
                address=request.address,
                read_only=request.read_only,
            )
        )
        return pb.AddReplicaResponse(replica=self._introspection.replica(request.name))

    async def configure_replicas(self, named: dict[str, str]) -> None:
        """The replicas that the settings name (name -> address), then all of the catalog.

        Raises:
            InvalidArgument: not a name or not an address.
            ReplicaExists: one was added at another address.
        """
        for name, address in named.items():
            check_replica_name(name)
            if address:
                check_address(address)
        replicas = {ReplicaId(name): address for name, address in named.items()}
        await self._ask(lambda number: ReplicasConfigured(request=number, replicas=replicas))

    async def _ask(self, event_of: Callable[[int], DriverEvent]) -> Reply:
        with self._calls.open() as mailbox:
            self._calls.handle(event_of(mailbox.request))
            return await mailbox.get()

    async def RemoveReplica(
        self, request: pb.RemoveReplicaRequest, context: Context
    ) -> pb.RemoveReplicaResponse:
        self._calls.driver.check_live()
        name = ReplicaId(request.name)
        await self._ask(lambda number: ReplicaUnnamed(request=number, replica=name))
        if self._orchestrator is not None:
            await self._orchestrator.stop(name)
        return pb.RemoveReplicaResponse()

    async def ReadHistory(
        self, request: pb.ReadHistoryRequest, context: Context
    ) -> AsyncIterator[pb.HistoryRecord]:
        async for record in self._introspection.history(request):
            yield record

    async def ExplainReplica(
        self, request: pb.ExplainReplicaRequest, context: Context
    ) -> pb.ExplainReplicaResponse:
        return self._introspection.decisions(request.name)

    async def Promote(self, request: pb.PromoteRequest, context: Context) -> pb.PromoteResponse:
        if not request.replica:
            return pb.PromoteResponse(epoch=await self._promote())
        name = ReplicaId(request.replica)
        await self._ask(lambda number: ReplicaPromoted(request=number, replica=name))
        return pb.PromoteResponse(epoch=self._calls.driver.fence.epoch)

    async def HoldSubscription(
        self, request: pb.HoldSubscriptionRequest, context: Context
    ) -> pb.HoldSubscriptionResponse:
        self._calls.driver.check_live()
        seen = await self._execution.hold(request)
        return pb.HoldSubscriptionResponse(
            frontier=None if seen is None else frontier_to_proto(seen)
        )


def _rows(item: CatalogItem, stream: bytes) -> pa.RecordBatch:
    """
    Raises:
        SchemaMismatch: it is no valid Arrow stream, or its columns are not the item's.
        ComputeError: as `antiphon.controller.appends.prepare`.
    """
    if len(stream) > APPEND_BYTES_MAX + MIB:
        raise LimitExceeded(
            f"{len(stream)} bytes in one append, at most {APPEND_BYTES_MAX}: send several",
            limit="APPEND_BYTES_MAX",
        )
    return prepare(item, read_stream(stream))
