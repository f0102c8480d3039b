"""Hand-made messages for a replica: what a controller would say, in as few words as may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from antiphon.protocol.codec import plan_to_bytes
from antiphon.protocol.command import (
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    PlanTarget,
    Sent,
    SyncDecision,
    is_numbered,
)
from antiphon.protocol.dataflow import (
    UNFINISHED,
    CollectionKind,
    DataflowDescription,
    Export,
    ExportKind,
    Finishing,
    Import,
    IndexExport,
)
from antiphon.protocol.delta import (
    ERROR_SCHEMA,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    PeekId,
    Position,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.plan import Constant, Get, MapFilterProject, Plan
from antiphon.protocol.schema import BOOLEAN, INT64, TEXT, Column, Schema, arrow_schema
from antiphon.replica.ports import EncodedDelta

REPLICA = ReplicaId("r1")
INSTANCE = InstanceId(1)
HISTORY = HistoryId(b"h" * 16)
INCARNATION = Incarnation(b"i" * 16)
CLAIM = ClaimId(b"c" * 16)
DIGEST = bytes(32)

# The collection of most tests: a key and a word.
PAIRS = Schema((Column(name="k", type=INT64), Column(name="v", type=TEXT)))
TABLE = CollectionId(1)
FEED = CollectionId(2)
Row = tuple[Any, ...]
Change = tuple[Row, int, int]  # (row, time, diff)


def at(time: int) -> Frontier:
    return Frontier(time)


def connection(number: int) -> ConnectionId:
    return ConnectionId(number.to_bytes(16, "big"))


def peek_id(number: int) -> PeekId:
    return PeekId(number.to_bytes(16, "big"))


def sent(command: Command, position: int = 0) -> Sent:
    assert is_numbered(command) == (position > 0), f"{command} at {position}"
    return Sent(Position(position), command)


def hello(
    *,
    epoch: int = 1,
    claim: ClaimId = CLAIM,
    connection_id: int = 1,
    session: int = 1,
    incarnation: Incarnation = INCARNATION,
    position: int = 0,
    instance: InstanceId = INSTANCE,
    replica: str = REPLICA,
    version: int = 1,
    decision: SyncDecision = SyncDecision.REBUILD,
    command_set: CommandSet = CommandSet.FULL,
) -> Sent:
    return sent(
        Hello(
            epoch=Epoch(epoch),
            claim_id=claim,
            connection_id=connection(connection_id),
            protocol_version=version,
            instance_id=instance,
            history_id=HISTORY,
            replica=ReplicaId(replica),
            decision=decision,
            command_set=command_set,
            session_id=SessionId(session),
            expected_incarnation=incarnation,
            expected_position=Position(position),
        )
    )


def create_instance(instance: InstanceId = INSTANCE, **configuration: str) -> Sent:
    return sent(CreateInstance(instance_id=instance, name="main", configuration=configuration))


def complete(position: int = 0, digest: bytes = DIGEST) -> Sent:
    return sent(InitializationComplete(head_position=Position(position), head_digest=digest))


# Plans and dataflows.

CONSTANT = Constant(schema=PAIRS, rows=(((1, "a"), 2),))


def get(collection: CollectionId, schema: Schema = PAIRS) -> Get:
    return Get(collection=collection, schema=schema)


def above(plan: Plan, bound: int) -> Plan:
    """Rows of PAIRS whose k is more than `bound`."""
    condition = Call(
        function="greater",
        arguments=(ColumnReference(index=0, type=INT64), Literal(value=bound, type=INT64)),
        type=BOOLEAN,
    )
    return MapFilterProject(input=plan, maps=(), filters=(condition,), project=(0, 1))


def dividing(plan: Plan, dividend: int) -> Plan:
    """PAIRS with k replaced by `dividend` / k: an error for k = 0."""
    quotient = Call(
        function="divide",
        arguments=(Literal(value=dividend, type=INT64), ColumnReference(index=0, type=INT64)),
        type=INT64,
    )
    return MapFilterProject(input=plan, maps=(quotient,), filters=(), project=(2, 1))


def table(collection: CollectionId = TABLE, schema: Schema = PAIRS) -> Import:
    return Import(collection=collection, kind=CollectionKind.TABLE, schema=schema)


def feed(collection: CollectionId = FEED, schema: Schema = PAIRS) -> Import:
    return Import(collection=collection, kind=CollectionKind.FEED, schema=schema, key_columns=(0,))


def index_import(collection: CollectionId, schema: Schema = PAIRS) -> Import:
    return Import(collection=collection, kind=CollectionKind.INDEX, schema=schema)


def dataflow(
    *exports: tuple[int, ExportKind],
    imports: Sequence[Import] = (table(),),
    plan: Plan | None = None,
    as_of: int = 10,
    until: int | None = None,
    schema: Schema = PAIRS,
) -> CreateDataflow:
    plan = plan if plan is not None else get(imports[0].collection, imports[0].schema)
    return CreateDataflow(
        dataflow=DataflowDescription(
            name="d",
            imports=tuple(imports),
            plan=plan_to_bytes(plan),
            exports=tuple(
                Export(collection=CollectionId(collection), kind=kind)
                for collection, kind in exports
            ),
            as_of=at(as_of),
            schema=schema,
            until=None if until is None else at(until),
        )
    )


def index(collection: int, **options: Any) -> CreateDataflow:
    """An index by k."""
    return dataflow((collection, IndexExport(key_columns=(0,))), **options)


# Reads.


def read_index(
    number: int,
    collection: int,
    time: int,
    *,
    keys: Iterable[int] | None = None,
    plan: Plan | None = None,
    finishing: Finishing = UNFINISHED,
    schema: Schema = PAIRS,
    rows_max: int = 1_000_000,
    bytes_max: int = 1 << 27,
) -> Peek:
    return Peek(
        peek_id=peek_id(number),
        time=time,
        target=IndexTarget(
            collection=CollectionId(collection),
            keys=None if keys is None else key_stream(keys),
            plan=None if plan is None else plan_to_bytes(plan),
        ),
        schema=schema,
        finishing=finishing,
        rows_max=rows_max,
        bytes_max=bytes_max,
    )


def read_plan(
    number: int, plan: Plan, imports: Sequence[Import], time: int, schema: Schema = PAIRS
) -> Peek:
    return Peek(
        peek_id=peek_id(number),
        time=time,
        target=PlanTarget(plan=plan_to_bytes(plan), imports=tuple(imports)),
        schema=schema,
        rows_max=1_000_000,
        bytes_max=1 << 27,
    )


def key_stream(keys: Iterable[int]) -> bytes:
    batch = pa.record_batch([pa.array(list(keys), pa.int64())], names=["k"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


# Deltas.


def delta(*changes: Change, schema: Schema = PAIRS) -> EncodedDelta:
    if not changes:
        return EncodedDelta()
    rows = [(*row, time, diff) for row, time, diff in changes]
    target = delta_schema(schema)
    columns = [
        pa.array([row[index] for row in rows], field.type) for index, field in enumerate(target)
    ]
    batch = pa.RecordBatch.from_arrays(columns, schema=target)
    return EncodedDelta(rows=(encode_batch(batch),))


def error_delta(code: str, time: int, diff: int = 1) -> EncodedDelta:
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([code]),
            pa.array([f"a {code}"]),
            pa.array(["x"]),
            pa.array([time], pa.uint64()),
            pa.array([diff], pa.int64()),
        ],
        schema=ERROR_SCHEMA,
    )
    return EncodedDelta(errors=(encode_batch(batch),))


def rows_of(batches: Iterable[bytes], schema: Schema = PAIRS) -> list[Row]:
    """The rows of an answer, in order."""
    found: list[Row] = []
    for message in batches:
        batch = decode_batch(message, arrow_schema(schema))
        found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
    return found


def changes_of(batches: Iterable[bytes], schema: Schema = PAIRS) -> list[Change]:
    """The changes of a delta, in order."""
    found: list[Change] = []
    for message in batches:
        batch = decode_batch(message, delta_schema(schema))
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            found.append((row[:-2], row[-2], row[-1]))
    return found
