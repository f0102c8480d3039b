"""What a plan is of an import: some of its columns, and the rows that filters let through.

Rows are selected alike for all who ask for it only if nothing can fail on the way: then the order
of the filters makes no difference, and neither do the rows that one of them never gets to see. So a
selection has one form, however it was written, and two are the same if they are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from antiphon.protocol.expression import (
    COMPARISONS,
    LOGIC,
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import SELECTION_PARTS_MAX
from antiphon.protocol.remapping import remapped
from antiphon.protocol.schema import FLOATS, INTEGERS, Type

Selection = tuple[Expression, ...]  # over the import's columns, all of them true, in one order
ALL: Final[Selection] = ()

_SAFE: Final = frozenset(
    COMPARISONS
    + LOGIC
    + ("coalesce", "nullif", "greatest", "least", "lower", "upper", "length")
    + ("starts_with", "ends_with", "contains")
    + ("any_equal", "any_not_equal", "any_less", "any_less_equal", "any_greater")
    + ("any_greater_equal",)
)
_PATTERNS: Final = ("like", "ilike")
_EITHER_WAY: Final = ("equal", "not_equal", "is_distinct_from", "is_not_distinct_from")
_MIRRORED: Final = {
    "less": "greater", "less_equal": "greater_equal",
    "greater": "less", "greater_equal": "less_equal",
}  # fmt: skip
_ABOVE: Final = ("greater", "greater_equal")


@dataclass(frozen=True, slots=True)
class Selected:
    """`columns`: of the import, in the order of the plan's."""

    collection: CollectionId
    columns: tuple[int, ...]
    selection: Selection = ALL

    def narrowed(self, filters: Sequence[Expression], project: Sequence[int]) -> Selected | None:
        """With filters and a projection over its columns; None: a filter may fail, or they are
        longer than is told of a selection."""
        if not all(map(cannot_fail, filters)):
            return None
        moved = [remapped(part, lambda index: self.columns[index]) for part in filters]
        selection = selection_of((*self.selection, *moved))
        if sum(map(_size, selection)) > SELECTION_PARTS_MAX:
            return None
        columns = tuple(self.columns[index] for index in project)
        return Selected(self.collection, columns, selection)


def selection_of(filters: Iterable[Expression]) -> Selection:
    """The one form of filters that cannot fail."""
    parts = [_canonical(part) for each in filters for part in _flat("and", each)]
    return _in_order(part for each in parts for part in _flat("and", each))


def holds(selection: Selection, others: Iterable[Selection]) -> bool:
    """Whether each of the others selects of its rows alone, as far as their parts tell."""
    return all(set(selection) <= set(other) for other in others)


def cannot_fail(expression: Expression) -> bool:
    """Whether it has a value in every row; False: nothing is known."""
    match expression:
        case ColumnReference() | Literal():
            return True
        case Call(function="modulo", arguments=(dividend, Literal(value=divisor))):
            whole = dividend.type.kind in INTEGERS
            return whole and bool(divisor) and cannot_fail(dividend)
        case Call(function=function, arguments=(text, Literal(value=str(pattern)))) if (
            function in _PATTERNS
        ):
            return "\\" not in pattern and cannot_fail(text)
        case Call(function=function, arguments=arguments):
            return function in _SAFE and all(map(cannot_fail, arguments))
        case Cast(input=given, type=wanted):
            return _widens(given.type, wanted) and cannot_fail(given)
        case Case(branches=branches, otherwise=otherwise):
            parts = [part for branch in branches for part in (branch.condition, branch.value)]
            return all(map(cannot_fail, (*parts, otherwise)))
        case _:
            assert_never(expression)


def _size(expression: Expression) -> int:
    """Of how many parts it is made, elements of constant lists included."""
    match expression:
        case ColumnReference():
            return 1
        case Literal(value=value):
            return 1 + len(value) if isinstance(value, tuple) else 1
        case Call(arguments=arguments):
            return 1 + sum(map(_size, arguments))
        case Cast(input=given):
            return 1 + _size(given)
        case Case(branches=branches, otherwise=otherwise):
            inner = sum(_size(branch.condition) + _size(branch.value) for branch in branches)
            return 1 + inner + _size(otherwise)
        case _:
            assert_never(expression)


def _widens(given: Type, wanted: Type) -> bool:
    if given.kind not in INTEGERS:
        return given == wanted
    if wanted.kind in FLOATS:
        return True
    return wanted.kind in INTEGERS and INTEGERS.index(given.kind) <= INTEGERS.index(wanted.kind)


def _flat(function: str, expression: Expression) -> Iterator[Expression]:
    """Parts of a conjunction of conjunctions, or of a disjunction of such."""
    if isinstance(expression, Call) and expression.function == function:
        for part in expression.arguments:
            yield from _flat(function, part)
    else:
        yield expression


def _in_order(parts: Iterable[Expression]) -> tuple[Expression, ...]:
    """Each once, in an order that is the same in every process."""
    return tuple(sorted(dict.fromkeys(parts), key=repr))


def _canonical(expression: Expression) -> Expression:
    match expression:
        case ColumnReference() | Literal():
            return expression
        case Cast():
            return Cast(input=_canonical(expression.input), type=expression.type)
        case Case():
            branches = tuple(
                Branch(condition=_canonical(b.condition), value=_canonical(b.value))
                for b in expression.branches
            )
            otherwise = _canonical(expression.otherwise)
            return Case(branches=branches, otherwise=otherwise, type=expression.type)
        case Call():
            return _canonical_call(expression)
        case _:
            assert_never(expression)


def _canonical_call(call: Call) -> Expression:
    function = call.function
    arguments = tuple(_canonical(argument) for argument in call.arguments)
    if function in ("and", "or"):
        parts = _in_order(part for each in arguments for part in _flat(function, each))
        if len(parts) == 1:
            return parts[0]
        return Call(function=function, arguments=parts, type=call.type)
    if function in _EITHER_WAY:  # a constant comes second
        arguments = tuple(sorted(arguments, key=lambda one: (isinstance(one, Literal), repr(one))))
    elif function in _MIRRORED:
        first, second = (isinstance(argument, Literal) for argument in arguments)
        if first if first != second else function in _ABOVE:
            function, arguments = _MIRRORED[function], arguments[::-1]
    return Call(function=function, arguments=arguments, type=call.type)
