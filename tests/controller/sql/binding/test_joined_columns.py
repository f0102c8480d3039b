"""Joins by USING show each column once, whichever side has it; outer joins allow nulls."""

from __future__ import annotations

from antiphon.controller.sql.algebra.plans import ONE_ROW, computed, joined
from antiphon.controller.sql.binding.joined_columns import merged, shown
from antiphon.controller.sql.binding.relation import Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn
from antiphon.protocol.expression import Literal
from antiphon.protocol.plan import JoinKind, schema_of
from antiphon.protocol.schema import INT32, INT64


def relation(alias: str) -> Relation:
    literals = [Literal(value=1, type=kind) for kind in (INT32, INT64)]
    columns = tuple(
        ScopeColumn(name=name, qualifier=alias, index=i, type=literal.type, nullable=False)
        for i, (name, literal) in enumerate(zip("ab", literals, strict=True))
    )
    return Relation(plan=computed(ONE_ROW, literals), width=2, scope=Scope(columns))


def both(kind: JoinKind) -> Relation:
    left, right = relation("l"), relation("r")
    scope = left.scope.joined(right.scope, left.width)
    return shown(kind, left, right, joined(kind, left.plan, right.plan), scope)


def test_the_side_that_may_be_missing_is_nullable() -> None:
    found = {
        kind: [c.nullable for c in both(kind).scope.columns]
        for kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.RIGHT, JoinKind.FULL)
    }
    assert found == {
        JoinKind.INNER: [False] * 4,
        JoinKind.LEFT: [False, False, True, True],
        JoinKind.RIGHT: [True, True, False, False],
        JoinKind.FULL: [True] * 4,
    }


def test_a_pair_is_one_column_before_all_others() -> None:
    for kind in (JoinKind.LEFT, JoinKind.RIGHT, JoinKind.FULL):
        whole = both(kind)
        left, right = whole.scope.columns[0], whole.scope.columns[2]
        result = merged(whole, kind, [(left, right)])
        assert [c.name for c in result.scope.star()] == ["a", "b", "b"]
        own = {JoinKind.LEFT: 0, JoinKind.RIGHT: 2, JoinKind.FULL: 4}[kind]
        assert result.scope.find("a", None)[0].index == own
        assert result.scope.find("a", "r")[0].index == 2
        assert result.width == len(schema_of(result.plan))
