"""What a join shows of its sides' columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from antiphon.controller.sql.algebra.plans import extended
from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.binding.relation import Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn
from antiphon.controller.sql.binding.types import common_type
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import JoinKind, Plan


def shown(kind: JoinKind, left: Relation, right: Relation, plan: Plan, scope: Scope) -> Relation:
    """`plan`, which joins both sides: an outer join makes columns nullable."""
    width = left.width + right.width
    optional = {
        index
        for index in range(width)
        if (index < left.width and kind in (JoinKind.RIGHT, JoinKind.FULL))
        or (index >= left.width and kind in (JoinKind.LEFT, JoinKind.FULL))
    }
    columns = tuple(replace(c, nullable=c.nullable or c.index in optional) for c in scope.columns)
    return Relation(plan=plan, width=width, scope=Scope(columns))


def merged(
    relation: Relation, kind: JoinKind, pairs: Sequence[tuple[ScopeColumn, ScopeColumn]]
) -> Relation:
    """The scope in which each pair is one visible column, before all others."""
    hidden = {column.index for pair in pairs for column in pair}
    maps: list[Expression] = []
    visible: list[ScopeColumn] = []
    for left, right in pairs:
        kept = right if kind is JoinKind.RIGHT else left
        if kind is JoinKind.FULL:
            # Whichever side has the row has the value.
            common = common_type(left.type, right.type)
            assert common is not None, "the sides were compared"
            sides = (cast(left.reference, common), cast(right.reference, common))
            maps.append(Call(function="coalesce", arguments=sides, type=common))
            nullable = left.nullable or right.nullable
            index = relation.width + len(maps) - 1
            kept = replace(kept, index=index, type=common, nullable=nullable)
        visible.append(replace(kept, qualifier=None, visible=True))
    rest = tuple(
        replace(c, visible=c.visible and c.index not in hidden) for c in relation.scope.columns
    )
    return Relation(
        plan=extended(relation.plan, maps),
        width=relation.width + len(maps),
        scope=Scope((*visible, *rest)),
    )
