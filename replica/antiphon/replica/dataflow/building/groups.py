"""Groupings: what they read becomes columns first; keys with intervals are shown as the least of
their spellings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Distinct,
    Reduce,
    SortKey,
    Threshold,
    schema_of,
)
from antiphon.protocol.schema import INT64, Column, Type, TypeKind
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.expressions.rewrite import only_where
from antiphon.replica.dataflow.operators.interval_parts import Shown
from antiphon.replica.dataflow.operators.reducing import distinct, reduce
from antiphon.replica.dataflow.operators.reducing.layout import AggregateInput

_ROW_COUNT = AggregateInput(
    Aggregate(function=AggregateFunction.COUNT, arguments=(), type=INT64), None, None
)


def render_set(graph: Graph, node: Node, types: Sequence[Type], plan: Distinct | Threshold) -> Node:
    """Rows whose multiplicity is positive: once, or as often as they are there."""
    repeats = isinstance(plan, Threshold)
    if any(kind.has_intervals for kind in types):
        counted = [_ROW_COUNT] if repeats else []
        return _grouped(graph, node, types, range(len(types)), counted, repeats=repeats)
    if repeats:
        return graph.add("threshold", distinct.Distinct(once=False), (node,))
    return graph.distinct(node)


def render_reduce(graph: Graph, plan: Reduce, node: Node) -> Node:
    """Keys, arguments and filters become columns first, equal expressions one column."""
    columns: list[Expression] = list(plan.keys)
    key_count = len(plan.keys)
    types = schema_of(plan.input).types

    def place(expression: Expression | None) -> int | None:
        if expression is None:
            return None
        if expression in columns:
            return columns.index(expression)
        columns.append(expression)
        return len(columns) - 1

    def sorted_by(key: SortKey) -> SortKey:
        index = place(ColumnReference(index=key.column, type=types[key.column]))
        assert index is not None, "a column has a place"
        return replace(key, column=index)

    aggregates = [
        AggregateInput(
            a,
            place(only_where(a.filter, a.arguments[0]) if a.arguments else None),
            place(a.filter),
            tuple(sorted_by(key) for key in a.order_by),
        )
        for a in plan.aggregates
    ]
    places = [column.index for column in columns if isinstance(column, ColumnReference)]
    if len(places) == len(columns):  # nothing to compute: read the input where it lies
        moved = [
            AggregateInput(
                a.aggregate,
                None if a.argument is None else places[a.argument],
                None if a.filter is None else places[a.filter],
                tuple(replace(key, column=places[key.column]) for key in a.order_by),
            )
            for a in aggregates
        ]
        return _grouped(graph, node, types, places[:key_count], moved)
    shaped = graph.shaped(node, len(types), columns)
    return _grouped(
        graph, shaped, [column.type for column in columns], range(key_count), aggregates
    )


def _grouped(
    graph: Graph,
    node: Node,
    types: Sequence[Type],
    keys: Sequence[int],
    aggregates: Sequence[AggregateInput],
    *,
    repeats: bool = False,
) -> Node:
    """The node's rows by these columns. `repeats`: the last aggregate is how often each group is
    there, and no column."""
    loose = [place for place, key in enumerate(keys) if types[key].has_intervals]
    if not loose:
        return graph.add("reduce", reduce.Reduce(keys, aggregates), (node,))
    beside = graph.with_parts(node, types, [keys[place] for place in loose])
    least = AggregateInput(_least([types[keys[place]] for place in loose]), len(types), None)
    operator = reduce.Reduce(keys, [*aggregates, least])
    found = graph.add("reduce", operator, (beside,))
    return graph.add("shown", Shown(loose, repeats=repeats), (found,))


def _least(types: Sequence[Type]) -> Aggregate:
    """The minimum of the parts of such columns, which go together."""
    fields = tuple(Column(name=str(place), type=kind) for place, kind in enumerate(types))
    parts = Type(kind=TypeKind.STRUCT, fields=fields)
    return Aggregate(function=AggregateFunction.MIN, arguments=(), type=parts)
