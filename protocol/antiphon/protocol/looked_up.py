"""What a plan looks up by key, and which of it may be arranged once for several dataflows.

The rules of our replica, as facts about a plan: an import is looked up where all find it if a join
reads it as it is, or some of its columns, or the rows that filters let through which cannot fail,
by columns. What is computed first, or filtered by what may fail, is arranged by who computes it. A
side whose rows without a match are sought is looked up where all find it if it can be filled after
the other (`outer_sides`). Another replica may do otherwise: plans and results are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.outer_sides import (
    Bindings,
    Order,
    comes_last,
    filling_order,
    import_of,
    outer_sides,
    reads,
)
from antiphon.protocol.plan import (
    Get,
    Join,
    JoinKind,
    Let,
    MapFilterProject,
    Plan,
    Recursion,
    children,
    schema_of,
)
from antiphon.protocol.ranges import range_of
from antiphon.protocol.selection import ALL, Selected, Selection

NO_ORDER: Final[Order] = MappingProxyType({})
# A collection, columns of it in order, and which of its rows.
Found = tuple[CollectionId, tuple[int, ...], Selection]


class Why(Enum):
    """What becomes of a side of a join."""

    SHARED = "arranged for all who look it up so"
    COMPUTED = "arranged for this alone: it is computed first"
    FILTERED = "arranged for this alone: its filter may fail, or is long"
    UNMATCHED = "arranged for this alone: rows without a match are sought while both sides come"
    RANGES = "kept for this alone, in runs sorted by its range"
    DISTINCT = "its distinct keys are arranged"


@dataclass(frozen=True, slots=True)
class Side:
    """`key`: where it is shared, the collection's columns in the order of the arrangement;
    `selection`: of its rows."""

    why: Why
    collection: CollectionId | None = None
    key: tuple[int, ...] = ()
    selection: Selection = ALL


def sides_of(
    join: Join, bindings: Bindings, filters: tuple[Expression, ...] = (), order: Order = NO_ORDER
) -> tuple[Side, Side]:
    """What the left and the right side of a join are looked up in. `bindings`: of the `Let`s
    around it; what a recursion binds is not among them. `filters`: what the pairs are tested for
    in the step above; `order`: in which the whole plan's imports are filled."""
    if _is_ranged(join, filters):
        return Side(Why.RANGES), Side(Why.RANGES)
    left, right = import_of(join.left, bindings), import_of(join.right, bindings)
    one_sided = join.kind in (JoinKind.SEMI, JoinKind.ANTI) and join.residual is None
    alone = []
    for side in outer_sides(join.kind) if join.residual is None else ():
        inputs, source = (join.left, join.right), (left, right)[side]
        others = reads(inputs[1 - side], bindings)
        if source is not None and not comes_last(order, source.collection, others):
            alone.append(side)
    ours, theirs = _ordered(join, left, None if one_sided else right)
    return (
        Side(Why.UNMATCHED) if 0 in alone else _side(join.left, left, ours),
        Side(Why.UNMATCHED) if 1 in alone else _right_side(join, one_sided, right, theirs),
    )


def _is_ranged(join: Join, filters: tuple[Expression, ...]) -> bool:
    """Whether each row is an interval, in the absence of keys."""
    if join.left_keys or join.null_aware:
        return False
    conditions = () if join.residual is None else (join.residual,)
    if join.kind is JoinKind.INNER:
        conditions = (*conditions, *filters)
    left = len(schema_of(join.left))
    return range_of(conditions, left, left + len(schema_of(join.right))) is not None


def _right_side(
    join: Join, one_sided: bool, source: Selected | None, key: tuple[int, ...] | None
) -> Side:
    return Side(Why.DISTINCT) if one_sided else _side(join.right, source, key)


def _side(plan: Plan, source: Selected | None, key: tuple[int, ...] | None) -> Side:
    if source is None or key is None:
        return Side(_why_not(plan))
    key = tuple(source.columns[index] for index in key)
    return Side(Why.SHARED, source.collection, key, source.selection)


def looked_up(plan: Plan) -> frozenset[Found]:
    """All arrangements of imports that may be shared, by which the plan's joins look up."""
    return frozenset(_looked_up(plan, filling_order(plan), {}))


def _looked_up(
    plan: Plan, order: Order, bindings: Bindings, filters: tuple[Expression, ...] = ()
) -> Iterator[Found]:
    match plan:
        case Recursion():
            # Its rounds look up what they are given; the body is as any plan.
            yield from _looked_up(plan.body, order, bindings)
            return
        case Let():
            yield from _looked_up(plan.value, order, bindings)
            yield from _looked_up(plan.body, order, {**bindings, plan.binding: plan.value})
            return
        case Join():
            for side in sides_of(plan, bindings, filters, order):
                if side.collection is not None:
                    yield side.collection, side.key, side.selection
        case _:
            pass
    below = plan.filters if isinstance(plan, MapFilterProject) else ()
    for part in children(plan):
        yield from _looked_up(part, order, bindings, below)


def _ordered(
    join: Join, left: Selected | None, right: Selected | None
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """The keys of both sides as columns, in the order of an import's; None: some are computed."""
    ours, theirs = _columns(join.left_keys), _columns(join.right_keys)
    if theirs is not None and right is not None:
        columns, by = right.columns, theirs
    elif ours is not None and left is not None:
        columns, by = left.columns, ours
    else:
        return None, None
    order = sorted(range(len(by)), key=lambda place: columns[by[place]])
    return _in_order(ours, order), _in_order(theirs, order)


def _in_order(key: tuple[int, ...] | None, order: Sequence[int]) -> tuple[int, ...] | None:
    return None if key is None else tuple(key[place] for place in order)


def _columns(keys: tuple[object, ...]) -> tuple[int, ...] | None:
    found = [key.index for key in keys if isinstance(key, ColumnReference)]
    return tuple(found) if len(found) == len(keys) else None


def _why_not(side: Plan) -> Why:
    if isinstance(side, MapFilterProject) and side.filters and isinstance(side.input, Get):
        return Why.FILTERED
    return Why.COMPUTED
