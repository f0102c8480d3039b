"""In which order the imports of a plan are to be filled, so that outer sides can be shared.

The rows of an outer side that find no match come out by themselves. If all of the other side is
there before them, each is looked at once, as it comes, and need not be kept for a match to come. So
an import that is an outer side comes after what the other side is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
    imports_of,
)
from antiphon.protocol.selection import Selected

Bindings = Mapping[int, Plan]
Order = Mapping[CollectionId, int]


def filling_order(plan: Plan) -> Order:
    """A number for each import that is an outer side: those that it comes after have a lower one,
    or none. Empty if there is no such order: one comes before and after another."""
    before: dict[CollectionId, set[CollectionId]] = {}
    for outer, others in _outer_sides(plan, {}):
        if outer not in others:
            before.setdefault(outer, set()).update(others)
    order: dict[CollectionId, int] = {}
    left = dict(before)
    while left:
        free = [each for each, others in left.items() if not others & left.keys()]
        if not free:
            return {}
        for each in free:
            order[each] = 1 + max((order.get(other, 0) for other in before[each]), default=0)
            del left[each]
    return order


def comes_last(order: Order, outer: CollectionId, others: frozenset[CollectionId]) -> bool:
    """Whether an import comes after all of others."""
    return outer in order and all(order.get(other, 0) < order[outer] for other in others)


def outer_sides(kind: JoinKind) -> tuple[int, ...]:
    """Which sides' rows without a match are sought: 0 the left one's, 1 the right one's."""
    match kind:
        case JoinKind.LEFT | JoinKind.ANTI:
            return (0,)
        case JoinKind.RIGHT:
            return (1,)
        case JoinKind.FULL:
            return (0, 1)
        case JoinKind.INNER | JoinKind.SEMI:
            return ()


def reads(plan: Plan, bindings: Bindings) -> frozenset[CollectionId]:
    """The imports that a part of a plan is made of. `bindings`: of the `Let`s around it."""
    found = set(imports_of(plan))
    stack = [plan]
    while stack:
        part = stack.pop()
        if isinstance(part, LocalGet) and part.binding in bindings:
            found |= reads(bindings[part.binding], bindings)
        stack += children(part)
    return frozenset(found)


def import_of(plan: Plan, bindings: Bindings) -> Selected | None:
    """What a plan is of an import; None: it is something else."""
    match plan:
        case Get():
            return Selected(plan.collection, tuple(range(len(plan.schema))))
        case LocalGet():
            bound = bindings.get(plan.binding)
            return None if bound is None else import_of(bound, bindings)
        case Let():
            return import_of(plan.body, {**bindings, plan.binding: plan.value})
        case MapFilterProject(maps=()):
            found = import_of(plan.input, bindings)
            return None if found is None else found.narrowed(plan.filters, plan.project)
        case _:
            return None


def _outer_sides(
    plan: Plan, bindings: Bindings
) -> Iterator[tuple[CollectionId, frozenset[CollectionId]]]:
    """Imports that are outer sides, and what the other side is made of. A full join's right side
    would have to come both before and after the left one."""
    match plan:
        case Recursion():
            # Its rounds look up what they are given; the body is as any plan.
            yield from _outer_sides(plan.body, bindings)
            return
        case Let():
            yield from _outer_sides(plan.value, bindings)
            yield from _outer_sides(plan.body, {**bindings, plan.binding: plan.value})
            return
        case Join(residual=None):
            for side in outer_sides(plan.kind)[:1]:
                inputs, keys = (plan.left, plan.right), (plan.left_keys, plan.right_keys)
                found = import_of(inputs[side], bindings)
                if found is not None and _are_columns(keys[side]):
                    yield found.collection, reads(inputs[1 - side], bindings)
        case _:
            pass
    for part in children(plan):
        yield from _outer_sides(part, bindings)


def _are_columns(keys: tuple[Expression, ...]) -> bool:
    return all(isinstance(key, ColumnReference) for key in keys)
