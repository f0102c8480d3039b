"""Inner joins of several relations: in the order written, but never across when a key is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    equal,
    is_risky,
    remap,
    shift,
)
from antiphon.controller.sql.algebra.plans import filtered, projected, width_of
from antiphon.controller.sql.rewriting.join_shape import Push, conditions_of, key_pair
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Join, JoinKind, Plan

_EQUALITIES: Final = ("equal", "is_not_distinct_from")


@dataclass(slots=True)
class _Cluster:
    """Relations joined by nothing but inner joins. Columns are numbered through, as written."""

    inputs: list[Plan]
    starts: list[int]  # the first column of each input
    conditions: list[Expression]
    width: int = 0

    def owner(self, column: int) -> int:
        return max(i for i, start in enumerate(self.starts) if start <= column)

    def owners(self, condition: Expression) -> frozenset[int]:
        return frozenset(self.owner(column) for column in columns_of(condition))


def inner_join(join: Join, predicates: Sequence[Expression], push: Push) -> Plan:
    """The join, and the inner joins directly under it, with `predicates` as near to the data as
    they go. Columns stay in the order written."""
    if join.nulls_match:
        return _nulls_matched(join, predicates, push)
    cluster = _Cluster([], [], [])
    _collect(join, cluster)
    conditions = [*cluster.conditions, *predicates]
    conditions += _implied_constants(conditions)
    late = [part for part in conditions if is_risky(part)]
    early = [part for part in conditions if not is_risky(part)]
    alone: dict[int, list[Expression]] = {}
    between: list[Expression] = []
    for condition in early:
        owners = cluster.owners(condition)
        if len(owners) == 1:
            (owner,) = owners
            moved = shift(condition, -cluster.starts[owner])
            alone.setdefault(owner, []).append(moved)
        else:
            between.append(condition)
    inputs = [push(part, alone.get(i, ())) for i, part in enumerate(cluster.inputs)]
    plan = _joined_in_order(cluster, inputs, between)
    return filtered(plan, late)


def _nulls_matched(join: Join, predicates: Sequence[Expression], push: Push) -> Plan:
    """Such a join stays by itself; what is about one side goes there."""
    width = width_of(join.left)
    left = [part for part in predicates if all(i < width for i in columns_of(part))]
    right = [
        part
        for part in predicates
        if part not in left and all(i >= width for i in columns_of(part))
    ]
    kept = Join(
        kind=join.kind, left=push(join.left, left),
        right=push(join.right, [shift(part, -width) for part in right]),
        left_keys=join.left_keys, right_keys=join.right_keys, nulls_match=True,
        residual=join.residual,
    )  # fmt: skip
    return filtered(kept, [part for part in predicates if part not in (*left, *right)])


def _collect(plan: Plan, cluster: _Cluster) -> None:
    if not (isinstance(plan, Join) and plan.kind is JoinKind.INNER and not plan.nulls_match):
        cluster.inputs.append(plan)
        cluster.starts.append(cluster.width)
        cluster.width += width_of(plan)
        return
    base = cluster.width
    _collect(plan.left, cluster)
    left_width = cluster.width - base
    _collect(plan.right, cluster)
    for condition in conditions_of(plan, left_width):
        cluster.conditions.append(shift(condition, base))


def _joined_in_order(
    cluster: _Cluster, inputs: Sequence[Plan], conditions: Sequence[Expression]
) -> Plan:
    """Left-deep: next is always the first relation, as written, that some key ties to those
    joined already; only when none is tied, the first of all."""
    waiting = list(conditions)
    remaining = list(range(1, len(inputs)))
    plan = inputs[0]
    places = {column: column for column in range(width_of(plan))}
    while remaining:
        tied = [i for i in remaining if _is_tied(cluster, i, places, waiting)]
        chosen = tied[0] if tied else remaining[0]
        remaining.remove(chosen)
        left_width, right_width = width_of(plan), width_of(inputs[chosen])
        for offset in range(right_width):
            places[cluster.starts[chosen] + offset] = left_width + offset
        ready = [part for part in waiting if columns_of(part) <= places.keys()]
        waiting = [part for part in waiting if part not in ready]
        here = [remap(condition, places) for condition in ready]
        plan = _joined(plan, inputs[chosen], left_width, here)
    assert not waiting, f"conditions on no column of the join: {waiting}"
    return projected(plan, [places[column] for column in range(cluster.width)])


def _joined(left: Plan, right: Plan, left_width: int, conditions: Sequence[Expression]) -> Plan:
    """Equalities become keys; without any, those that let nulls match; the rest filters."""
    function = "equal"
    if not any(key_pair(part, left_width, function) for part in conditions):
        function = "is_not_distinct_from"
    keys: list[tuple[Expression, Expression]] = []
    rest: list[Expression] = []
    for condition in conditions:
        pair = key_pair(condition, left_width, function)
        if pair is None:
            rest.append(condition)
        elif pair not in keys:
            keys.append(pair)
    join = Join(
        kind=JoinKind.INNER, left=left, right=right,
        left_keys=tuple(key for key, _ in keys), right_keys=tuple(key for _, key in keys),
        nulls_match=bool(keys) and function != "equal",
    )  # fmt: skip
    return filtered(join, rest)


def _is_tied(
    cluster: _Cluster, candidate: int, places: dict[int, int], conditions: Sequence[Expression]
) -> bool:
    for condition in conditions:
        if not (isinstance(condition, Call) and condition.function in _EQUALITIES):
            continue
        for a, b in (condition.arguments, condition.arguments[::-1]):
            ours, theirs = columns_of(a), columns_of(b)
            if (
                ours
                and theirs
                and ours <= places.keys()
                and all(cluster.owner(column) == candidate for column in theirs)
            ):
                return True
    return False


def _implied_constants(conditions: Sequence[Expression]) -> list[Expression]:
    """`a = b AND a = 5` also says `b = 5`, which the other side of the join can use."""
    groups: list[set[int]] = []
    constants: list[tuple[ColumnReference, Literal]] = []
    references: dict[int, ColumnReference] = {}
    for condition in conditions:
        if not (isinstance(condition, Call) and condition.function == "equal"):
            continue
        a, b = condition.arguments
        if isinstance(a, Literal):
            a, b = b, a
        if isinstance(a, ColumnReference) and isinstance(b, Literal):
            constants.append((a, b))
        elif isinstance(a, ColumnReference) and isinstance(b, ColumnReference):
            references[a.index], references[b.index] = a, b
            touched = [group for group in groups if group & {a.index, b.index}]
            merged = {a.index, b.index}.union(*touched)
            groups = [group for group in groups if group not in touched] + [merged]
    implied: list[Expression] = []
    for column, literal in constants:
        for group in groups:
            if column.index not in group:
                continue
            for other in sorted(group - {column.index}):
                fresh = equal(references[other], literal)
                if references[other].type == literal.type and fresh not in conditions:
                    implied.append(fresh)
    return implied
