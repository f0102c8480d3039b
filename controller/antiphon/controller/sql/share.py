"""Subplans that occur several times are computed once.

A view read twice, a common table that was inlined, the two sides of a self-join: equal subplans
become one binding, so the replica has one operator, and one arrangement, for all who read it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from antiphon.controller.sql.plans import rewrite_plan, walk_plan
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
    first. What is inside of a recursion, or reads a binding of its own, stays as it is."""
    known = [n.binding for n in walk_plan(plan) if isinstance(n, Let | Recursion | LocalGet)]
    first = 1 + max(known, default=0)
    bound: list[tuple[int, Plan]] = []
    body = plan
    while (value := _largest_repeated([body, *(part for _, part in bound)])) is not None:
        binding = first + len(bound)
        get = LocalGet(binding=binding, schema=schema_of(value))
        sought = plan_to_bytes(value)
        body = _replaced(body, sought, get)
        bound = [(number, _replaced(part, sought, get)) for number, part in bound]
        bound.append((binding, value))
    # A later one is smaller: those before it may read it, so it goes outside of them.
    for binding, part in bound:
        body = Let(binding=binding, value=part, body=body)
    return body


def _binds(node: Plan) -> bool:
    return isinstance(node, Let | Recursion | LocalGet)


def _candidates(plan: Plan) -> Iterator[Plan]:
    """Subplans that mean the same wherever they stand, and are worth a name."""
    if isinstance(plan, Recursion | Get | LocalGet | Constant):
        return
    if not any(_binds(node) for node in walk_plan(plan)):
        yield plan
    for part in children(plan):
        yield from _candidates(part)


def _largest_repeated(plans: list[Plan]) -> Plan | None:
    counts: Counter[bytes] = Counter()
    known: dict[bytes, Plan] = {}
    for plan in plans:
        for candidate in _candidates(plan):
            encoded = plan_to_bytes(candidate)
            counts[encoded] += 1
            known.setdefault(encoded, candidate)
    repeated = [encoded for encoded, count in counts.items() if count > 1]
    if not repeated:
        return None
    return known[max(repeated, key=lambda encoded: sum(1 for _ in walk_plan(known[encoded])))]


def _replaced(plan: Plan, sought: bytes, get: LocalGet) -> Plan:
    def replace(node: Plan) -> Plan | None:
        if isinstance(node, Recursion):
            return node
        if type(node) in (Get, LocalGet, Constant):
            return None
        return get if plan_to_bytes(node) == sought else None

    return rewrite_plan(plan, replace)
