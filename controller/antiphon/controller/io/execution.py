"""Execute, Peek and Subscribe: statements and reads as streams of messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import pyarrow as pa

from antiphon.controller.catalog import Catalog
from antiphon.controller.io.calls import Calls, CatalogMoved, Part
from antiphon.controller.io.inspection import Inspection
from antiphon.controller.io.planning import (
    Planning,
    plan_collection_subscribe,
    split_statements,
)
from antiphon.controller.named_error import with_name
from antiphon.controller.ports import DoneReply, HoldReply, SubscribeReply
from antiphon.controller.request import HoldRequested, ReadOptions
from antiphon.controller.sql.statement import (
    DataStatement,
    Inspect,
    InspectChanges,
    Select,
    Statement,
    StatementText,
    Subscribe,
)
from antiphon.controller.statements.failing_rows import located
from antiphon.controller.statements.show import schema_of
from antiphon.history.store import ProducerSequence
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto, schema_to_proto
from antiphon.protocol.dataflow import Export, SubscribeExport
from antiphon.protocol.delta import decode_batch, delta_schema, encode_batch
from antiphon.protocol.errors import (
    ComputeError,
    DataError,
    InvalidArgument,
    ReadConflict,
    RemoteProtocolError,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import RANDOM_ID_BYTES, ProducerId, ReplicaId, transient
from antiphon.protocol.limits import PEEK_BYTES_MAX, PEEK_ROWS_MAX
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.v1 import control_pb2 as pb

# What stands for a held dataflow's export, which each subscribe chooses for itself.
HELD: Final = Export(collection=transient(1), kind=SubscribeExport())
PLANS_MAX: Final = 8  # of one statement, while others change the catalog under it


class Execution:
    """Runs statements for clients."""

    def __init__(self, calls: Calls, planning: Planning, inspection: Inspection) -> None:
        self._calls = calls
        self._planning = planning
        self._inspection = inspection

    async def execute(self, request: pb.ExecuteRequest) -> AsyncGenerator[pb.ExecuteResponse, None]:
        """Each statement in turn; the first failure ends the call, what came before it stays."""
        pieces = split_statements(request.sql)
        producer = producer_of(request.producer) if request.HasField("producer") else None
        if producer is not None and len(pieces) != 1:
            raise InvalidArgument(
                f"a producer's sequence stands for one statement, not for {len(pieces)}"
            )
        options = ReadOptions(
            replica=_replica(request.replica),
            as_of=request.as_of if request.HasField("as_of") else None,
            rows_max=request.rows_max or PEEK_ROWS_MAX,
            bytes_max=request.bytes_max or PEEK_BYTES_MAX,
        )
        for number, piece in enumerate(pieces):
            async with aclosing(self._run(piece, options, producer)) as responses:
                async for response in responses:
                    response.statement = number
                    yield response

    async def _run(
        self, piece: StatementText, options: ReadOptions, producer: ProducerSequence | None
    ) -> AsyncGenerator[pb.ExecuteResponse, None]:
        """One statement, planned again whenever the catalog moved under it."""
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            statement = await self._planning.plan(piece, catalog)
            try:
                if isinstance(statement, Subscribe | InspectChanges):
                    responses = self._subscribed(statement, catalog.version, options)
                elif (schema := schema_of(statement)) is not None:
                    responses = self._rows(statement, schema, catalog.version, options)
                else:
                    responses = self._performed(statement, catalog.version, options, producer)
                async with aclosing(responses) as streamed:
                    async for response in streamed:
                        yield response
                return
            except CatalogMoved:
                continue
            except ComputeError as error:
                raise _told(error, statement, catalog) from None
        raise _moving()

    async def _performed(
        self,
        statement: Statement,
        version: int,
        options: ReadOptions,
        producer: ProducerSequence | None,
    ) -> AsyncGenerator[pb.ExecuteResponse, None]:
        reply = await self._calls.ask(statement, version, options, producer)
        if not isinstance(reply, DoneReply):
            raise RemoteProtocolError(f"{type(reply).__name__} answers a statement without rows")
        returning = statement.returning if isinstance(statement, DataStatement) else None
        if returning is not None and reply.returned is not None:
            schema = returning.schema
            yield _announcement(arrow_schema(schema), schema)
            returned = pb.ResultBatch(
                batch=encode_batch(reply.returned), row_count=reply.returned.num_rows
            )
            yield pb.ExecuteResponse(batch=returned)
        done = pb.StatementDone(
            tag=reply.tag, row_count=reply.row_count, time=reply.time, notices=reply.notices
        )
        yield pb.ExecuteResponse(done=done)

    async def _rows(
        self, statement: Statement, schema: Schema, version: int, options: ReadOptions
    ) -> AsyncGenerator[pb.ExecuteResponse, None]:
        arrow = arrow_schema(schema)
        is_first, row_count, time = True, 0, 0
        async with aclosing(self._parts(statement, version, options)) as parts:
            async for part in parts:
                if is_first:
                    yield _announcement(arrow, schema)
                    is_first = False
                time = part.time
                if part.batch:
                    count = _count(part, arrow)
                    row_count += count
                    batch = pb.ResultBatch(batch=part.batch, row_count=count)
                    yield pb.ExecuteResponse(batch=batch)
        counted = isinstance(statement, Select | Inspect)
        tag = f"{statement.tag} {row_count}" if counted else statement.tag
        yield pb.ExecuteResponse(done=pb.StatementDone(tag=tag, row_count=row_count, time=time))

    async def _subscribed(
        self, statement: Subscribe | InspectChanges, version: int, options: ReadOptions
    ) -> AsyncGenerator[pb.ExecuteResponse, None]:
        """Its columns, then the batches of each interval, the last of them with the interval's
        end."""
        announced: pb.ExecuteResponse | None = _announcement(
            delta_schema(statement.schema), statement.schema
        )
        async with aclosing(self._intervals(statement, version, options)) as changes:
            async for change in changes:
                if announced is not None:
                    yield announced
                    announced = None
                if change is None:
                    continue
                batches = [pb.ResultBatch(batch=b) for b in change.batches] or [pb.ResultBatch()]
                batches[-1].progress.CopyFrom(frontier_to_proto(change.upper))
                for batch in batches:
                    yield pb.ExecuteResponse(batch=batch)

    async def peek(self, request: pb.PeekRequest) -> AsyncGenerator[pb.PeekChunk, None]:
        """One collection at one time; by key, where keys are given."""
        options = ReadOptions(
            replica=_replica(request.replica),
            as_of=request.as_of if request.HasField("as_of") else None,
            rows_max=request.rows_max or PEEK_ROWS_MAX,
            bytes_max=request.bytes_max or PEEK_BYTES_MAX,
        )
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            planned = self._planning.read(
                request.collection,
                catalog,
                columns=tuple(request.columns),
                keys=request.keys or None,
            )
            try:
                parts = self._parts(planned, catalog.version, options)
                async with aclosing(parts) as streamed:
                    async for chunk in _chunks(streamed, arrow_schema(planned.read.schema)):
                        yield chunk
                return
            except CatalogMoved:
                continue
            except ComputeError as error:
                raise _told(error, planned, catalog) from None
        raise _moving()

    async def lookup(self, request: pb.PeekRequest) -> pb.PeekChunk:
        """The same, if it fits one message."""
        async with aclosing(self.peek(request)) as chunks:
            first = await anext(chunks)
            return first if await anext(chunks, None) is None else pb.PeekChunk(more=True)

    async def subscribe(
        self, request: pb.SubscribeRequest
    ) -> AsyncGenerator[pb.SubscribeChunk, None]:
        """A snapshot, then every change; or what follows a frontier that the client has seen."""
        resume = request.HasField("resume_from")
        options = ReadOptions(
            replica=_replica(request.replica),
            resume_from=frontier_from_proto(request.resume_from) if resume else None,
            hold=request.hold,
        )
        if request.hold and not resume:
            hold = self._calls.driver.holds.find(request.hold, _target(request))
            options = replace(options, resume_from=hold.acknowledged)
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            statement = await self._subscription(request, catalog)
            schema = delta_schema(statement.schema).serialize().to_pybytes()
            try:
                changes = self._intervals(statement, catalog.version, options)
                async with aclosing(changes) as intervals:
                    async for change in intervals:
                        if change is None:
                            continue
                        yield pb.SubscribeChunk(
                            arrow_schema=schema,
                            lower=frontier_to_proto(change.lower),
                            upper=frontier_to_proto(change.upper),
                            batches=change.batches,
                        )
                        schema = b""
                return
            except CatalogMoved:
                continue
            except ComputeError as error:
                raise _told(error, statement, catalog) from None
        raise _moving()

    def _parts(
        self, statement: Statement, version: int, options: ReadOptions
    ) -> AsyncGenerator[Part, None]:
        if isinstance(statement, Inspect):
            return self._inspection.read(statement, options)
        return self._calls.read(statement, version, options)

    def _intervals(
        self, statement: Subscribe | InspectChanges, version: int, options: ReadOptions
    ) -> AsyncGenerator[SubscribeReply | None, None]:
        if isinstance(statement, InspectChanges):
            return self._inspection.changes(statement, options)
        return self._calls.changes(statement, version, options)

    async def _subscription(
        self, request: pb.SubscribeRequest, catalog: Catalog
    ) -> Subscribe | InspectChanges:
        if request.hold:
            hold = self._calls.driver.holds.find(request.hold, _target(request))
            held = Subscribe(
                dataflow=replace(hold.dataflow, exports=()),
                imports=hold.imports,
                sources=hold.imports,
                with_snapshot=request.with_snapshot,
            )
            return held
        if request.WhichOneof("target") == "query":
            # On lines of its own: places count in the query, and a comment at its end ends there.
            text = StatementText(text=f"SUBSCRIBE TO (\n{request.query}\n)", line=0)
            planned = await self._planning.plan(text, catalog)
            if not isinstance(planned, Subscribe | InspectChanges):
                raise InvalidArgument("only a query can be subscribed to")
        else:
            planned = plan_collection_subscribe(request.collection, catalog)
        return replace(planned, with_snapshot=request.with_snapshot)

    async def hold(self, request: pb.HoldSubscriptionRequest) -> Frontier | None:
        """Take, acknowledge or release a named hold; what has been acknowledged then.

        Raises:
            ComputeError: as `antiphon.controller.statements.holds`.
        """
        if request.query and request.collection:
            raise InvalidArgument("a hold is of a collection or of a query, not of both")
        target = request.query or request.collection
        dataflow = None
        if target and not request.release:
            catalog = self._calls.driver.catalog.without_indexes()
            named = pb.SubscribeRequest(collection=request.collection)
            if request.query:
                named.query = request.query
            planned = await self._subscription(named, catalog)
            if isinstance(planned, InspectChanges):
                raise InvalidArgument("the controller keeps no past of itself that could be held")
            dataflow = replace(planned.dataflow, exports=(HELD,))
        seen = request.HasField("acknowledged")
        with self._calls.open() as mailbox:
            self._calls.handle(
                HoldRequested(
                    request=mailbox.request,
                    name=request.hold,
                    target=target,
                    dataflow=dataflow,
                    acknowledged=frontier_from_proto(request.acknowledged) if seen else None,
                    deadline_ms=request.deadline_ms,
                    release=request.release,
                )
            )
            reply = await mailbox.get()
        if not isinstance(reply, HoldReply):
            raise RemoteProtocolError(f"{type(reply).__name__} answers a hold")
        return reply.acknowledged


def _told(error: ComputeError, statement: Statement, catalog: Catalog) -> ComputeError:
    """In the words of who asked, by the catalog on which the statement was planned: what has been
    dropped since has no name in that of now."""
    if isinstance(error, DataError):
        return located(error, statement, catalog)
    return with_name(error, catalog)


def _target(request: pb.SubscribeRequest) -> str:
    return request.query or request.collection


async def _chunks(parts: AsyncIterator[Part], arrow: pa.Schema) -> AsyncIterator[pb.PeekChunk]:
    schema = arrow.serialize().to_pybytes()
    async for part in parts:
        yield pb.PeekChunk(
            arrow_schema=schema,
            batch=part.batch,
            row_count=_count(part, arrow) if part.batch else 0,
            time=part.time,
            replica=part.replica,
        )
        schema = b""


def _announcement(arrow: pa.Schema, schema: Schema) -> pb.ExecuteResponse:
    """The columns of what follows, once."""
    result = pb.ResultSchema(
        arrow_schema=arrow.serialize().to_pybytes(), schema=schema_to_proto(schema)
    )
    return pb.ExecuteResponse(schema=result)


def _moving() -> ReadConflict:
    return ReadConflict(f"the catalog changed {PLANS_MAX} times under the statement")


def _count(part: Part, arrow: pa.Schema) -> int:
    if part.row_count is not None:
        return part.row_count
    return int(decode_batch(part.batch, arrow).num_rows)


def _replica(name: str) -> ReplicaId | None:
    return ReplicaId(name) if name else None


def producer_of(message: pb.Producer) -> ProducerSequence:
    """
    Raises:
        InvalidArgument: the id is not 16 bytes.
    """
    if len(message.producer_id) != RANDOM_ID_BYTES:
        raise InvalidArgument(f"a producer id has {RANDOM_ID_BYTES} bytes")
    return ProducerSequence(producer_id=ProducerId(message.producer_id), sequence=message.sequence)
