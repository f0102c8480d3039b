"""Commands of the checks, in as few words as may be. Dataflows are over pairs (k, v)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from antiphon.proof.conformance.content import PAIRS, Row, key_stream
from antiphon.protocol.codec import plan_to_bytes
from antiphon.protocol.command import (
    AllowCompaction,
    CreateDataflow,
    CreateInstance,
    IndexTarget,
    Peek,
    PlanTarget,
    Schedule,
    Sent,
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
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, InstanceId, PeekId
from antiphon.protocol.plan import Constant, Get, MapFilterProject, Plan
from antiphon.protocol.schema import BOOLEAN, INT64

INSTANCE: Final = InstanceId(0x636F6E666F726D)  # nobody's: a replica of a real one is left alone
AS_OF: Final = 10
ROWS_MAX: Final = 1_000_000
BYTES_MAX: Final = 1 << 27


def create_instance(instance: InstanceId = INSTANCE, **configuration: str) -> Sent:
    return Sent(
        NO_POSITION,
        CreateInstance(instance_id=instance, name="conformance", configuration=configuration),
    )


# Plans.


def get(collection: CollectionId) -> Get:
    return Get(collection=collection, schema=PAIRS)


def above(plan: Plan, bound: int) -> Plan:
    """The rows whose k is more than `bound`."""
    condition = Call(
        function="greater",
        arguments=(ColumnReference(index=0, type=INT64), Literal(value=bound, type=INT64)),
        type=BOOLEAN,
    )
    return MapFilterProject(input=plan, maps=(), filters=(condition,), project=(0, 1))


def divided(plan: Plan, dividend: int) -> Plan:
    """k replaced by `dividend` / k: a data error where k is 0."""
    quotient = Call(
        function="divide",
        arguments=(Literal(value=dividend, type=INT64), ColumnReference(index=0, type=INT64)),
        type=INT64,
    )
    return MapFilterProject(input=plan, maps=(quotient,), filters=(), project=(2, 1))


def constant(*rows: Row) -> Constant:
    return Constant(schema=PAIRS, rows=tuple((row, 1) for row in rows))


# Dataflows.


def table(collection: CollectionId) -> Import:
    return Import(collection=collection, kind=CollectionKind.TABLE, schema=PAIRS)


def feed(collection: CollectionId) -> Import:
    return Import(collection=collection, kind=CollectionKind.FEED, schema=PAIRS, key_columns=(0,))


def indexed(collection: CollectionId) -> Import:
    """An index of the same replica."""
    return Import(collection=collection, kind=CollectionKind.INDEX, schema=PAIRS)


def materialized(collection: CollectionId) -> Import:
    """A materialized view of the same replica."""
    return Import(collection=collection, kind=CollectionKind.MATERIALIZED_VIEW, schema=PAIRS)


def dataflow(
    imports: Sequence[Import],
    *exports: tuple[CollectionId, ExportKind],
    plan: Plan | None = None,
    as_of: int = AS_OF,
    until: int | None = None,
    name: str = "check",
) -> CreateDataflow:
    """Without a plan: the first import as it is."""
    return CreateDataflow(
        dataflow=DataflowDescription(
            name=name,
            imports=tuple(imports),
            plan=plan_to_bytes(get(imports[0].collection) if plan is None else plan),
            exports=tuple(Export(collection=collection, kind=kind) for collection, kind in exports),
            as_of=Frontier(as_of),
            schema=PAIRS,
            until=None if until is None else Frontier(until),
        )
    )


def index(collection: CollectionId, source: Import, **options: Any) -> CreateDataflow:
    """An index on k."""
    return dataflow((source,), (collection, IndexExport(key_columns=(0,))), **options)


def view(collection: CollectionId, source: Import, **options: Any) -> CreateDataflow:
    return dataflow((source,), (collection, MaterializedViewExport()), **options)


def subscribe(
    collection: CollectionId, source: Import, *, with_snapshot: bool = True, **options: Any
) -> CreateDataflow:
    kind = SubscribeExport(with_snapshot=with_snapshot)
    return dataflow((source,), (collection, kind), **options)


def schedule(collection: CollectionId, *others: CollectionId) -> Schedule:
    return Schedule(collection=collection, others=others)


def compact(collection: CollectionId, time: int, *others: CollectionId) -> AllowCompaction:
    return AllowCompaction(collection=collection, frontier=Frontier(time), others=others)


def drop(collection: CollectionId) -> AllowCompaction:
    return AllowCompaction(collection=collection, frontier=CLOSED)


# Reads.


def read(
    peek_id: PeekId,
    collection: CollectionId,
    time: int,
    *,
    keys: Iterable[int] | None = None,
    finishing: Finishing = UNFINISHED,
    rows_max: int = ROWS_MAX,
    bytes_max: int = BYTES_MAX,
) -> Peek:
    """A read of an index."""
    return Peek(
        peek_id=peek_id,
        time=time,
        target=IndexTarget(collection=collection, keys=None if keys is None else key_stream(keys)),
        schema=PAIRS,
        finishing=finishing,
        rows_max=rows_max,
        bytes_max=bytes_max,
    )


def read_plan(peek_id: PeekId, plan: Plan, imports: Sequence[Import], time: int) -> Peek:
    """A plan evaluated once."""
    return Peek(
        peek_id=peek_id,
        time=time,
        target=PlanTarget(plan=plan_to_bytes(plan), imports=tuple(imports)),
        schema=PAIRS,
        rows_max=ROWS_MAX,
        bytes_max=BYTES_MAX,
    )
