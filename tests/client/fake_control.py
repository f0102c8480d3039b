"""A Control service over real gRPC that keeps collections in memory and fails as it is told to.

It follows the service's contract where the client depends on it: a repeated producer sequence is
answered and not applied, streams begin with their schema. Failures are scripted by method: the next
call raises, before or after it has taken effect, or its connection breaks without a status of ours.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
import pyarrow as pa

from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.codec.schema import schema_to_proto
from antiphon.protocol.delta import DIFF_COLUMN, delta_schema, encode_batch
from antiphon.protocol.errors import AntiphonError, CollectionMissing, NotServed
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.security import ServerSecurity
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.protocol.stage import Stage
from antiphon.v1 import control_pb2 as wire
from antiphon.v1.control_pb2_grpc import ControlServicer, add_ControlServicer_to_server


class ConnectionBroken(Exception):
    """The call ends as it does when the peer is killed: a status of gRPC's own."""


Failure = AntiphonError | ConnectionBroken


@dataclass(frozen=True, slots=True)
class Planned:
    """What befalls a call: `error`, once its effect has happened or before."""

    error: Failure
    applied: bool = False


@dataclass(slots=True)
class Stored:
    """A collection: its rows in the order of arrival, deletes included as they came."""

    id: int
    name: str
    kind: str
    schema: Schema
    key: tuple[str, ...] = ()
    depends_on: tuple[int, ...] = ()
    batches: list[pa.Table] = field(default_factory=list)

    @property
    def arrow(self) -> pa.Schema:
        return arrow_schema(self.schema)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a scripted subscription: rows (values..., time, diff) in [lower, upper)."""

    lower: int
    upper: int | None
    rows: tuple[tuple[Any, ...], ...] = ()


class FakeControl(ControlServicer):
    """Start with `async with`; `address` says where."""

    def __init__(self, tokens: tuple[str, ...] = ()) -> None:
        self.holds: dict[str, Any] = {}  # what was acknowledged
        self.collections: dict[str, Stored] = {}
        self.requests: dict[str, list[Any]] = defaultdict(list)
        self.failures: dict[str, deque[Planned]] = defaultdict(deque)
        self.answers: dict[str, pa.Table | str] = {}
        self.streams: deque[tuple[list[Chunk], Failure | None]] = deque()
        self.history: list[wire.HistoryRecord] = []
        self.statuses: deque[wire.GetStatusResponse] = deque()  # each said once, before its own
        self.applied: dict[bytes, tuple[int, int]] = {}
        self.time = 100
        self.serves_lookups = True
        self.address = "127.0.0.1:0"
        self._security = ServerSecurity(tokens=tokens)
        self._server: grpc.aio.Server | None = None

    # What a test says

    def add(
        self,
        name: str,
        schema: Schema,
        *,
        kind: str = "table",
        key: tuple[str, ...] = (),
        on: str | None = None,
    ) -> Stored:
        depends_on = () if on is None else (self.collections[on].id,)
        stored = Stored(len(self.collections) + 1, name, kind, schema, key, depends_on)
        self.collections[name] = stored
        return stored

    def fail(self, method: str, *plans: Planned) -> None:
        self.failures[method].extend(plans)

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [row for table in self.collections[name].batches for row in table.to_pylist()]

    # The service

    async def Execute(  # type: ignore[override]
        self, request: wire.ExecuteRequest, context: Any
    ) -> AsyncIterator[wire.ExecuteResponse]:
        planned = await self._begin("Execute", request, context)
        answer = self.answers.get(request.sql)
        if answer is None:
            raise CollectionMissing(f"nothing is scripted for {request.sql!r}")
        if request.HasField("producer"):
            self._once(request.producer)
        done = wire.StatementDone(tag=answer if isinstance(answer, str) else "SELECT")
        if isinstance(answer, pa.Table):
            message = answer.schema.serialize().to_pybytes()
            yield wire.ExecuteResponse(schema=wire.ResultSchema(arrow_schema=message))
            for batch in answer.to_batches():
                yield wire.ExecuteResponse(
                    batch=wire.ResultBatch(batch=encode_batch(batch), row_count=batch.num_rows)
                )
            done.row_count = answer.num_rows
            done.time = self.time
        await self._end(planned, context)
        yield wire.ExecuteResponse(done=done)

    async def Append(self, request: wire.AppendRequest, context: Any) -> wire.AppendResponse:
        planned = await self._begin("Append", request, context)
        stored = self._stored(request.collection)
        table = pa.ipc.open_stream(request.arrow_stream).read_all()
        rows = table.select([n for n in table.column_names if n != DIFF_COLUMN])
        assert rows.schema.names == stored.arrow.names
        assert rows.schema.types == stored.arrow.types
        time, is_new = self._once(request.producer)
        if is_new:
            stored.batches.append(table)
        await self._end(planned, context)
        return wire.AppendResponse(time=time, row_count=table.num_rows, duplicate=not is_new)

    async def Peek(  # type: ignore[override]
        self, request: wire.PeekRequest, context: Any
    ) -> AsyncIterator[wire.PeekChunk]:
        planned = await self._begin("Peek", request, context)
        stored = self._stored(request.collection)
        names = list(request.columns) or stored.arrow.names
        batches = [
            batch for table in stored.batches for batch in table.cast(stored.arrow).to_batches()
        ]
        whole = pa.Table.from_batches(batches, stored.arrow).select(names)
        yield wire.PeekChunk(arrow_schema=whole.schema.serialize().to_pybytes(), time=self.time)
        for batch in whole.to_batches():
            yield wire.PeekChunk(batch=encode_batch(batch), row_count=batch.num_rows)
        await self._end(planned, context)

    async def Lookup(self, request: wire.PeekRequest, context: Any) -> wire.PeekChunk:
        """All rows, if they are in one batch: keys are not looked at."""
        planned = await self._begin("Lookup", request, context)
        if not self.serves_lookups:
            raise NotServed("this version knows no Lookup")
        stored = self._stored(request.collection)
        names = list(request.columns) or stored.arrow.names
        if len(stored.batches) > 1:
            return wire.PeekChunk(more=True)
        chunk = wire.PeekChunk(time=self.time)
        rows = stored.arrow.empty_table().select(names)
        for table in stored.batches:
            rows = table.cast(stored.arrow).select(names).combine_chunks()
            chunk.batch = encode_batch(rows.to_batches()[0])
        chunk.arrow_schema = rows.schema.serialize().to_pybytes()
        await self._end(planned, context)
        return chunk

    async def Subscribe(  # type: ignore[override]
        self, request: wire.SubscribeRequest, context: Any
    ) -> AsyncIterator[wire.SubscribeChunk]:
        await self._begin("Subscribe", request, context)
        stored = self._stored(request.collection or "query")
        schema = delta_schema(stored.schema)
        chunks, failure = self.streams.popleft()
        first = schema.serialize().to_pybytes()
        for chunk in chunks:
            rows = [dict(zip(schema.names, row, strict=True)) for row in chunk.rows]
            batch = pa.RecordBatch.from_pylist(rows, schema)
            yield wire.SubscribeChunk(
                arrow_schema=first,
                lower=frontier_to_proto(Frontier(chunk.lower)),
                upper=frontier_to_proto(Frontier(chunk.upper)),
                batches=[encode_batch(batch)] if rows else [],
            )
            first = b""
        if failure is not None:
            await self._raise(failure, context)

    async def ListCollections(
        self, request: wire.ListCollectionsRequest, context: Any
    ) -> wire.ListCollectionsResponse:
        await self._begin("ListCollections", request, context)
        return wire.ListCollectionsResponse(
            collections=[
                wire.CollectionInfo(
                    id=c.id,
                    name=c.name,
                    kind=c.kind,
                    schema=schema_to_proto(c.schema),
                    key=c.key,
                    depends_on=c.depends_on,
                )
                for c in self.collections.values()
            ]
        )

    async def GetStatus(
        self, request: wire.GetStatusRequest, context: Any
    ) -> wire.GetStatusResponse:
        await self._begin("GetStatus", request, context)
        if self.statuses:
            return self.statuses.popleft()
        frontier = frontier_to_proto(Frontier(self.time))
        view = wire.ReplicaCollectionInfo(
            collection=7, name="v", write_frontier=frontier, hydrated=True, lag_ms=3
        )
        replica = wire.ReplicaInfo(
            name="r1",
            address="unix:/tmp/r1",
            stage=wire.ReplicaInfo.DESCRIPTOR.fields_by_name["stage"]
            .enum_type.values_by_number[int(Stage.READ_WRITE)]
            .number,  # type: ignore[arg-type]
            link="connected",
            applied_position=4,
            reason="keep-up because it is at the head 4, with the same digest",
            pin=3,
            pin_state="reserved",
            process_id=4242,
            collections=[view],
        )
        return wire.GetStatusResponse(
            instance="main",
            epoch=2,
            history_head=4,
            history_base=1,
            log_commands=3,
            log_bytes=99,
            history_id=b"h" * 16,
            timeline_upper=frontier,
            mode="replica_ready",
            replicas=[replica],
            uptime_ms=61_000,
        )

    async def ReadHistory(  # type: ignore[override]
        self, request: wire.ReadHistoryRequest, context: Any
    ) -> AsyncIterator[wire.HistoryRecord]:
        await self._begin("ReadHistory", request, context)
        for record in self.history:
            if record.position >= request.from_position:
                yield record

    async def AddReplica(
        self, request: wire.AddReplicaRequest, context: Any
    ) -> wire.AddReplicaResponse:
        await self._begin("AddReplica", request, context)
        added = wire.ReplicaInfo(
            name=request.name, address=request.address, read_only=request.read_only
        )
        return wire.AddReplicaResponse(replica=added)

    async def Promote(self, request: wire.PromoteRequest, context: Any) -> wire.PromoteResponse:
        await self._begin("Promote", request, context)
        return wire.PromoteResponse(epoch=2)

    async def RemoveReplica(
        self, request: wire.RemoveReplicaRequest, context: Any
    ) -> wire.RemoveReplicaResponse:
        await self._begin("RemoveReplica", request, context)
        return wire.RemoveReplicaResponse()

    async def ExplainReplica(
        self, request: wire.ExplainReplicaRequest, context: Any
    ) -> wire.ExplainReplicaResponse:
        await self._begin("ExplainReplica", request, context)
        decision = wire.ReplicaDecision(
            at_ms=1_000,
            session_id=7,
            reason="catch-up because it is at position 3 of 4: it missed 1 command",
            outcome="completed",
        )
        return wire.ExplainReplicaResponse(decisions=[decision])

    async def HoldSubscription(
        self, request: wire.HoldSubscriptionRequest, context: Any
    ) -> wire.HoldSubscriptionResponse:
        await self._begin("HoldSubscription", request, context)
        if request.HasField("acknowledged"):
            self.holds[request.hold] = request.acknowledged
        return wire.HoldSubscriptionResponse(frontier=self.holds.get(request.hold))

    # How calls go wrong

    async def _begin(self, method: str, request: Any, context: Any) -> Planned | None:
        self.requests[method].append(request)
        plans = self.failures[method]
        planned = plans.popleft() if plans else None
        if planned is not None and not planned.applied:
            await self._raise(planned.error, context)
        return planned

    async def _end(self, planned: Planned | None, context: Any) -> None:
        if planned is not None:
            await self._raise(planned.error, context)

    async def _raise(self, error: Failure, context: Any) -> None:
        if isinstance(error, ConnectionBroken):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        raise error

    def _stored(self, name: str) -> Stored:
        if name not in self.collections:
            raise CollectionMissing(f"there is no collection {name!r}")
        return self.collections[name]

    def _once(self, producer: wire.Producer) -> tuple[int, bool]:
        """The time of this change, and whether it is the first time it is seen."""
        last, time = self.applied.get(producer.producer_id, (0, 0))
        if producer.sequence <= last:
            return time, False
        self.time += 1
        self.applied[producer.producer_id] = (producer.sequence, self.time)
        return self.time, True

    # Its life

    async def __aenter__(self) -> Self:
        self._server = create_server([Gate(self._security)])
        add_ControlServicer_to_server(self, self._server)
        self.address = listen(self._server, self.address, self._security)
        await self._server.start()
        return self

    async def stop(self) -> None:
        assert self._server is not None, "started"
        await self._server.stop(0)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


def broken(count: int = 1, *, applied: bool = False) -> Iterable[Planned]:
    """Connections that break, `count` calls in a row."""
    return [Planned(ConnectionBroken(), applied) for _ in range(count)]
