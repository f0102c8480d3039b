"""What a join's condition says: keys, conditions on one side, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    conjuncts,
    equal,
    remap,
    shift,
)
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.algebra.plans import projected, width_of
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import Join, JoinKind, Plan

Push = Callable[[Plan, Sequence[Expression]], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A join condition taken apart. `keys`: (left, right), each over its own side's columns;
    `right` over the right side's columns; `left` and `both` over both sides' columns."""

    keys: tuple[tuple[Expression, Expression], ...]
    left: tuple[Expression, ...]
    right: tuple[Expression, ...]
    both: tuple[Expression, ...]
    nulls_match: bool = False


def conditions_of(join: Join, left_width: int) -> list[Expression]:
    """The whole condition, over both sides' columns: keys as equalities, then the residual."""
    assert not join.nulls_match, "null keys that match are no equalities"
    result = [
        equal(left, shift(right, left_width))
        for left, right in zip(join.left_keys, join.right_keys, strict=True)
    ]
    if join.residual is not None:
        result += conjuncts(fold(join.residual))
    return result


def split_condition(join: Join, left_width: int) -> Shape:
    if join.nulls_match:
        residual = () if join.residual is None else (join.residual,)
        keys = tuple(zip(join.left_keys, join.right_keys, strict=True))
        return Shape(keys=keys, left=(), right=(), both=residual, nulls_match=True)
    keys_found: list[tuple[Expression, Expression]] = []
    left: list[Expression] = []
    right: list[Expression] = []
    both: list[Expression] = []
    same: list[tuple[Expression, tuple[Expression, Expression]]] = []
    for condition in conditions_of(join, left_width):
        pair = key_pair(condition, left_width, "equal")
        loose = key_pair(condition, left_width, "is_not_distinct_from")
        columns = columns_of(condition)
        if pair is not None:
            keys_found.append(pair)
        elif loose is not None:
            same.append((condition, loose))
        elif columns and all(index >= left_width for index in columns):
            right.append(shift(condition, -left_width))
        elif columns and all(index < left_width for index in columns):
            left.append(condition)
        else:
            both.append(condition)
    nulls_match = bool(same) and not keys_found
    if nulls_match:
        keys_found = [pair for _, pair in same]
    else:
        both += [condition for condition, _ in same]
    return Shape(
        keys=tuple(keys_found), left=tuple(left), right=tuple(right), both=tuple(both),
        nulls_match=nulls_match,
    )  # fmt: skip


def key_pair(
    condition: Expression, left_width: int, function: str
) -> tuple[Expression, Expression] | None:
    """The two sides of an equality that has one side of the join on each."""
    if not (isinstance(condition, Call) and condition.function == function):
        return None
    for a, b in (condition.arguments, condition.arguments[::-1]):
        first, second = columns_of(a), columns_of(b)
        if (
            first
            and second
            and all(index < left_width for index in first)
            and all(index >= left_width for index in second)
        ):
            return a, shift(b, -left_width)
    return None


def left_of_right(join: Join) -> Plan:
    """A right join as the left join of its sides, swapped; columns in the old order."""
    left_width, right_width = width_of(join.left), width_of(join.right)
    swapped = Join(
        kind=JoinKind.LEFT,
        left=join.right,
        right=join.left,
        left_keys=join.right_keys,
        right_keys=join.left_keys,
        nulls_match=join.nulls_match,
        residual=_swapped(join.residual, left_width, right_width),
    )
    width = left_width + right_width
    return projected(swapped, [*range(right_width, width), *range(right_width)])


def _swapped(condition: Expression | None, left_width: int, right_width: int) -> Expression | None:
    if condition is None:
        return None
    width = left_width + right_width
    order = {
        index: index + right_width if index < left_width else index - left_width
        for index in range(width)
    }
    return remap(condition, order)
