"""From a plan to a graph of operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from antiphon.protocol.expression import Call, ColumnReference, Expression
from antiphon.protocol.plan import (
    Constant,
    Distinct,
    FlatMap,
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
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    schema_of,
)
from antiphon.protocol.schema import BOOLEAN
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.building.joins import render_join
from antiphon.replica.dataflow.building.recursions import render_recursion
from antiphon.replica.dataflow.building.windows import render_window
from antiphon.replica.dataflow.expressions.rewrite import only_where
from antiphon.replica.dataflow.operators import flat_map, linear, temporal_filter
from antiphon.replica.dataflow.operators.reducing import distinct, reduce
from antiphon.replica.dataflow.operators.reducing.layout import AggregateInput
from antiphon.replica.dataflow.operators.windowing import top_k


def render(graph: Graph, plan: Plan, bindings: Mapping[int, Node]) -> Node:
    """Add the plan's operators; returns the node of its result.

    Raises:
        NotServed: the plan has a node, a function or an aggregate that is not evaluated.
    """
    match plan:
        case Get():
            return graph.source(plan.collection, len(plan.schema))
        case LocalGet():
            return bindings[plan.binding]
        case Constant():
            return graph.add("constant", linear.Fixed(plan), ())
        case MapFilterProject(input=Join(left_keys=(), kind=JoinKind.INNER) as join):
            return _render_cross(graph, plan, join, bindings)
        case Join():
            left = render(graph, plan.left, bindings)
            return render_join(graph, plan, left, render(graph, plan.right, bindings))
        case Union():
            return graph.sum(*(render(graph, part, bindings) for part in plan.inputs))
        case Let():
            value = render(graph, plan.value, bindings)
            return render(graph, plan.body, {**bindings, plan.binding: value})
        case Window():
            return render_window(graph, plan, render(graph, plan.input, bindings))
        case Recursion():
            return render_recursion(graph, plan, bindings, render)
        case TemporalFilter():
            return _render_temporal(graph, plan, render(graph, plan.input, bindings))
        case FlatMap():
            operator = flat_map.FlatMap(plan)
            return graph.add("flat_map", operator, (render(graph, plan.input, bindings),))
        case MapFilterProject() | Reduce() | Distinct() | TopK() | Negate() | Threshold():
            return _render_unary(graph, plan, render(graph, plan.input, bindings))
        case _:
            assert_never(plan)


def _render_cross(
    graph: Graph, plan: MapFilterProject, join: Join, bindings: Mapping[int, Node]
) -> Node:
    """A join without keys, which may find its pairs by what is tested afterwards."""
    left = render(graph, join.left, bindings)
    right = render(graph, join.right, bindings)
    pairs = render_join(graph, join, left, right, plan.filters)
    return graph.mapped(pairs, len(schema_of(join)), plan.maps, plan.filters, plan.project)


def _render_unary(
    graph: Graph,
    plan: MapFilterProject | Reduce | Distinct | TopK | Negate | Threshold,
    node: Node,
) -> Node:
    match plan:
        case MapFilterProject():
            width = len(schema_of(plan.input))
            return graph.mapped(node, width, plan.maps, plan.filters, plan.project)
        case Reduce():
            return _render_reduce(graph, plan, node)
        case Distinct():
            return graph.distinct(node)
        case TopK():
            operator = top_k.TopK(plan.group_by, plan.order_by, plan.limit, plan.offset)
            return graph.add("top_k", operator, (node,))
        case Negate():
            return graph.negated(node)
        case Threshold():
            return graph.add("threshold", distinct.Distinct(once=False), (node,))
        case _:
            assert_never(plan)


def _render_temporal(graph: Graph, plan: TemporalFilter, node: Node) -> Node:
    """The bounds become columns first; a row with one that is null is never there."""
    width = len(schema_of(plan.input))
    bounds = [bound for bound in (plan.valid_from, plan.valid_until) if bound is not None]
    columns = [
        ColumnReference(index=width + place, type=bound.type) for place, bound in enumerate(bounds)
    ]
    known = [Call(function="is_not_null", arguments=(c,), type=BOOLEAN) for c in columns]
    bounded = graph.mapped(node, width, bounds, known, range(width + len(bounds)))
    operator = temporal_filter.TemporalFilter(
        width, has_from=plan.valid_from is not None, has_until=plan.valid_until is not None
    )
    return graph.add("temporal_filter", operator, (bounded,))


def _render_reduce(graph: Graph, plan: Reduce, node: Node) -> Node:
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
        return graph.add("reduce", reduce.Reduce(places[:key_count], moved), (node,))
    operator = reduce.Reduce(range(key_count), aggregates)
    shaped = graph.shaped(node, len(types), columns)
    return graph.add("reduce", operator, (shaped,))
