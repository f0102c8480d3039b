"""Plans, and the bytes that they are stored as.

`plan_to_bytes` is deterministic: equal plans give equal bytes, on every machine and for ever, so a
fingerprint of the bytes tells whether two dataflows are the same.
"""

from __future__ import annotations

from typing import assert_never

from google.protobuf.message import DecodeError

from antiphon.protocol.codec.expression import expression_to_proto
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.literal import literal_to_proto, value_to_proto
from antiphon.protocol.codec.plan_decoder import plan_from_proto
from antiphon.protocol.codec.schema import schema_to_proto, type_to_proto
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.limits import MESSAGE_DEPTH_MAX, PLAN_BYTES_MAX
from antiphon.protocol.plan import (
    Aggregate,
    Constant,
    Distinct,
    FlatMap,
    Frame,
    Get,
    Join,
    Let,
    LocalGet,
    MapFilterProject,
    Negate,
    Plan,
    Recursion,
    Reduce,
    SortKey,
    TableFunction,
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    WindowFunction,
)
from antiphon.v1 import plan_pb2 as pb

__all__ = [
    "plan_from_bytes",
    "plan_from_proto",
    "plan_to_bytes",
    "plan_to_proto",
    "sort_key_to_proto",
]


def plan_to_bytes(plan: Plan) -> bytes:
    """The plan's bytes; equal plans have equal bytes.

    Raises:
        LimitExceeded: too large, or nested too deeply to be read back.
    """
    try:
        data = plan_to_proto(plan).SerializeToString(deterministic=True)
        # Only reading enforces the depth: what is written here must be readable everywhere.
        pb.Plan.FromString(data)
    except (DecodeError, RecursionError):
        raise LimitExceeded(
            "the query is nested too deeply: split it into views",
            limit="MESSAGE_DEPTH_MAX",
            value=MESSAGE_DEPTH_MAX,
        ) from None
    if len(data) > PLAN_BYTES_MAX:
        raise LimitExceeded(
            f"the plan has {len(data)} bytes, at most {PLAN_BYTES_MAX} are allowed",
            limit="PLAN_BYTES_MAX",
            value=PLAN_BYTES_MAX,
        )
    return data


def plan_from_bytes(data: bytes) -> Plan:
    """The inverse of `plan_to_bytes`.

    Raises:
        MalformedMessage: the bytes are no plan; a field's path says where.
    """
    try:
        message = pb.Plan.FromString(data)
    except DecodeError:
        raise MalformedMessage("not the bytes of a plan") from None
    return plan_from_proto(message)


def plan_to_proto(plan: Plan) -> pb.Plan:
    match plan:
        case Get() | LocalGet() | Constant():
            return _leaf(plan)
        case (
            MapFilterProject() | Distinct() | Negate() | Threshold() | TemporalFilter() | FlatMap()
        ):
            return _row_wise(plan)
        case Reduce() | TopK() | Window():
            return _grouping(plan)
        case Join():
            return pb.Plan(join=_join(plan))
        case Union():
            assert plan.inputs, "a union of nothing"
            return pb.Plan(union=pb.Union(inputs=[plan_to_proto(p) for p in plan.inputs]))
        case Let():
            return pb.Plan(
                let=pb.Let(
                    binding=plan.binding,
                    value=plan_to_proto(plan.value),
                    body=plan_to_proto(plan.body),
                )
            )
        case Recursion():
            return pb.Plan(
                recursion=pb.Recursion(
                    binding=plan.binding,
                    schema=schema_to_proto(plan.schema),
                    value=plan_to_proto(plan.value),
                    body=plan_to_proto(plan.body),
                )
            )
        case _:
            assert_never(plan)


def _leaf(plan: Get | LocalGet | Constant) -> pb.Plan:
    schema = schema_to_proto(plan.schema)
    match plan:
        case Get():
            return pb.Plan(get=pb.Get(collection=plan.collection, schema=schema))
        case LocalGet():
            return pb.Plan(local_get=pb.LocalGet(binding=plan.binding, schema=schema))
        case Constant():
            rows = [
                pb.ConstantRow(
                    values=[
                        value_to_proto(value, column.type)
                        for value, column in zip(row, plan.schema.columns, strict=True)
                    ],
                    diff=diff,
                )
                for row, diff in plan.rows
            ]
            return pb.Plan(constant=pb.Constant(schema=schema, rows=rows))
        case _:
            assert_never(plan)


def _row_wise(
    plan: MapFilterProject | Distinct | Negate | Threshold | TemporalFilter | FlatMap,
) -> pb.Plan:
    source = plan_to_proto(plan.input)
    match plan:
        case MapFilterProject():
            return pb.Plan(
                map_filter_project=pb.MapFilterProject(
                    input=source,
                    maps=[expression_to_proto(e) for e in plan.maps],
                    filters=[expression_to_proto(e) for e in plan.filters],
                    project=plan.project,
                )
            )
        case Distinct():
            return pb.Plan(distinct=pb.Distinct(input=source))
        case Negate():
            return pb.Plan(negate=pb.Negate(input=source))
        case Threshold():
            return pb.Plan(threshold=pb.Threshold(input=source))
        case TemporalFilter():
            return pb.Plan(
                temporal_filter=pb.TemporalFilter(
                    input=source,
                    valid_from=_optional(plan.valid_from),
                    valid_until=_optional(plan.valid_until),
                )
            )
        case FlatMap():
            return pb.Plan(
                flat_map=pb.FlatMap(
                    input=source,
                    functions=[_table_function(f) for f in plan.functions],
                    with_ordinality=plan.with_ordinality,
                    keep_empty=plan.keep_empty,
                )
            )
        case _:
            assert_never(plan)


def _table_function(function: TableFunction) -> pb.TableFunction:
    return pb.TableFunction(
        name=function.name,
        arguments=[expression_to_proto(e) for e in function.arguments],
        type=type_to_proto(function.type),
    )


def _grouping(plan: Reduce | TopK | Window) -> pb.Plan:
    source = plan_to_proto(plan.input)
    match plan:
        case Reduce():
            return pb.Plan(
                reduce=pb.Reduce(
                    input=source,
                    keys=[expression_to_proto(e) for e in plan.keys],
                    aggregates=[_aggregate(a) for a in plan.aggregates],
                )
            )
        case TopK():
            return pb.Plan(
                top_k=pb.TopK(
                    input=source,
                    group_by=plan.group_by,
                    order_by=[sort_key_to_proto(k) for k in plan.order_by],
                    limit=plan.limit,
                    offset=plan.offset,
                )
            )
        case Window():
            return pb.Plan(
                window=pb.Window(
                    input=source,
                    partition_by=plan.partition_by,
                    order_by=[sort_key_to_proto(k) for k in plan.order_by],
                    functions=[_window_function(f) for f in plan.functions],
                )
            )
        case _:
            assert_never(plan)


def _join(join: Join) -> pb.Join:
    assert len(join.left_keys) == len(join.right_keys), "keys come in pairs"
    return pb.Join(
        kind=pb.JoinKind.ValueType(join.kind),
        left=plan_to_proto(join.left),
        right=plan_to_proto(join.right),
        left_keys=[expression_to_proto(e) for e in join.left_keys],
        right_keys=[expression_to_proto(e) for e in join.right_keys],
        nulls_match=join.nulls_match,
        residual=_optional(join.residual),
        null_aware=join.null_aware,
    )


def sort_key_to_proto(key: SortKey) -> pb.SortKey:
    return pb.SortKey(column=key.column, descending=key.descending, nulls_first=key.nulls_first)


def _aggregate(aggregate: Aggregate) -> pb.Aggregate:
    return pb.Aggregate(
        function=pb.AggregateFunction.ValueType(aggregate.function),
        arguments=[expression_to_proto(e) for e in aggregate.arguments],
        distinct=aggregate.distinct,
        filter=_optional(aggregate.filter),
        order_by=[sort_key_to_proto(k) for k in aggregate.order_by],
        type=type_to_proto(aggregate.type),
    )


def _window_function(function: WindowFunction) -> pb.WindowFunction:
    frame = function.frame
    return pb.WindowFunction(
        name=function.name,
        arguments=[expression_to_proto(e) for e in function.arguments],
        frame=None if frame is None else _frame(frame),
        type=type_to_proto(function.type),
        filter=_optional(function.filter),
    )


def _frame(frame: Frame) -> pb.Frame:
    return pb.Frame(
        unit=pb.FrameUnit.ValueType(frame.unit),
        start=frame.start,
        end=frame.end,
        start_distance=_distance(frame.start_distance),
        end_distance=_distance(frame.end_distance),
        exclude=pb.FrameExclusion.ValueType(frame.exclude),
    )


def _distance(literal: Literal | None) -> pb.Literal | None:
    return None if literal is None else literal_to_proto(literal)


def _optional(expression: Expression | None) -> pb.Expression | None:
    return None if expression is None else expression_to_proto(expression)
