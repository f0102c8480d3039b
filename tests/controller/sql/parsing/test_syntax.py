"""Simple questions about the parser's tree."""

from __future__ import annotations

import pytest
from sqlglot import exp

from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import (
    aggregates_in,
    describe,
    expect_only,
    is_aggregate,
    is_in_query,
    is_single_aggregate,
    literal_limit,
    name_of,
    plain_select,
    without_not,
)
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import UnsupportedSql


def item(text: str) -> exp.Expr:
    return parse(Source(StatementText(text=f"SELECT {text}"))).expressions[0]


def select(text: str) -> exp.Select:
    node = parse(Source(StatementText(text=text)))
    assert isinstance(node, exp.Select)
    return node


def test_names_fold_unless_quoted() -> None:
    assert name_of(item("Ab").this) == "ab"
    assert name_of(item('"Ab"').this) == "Ab"


def test_what_would_be_ignored_is_refused_by_name() -> None:
    source = Source(StatementText(text="SELECT a FROM t FOR UPDATE"))
    with pytest.raises(UnsupportedSql, match="FOR UPDATE or FOR SHARE is not supported"):
        expect_only(source, parse(source), "expressions", "from_")


def test_nodes_have_words() -> None:
    assert describe(item("frob(a)")) == "the function frob"
    assert describe(item("ARRAY[1]")) == "an array"
    assert describe(item("count(*) FILTER (WHERE a)")) == "the function count"


def test_aggregates_are_known_by_name() -> None:
    assert is_aggregate(item("Sum(a)"))
    assert not is_aggregate(item("lower(a)"))
    assert aggregates_in(select("SELECT 1 + max(a) FROM t"))
    assert aggregates_in(select("SELECT row_number() OVER (ORDER BY a) FROM t"))
    assert not aggregates_in(select("SELECT (SELECT max(a) FROM t)"))


def test_a_negation_is_seen_through_parentheses() -> None:
    inner, negated = without_not(item("NOT (NOT (NOT a IN (SELECT 1)))"))
    assert negated
    assert is_in_query(inner)
    assert not is_in_query(item("a IN (1)"))


def test_a_plain_select_does_nothing_after_where() -> None:
    assert plain_select(select("SELECT a FROM t WHERE b ORDER BY a")) is not None
    for text in ("GROUP BY a", "LIMIT 1", "HAVING a"):
        assert plain_select(select(f"SELECT a FROM t {text}")) is None
    assert plain_select(select("SELECT max(a) FROM t")) is None


def test_a_single_aggregate_has_one_row() -> None:
    assert is_single_aggregate(select("SELECT max(a) + 1 FROM t WHERE b"))
    assert not is_single_aggregate(select("SELECT max(a) FROM t GROUP BY b"))
    assert not is_single_aggregate(select("SELECT a FROM t"))


def test_a_limit_is_a_number_or_unknown() -> None:
    assert literal_limit(select("SELECT a FROM t LIMIT 1")) == 1
    assert literal_limit(select("SELECT a FROM t FETCH FIRST 2 ROWS ONLY")) == 2
    assert literal_limit(select("SELECT a FROM t LIMIT 1 + 1")) == 0
    assert literal_limit(select("SELECT a FROM t")) is None
