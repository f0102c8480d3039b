"""An outer join whose added rows nobody sees is an inner join, or an outer one of one side less.

What adds rows for a side without a match makes columns null; where a condition above is not true of
such rows, wherever it stands, they need not be made. `a LEFT JOIN b JOIN c ON c.x = b.x` needs no
row of `a` without a `b`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from antiphon.controller.sql.algebra.expressions import conjuncts
from antiphon.controller.sql.algebra.nulls import null_with, untrue_with_any
from antiphon.controller.sql.algebra.plans import width_of, with_children
from antiphon.protocol.expression import Expression
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
    children,
)

_NONE = frozenset[int]()


def narrowed(plan: Plan, unseen: frozenset[int] = _NONE) -> Plan:
    """The plan, where it does not matter which rows have a null in one of the columns `unseen`."""
    match plan:
        case Join():
            return _join(plan, unseen)
        case MapFilterProject():
            below = _below_maps(plan, unseen)
        case Reduce():
            # Of no use for an aggregate: a row with a null in it is one of its group's.
            keys = [plan.keys[index] for index in unseen if index < len(plan.keys)]
            below = _NONE.union(*map(null_with, keys))
        case TopK():
            below = unseen & frozenset(plan.group_by)
        case Window():
            below = unseen & frozenset(plan.partition_by)
        case FlatMap():
            below = frozenset(index for index in unseen if index < width_of(plan.input))
        case TemporalFilter():
            bounds = [bound for bound in (plan.valid_from, plan.valid_until) if bound is not None]
            below = unseen.union(*map(null_with, bounds))
        case Let():
            return with_children(plan, [narrowed(plan.value), narrowed(plan.body, unseen)])
        case Get() | LocalGet() | Constant() | Distinct() | Negate() | Threshold() | Union():
            below = unseen
        case Recursion():
            below = _NONE
        case _:
            assert_never(plan)
    return with_children(plan, [narrowed(part, below) for part in children(plan)])


def _below_maps(plan: MapFilterProject, unseen: frozenset[int]) -> frozenset[int]:
    """The columns of the input with the same effect as those of the output, and as the filters."""
    width = width_of(plan.input)
    found = set(untrue_with_any(list(plan.filters))) | {plan.project[index] for index in unseen}
    for index in reversed(range(len(plan.maps))):
        if width + index in found:
            found |= null_with(plan.maps[index])
    return frozenset(index for index in found if index < width)


def _join(join: Join, unseen: frozenset[int]) -> Plan:
    width = width_of(join.left)
    join = replace(join, kind=_kind(join.kind, unseen, width))
    left = frozenset(index for index in unseen if index < width)
    right = frozenset(index - width for index in unseen if index >= width)
    ours, theirs = _unmatched(join, width)
    match join.kind:
        case JoinKind.INNER | JoinKind.SEMI:
            left, right = left | ours, right | theirs
        case JoinKind.LEFT | JoinKind.ANTI:
            right = theirs
        case JoinKind.RIGHT:
            left = ours
        case JoinKind.FULL:
            left, right = _NONE, _NONE
        case _:
            assert_never(join.kind)
    return with_children(join, [narrowed(join.left, left), narrowed(join.right, right)])


def _kind(kind: JoinKind, unseen: frozenset[int], width: int) -> JoinKind:
    """Without the rows that it adds for a side, if columns of the other are never null in them."""
    adds_left = kind in (JoinKind.LEFT, JoinKind.FULL) and all(i < width for i in unseen)
    adds_right = kind in (JoinKind.RIGHT, JoinKind.FULL) and all(i >= width for i in unseen)
    match kind:
        case JoinKind.LEFT | JoinKind.RIGHT | JoinKind.FULL:
            if adds_left:
                return JoinKind.FULL if adds_right else JoinKind.LEFT
            return JoinKind.RIGHT if adds_right else JoinKind.INNER
        case _:
            return kind


def _unmatched(join: Join, width: int) -> tuple[frozenset[int], frozenset[int]]:
    """Columns of the left side, and of the right one, a null in which finds no match."""
    if join.null_aware:
        return _NONE, _NONE
    residual: list[Expression] = [] if join.residual is None else conjuncts(join.residual)
    both = untrue_with_any(residual)
    ours = frozenset(index for index in both if index < width)
    theirs = frozenset(index - width for index in both if index >= width)
    if join.nulls_match:
        return ours, theirs
    return (
        ours.union(*map(null_with, join.left_keys)),
        theirs.union(*map(null_with, join.right_keys)),
    )
