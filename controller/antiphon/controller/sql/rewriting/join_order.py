"""Inner joins of several relations: in the order written, but never across when a key is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    conjuncts,
    disjuncts,
    is_risky,
    remap,
    shift,
)
from antiphon.controller.sql.algebra.plans import filtered, projected, width_of
from antiphon.controller.sql.rewriting.branches import is_not_true, keyed_branches
from antiphon.controller.sql.rewriting.implied import implied, known
from antiphon.controller.sql.rewriting.join_shape import Push, conditions_of, key_pair
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import Join, JoinKind, Plan, Union

_EQUALITIES: Final = ("equal", "is_not_distinct_from")
_Tie = Callable[[Expression, Mapping[int, int], Mapping[int, int]], bool]


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
    facts = [
        shift(part, start)
        for inner, start in zip(cluster.inputs, cluster.starts, strict=True)
        for part in known(inner)
    ]
    conditions += implied([*conditions, *facts])
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Island:
    """Relations joined so far, and where each of the cluster's columns went."""

    plan: Plan
    places: Mapping[int, int]


def _joined_in_order(
    cluster: _Cluster, inputs: Sequence[Plan], conditions: Sequence[Expression]
) -> Plan:
    """Next is always the first relation, as written, that some key ties to those joined already;
    when none is tied, what is joined is an island, and the first of the others begins the next.
    Islands are joined in the end, by whatever relates them."""
    waiting = list(conditions)
    alone = [
        _Island(plan=plan, places={start + i: i for i in range(width_of(plan))})
        for plan, start in zip(inputs, cluster.starts, strict=True)
    ]
    islands: list[_Island] = []
    while alone:
        island = alone.pop(0)
        while (tied := _tied(island, alone, waiting, _TIES[:-1])) is not None:
            alone.remove(tied)
            island = _bridged(island, tied, waiting)
        islands.append(island)
    whole = islands.pop(0)
    while islands:
        following = _tied(whole, islands, waiting, _TIES) or islands[0]
        islands.remove(following)
        whole = _bridged(whole, following, waiting)
    assert not waiting, f"conditions on no column of the join: {waiting}"
    return projected(whole.plan, [whole.places[column] for column in range(cluster.width)])


def _bridged(left: _Island, right: _Island, waiting: list[Expression]) -> _Island:
    """Both, joined by all conditions that are on them alone; these wait no longer."""
    width = width_of(left.plan)
    places = {**left.places, **{column: width + at for column, at in right.places.items()}}
    ready = [part for part in waiting if columns_of(part) <= places.keys()]
    waiting[:] = [part for part in waiting if part not in ready]
    here = [remap(condition, places) for condition in ready]
    return _Island(plan=_joined(left.plan, right.plan, width, here), places=places)


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
    found = None if keys else keyed_branches(conditions, left_width, (left, right))
    if found is not None:
        branches, others = found
        return Union(
            inputs=tuple(
                _joined(left, right, left_width, [
                    *conjuncts(branch), *others, *map(is_not_true, branches[:place]),
                ])
                for place, branch in enumerate(branches)
            )
        )  # fmt: skip
    join = Join(
        kind=JoinKind.INNER, left=left, right=right,
        left_keys=tuple(key for key, _ in keys), right_keys=tuple(key for _, key in keys),
        nulls_match=bool(keys) and function != "equal",
    )  # fmt: skip
    return filtered(join, rest)


def _tied(
    island: _Island,
    others: Sequence[_Island],
    conditions: Sequence[Expression],
    ties: Sequence[_Tie],
) -> _Island | None:
    """The first of the others that is tied to the island, by the strongest kind of tie."""
    for ties_them in ties:
        for other in others:
            if any(ties_them(part, island.places, other.places) for part in conditions):
                return other
    return None


def _is_key(condition: Expression, ours: Mapping[int, int], theirs: Mapping[int, int]) -> bool:
    """An equality of something on the one side with something on the other."""
    if not (isinstance(condition, Call) and condition.function in _EQUALITIES):
        return False
    a, b = (columns_of(part) for part in condition.arguments)
    one, other = ours.keys(), theirs.keys()
    return bool(a and b) and ((a <= one and b <= other) or (a <= other and b <= one))


def _has_key_each(
    condition: Expression, ours: Mapping[int, int], theirs: Mapping[int, int]
) -> bool:
    """An OR, each branch of which has a key."""
    branches = disjuncts(condition)
    return len(branches) > 1 and all(
        any(_is_key(part, ours, theirs) for part in conjuncts(branch)) for branch in branches
    )


def _relates(condition: Expression, ours: Mapping[int, int], theirs: Mapping[int, int]) -> bool:
    """It is about both sides, and about nothing else."""
    columns = columns_of(condition)
    both = ours.keys() | theirs.keys()
    return columns <= both and not (columns <= ours.keys() or columns <= theirs.keys())


_TIES: Final = (_is_key, _has_key_each, _relates)
