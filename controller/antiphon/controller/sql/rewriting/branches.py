"""A join on `a OR b`, each of which has a key, needs no pairs of all with all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from antiphon.controller.sql.algebra.expressions import (
    conjuncts,
    disjuncts,
    is_risky,
    negation,
)
from antiphon.controller.sql.algebra.plans import walk_plan
from antiphon.controller.sql.rewriting.join_shape import key_pair
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import Plan
from antiphon.protocol.schema import BOOLEAN

BRANCHES_MAX: Final = 8  # each becomes a join
NODES_MAX: Final = 256  # of plans that are written again for each branch


def keyed_branches(
    conditions: Sequence[Expression], left_width: int, sides: Sequence[Plan]
) -> tuple[list[Expression], list[Expression]] | None:
    """The branches of the first OR among `conditions` that has a key in each, and the other
    conditions; None if there is none, or the branches would be too many."""
    for condition in conditions:
        branches = disjuncts(condition)
        if (
            1 < len(branches) <= BRANCHES_MAX
            and all(_has_key(branch, left_width) for branch in branches)
            and not is_risky(condition)
            and len(branches) * sum(1 for side in sides for _ in walk_plan(side)) <= NODES_MAX
        ):
            return branches, [part for part in conditions if part != condition]
    return None


def why_no_branches(conditions: Sequence[Expression], left_width: int) -> str | None:
    """Why the first OR among the conditions of a join without keys is not looked up branch by
    branch; None: there is no OR, or it is too large for other reasons."""
    for condition in conditions:
        branches = disjuncts(condition)
        if len(branches) < 2:
            continue
        for place, branch in enumerate(branches, start=1):
            if not _has_key(branch, left_width):
                return f"branch {place} of OR has no equality of both sides, and each needs one"
        if len(branches) > BRANCHES_MAX:
            return f"OR has {len(branches)} branches; up to {BRANCHES_MAX} are looked up one by one"
        if is_risky(condition):
            return "a branch of OR may fail, so that branches cannot be looked up one by one"
    return None


def _has_key(branch: Expression, left_width: int) -> bool:
    return any(key_pair(part, left_width, "equal") for part in conjuncts(branch))


def is_not_true(condition: Expression) -> Expression:
    """Where it is false or null."""
    return negation(Call(function="is_true", arguments=(condition,), type=BOOLEAN))
