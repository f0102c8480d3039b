"""Plans as they are read: on the path of every ad-hoc peek, so one dictionary look-up per node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from antiphon.protocol.codec.expression import expression_from_proto
from antiphon.protocol.codec.field import MalformedMessage, each, enum, field, require
from antiphon.protocol.codec.literal import literal_from_proto
from antiphon.protocol.codec.schema import schema_field, type_from_proto
from antiphon.protocol.expression import Expression, Literal, Value
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Constant,
    Distinct,
    FlatMap,
    Frame,
    FrameExclusion,
    FrameUnit,
    Get,
    Join,
    JoinKind,
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


def plan_from_proto(message: pb.Plan) -> Plan:
    arm = message.WhichOneof("node")
    if arm is None:
        raise MalformedMessage("no plan")
    return field(arm, _ARMS[arm], getattr(message, arm))


def _input(message: Any, name: str = "input") -> Plan:
    require(message.HasField(name), name, "missing")
    return field(name, plan_from_proto, getattr(message, name))


def _optional(message: Any, name: str) -> Expression | None:
    if not message.HasField(name):
        return None
    return field(name, expression_from_proto, getattr(message, name))


def _get(message: pb.Get) -> Get:
    return Get(
        collection=CollectionId(message.collection),
        schema=schema_field("schema", message.HasField("schema"), message.schema),
    )


def _local_get(message: pb.LocalGet) -> LocalGet:
    return LocalGet(
        binding=message.binding,
        schema=schema_field("schema", message.HasField("schema"), message.schema),
    )


def _constant(message: pb.Constant) -> Constant:
    schema = schema_field("schema", message.HasField("schema"), message.schema)
    types = schema.types

    def row(item: pb.ConstantRow) -> tuple[tuple[Value, ...], int]:
        literals = each("values", literal_from_proto, item.values)
        fits = len(literals) == len(types)
        require(fits, "values", f"{len(literals)} values for {len(types)} columns")
        for index, (literal, kind) in enumerate(zip(literals, types, strict=True)):
            require(literal.type == kind, f"values[{index}].type", f"not {kind}")
        return tuple(literal.value for literal in literals), item.diff

    return Constant(schema=schema, rows=each("rows", row, message.rows))


def _map_filter_project(message: pb.MapFilterProject) -> MapFilterProject:
    return MapFilterProject(
        input=_input(message),
        maps=each("maps", expression_from_proto, message.maps),
        filters=each("filters", expression_from_proto, message.filters),
        project=tuple(message.project),
    )


def _join(message: pb.Join) -> Join:
    left_keys = each("left_keys", expression_from_proto, message.left_keys)
    right_keys = each("right_keys", expression_from_proto, message.right_keys)
    paired = len(left_keys) == len(right_keys)
    require(paired, "right_keys", f"{len(right_keys)} keys beside {len(left_keys)}")
    kind = enum("kind", JoinKind, message.kind)
    legal = not message.null_aware or kind is JoinKind.ANTI
    require(legal, "null_aware", "only an anti join may be")
    return Join(
        kind=kind,
        left=_input(message, "left"),
        right=_input(message, "right"),
        left_keys=left_keys,
        right_keys=right_keys,
        nulls_match=message.nulls_match,
        residual=_optional(message, "residual"),
        null_aware=message.null_aware,
    )


def _aggregate(message: pb.Aggregate) -> Aggregate:
    return Aggregate(
        function=enum("function", AggregateFunction, message.function),
        arguments=each("arguments", expression_from_proto, message.arguments),
        type=field("type", type_from_proto, message.type),
        distinct=message.distinct,
        filter=_optional(message, "filter"),
        order_by=each("order_by", sort_key_from_proto, message.order_by),
    )


def _reduce(message: pb.Reduce) -> Reduce:
    return Reduce(
        input=_input(message),
        keys=each("keys", expression_from_proto, message.keys),
        aggregates=each("aggregates", _aggregate, message.aggregates),
    )


def _distinct(message: pb.Distinct) -> Distinct:
    return Distinct(input=_input(message))


def sort_key_from_proto(message: pb.SortKey) -> SortKey:
    return SortKey(
        column=message.column, descending=message.descending, nulls_first=message.nulls_first
    )


def _top_k(message: pb.TopK) -> TopK:
    return TopK(
        input=_input(message),
        group_by=tuple(message.group_by),
        order_by=each("order_by", sort_key_from_proto, message.order_by),
        limit=message.limit if message.HasField("limit") else None,
        offset=message.offset,
    )


def _frame(message: pb.Frame) -> Frame:
    return Frame(
        unit=enum("unit", FrameUnit, message.unit),
        start=message.start if message.HasField("start") else None,
        end=message.end if message.HasField("end") else None,
        start_distance=_distance(message, "start_distance"),
        end_distance=_distance(message, "end_distance"),
        exclude=enum("exclude", FrameExclusion, message.exclude),
    )


def _distance(message: Any, name: str) -> Literal | None:
    return (
        field(name, literal_from_proto, getattr(message, name)) if message.HasField(name) else None
    )


def _window_function(message: pb.WindowFunction) -> WindowFunction:
    require(message.name != "", "name", "empty")
    return WindowFunction(
        name=message.name,
        arguments=each("arguments", expression_from_proto, message.arguments),
        type=field("type", type_from_proto, message.type),
        frame=field("frame", _frame, message.frame) if message.HasField("frame") else None,
        filter=_optional(message, "filter"),
    )


def _window(message: pb.Window) -> Window:
    return Window(
        input=_input(message),
        partition_by=tuple(message.partition_by),
        order_by=each("order_by", sort_key_from_proto, message.order_by),
        functions=each("functions", _window_function, message.functions),
    )


def _union(message: pb.Union) -> Union:
    require(len(message.inputs) > 0, "inputs", "none")
    return Union(inputs=each("inputs", plan_from_proto, message.inputs))


def _negate(message: pb.Negate) -> Negate:
    return Negate(input=_input(message))


def _threshold(message: pb.Threshold) -> Threshold:
    return Threshold(input=_input(message))


def _temporal_filter(message: pb.TemporalFilter) -> TemporalFilter:
    return TemporalFilter(
        input=_input(message),
        valid_from=_optional(message, "valid_from"),
        valid_until=_optional(message, "valid_until"),
    )


def _table_function(message: pb.TableFunction) -> TableFunction:
    require(message.name != "", "name", "empty")
    return TableFunction(
        name=message.name,
        arguments=each("arguments", expression_from_proto, message.arguments),
        type=field("type", type_from_proto, message.type),
    )


def _flat_map(message: pb.FlatMap) -> FlatMap:
    require(len(message.functions) > 0, "functions", "none")
    return FlatMap(
        input=_input(message),
        functions=each("functions", _table_function, message.functions),
        with_ordinality=message.with_ordinality,
        keep_empty=message.keep_empty,
    )


def _let(message: pb.Let) -> Let:
    return Let(
        binding=message.binding, value=_input(message, "value"), body=_input(message, "body")
    )


def _recursion(message: pb.Recursion) -> Recursion:
    return Recursion(
        binding=message.binding,
        schema=schema_field("schema", message.HasField("schema"), message.schema),
        value=_input(message, "value"),
        body=_input(message, "body"),
    )


_ARMS: Final[dict[str, Callable[[Any], Plan]]] = {
    "get": _get,
    "local_get": _local_get,
    "constant": _constant,
    "map_filter_project": _map_filter_project,
    "join": _join,
    "reduce": _reduce,
    "distinct": _distinct,
    "top_k": _top_k,
    "window": _window,
    "union": _union,
    "negate": _negate,
    "threshold": _threshold,
    "temporal_filter": _temporal_filter,
    "flat_map": _flat_map,
    "let": _let,
    "recursion": _recursion,
}
