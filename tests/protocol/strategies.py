"""Any legal value of the protocol, for hypothesis; shallow, so that thousands are quick."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from antiphon.protocol import command as c
from antiphon.protocol import dataflow as d
from antiphon.protocol import expression as e
from antiphon.protocol import ids
from antiphon.protocol import plan as p
from antiphon.protocol import response as r
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import CLOSED, TIME_MAX, Frontier
from antiphon.protocol.schema import Column, Schema, Type, TypeKind, decimal
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import VersionRange
from tests.protocol.flat_maps import flat_maps

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
POSITIVE = st.integers(1, 2**64 - 1)
TIMES = st.integers(0, TIME_MAX)
COLUMNS = st.tuples() | st.lists(st.integers(0, 9), max_size=3).map(tuple)
TEXTS = st.text(max_size=8)
NAMES = st.text(min_size=1, max_size=8)
DATA = st.binary(min_size=1, max_size=8)
MAYBE = st.none() | DATA
PAIRS = st.dictionaries(TEXTS, TEXTS, max_size=3)

frontiers = st.just(CLOSED) | st.integers(0, TIME_MAX + 1).map(Frontier)
collections = POSITIVE.map(ids.CollectionId)
maybe = st.none() | frontiers
several = {"collection": collections, "others": st.lists(collections, max_size=4).map(tuple)}
positions = U64.map(ids.Position)
sessions = POSITIVE.map(ids.SessionId)
RANDOM_BYTES = st.binary(min_size=16, max_size=16)

_PLAIN = [k for k in TypeKind if k not in (TypeKind.DECIMAL, TypeKind.LIST, TypeKind.STRUCT)]
_leaf_types = st.sampled_from(_PLAIN).map(lambda kind: Type(kind=kind)) | st.integers(
    1, 38
).flatmap(lambda precision: st.integers(0, precision).map(lambda s: decimal(precision, s)))


def _columns(of: st.SearchStrategy[Type]) -> st.SearchStrategy[Column]:
    return st.builds(Column, name=TEXTS, type=of, nullable=st.booleans())


types = st.recursive(
    _leaf_types,
    lambda inner: (
        inner.map(lambda element: Type(kind=TypeKind.LIST, element=element))
        | st.lists(_columns(inner), max_size=2).map(
            lambda fields: Type(kind=TypeKind.STRUCT, fields=tuple(fields))
        )
    ),
    max_leaves=3,
)
columns = _columns(types)
schemas = st.lists(columns, max_size=3).map(lambda items: Schema(tuple(items)))

_BITS = {
    TypeKind.INT16: 16,
    TypeKind.INT32: 32,
    TypeKind.INT64: 64,
    TypeKind.DATE: 32,
    TypeKind.TIMESTAMP: 64,
    TypeKind.TIMESTAMPTZ: 64,
}
_I32 = st.integers(-(2**31), 2**31 - 1)
_I64 = st.integers(-(2**63), 2**63 - 1)


def present_values(kind: Type) -> st.SearchStrategy[Any]:
    """Values of a type, but null."""
    match kind.kind:
        case TypeKind.BOOLEAN:
            return st.booleans()
        case TypeKind.FLOAT32 | TypeKind.FLOAT64:
            return st.floats(allow_nan=False)  # not equal to itself; has a test of its own
        case TypeKind.DECIMAL:
            limit = 10**kind.precision - 1
            return st.integers(-limit, limit).map(
                lambda n: Decimal((n < 0, tuple(map(int, str(abs(n)))), -kind.scale))
            )
        case TypeKind.TEXT:
            return TEXTS
        case TypeKind.BYTEA:
            return st.binary(max_size=8)
        case TypeKind.UUID:
            return RANDOM_BYTES
        case TypeKind.INTERVAL:
            return st.builds(e.Interval, months=_I32, days=_I32, microseconds=_I64)
        case TypeKind.LIST:
            assert kind.element is not None
            return st.lists(values(kind.element), max_size=2).map(tuple)
        case TypeKind.STRUCT:
            return st.tuples(*(values(field.type) for field in kind.fields))
        case _:
            half = 2 ** (_BITS[kind.kind] - 1)
            return st.integers(-half, half - 1)


def values(kind: Type) -> st.SearchStrategy[Any]:
    return st.none() | present_values(kind)


literals = types.flatmap(lambda kind: st.builds(e.Literal, value=values(kind), type=st.just(kind)))


def _some(inner: st.SearchStrategy[Any], min_size: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(inner, min_size=min_size, max_size=2).map(tuple)


expressions: st.SearchStrategy[e.Expression] = st.recursive(
    st.builds(e.ColumnReference, index=U32, type=types) | literals,
    lambda inner: (
        st.builds(
            e.Call,
            function=st.sampled_from(sorted(e.FUNCTIONS)),
            arguments=_some(inner),
            type=types,
        )
        | st.builds(e.Cast, input=inner, type=types)
        | st.builds(
            e.Case,
            branches=_some(st.builds(e.Branch, condition=inner, value=inner), 1),
            otherwise=inner,
            type=types,
        )
    ),
    max_leaves=4,
)
sort_keys = st.builds(p.SortKey, column=U32, descending=st.booleans(), nulls_first=st.booleans())
aggregates = st.builds(
    p.Aggregate,
    function=st.sampled_from(p.AggregateFunction),
    arguments=_some(expressions),
    type=types,
    distinct=st.booleans(),
    filter=st.none() | expressions,
    order_by=_some(sort_keys),
)
frames = st.builds(
    p.Frame,
    unit=st.sampled_from(p.FrameUnit),
    start=st.none() | _I64, end=st.none() | _I64,
    start_distance=st.none() | literals, end_distance=st.none() | literals,
    exclude=st.sampled_from(p.FrameExclusion),
)  # fmt: skip
window_functions = st.builds(
    p.WindowFunction,
    name=st.text(min_size=1, max_size=8),
    arguments=_some(expressions),
    type=types,
    frame=st.none() | frames,
    filter=st.none() | expressions,
)
constants = schemas.flatmap(
    lambda schema: st.builds(
        p.Constant,
        schema=st.just(schema),
        rows=_some(st.tuples(st.tuples(*(values(kind) for kind in schema.types)), _I64)),
    )
)


def _join(pair_count: int, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[p.Join]:
    keys = st.lists(expressions, min_size=pair_count, max_size=pair_count).map(tuple)
    return st.sampled_from(p.JoinKind).flatmap(
        lambda kind: st.builds(
            p.Join,
            kind=st.just(kind),
            left=inner,
            right=inner,
            left_keys=keys,
            right_keys=keys,
            nulls_match=st.booleans(),
            residual=st.none() | expressions,
            null_aware=st.booleans() if kind is p.JoinKind.ANTI else st.just(False),
        )
    )


def _nodes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    bounds = st.none() | expressions
    return st.one_of(
        st.builds(
            p.MapFilterProject,
            input=inner,
            maps=_some(expressions),
            filters=_some(expressions),
            project=COLUMNS,
        ),
        st.integers(0, 2).flatmap(lambda count: _join(count, inner)),
        st.builds(p.Reduce, input=inner, keys=_some(expressions), aggregates=_some(aggregates)),
        st.builds(p.Distinct, input=inner),
        st.builds(
            p.TopK,
            input=inner,
            group_by=COLUMNS,
            order_by=_some(sort_keys),
            limit=st.none() | U64,
            offset=U64,
        ),
        st.builds(
            p.Window,
            input=inner,
            partition_by=COLUMNS,
            order_by=_some(sort_keys),
            functions=_some(window_functions),
        ),
        st.builds(p.Union, inputs=_some(inner, 1)),
        st.builds(p.Negate, input=inner),
        st.builds(p.Threshold, input=inner),
        st.builds(p.TemporalFilter, input=inner, valid_from=bounds, valid_until=bounds),
        flat_maps(inner, expressions, types),
        st.builds(p.Let, binding=U32, value=inner, body=inner),
        st.builds(p.Recursion, binding=U32, schema=schemas, value=inner, body=inner),
    )


plans: st.SearchStrategy[p.Plan] = st.recursive(
    st.builds(p.Get, collection=collections, schema=schemas)
    | st.builds(p.LocalGet, binding=U32, schema=schemas)
    | constants,
    _nodes,
    max_leaves=4,
)


def _key_columns(schema: Schema) -> st.SearchStrategy[tuple[int, ...]]:
    if not len(schema):
        return st.just(())
    return st.lists(st.integers(0, len(schema) - 1), max_size=2).map(tuple)


imports = schemas.flatmap(
    lambda schema: st.builds(
        d.Import,
        collection=collections,
        kind=st.sampled_from(d.CollectionKind),
        schema=st.just(schema),
        key_columns=_key_columns(schema),
    )
)


def exports(schema: Schema) -> st.SearchStrategy[d.Export]:
    keys = _key_columns(schema)
    return st.builds(
        d.Export,
        collection=collections,
        kind=st.builds(d.IndexExport, key_columns=keys)
        | st.builds(d.MaterializedViewExport, key_columns=keys)
        | st.builds(d.SubscribeExport, with_snapshot=st.booleans())
        | st.builds(d.CopyToExport, uri=TEXTS, format=TEXTS),
    )


dataflows = schemas.flatmap(
    lambda schema: st.builds(
        d.DataflowDescription,
        name=TEXTS,
        imports=_some(imports),
        plan=DATA,
        exports=_some(exports(schema), 1),
        as_of=frontiers,
        schema=st.just(schema),
        until=st.none() | frontiers,
    )
)
order = _some(st.tuples(U32, st.booleans(), st.booleans()))
finishings = st.builds(
    d.Finishing, order_by=order, offset=U64, limit=st.none() | U64, project=st.none() | COLUMNS
)

peek_ids = RANDOM_BYTES.map(ids.PeekId)
index_targets = st.builds(
    c.IndexTarget, collection=collections, keys=MAYBE, plan=MAYBE, profile=st.booleans()
)
hellos = st.builds(
    c.Hello,
    epoch=POSITIVE.map(ids.Epoch),
    claim_id=RANDOM_BYTES.map(ids.ClaimId),
    connection_id=RANDOM_BYTES.map(ids.ConnectionId),
    protocol_version=st.integers(1, 2**32 - 1),
    instance_id=POSITIVE.map(ids.InstanceId),
    history_id=RANDOM_BYTES.map(ids.HistoryId),
    replica=st.text(min_size=1, max_size=8).map(ids.ReplicaId),
    decision=st.sampled_from(c.SyncDecision),
    command_set=st.sampled_from(c.CommandSet),
    session_id=sessions,
    expected_incarnation=RANDOM_BYTES.map(ids.Incarnation),
    expected_position=positions,
)
COMMANDS: dict[type[c.Command], st.SearchStrategy[Any]] = {
    c.Hello: hellos,
    c.CreateInstance: st.builds(
        c.CreateInstance,
        instance_id=POSITIVE.map(ids.InstanceId),
        name=TEXTS,
        configuration=PAIRS,
    ),
    c.InitializationComplete: st.builds(
        c.InitializationComplete, head_position=positions, head_digest=st.binary(max_size=32)
    ),
    c.AllowWrites: st.builds(c.AllowWrites),
    c.StartRebuild: st.builds(
        c.StartRebuild,
        session_id=sessions,
        collections=_some(collections),
        base_time=TIMES,
        target_time=TIMES,
        deadline_ms=U32,
        peer=TEXTS,
    ),
    c.CancelRebuild: st.builds(c.CancelRebuild, session_id=sessions, reason=TEXTS),
    c.AcceptRebuild: st.builds(c.AcceptRebuild, session_id=sessions),
    c.UpdateConfiguration: st.builds(c.UpdateConfiguration, values=PAIRS),
    c.CreateDataflow: st.builds(c.CreateDataflow, dataflow=dataflows),
    c.AllowCompaction: st.builds(c.AllowCompaction, frontier=frontiers, **several),
    c.Peek: st.builds(
        c.Peek,
        peek_id=peek_ids,
        time=TIMES,
        target=index_targets | st.builds(c.PlanTarget, plan=DATA, imports=_some(imports)),
        schema=schemas,
        finishing=finishings,
        rows_max=POSITIVE,
        bytes_max=POSITIVE,
    ),
    c.CancelPeek: st.builds(c.CancelPeek, peek_id=peek_ids),
    c.Schedule: st.builds(
        c.Schedule,
        bases=_some(st.builds(c.BaseSource, collection=collections, peer=NAMES)),
        **several,
    ),
}
commands = st.one_of(*COMMANDS.values())
sents = st.builds(c.Sent, positions, commands)

_hydration = {"collection": collections, "peer_failed": TEXTS, "peer_failure": TEXTS}
_counts = ("resident_bytes", "state_bytes", "dataflow_count", "backlog_ticks", "backlog_age_ms")
_rows = ("rows_done", "rows_total", "rows_received", "elapsed_ms")
_base = ("base_rows", "base_rows_total", "base_chunks", "live_rows")
_rebuilt = dict.fromkeys((*_base, "dataflows_filled", "dataflows_total"), U64)
rebuild_progress = st.builds(r.RebuildProgress, session_id=sessions, **_rebuilt)
_held = dict.fromkeys(("column_count", "row_count", "byte_count", "reader_count"), U64)
_keyed = {"key_columns": _some(st.integers(0, 9)), "selection": _some(expressions), **_held}
arrangements = _some(st.builds(r.ArrangementState, collection=collections, **_keyed))
_said = {"code": NAMES, "message": TEXTS, "details": PAIRS}
failures = st.builds(r.Failure, definite=st.booleans(), **_said)
_batches = _some(st.binary(max_size=8))


def _subscribe_batches() -> st.SearchStrategy[r.SubscribeBatch]:
    intervals = st.tuples(st.integers(0, 100), st.integers(1, 100) | st.none()).map(
        lambda pair: (Frontier(pair[0]), CLOSED if pair[1] is None else Frontier(sum(pair)))
    )
    return intervals.flatmap(
        lambda interval: st.builds(
            r.SubscribeBatch,
            lower=st.just(interval[0]),
            upper=st.just(interval[1]),
            batches=_batches,
            failure=st.none() | failures,
        )
    )


RESPONSES: dict[type[r.Response], st.SearchStrategy[Any]] = {
    r.Frontiers: st.builds(
        r.Frontiers,
        **several,
        **dict.fromkeys(("write_frontier", "input_frontier", "output_frontier"), maybe),
    ),
    r.PeekResponse: st.builds(
        r.PeekResponse,
        peek_id=peek_ids,
        result=st.builds(r.PeekRows, batches=_batches, row_count=U64)
        | st.builds(r.PeekStashed, row_count=U64, byte_count=U64)
        | st.builds(r.PeekCanceled)
        | failures,
    ),
    r.SubscribeResponse: st.builds(
        r.SubscribeResponse,
        collection=collections,
        result=_subscribe_batches() | st.builds(r.SubscribeDropped, at=frontiers),
    ),
    r.CopyToResponse: st.builds(
        r.CopyToResponse,
        collection=collections,
        result=st.builds(r.CopyToRows, row_count=U64, path=TEXTS)
        | st.builds(r.CopyToDropped)
        | failures,
    ),
    r.Dropped: st.builds(r.Dropped, collection=collections),
    r.RebuildResult: st.builds(
        r.RebuildResult,
        session_id=sessions,
        result=st.builds(r.RebuildCompleted, achieved_time=U64, digest=st.binary(max_size=16))
        | failures,
    ),
    r.Status: st.builds(
        r.Status,
        stage=st.sampled_from(Stage),
        applied_position=positions,
        durable_position=positions,
        hydration=_some(st.builds(r.HydrationProgress, **_hydration, **dict.fromkeys(_rows, U64))),
        rebuild=st.none() | rebuild_progress,
        arrangements=arrangements,
        failed=_some(collections),
        **dict.fromkeys(_counts, U64),
    ),
    r.Draining: st.builds(r.Draining, reason=TEXTS),
}
responses = st.one_of(*RESPONSES.values())

facts = st.builds(
    ReplicaFacts,
    replica=st.text(min_size=1, max_size=8).map(ids.ReplicaId),
    incarnation=RANDOM_BYTES.map(ids.Incarnation),
    versions=st.tuples(st.integers(1, 9), st.integers(0, 9)).map(
        lambda pair: VersionRange(min=pair[0], max=sum(pair))
    ),
    instance_id=st.none() | POSITIVE.map(ids.InstanceId),
    history_id=st.none() | RANDOM_BYTES.map(ids.HistoryId),
    highest_epoch=U64.map(ids.Epoch),
    applied_position=positions,
    durable_position=positions,
    command_digest=st.binary(max_size=32),
    stage=st.sampled_from(Stage),
    session_id=U64.map(ids.SessionId),
    dataflows=_some(
        st.builds(
            DataflowFacts,
            exports=_some(collections, 1),
            fingerprint=st.binary(max_size=32),
            since=frontiers,
            upper=frontiers,
            hydrated=st.booleans(),
            content_digest=st.binary(max_size=16),
        )
    ),
    unaccepted=st.booleans(),
)
