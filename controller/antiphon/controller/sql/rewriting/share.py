"""Subplans that occur several times are computed once.

A view read twice, a common table that was inlined, the two sides of a self-join: equal subplans
become one binding, so the replica has one operator, and one arrangement, for all who read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count

from antiphon.controller.sql.algebra.plans import rewrite_plan, walk_plan
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.plan import (
    Constant,
    Get,
    Let,
    LocalGet,
    Plan,
    Recursion,
    children,
    schema_of,
)


def shared(plan: Plan) -> Plan:
    """The plan with a `Let` around it for each subplan that occurs more than once, the largest
    first. What is inside of a recursion, or reads a binding from around it, stays as it is; numbers
    of bindings make no difference, so that a view which has some is shared as any other."""
    known = [n.binding for n in walk_plan(plan) if isinstance(n, Let | Recursion | LocalGet)]
    first = 1 + max(known, default=0)
    bound: list[tuple[int, Plan]] = []
    body = plan
    while (value := _largest_repeated([body, *(part for _, part in bound)])) is not None:
        binding = first + len(bound)
        get = LocalGet(binding=binding, schema=schema_of(value))
        sought = _meaning(value)
        body = _replaced(body, sought, get)
        bound = [(number, _replaced(part, sought, get)) for number, part in bound]
        bound.append((binding, value))
    # A later one is smaller: those before it may read it, so it goes outside of them.
    for binding, part in bound:
        body = Let(binding=binding, value=part, body=body)
    return body


def renumbered(plan: Plan, fresh: Callable[[], int]) -> Plan:
    """The same plan with other numbers for its bindings; it reads none from around it."""
    numbers: dict[int, int] = {}

    def replace(node: Plan) -> Plan | None:
        if isinstance(node, LocalGet):
            return LocalGet(binding=numbers[node.binding], schema=node.schema)
        if isinstance(node, Let):
            value = rewrite_plan(node.value, replace)
            numbers[node.binding] = fresh()
            return Let(
                binding=numbers[node.binding], value=value, body=rewrite_plan(node.body, replace)
            )
        if isinstance(node, Recursion):
            numbers[node.binding] = fresh()
            return Recursion(
                binding=numbers[node.binding],
                schema=node.schema,
                value=rewrite_plan(node.value, replace),
                body=rewrite_plan(node.body, replace),
            )
        return None

    return rewrite_plan(plan, replace)


def _is_closed(plan: Plan) -> bool:
    """Whether it reads no binding from around it. Each number is bound once in a plan."""
    nodes = list(walk_plan(plan))
    bound = {node.binding for node in nodes if isinstance(node, Let | Recursion)}
    return all(node.binding in bound for node in nodes if isinstance(node, LocalGet))


def _meaning(plan: Plan) -> bytes:
    """Equal for plans that differ in the numbers of their bindings at most. Of a closed one."""
    if any(isinstance(node, Let | Recursion) for node in walk_plan(plan)):
        plan = renumbered(plan, count(1).__next__)
    return plan_to_bytes(plan)


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Subplans that mean the same wherever they stand, and are worth a name."""
    if isinstance(plan, Get | LocalGet | Constant):
        return
    if _is_closed(plan):
        yield plan
    if isinstance(plan, Recursion):
        return
    for part in children(plan):
        yield from _candidates(part)


def _largest_repeated(plans: list[Plan]) -> Plan | None:
    counts: Counter[bytes] = Counter()
    known: dict[bytes, Plan] = {}
    for plan in plans:
        for candidate in _candidates(plan):
            encoded = _meaning(candidate)
            counts[encoded] += 1
            known.setdefault(encoded, candidate)
    repeated = [encoded for encoded, count in counts.items() if count > 1]
    if not repeated:
        return None
    return known[max(repeated, key=lambda encoded: sum(1 for _ in walk_plan(known[encoded])))]


def _replaced(plan: Plan, sought: bytes, get: LocalGet) -> Plan:
    def replace(node: Plan) -> Plan | None:
        if type(node) in (Get, LocalGet, Constant):
            return None
        if _is_closed(node) and _meaning(node) == sought:
            return get
        return node if isinstance(node, Recursion) else None

    return rewrite_plan(plan, replace)
