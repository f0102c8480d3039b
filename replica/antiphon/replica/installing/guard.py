"""Which changes of an import cannot concern a dataflow: those that its first filter keeps away.

Many views are over one table and each over its part of it: `customer = 7`, `id % 1000 = 7`. Of such
a filter's expression the value of a row is worked out once for all of them, and each change goes to
those whose constant it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.expression import Call, Expression, Literal
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, MapFilterProject, Plan, children
from antiphon.protocol.schema import INT16, INT32, INT64, TEXT
from antiphon.protocol.selection import Selection, cannot_fail
from antiphon.replica.dataflow.expressions.evaluate import columns_of

# Types whose values are equal in SQL where they are equal in Python.
_HASHED: Final = (INT16, INT32, INT64, TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Rows whose `expression` is another value, or null, or of a column that is, come to nothing.
    Where the expression fails in a row, nothing is known of that row."""

    expression: Expression
    value: int | str


def guard_of(plan: Plan, collection: CollectionId) -> Guard | None:
    """What all of the plan's readers of an import ask of its rows; None: nothing, or not the same.

    Only a filter counts that is asked of every row: one that stands behind another might keep a row
    away in which the other would have failed.
    """
    found = list(_guards(plan, collection))
    return found[0] if found and all(guard == found[0] for guard in found) else None


def guard_among(selection: Selection) -> Guard | None:
    """What a row must be to be selected; None: that cannot be told by a constant."""
    return next((found for part in selection if (found := _equality(part)) is not None), None)


def _guards(plan: Plan, collection: CollectionId) -> Iterator[Guard | None]:
    """One for each place where the collection is read."""
    if isinstance(plan, Get):
        if plan.collection == collection:
            yield None
    elif isinstance(plan, MapFilterProject) and isinstance(plan.input, Get):
        if plan.input.collection == collection:
            yield _first_guard(plan)
    else:
        for part in children(plan):
            yield from _guards(part, collection)


def _first_guard(plan: MapFilterProject) -> Guard | None:
    assert isinstance(plan.input, Get), "the filter stands right over what is read"
    width = len(plan.input.schema)
    for expression in plan.filters:
        guard = _equality(expression)
        if guard is not None and _comes_in(guard.expression, width):
            return guard
        if not (cannot_fail(expression) and _comes_in(expression, width)):
            return None
    return None


def _equality(expression: Expression) -> Guard | None:
    if not (isinstance(expression, Call) and expression.function == "equal"):
        return None
    left, right = expression.arguments
    if isinstance(left, Literal):
        left, right = right, left
    if not isinstance(right, Literal) or isinstance(left, Literal) or left.type not in _HASHED:
        return None
    value = right.value
    if right.type != left.type or isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return Guard(expression=left, value=value)


def _comes_in(expression: Expression, width: int) -> bool:
    """Whether it is about columns that are read, and not about maps."""
    return all(column < width for column in columns_of(expression))
