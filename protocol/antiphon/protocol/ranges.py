"""What a join without keys can look rows up by: one side's values between those of the other.

Every `<`, `<=`, `>`, `>=` between the sides says that something is not above something else. One
such condition in each direction makes of each row an interval, and of the join their overlaps:
`a.x BETWEEN b.lo AND b.hi`, `a.begin < b.end AND b.begin < a.end`. What the conditions say exactly,
and all others, is tested on the pairs that are found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from antiphon.protocol.expression import (
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.schema import FLOATS, INTEGERS, TypeKind

_BELOW: Final = ("less", "less_equal")
_ABOVE: Final = ("greater", "greater_equal")
_ORDERED: Final = (
    *INTEGERS, *FLOATS, TypeKind.DECIMAL, TypeKind.TEXT, TypeKind.DATE, TypeKind.TIMESTAMP,
    TypeKind.TIMESTAMPTZ,
)  # fmt: skip

_Pair = tuple[Expression, Expression]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Pairs of (left, right), over both sides' columns. A pair of rows can match only where the
    first of `below` is at most the second, and the first of `above` at least; None: nothing said,
    of one of them alone."""

    below: _Pair | None
    above: _Pair | None


def range_of(conditions: Sequence[Expression], left_width: int, width: int) -> Range | None:
    """What the conditions, over the columns of both sides, say; None: no range."""
    below: list[_Pair] = []
    above: list[_Pair] = []
    for part in _conjuncts(conditions):
        pair = _sides(part, left_width, width)
        if pair is None:
            continue
        function, left, right = pair
        (below if function in _BELOW else above).append((left, right))
    for first in below:
        for second in above:
            if first[0] == second[0] or first[1] == second[1]:
                return Range(below=first, above=second)
    if not below and not above:
        return None
    return Range(below=below[0] if below else None, above=above[0] if above else None)


def _sides(
    part: Expression, left_width: int, width: int
) -> tuple[str, Expression, Expression] | None:
    """(comparison, left, right) of a comparison that has one side of the join on each."""
    if not isinstance(part, Call) or part.function not in (*_BELOW, *_ABOVE):
        return None
    a, b = part.arguments
    if a.type.kind not in _ORDERED or a.type != b.type:
        return None
    first, second = set(_columns(a)), set(_columns(b))
    if not first or not second or max(first | second) >= width:
        return None
    if max(first) < left_width <= min(second):
        return part.function, a, b
    if max(second) < left_width <= min(first):
        mirrored = _ABOVE if part.function in _BELOW else _BELOW
        return mirrored[0], b, a
    return None


def _conjuncts(conditions: Sequence[Expression]) -> Iterator[Expression]:
    for condition in conditions:
        if isinstance(condition, Call) and condition.function == "and":
            yield from _conjuncts(condition.arguments)
        else:
            yield condition


def _columns(expression: Expression) -> Iterator[int]:
    match expression:
        case ColumnReference():
            yield expression.index
        case Literal():
            return
        case Call():
            for part in expression.arguments:
                yield from _columns(part)
        case Cast():
            yield from _columns(expression.input)
        case Case():
            for branch in expression.branches:
                yield from _columns(branch.condition)
                yield from _columns(branch.value)
            yield from _columns(expression.otherwise)
        case _:
            assert_never(expression)
