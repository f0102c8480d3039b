"""Domains hold what is mentioned, and no more; what is joined on by them has the right columns."""

from __future__ import annotations

import pytest
from sqlglot import exp

from antiphon.controller.catalog import empty_catalog
from antiphon.controller.sql.algebra.plans import ONE_ROW, computed
from antiphon.controller.sql.binding.relation import Context, Query, Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering
from antiphon.controller.sql.subqueries.domain import Applied, applied, beside
from antiphon.protocol.errors import UnsupportedSql
from antiphon.protocol.expression import Literal
from antiphon.protocol.plan import JoinKind, schema_of
from antiphon.protocol.schema import INT64, TEXT
from tests.controller.sql.world import one

AROUND = Scope(
    tuple(
        ScopeColumn(name=name, qualifier="t", index=index, type=kind)
        for index, (name, kind) in enumerate((("a", INT64), ("b", TEXT), ("c", INT64)))
    )
)


def over(text: str, around: Scope = AROUND) -> Applied:
    context = Context(source=Source(one(text)), catalog=empty_catalog())
    node = parse(context.source)
    assert isinstance(node, exp.Query)

    def lower(domain: Relation | None) -> Query:
        return QueryLowering(context=context).lower(node, domain=domain)

    return applied(context, around, node, lower)


def mentioned(text: str) -> list[int]:
    domain = over(text).domain
    return [] if domain is None else [column.index for column in domain.columns]


def test_a_domain_is_what_is_mentioned() -> None:
    assert mentioned("SELECT t.c, a + 1") == [0, 2]
    assert mentioned("SELECT 1") == []
    assert mentioned("SELECT t.*") == [0, 1, 2]
    assert mentioned("SELECT (SELECT b)") == [1]


def test_a_name_that_means_something_nearer_is_not_mentioned() -> None:
    assert mentioned("SELECT a FROM (VALUES (1)) s(a)") == []
    assert mentioned("SELECT a, c FROM (VALUES (1)) s(a)") == [2]
    assert mentioned("SELECT a FROM (VALUES (1)) s(a) ORDER BY t.a") == [0]


def test_the_ties_are_the_last_columns() -> None:
    found = over("SELECT 'x', 'y' FROM (VALUES (c), (a)) s(v)")
    assert found.domain is not None
    assert found.width == 2
    assert schema_of(found.query.finished()).types == (TEXT, TEXT, INT64, INT64)
    left = computed(ONE_ROW, [Literal(value=None, type=kind) for kind in (INT64, TEXT, INT64)])
    plan = beside(found.domain, JoinKind.LEFT, left, found.query.finished(), None)
    assert schema_of(plan).types == (INT64, TEXT, INT64, TEXT, TEXT)


def test_columns_further_out_are_mentioned_through_the_domains_between() -> None:
    outer = over("SELECT s.x FROM (SELECT c AS x) s, (SELECT (SELECT t.a) AS y) q")
    assert outer.domain is not None
    assert [column.index for column in outer.domain.columns] == [0, 2]


def test_what_is_nested_too_deeply_is_refused_before_it_takes_long() -> None:
    def nested(depth: int) -> str:
        inner = "t.a > 0"
        for level in range(depth, 0, -1):
            inner = (
                f"EXISTS (SELECT x{level}.a FROM (VALUES (1)) x{level}(a) WHERE {inner} "
                f"GROUP BY x{level}.a HAVING count(*) > t.a)"
            )
        return f"SELECT 1 WHERE {inner}"

    assert over(nested(2)).domain is not None
    with pytest.raises(UnsupportedSql, match="more than 6 deep"):
        over(nested(9))
