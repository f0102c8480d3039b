"""Moving filters towards the data, and finding the keys of joins.

`push(plan, predicates)` gives the rows of `plan` for which all predicates are true. A predicate
goes down as far as it may: through projections, below groupings it does not see into, to one side
of a join. Conditions that relate two sides of a join become its keys, so that a comma join with
its conditions in WHERE is an equi-join. A predicate that may fail on ordinary rows (a division, a
cast) stays above joins and other filters: it must not see rows that those remove.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from antiphon.controller.sql.algebra.expressions import (
    TRUE,
    all_of,
    columns_of,
    conjuncts,
    is_risky,
    null,
    shift,
    substitute,
)
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.algebra.plans import (
    extended,
    filtered,
    inlined_maps,
    joined,
    width_of,
    with_children,
)
from antiphon.controller.sql.rewriting.branches import keyed_branches
from antiphon.controller.sql.rewriting.implied import carried, known, sees_equality, swapped
from antiphon.controller.sql.rewriting.join_order import inner_join
from antiphon.controller.sql.rewriting.join_shape import Shape, left_of_right, split_condition
from antiphon.controller.sql.rewriting.row_number import bounded, numbers_rows
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
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
    schema_of,
)


def push(plan: Plan, predicates: Sequence[Expression] = ()) -> Plan:
    """See above. The columns and their order stay as they are."""
    wanted: list[Expression] = []
    for predicate in predicates:
        for part in conjuncts(fold(predicate)):
            if isinstance(part, Literal):
                assert part.value is not True, "conjuncts leaves TRUE out"
                return Constant(schema=schema_of(plan), rows=())
            if part not in wanted:
                wanted.append(part)
    if isinstance(plan, MapFilterProject):
        return _through_projection(plan, wanted)
    safe = [part for part in wanted if not is_risky(part)]
    risky = [part for part in wanted if is_risky(part)]
    return filtered(_push_safe(plan, safe), risky)


def _push_safe(plan: Plan, predicates: list[Expression]) -> Plan:
    match plan:
        case Get():
            return filtered(plan, [part for part in predicates if not _is_always(part, plan)])
        case LocalGet() | Constant():
            return filtered(plan, predicates)
        case MapFilterProject():
            return _through_projection(plan, predicates)
        case Join():
            return _through_join(plan, predicates)
        case Reduce():
            return _below_keys(plan, predicates)
        case Window():
            return _below_window(plan, predicates)
        case TopK():
            groups = frozenset(plan.group_by)
            below, above = _of_groups(predicates, groups)
            return filtered(with_children(plan, [push(plan.input, below)]), above)
        case Distinct() | Threshold():
            below, above = _of_groups(predicates, frozenset(range(width_of(plan))))
            return filtered(with_children(plan, [push(plan.input, below)]), above)
        case Negate() | TemporalFilter():
            return with_children(plan, [push(plan.input, predicates)])
        case Union():
            return with_children(plan, [push(part, predicates) for part in plan.inputs])
        case FlatMap():
            below, above = _partition(predicates, frozenset(range(width_of(plan.input))))
            return filtered(with_children(plan, [push(plan.input, below)]), above)
        case Let():
            body = push(plan.body, predicates)
            return Let(binding=plan.binding, value=push(plan.value), body=body)
        case Recursion():
            kept = with_children(plan, [push(part) for part in children(plan)])
            return filtered(kept, predicates)
        case _:
            assert_never(plan)


def _is_always(predicate: Expression, plan: Get) -> bool:
    """Whether it asks for a value that the collection always has."""
    match predicate:
        case Call(function="is_not_null", arguments=(ColumnReference(index=index),)):
            return not plan.schema.columns[index].nullable
        case _:
            return False


def _partition(
    predicates: Sequence[Expression], columns: frozenset[int]
) -> tuple[list[Expression], list[Expression]]:
    """Those that read only `columns`, and the others."""
    below = [part for part in predicates if columns_of(part) <= columns]
    return below, [part for part in predicates if part not in below]


def _of_groups(
    predicates: Sequence[Expression], columns: frozenset[int]
) -> tuple[list[Expression], list[Expression]]:
    """Those that are true of all rows of a group or of none, and the others. `columns`: whose
    values make a group, which has intervals that are equal and not the same."""
    below, above = _partition(predicates, columns)
    return [part for part in below if sees_equality(part)], [
        part for part in predicates if part in above or not sees_equality(part)
    ]


def _through_projection(plan: MapFilterProject, predicates: Sequence[Expression]) -> Plan:
    """All filters, over the input's columns, below; maps and projection above."""
    values = inlined_maps(plan)
    filters = [substitute(part, values) for part in plan.filters]
    outputs = [values[index] for index in plan.project]
    filters += [substitute(part, outputs) for part in predicates]
    return MapFilterProject(
        input=push(plan.input, filters), maps=plan.maps, filters=(), project=plan.project
    )


def _below_keys(plan: Reduce, predicates: list[Expression]) -> Plan:
    """A condition on group keys removes whole groups: their rows need not be grouped."""
    keys = frozenset(range(len(plan.keys)))
    below, above = _of_groups(predicates, keys)
    if not plan.keys:
        below, above = [], predicates  # the one row is there even without input
    inputs = push(plan.input, [substitute(part, plan.keys) for part in below])
    return filtered(with_children(plan, [inputs]), above)


def _below_window(plan: Window, predicates: list[Expression]) -> Plan:
    partition = frozenset(plan.partition_by)
    below, above = _of_groups(predicates, partition)
    window = with_children(plan, [push(plan.input, below)])
    assert isinstance(window, Window), "the same node"
    return bounded(window, above) if numbers_rows(window) else filtered(window, above)


# Joins.


def _through_join(plan: Join, predicates: list[Expression]) -> Plan:
    match plan.kind:
        case JoinKind.INNER:
            return inner_join(plan, predicates, push)
        case JoinKind.SEMI | JoinKind.ANTI:
            return _semi(plan, predicates)
        case JoinKind.RIGHT:
            return push(left_of_right(plan), predicates)
        case JoinKind.LEFT:
            return _left(plan, predicates)
        case JoinKind.FULL:
            return filtered(_full(plan), predicates)
        case _:
            assert_never(plan.kind)


def _semi(plan: Join, predicates: list[Expression]) -> Plan:
    """The predicates are about the left side; conditions on the right side alone go there."""
    if plan.null_aware:
        return _rebuilt(plan, push(plan.left, predicates), push(plan.right), (), ())
    shape = split_condition(plan, width_of(plan.left))
    ours = (*predicates, *shape.left)
    if plan.kind is JoinKind.SEMI:
        theirs = (*shape.right, *known(plan.right))
        predicates = [*predicates, *carried(theirs, swapped(shape.keys))]
    left = push(plan.left, predicates)
    right = push(plan.right, (*shape.right, *carried((*ours, *known(plan.left)), shape.keys)))
    conditions = (*shape.left, *shape.both)
    found = None if shape.keys else keyed_branches(conditions, width_of(left), (left, right))
    if found is None:
        return _rebuilt(plan, left, right, shape.keys, conditions, shape.nulls_match)
    branches, others = found
    parts: list[Plan] = []
    for branch in branches:
        # Each row is found by the first branch that has a match for it.
        part = joined(JoinKind.SEMI, left, right, conditions=[branch, *others])
        parts.append(push(part))
        left = push(replace(part, kind=JoinKind.ANTI))
    return left if plan.kind is JoinKind.ANTI else Union(inputs=tuple(parts))


def _left(plan: Join, predicates: list[Expression]) -> Plan:
    width = width_of(plan.left)
    ours, others = _partition(predicates, frozenset(range(width)))
    shape = split_condition(plan, width)
    if any(_asks_for_none(part, plan, shape, width) for part in others):
        return push(_without_match(plan), predicates)
    if not shape.keys and keyed_branches(shape.both, width, (plan.left, plan.right)) is not None:
        matched = replace(plan, kind=JoinKind.INNER)
        return push(Union(inputs=(matched, _without_match(plan))), predicates)
    sought = (*shape.right, *carried((*ours, *shape.left, *known(plan.left)), shape.keys))
    left, right = push(plan.left, ours), push(plan.right, sought)
    conditions = (*shape.left, *shape.both)
    return filtered(_rebuilt(plan, left, right, shape.keys, conditions, shape.nulls_match), others)


def _asks_for_none(predicate: Expression, plan: Join, shape: Shape, width: int) -> bool:
    """Whether it is true of rows without a match alone: a column is null that in others is not."""
    match predicate:
        case Call(function="is_null", arguments=(ColumnReference(index=index, type=kind),)):
            if index < width:
                return False
            column = ColumnReference(index=index - width, type=kind)
            is_key = not shape.nulls_match and any(key == column for _, key in shape.keys)
            return is_key or not schema_of(plan.right).columns[column.index].nullable
        case _:
            return False


def _without_match(plan: Join) -> Plan:
    """The left join's rows of which the right side is null: those of the left side alone."""
    width = width_of(plan.left)
    kinds = schema_of(plan).types[width:]
    return extended(replace(plan, kind=JoinKind.ANTI), [null(kind) for kind in kinds])


def _full(plan: Join) -> Plan:
    """Each side's own conditions are part of what makes partners: none moves below the join."""
    width = width_of(plan.left)
    shape = split_condition(plan, width)
    own = [shift(part, width) for part in shape.right]
    conditions = (*shape.left, *own, *shape.both)
    left, right = push(plan.left), push(plan.right)
    return _rebuilt(plan, left, right, shape.keys, conditions, shape.nulls_match)


def _rebuilt(
    plan: Join,
    left: Plan,
    right: Plan,
    keys: Sequence[tuple[Expression, Expression]],
    conditions: Sequence[Expression],
    nulls_match: bool = False,
) -> Join:
    """The join over new sides; for a null-aware one, keys as they were."""
    if plan.null_aware:
        joined = with_children(plan, [left, right])
        assert isinstance(joined, Join), "the same node"
        return joined
    condition = all_of(list(conditions))
    return Join(
        kind=plan.kind,
        left=left,
        right=right,
        left_keys=tuple(key for key, _ in keys),
        right_keys=tuple(key for _, key in keys),
        nulls_match=nulls_match,
        residual=None if condition == TRUE else condition,
    )
