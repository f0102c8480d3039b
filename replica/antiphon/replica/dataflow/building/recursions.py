"""A recursion taken apart: what its rounds share is computed once, outside; what mentions its own
result is the plan of one round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Constant,
    Get,
    Join,
    Let,
    LocalGet,
    Plan,
    Recursion,
    Union,
    children,
    schema_of,
)
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.operators import recursion

Bindings = Mapping[int, Node]
Render = Callable[[Graph, Plan, Bindings], Node]


def render_recursion(graph: Graph, plan: Recursion, bindings: Bindings, render: Render) -> Node:
    """The node of its body. `render` adds other plans.

    Raises:
        NotServed: something in it is not evaluated.
    """
    shared: list[Plan] = []
    template = _round(plan.value, frozenset({plan.binding}), plan.binding, shared)
    schemas = {recursion.OWN: plan.schema}
    schemas |= {_numbered(place): schema_of(part) for place, part in enumerate(shared)}
    nested = graph.nested
    assert nested is not None, "a graph that is built for a dataflow"
    operator = recursion.Recursion(lambda: nested(template, schemas), len(shared))
    inputs = tuple(render(graph, part, bindings) for part in shared)
    node = graph.add("recursion", operator, inputs)
    return render(graph, plan.body, {**bindings, plan.binding: node})


def _numbered(place: int) -> CollectionId:
    return CollectionId(recursion.FIRST_INPUT + place)


def _round(plan: Plan, inner: frozenset[int], own: int, shared: list[Plan]) -> Plan:
    """`plan` as one round's: what mentions none of the bindings `inner` is an input."""
    if not _mentions(plan, inner):
        if plan not in shared:
            shared.append(plan)
        return Get(collection=_numbered(shared.index(plan)), schema=schema_of(plan))
    match plan:
        case LocalGet():
            if plan.binding == own:
                return Get(collection=recursion.OWN, schema=plan.schema)
            return plan
        case Join():
            left = _round(plan.left, inner, own, shared)
            return replace(plan, left=left, right=_round(plan.right, inner, own, shared))
        case Union():
            return replace(plan, inputs=tuple(_round(p, inner, own, shared) for p in plan.inputs))
        case Let() | Recursion():
            within = inner | {plan.binding}
            value = _round(plan.value, inner if isinstance(plan, Let) else within, own, shared)
            return replace(plan, value=value, body=_round(plan.body, within, own, shared))
        case Get() | Constant():
            raise AssertionError(f"{type(plan).__name__} mentions no binding")
        case _:
            return replace(plan, input=_round(plan.input, inner, own, shared))


def _mentions(plan: Plan, bindings: frozenset[int]) -> bool:
    if isinstance(plan, LocalGet):
        return plan.binding in bindings
    return any(_mentions(part, bindings) for part in children(plan))
