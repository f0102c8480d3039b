"""Window plans: what functions read becomes columns first, and is left out again afterwards."""

from __future__ import annotations

from antiphon.protocol.expression import Expression
from antiphon.protocol.plan import Window, schema_of
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.building.builder import Graph, Node
from antiphon.replica.dataflow.expressions.rewrite import only_where
from antiphon.replica.dataflow.operators.windowing import window
from antiphon.replica.dataflow.operators.windowing.window_functions import WindowCall


def render_window(graph: Graph, plan: Window, node: Node) -> Node:
    """
    Raises:
        NotServed: a function, or a frame, that is not evaluated.
    """
    types = schema_of(plan.input).types
    width = len(types)
    read: dict[Expression, None] = {}
    arguments = [
        tuple(only_where(function.filter, argument) for argument in function.arguments)
        for function in plan.functions
    ]
    for function, own in zip(plan.functions, arguments, strict=True):
        read.update(dict.fromkeys(own))
        if function.filter is not None:
            read.setdefault(function.filter)
    keyed = graph.keyed(node, types, tuple(read))
    place = dict(zip(read, keyed.keys, strict=True))
    calls = [
        WindowCall(
            function,
            tuple(place[argument] for argument in own),
            None if function.filter is None else place[function.filter],
        )
        for function, own in zip(plan.functions, arguments, strict=True)
    ]
    kinds = [arrow_type(kind) for kind in types]
    operator = window.Window(kinds, width, plan.partition_by, plan.order_by, calls)
    computed = graph.add("window", operator, (keyed.node,))
    total = keyed.width + len(calls)
    kept = (*range(width), *range(keyed.width, total))
    return graph.projected(computed, total, kept)
