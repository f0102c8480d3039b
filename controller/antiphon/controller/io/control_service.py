"""The `Control` service: what users, the CLI and the SDK speak."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
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
from antiphon.controller.ports import AppendReply
from antiphon.controller.request import AppendReceived, ReplicaNamed, ReplicaUnnamed
from antiphon.protocol.errors import (
    CollectionMissing,
    InvalidArgument,
    LimitExceeded,
    NotServed,
    RemoteProtocolError,
    ReplicaExists,
    SchemaMismatch,
)
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.limits import APPEND_BYTES_MAX, MIB
from antiphon.v1 import control_pb2 as pb
from antiphon.v1.control_pb2_grpc import ControlServicer

INLINE_PREPARE_BYTES: Final = 1 * MIB  # smaller appends are checked on the loop
REPLICA_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

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
    ) -> None:
        self._calls = calls
        self._execution = execution
        self._introspection = introspection
        self._orchestrator = orchestrator

    async def Execute(
        self, request: pb.ExecuteRequest, context: Context
    ) -> AsyncIterator[pb.ExecuteResponse]:
        async with aclosing(self._execution.execute(request)) as responses:
            async for response in responses:
                yield response

    async def Peek(self, request: pb.PeekRequest, context: Context) -> AsyncIterator[pb.PeekChunk]:
        async with aclosing(self._execution.peek(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def Subscribe(
        self, request: pb.SubscribeRequest, context: Context
    ) -> AsyncIterator[pb.SubscribeChunk]:
        async with aclosing(self._execution.subscribe(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def Append(self, request: pb.AppendRequest, context: Context) -> pb.AppendResponse:
        item = self._appendable(request.collection)
        producer = producer_of(request.producer) if request.HasField("producer") else None
        if len(request.arrow_stream) < INLINE_PREPARE_BYTES:
            rows = _rows(item, request.arrow_stream)
        else:
            rows = await asyncio.to_thread(_rows, item, request.arrow_stream)
        with self._calls.open() as mailbox:
            self._calls.handle(
                AppendReceived(
                    request=mailbox.request, collection=item.id, rows=rows, producer=producer
                )
            )
            reply = await mailbox.get()
        if not isinstance(reply, AppendReply):
            raise RemoteProtocolError(f"{type(reply).__name__} answers an append")
        return pb.AppendResponse(
            time=reply.time, row_count=reply.row_count, duplicate=reply.duplicate
        )

    def _appendable(self, name: str) -> CatalogItem:
        item = self._calls.driver.catalog.find(name)
        if item is None:
            raise CollectionMissing(f'"{name}" does not exist', name=name)
        check_appendable(item)
        return item

    async def ListCollections(
        self, request: pb.ListCollectionsRequest, context: Context
    ) -> pb.ListCollectionsResponse:
        return self._introspection.collections()

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        return self._introspection.status()

    async def AddReplica(
        self, request: pb.AddReplicaRequest, context: Context
    ) -> pb.AddReplicaResponse:
        await self.add_replica(request.name, request.address)
        return pb.AddReplicaResponse(replica=self._introspection.replica(request.name))

    async def add_replica(self, name: str, address: str) -> None:
        """With no address, the orchestrator starts it."""
        if REPLICA_NAME.fullmatch(name) is None:
            raise InvalidArgument(f"not a replica's name: {name!r} (a-z, 0-9, _ and -)")
        if any(replica.name == name for replica in self._calls.driver.status().replicas):
            raise ReplicaExists(f"replica {name} exists already", replica=name)
        if not address:
            if self._orchestrator is None:
                raise InvalidArgument("an address is needed: this controller starts no replicas")
            address = await self._orchestrator.start(name)
        with self._calls.open() as mailbox:
            self._calls.handle(
                ReplicaNamed(request=mailbox.request, replica=ReplicaId(name), address=address)
            )
            await mailbox.get()

    async def RemoveReplica(
        self, request: pb.RemoveReplicaRequest, context: Context
    ) -> pb.RemoveReplicaResponse:
        with self._calls.open() as mailbox:
            self._calls.handle(
                ReplicaUnnamed(request=mailbox.request, replica=ReplicaId(request.name))
            )
            await mailbox.get()
        if self._orchestrator is not None:
            await self._orchestrator.stop(request.name)
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
        raise NotServed("standby controllers are not served by this version")

    async def HoldSubscription(
        self, request: pb.HoldSubscriptionRequest, context: Context
    ) -> pb.HoldSubscriptionResponse:
        raise NotServed("named holds are not served by this version")


def _rows(item: CatalogItem, stream: bytes) -> pa.RecordBatch:
    """
    Raises:
        SchemaMismatch: it is no Arrow stream, or its columns are not the item's.
        ComputeError: as `antiphon.controller.appends.prepare`.
    """
    if len(stream) > APPEND_BYTES_MAX + MIB:
        raise LimitExceeded(
            f"{len(stream)} bytes in one append, at most {APPEND_BYTES_MAX}",
            limit="APPEND_BYTES_MAX",
        )
    try:
        table = pa.ipc.open_stream(stream).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaMismatch(f"the rows are no Arrow stream: {error}") from error
    return prepare(item, table)
