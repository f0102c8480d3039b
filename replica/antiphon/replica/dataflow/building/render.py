"""From a plan to a graph of operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from antiphon.protocol.expression import Call, ColumnReference
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
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    schema_of,
)
from antiphon.protocol.schema import BOOLEAN
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.building.groups import render_reduce, render_set
from antiphon.replica.dataflow.building.joins import render_join
from antiphon.replica.dataflow.building.recursions import render_recursion
from antiphon.replica.dataflow.building.windows import render_window
from antiphon.replica.dataflow.operators import flat_map, linear, temporal_filter
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
            return render_reduce(graph, plan, node)
        case Distinct() | Threshold():
            return render_set(graph, node, schema_of(plan.input).types, plan)
        case TopK():
            by_parts = any(kind.has_intervals for kind in schema_of(plan.input).types)
            operator = top_k.TopK(
                plan.group_by, plan.order_by, plan.limit, plan.offset, by_parts=by_parts
            )
            return graph.add("top_k", operator, (node,))
        case Negate():
            return graph.negated(node)
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
