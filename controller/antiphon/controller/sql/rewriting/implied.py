"""What equalities say of other columns: `a = b AND a > 5` also says `b > 5`, which the other side
of a join can use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    conjuncts,
    remap,
    shift,
    substitute_columns,
    walk,
)
from antiphon.controller.sql.algebra.plans import width_of
from antiphon.protocol.expression import (
    COMPARISONS,
    LOGIC,
    Call,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.plan import (
    Distinct,
    FlatMap,
    Join,
    JoinKind,
    Let,
    MapFilterProject,
    Plan,
    Reduce,
    TemporalFilter,
    Threshold,
    TopK,
    Window,
)

# Of equal values they are true alike. Not `<>`: it keeps nearly all, and what is kept unfiltered
# has more who share it.
_CARRIED: Final = frozenset(
    {"equal", "less", "less_equal", "greater", "greater_equal", "like", "starts_with", "and", "or"}
)

_OF_EQUALS: Final = frozenset({*COMPARISONS, *LOGIC})  # these too

KeyPair = tuple[Expression, Expression]


def implied(conditions: Sequence[Expression]) -> list[Expression]:
    """Further conditions on single columns that follow from all of these together."""
    groups: list[set[int]] = []
    references: dict[int, ColumnReference] = {}
    for condition in conditions:
        pair = _equated(condition)
        if pair is not None:
            indexes = {column.index for column in pair}
            references.update((column.index, column) for column in pair)
            touched = [group for group in groups if group & indexes]
            merged = indexes.union(*touched)
            groups = [group for group in groups if group not in touched] + [merged]
    pairs = [
        (references[one], references[other])
        for group in groups
        for one in sorted(group)
        for other in sorted(group - {one})
    ]
    return [part for part in carried(conditions, pairs) if part not in conditions]


def carried(conditions: Iterable[Expression], pairs: Sequence[KeyPair]) -> list[Expression]:
    """Conditions on the first column of a pair, said of the second one, which has equal values."""
    found: list[Expression] = []
    for condition in conditions:
        columns = columns_of(condition)
        if len(columns) != 1 or not _is_carried(condition):
            continue
        for one, other in pairs:
            if not (isinstance(one, ColumnReference) and isinstance(other, ColumnReference)):
                continue
            if one.index in columns and one.type == other.type:
                found.append(substitute_columns(condition, {one.index: other}))
    return list(dict.fromkeys(found))


def known(plan: Plan) -> list[Expression]:
    """Conditions that are true of all rows of the plan: what filters in it say, as far as they are
    about its columns."""
    match plan:
        case MapFilterProject():
            filters = [part for whole in plan.filters for part in conjuncts(whole)]
            return _seen([*known(plan.input), *filters], plan.project)
        case Reduce():
            kept = [key.index if isinstance(key, ColumnReference) else -1 for key in plan.keys]
            return _seen(known(plan.input), kept)
        case Join(kind=JoinKind.INNER):
            width = width_of(plan.left)
            return known(plan.left) + [shift(part, width) for part in known(plan.right)]
        case Join(kind=JoinKind.LEFT | JoinKind.SEMI | JoinKind.ANTI):
            return known(plan.left)
        case Distinct() | Threshold() | TopK() | Window() | FlatMap() | TemporalFilter():
            return known(plan.input)
        case Let():
            return known(plan.body)
        case _:
            return []


def _seen(conditions: Sequence[Expression], project: Sequence[int]) -> list[Expression]:
    """Those that are about projected columns, over these."""
    places = {column: place for place, column in enumerate(project)}
    return [remap(part, places) for part in conditions if columns_of(part) <= places.keys()]


def swapped(pairs: Iterable[KeyPair]) -> list[KeyPair]:
    return [(other, one) for one, other in pairs]


def _equated(condition: Expression) -> tuple[ColumnReference, ColumnReference] | None:
    if not (isinstance(condition, Call) and condition.function == "equal"):
        return None
    a, b = condition.arguments
    if isinstance(a, ColumnReference) and isinstance(b, ColumnReference) and a.type == b.type:
        return a, b
    return None


def sees_equality(condition: Expression) -> bool:
    """Whether it is true alike of equal values: it reads no intervals, or compares them."""
    return not any(part.type.has_intervals for part in walk(condition)) or all(
        isinstance(part, ColumnReference | Literal)
        or (isinstance(part, Call) and part.function in _OF_EQUALS)
        for part in walk(condition)
    )


def _is_carried(condition: Expression) -> bool:
    """Whether it is made of comparisons of the one column with literals."""
    return all(
        isinstance(part, ColumnReference | Literal)
        or (isinstance(part, Call) and part.function in _CARRIED)
        for part in walk(condition)
    )
