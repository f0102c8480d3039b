"""What a plan looks up by key, and which of it may be arranged once for several dataflows.

The rules of our replica, as facts about a plan: an import is looked up where all find it if a join
reads it as it is, or some of its columns, by columns. What is computed or filtered first is
arranged by who computes it; so is a side whose rows without a match are sought, because that needs
each row to come as a change. Another replica may do otherwise: plans and results are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import (
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Plan,
    Recursion,
    children,
    schema_of,
)
from antiphon.protocol.ranges import range_of

Bindings = Mapping[int, Plan]
Found = tuple[CollectionId, tuple[int, ...]]  # a collection and some columns of it, in order


class Why(Enum):
    """What becomes of a side of a join."""

    SHARED = "arranged for all who look it up so"
    COMPUTED = "arranged for this alone: it is computed first"
    FILTERED = "arranged for this alone: it is filtered first"
    UNMATCHED = "arranged for this alone: its rows without a match are sought in it"
    RANGES = "kept for this alone, in runs sorted by its range"
    DISTINCT = "its distinct keys are arranged"


@dataclass(frozen=True, slots=True)
class Side:
    """`key`: where it is shared, the collection's columns in the order of the arrangement."""

    why: Why
    collection: CollectionId | None = None
    key: tuple[int, ...] = ()


def sides_of(
    join: Join, bindings: Bindings, filters: tuple[Expression, ...] = ()
) -> tuple[Side, Side]:
    """What the left and the right side of a join are looked up in. `bindings`: of the `Let`s
    around it; what a recursion binds is not among them. `filters`: what the pairs are tested for
    in the step above."""
    if _is_ranged(join, filters):
        return Side(Why.RANGES), Side(Why.RANGES)
    left, right = _source(join.left, bindings), _source(join.right, bindings)
    one_sided = join.kind in (JoinKind.SEMI, JoinKind.ANTI) and join.residual is None
    sought = {JoinKind.LEFT: (0,), JoinKind.RIGHT: (1,), JoinKind.FULL: (0, 1)}
    alone = sought.get(join.kind, ()) if join.residual is None else ()
    if join.kind is JoinKind.ANTI and join.residual is None:
        alone = (0,)
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
    join: Join, one_sided: bool, source: Found | None, key: tuple[int, ...] | None
) -> Side:
    return Side(Why.DISTINCT) if one_sided else _side(join.right, source, key)


def _side(plan: Plan, source: Found | None, key: tuple[int, ...] | None) -> Side:
    if source is None or key is None:
        return Side(_why_not(plan))
    collection, columns = source
    return Side(Why.SHARED, collection, tuple(columns[index] for index in key))


def looked_up(plan: Plan) -> frozenset[Found]:
    """All arrangements of imports that may be shared, by which the plan's joins look up."""
    return frozenset(_looked_up(plan, {}))


def _looked_up(
    plan: Plan, bindings: Bindings, filters: tuple[Expression, ...] = ()
) -> Iterator[Found]:
    match plan:
        case Recursion():
            # Its rounds look up what they are given; the body is as any plan.
            yield from _looked_up(plan.body, bindings)
            return
        case Let():
            yield from _looked_up(plan.value, bindings)
            yield from _looked_up(plan.body, {**bindings, plan.binding: plan.value})
            return
        case Join():
            for side in sides_of(plan, bindings, filters):
                if side.collection is not None:
                    yield side.collection, side.key
        case _:
            pass
    below = plan.filters if isinstance(plan, MapFilterProject) else ()
    for part in children(plan):
        yield from _looked_up(part, bindings, below)


def _source(plan: Plan, bindings: Bindings) -> Found | None:
    """The import that a plan is, with the columns that it has of it; None: it is something else."""
    match plan:
        case Get():
            return plan.collection, tuple(range(len(plan.schema)))
        case LocalGet():
            bound = bindings.get(plan.binding)
            return None if bound is None else _source(bound, bindings)
        case Let():
            return _source(plan.body, {**bindings, plan.binding: plan.value})
        case MapFilterProject(maps=(), filters=()):
            found = _source(plan.input, bindings)
            if found is None:
                return None
            collection, columns = found
            return collection, tuple(columns[index] for index in plan.project)
        case _:
            return None


def _ordered(
    join: Join, left: Found | None, right: Found | None
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """The keys of both sides as columns, in the order of an import's; None: some are computed."""
    ours, theirs = _columns(join.left_keys), _columns(join.right_keys)
    if theirs is not None and right is not None:
        columns, by = right[1], theirs
    elif ours is not None and left is not None:
        columns, by = left[1], ours
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
