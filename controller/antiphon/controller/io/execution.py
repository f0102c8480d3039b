"""Execute, Peek and Subscribe: statements and reads as streams of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

import pyarrow as pa

from antiphon.controller.io.calls import Calls, Part
from antiphon.controller.io.planning import (
    Planning,
    plan_collection_read,
    plan_collection_subscribe,
    split_statements,
)
from antiphon.controller.ports import DoneReply, ReplanReply, SubscribeReply
from antiphon.controller.request import ReadOptions
from antiphon.controller.sql.statement import Select, Statement, StatementText, Subscribe
from antiphon.controller.statements.show import schema_of
from antiphon.history.store import ProducerSequence
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto, schema_to_proto
from antiphon.protocol.delta import decode_batch, delta_schema
from antiphon.protocol.errors import (
    InvalidArgument,
    NotServed,
    ReadConflict,
    RemoteProtocolError,
)
from antiphon.protocol.ids import RANDOM_ID_BYTES, ProducerId, ReplicaId
from antiphon.protocol.limits import PEEK_BYTES_MAX, PEEK_ROWS_MAX
from antiphon.protocol.schema import arrow_schema
from antiphon.v1 import control_pb2 as pb

PLANS_MAX: Final = 8  # of one statement, while others change the catalog under it


class Execution:
    """Runs statements for clients."""

    def __init__(self, calls: Calls, planning: Planning) -> None:
        self._calls = calls
        self._planning = planning

    async def execute(self, request: pb.ExecuteRequest) -> AsyncIterator[pb.ExecuteResponse]:
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
            async for response in self._run(piece, options, producer):
                response.statement = number
                yield response

    async def _run(
        self, piece: StatementText, options: ReadOptions, producer: ProducerSequence | None
    ) -> AsyncIterator[pb.ExecuteResponse]:
        """One statement, planned again whenever the catalog moved under it."""
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            statement = await self._planning.plan(piece, catalog)
            replan = False
            async for response in self._perform(statement, catalog.version, options, producer):
                if response is None:
                    replan = True
                    break
                yield response
            if not replan:
                return
        raise ReadConflict(f"the catalog changed {PLANS_MAX} times under the statement")

    async def _perform(
        self,
        statement: Statement,
        version: int,
        options: ReadOptions,
        producer: ProducerSequence | None,
    ) -> AsyncIterator[pb.ExecuteResponse | None]:
        """None: plan again."""
        if isinstance(statement, Subscribe):
            async for change in self.changes(statement, version, options):
                if change is None:
                    yield None
                    return
                for response in _change_responses(change):
                    yield response
            return
        schema = schema_of(statement)
        if schema is None:
            reply = await self._calls.ask(statement, version, options, producer)
            yield None if isinstance(reply, ReplanReply) else _done(reply)
            return
        arrow = arrow_schema(schema)
        announced: pb.ResultSchema | None = pb.ResultSchema(
            arrow_schema=arrow.serialize().to_pybytes(), schema=schema_to_proto(schema)
        )
        row_count, time = 0, 0
        async for part in self._calls.read(statement, version, options):
            if isinstance(part, ReplanReply):
                yield None
                return
            if announced is not None:
                yield pb.ExecuteResponse(schema=announced)
                announced = None
            time = part.time
            if part.batch:
                count = _count(part, arrow)
                row_count += count
                yield pb.ExecuteResponse(batch=pb.ResultBatch(batch=part.batch, row_count=count))
        tag = f"{statement.tag} {row_count}" if isinstance(statement, Select) else statement.tag
        yield pb.ExecuteResponse(done=pb.StatementDone(tag=tag, row_count=row_count, time=time))

    async def peek(self, request: pb.PeekRequest) -> AsyncIterator[pb.PeekChunk]:
        """One collection at one time; by key, where keys are given."""
        options = ReadOptions(
            replica=_replica(request.replica),
            as_of=request.as_of if request.HasField("as_of") else None,
            rows_max=request.rows_max or PEEK_ROWS_MAX,
            bytes_max=request.bytes_max or PEEK_BYTES_MAX,
        )
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            read = plan_collection_read(
                request.collection,
                catalog,
                columns=tuple(request.columns),
                keys=request.keys or None,
            )
            arrow = arrow_schema(read.schema)
            schema = arrow.serialize().to_pybytes()
            replan = False
            async for part in self._calls.read(Select(read=read), catalog.version, options):
                if isinstance(part, ReplanReply):
                    replan = True
                    break
                yield pb.PeekChunk(
                    arrow_schema=schema,
                    batch=part.batch,
                    row_count=_count(part, arrow) if part.batch else 0,
                    time=part.time,
                    replica=part.replica,
                )
                schema = b""
            if not replan:
                return
        raise ReadConflict(f"the catalog changed {PLANS_MAX} times under the read")

    async def subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeChunk]:
        """A snapshot, then every change; or what follows a frontier that the client has seen."""
        if request.hold:
            raise NotServed("named holds are not served by this version")
        resume = request.HasField("resume_from")
        options = ReadOptions(
            replica=_replica(request.replica),
            resume_from=frontier_from_proto(request.resume_from) if resume else None,
        )
        for _ in range(PLANS_MAX):
            catalog = self._calls.driver.catalog
            if request.WhichOneof("target") == "query":
                text = StatementText(text=f"SUBSCRIBE TO ({request.query})")
                planned = await self._planning.plan(text, catalog)
                if not isinstance(planned, Subscribe):
                    raise InvalidArgument("only a query can be subscribed to")
            else:
                planned = plan_collection_subscribe(request.collection, catalog)
            statement = replace(planned, with_snapshot=request.with_snapshot)
            schema = delta_schema(statement.schema).serialize().to_pybytes()
            replan = False
            async for change in self.changes(statement, catalog.version, options):
                if change is None:
                    replan = True
                    break
                if isinstance(change, SubscribeReply):
                    yield pb.SubscribeChunk(
                        arrow_schema=schema,
                        lower=frontier_to_proto(change.lower),
                        upper=frontier_to_proto(change.upper),
                        batches=change.batches,
                    )
                    schema = b""
            if not replan:
                return
        raise ReadConflict(f"the catalog changed {PLANS_MAX} times under the subscribe")

    async def changes(
        self, statement: Subscribe, version: int, options: ReadOptions
    ) -> AsyncIterator[Subscribe | SubscribeReply | None]:
        """The statement itself, then its intervals until the client goes away; None: plan
        again."""
        with self._calls.open() as mailbox:
            self._calls.begin(mailbox, statement, version, options)
            # A refusal is there at once; otherwise the subscribe has begun.
            if not mailbox.has_reply:
                yield statement
            while True:
                reply = await mailbox.get()
                match reply:
                    case ReplanReply():
                        yield None
                        return
                    case SubscribeReply():
                        yield reply
                        if reply.upper.is_closed:
                            return
                    case _:
                        raise RemoteProtocolError(f"{type(reply).__name__} in a subscribe")


def _change_responses(change: Subscribe | SubscribeReply) -> list[pb.ExecuteResponse]:
    """What a subscribe sends within Execute: its columns, then the batches of each interval, the
    last of them with the interval's end."""
    if isinstance(change, Subscribe):
        arrow = delta_schema(change.schema).serialize().to_pybytes()
        schema = pb.ResultSchema(arrow_schema=arrow, schema=schema_to_proto(change.schema))
        return [pb.ExecuteResponse(schema=schema)]
    batches = [pb.ResultBatch(batch=batch) for batch in change.batches] or [pb.ResultBatch()]
    batches[-1].progress.CopyFrom(frontier_to_proto(change.upper))
    return [pb.ExecuteResponse(batch=batch) for batch in batches]


def _done(reply: object) -> pb.ExecuteResponse:
    if not isinstance(reply, DoneReply):
        raise RemoteProtocolError(f"{type(reply).__name__} answers a statement without rows")
    done = pb.StatementDone(
        tag=reply.tag, row_count=reply.row_count, time=reply.time, notices=reply.notices
    )
    return pb.ExecuteResponse(done=done)


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
