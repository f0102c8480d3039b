"""What the clock removes it removes as near to the data as it may: what has gone from there need
not be kept by the joins above, and goes from their arrangements by itself."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.sql.algebra.expressions import columns_of_all, is_risky, shift, substitute
from antiphon.controller.sql.algebra.plans import inlined_maps, width_of, with_children
from antiphon.protocol.expression import Expression
from antiphon.protocol.plan import (
    FlatMap,
    Join,
    JoinKind,
    Let,
    MapFilterProject,
    Plan,
    TemporalFilter,
    Union,
    children,
)

_Bound = Expression | None


def sunk(plan: Plan) -> Plan:
    """The same rows, each filter by the clock below the joins and projections that it can pass.

    It stays above what counts or orders rows: there a group goes at once, below row by row. A bound
    that may fail stays where it is, since it must not see rows that a join would have removed.
    """
    plan = with_children(plan, [sunk(part) for part in children(plan)])
    if not isinstance(plan, TemporalFilter) or any(is_risky(bound) for bound in _bounds(plan)):
        return plan
    return _below(plan.input, plan.valid_from, plan.valid_until)


def _bounds(plan: TemporalFilter) -> list[Expression]:
    return [bound for bound in (plan.valid_from, plan.valid_until) if bound is not None]


def _below(plan: Plan, valid_from: _Bound, valid_until: _Bound) -> Plan:
    here = TemporalFilter(input=plan, valid_from=valid_from, valid_until=valid_until)
    match plan:
        case MapFilterProject():
            values = inlined_maps(plan)
            outputs = [values[index] for index in plan.project]
            moved = [b and substitute(b, outputs) for b in (valid_from, valid_until)]
            if any(bound is not None and is_risky(bound) for bound in moved):
                return here
            return with_children(plan, [_below(plan.input, *moved)])
        case TemporalFilter():
            return _merged(plan, _below(plan.input, valid_from, valid_until))
        case FlatMap() if max(columns_of_all(_bounds(here)), default=0) < width_of(plan.input):
            return with_children(plan, [_below(plan.input, valid_from, valid_until)])
        case Union():
            return Union(inputs=tuple(_below(p, valid_from, valid_until) for p in plan.inputs))
        case Let():
            return replace(plan, body=_below(plan.body, valid_from, valid_until))
        case Join():
            return _below_join(plan, here)
        case _:
            return here


def _merged(outer: TemporalFilter, inner: Plan) -> Plan:
    """The outer filter over `inner`; as one, if this is another and each has but one bound."""
    if isinstance(inner, TemporalFilter) and inner.input == outer.input:
        if outer.valid_from is None and inner.valid_until is None:
            return replace(outer, valid_from=inner.valid_from)
        if outer.valid_until is None and inner.valid_from is None:
            return replace(outer, valid_until=inner.valid_until)
    return with_children(outer, [inner])


def _below_join(join: Join, here: TemporalFilter) -> Plan:
    """To the side that both bounds are about, if all of its rows come out, matched or not, with
    what they are."""
    width = width_of(join.left)
    columns = columns_of_all(_bounds(here))
    if all(index < width for index in columns) and join.kind not in (
        JoinKind.RIGHT, JoinKind.FULL,
    ):  # fmt: skip
        return replace(join, left=_below(join.left, here.valid_from, here.valid_until))
    if all(index >= width for index in columns) and join.kind in (JoinKind.INNER, JoinKind.RIGHT):
        bounds = [b and shift(b, -width) for b in (here.valid_from, here.valid_until)]
        return replace(join, right=_below(join.right, *bounds))
    return here
