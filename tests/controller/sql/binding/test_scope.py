"""What a name may mean."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.binding.scope import (
    OUTER,
    Scope,
    ScopeColumn,
    is_outer,
    relabel,
    resolve,
)
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql
from antiphon.protocol.schema import INT32

SOURCE = Source(StatementText(text="x"))


def column(name: str, qualifier: str | None, index: int, *, visible: bool = True) -> ScopeColumn:
    return ScopeColumn(name=name, qualifier=qualifier, index=index, type=INT32, visible=visible)


SCOPE = Scope((column("a", "t", 0), column("b", "t", 1), column("a", "u", 2)))


def test_a_qualified_name_is_never_ambiguous() -> None:
    assert resolve(SOURCE, 0, SCOPE, None, "a", "u").index == 2
    with pytest.raises(InvalidSql, match='column "a" is ambiguous: "t", "u" have it'):
        resolve(SOURCE, 0, SCOPE, None, "a", None)


def test_a_hidden_column_is_reached_by_its_qualified_name_alone() -> None:
    scope = Scope((column("a", None, 0), column("a", "t", 0, visible=False)))
    assert resolve(SOURCE, 0, scope, None, "a", None).index == 0
    assert resolve(SOURCE, 0, scope, None, "a", "t").index == 0
    assert [c.qualifier for c in scope.star()] == [None]


def test_the_outer_query_is_asked_last() -> None:
    inner = Scope((column("c", "v", 0),))
    found = resolve(SOURCE, 0, inner, SCOPE, "b", None)
    assert found.index == OUTER + 1
    assert is_outer(found.index)
    assert resolve(SOURCE, 0, inner, SCOPE, "c", None).index == 0
    with pytest.raises(InvalidSql, match="ambiguous"):
        resolve(SOURCE, 0, inner, SCOPE, "a", None)


def test_what_is_unknown_is_named_with_a_near_miss() -> None:
    scope = Scope((column("flight", "flights", 0),))
    with pytest.raises(InvalidSql, match='column "fligth" does not exist; did you mean "flight"'):
        resolve(SOURCE, 0, scope, None, "fligth", None)
    with pytest.raises(InvalidSql, match='"flight" is not a table of this query; did you mean'):
        resolve(SOURCE, 0, scope, None, "flight", "flight")


def test_joined_scopes_are_numbered_through() -> None:
    both = Scope((column("a", "t", 0),)).joined(Scope((column("b", "u", 0),)), 1)
    assert [(c.name, c.index) for c in both.columns] == [("a", 0), ("b", 1)]
    assert [c.index for c in both.star("u")] == [1]


def test_a_relabelled_relation_has_one_qualifier() -> None:
    assert [(c.qualifier, c.index) for c in relabel(SCOPE.columns, "x")] == [
        ("x", 0),
        ("x", 1),
        ("x", 2),
    ]
