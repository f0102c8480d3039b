"""Parsing keeps what the user wrote, and says where it fails."""

from __future__ import annotations

import pytest
from sqlglot import exp

from antiphon.controller.sql.dialect import parse, parse_type, tokenize
from antiphon.controller.sql.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql


def parsed(text: str) -> exp.Expr:
    return parse(Source(StatementText(text=text)))


def test_an_interval_keeps_all_its_text() -> None:
    interval, column = parsed("SELECT interval '1 day 2:00', interval FROM t").expressions
    assert interval.this.name == "1 day 2:00"
    assert isinstance(column, exp.Column)


def test_functions_come_out_as_written() -> None:
    call = parsed("SELECT date_trunc('day', x)").expressions[0]
    assert isinstance(call, exp.Anonymous)
    assert [type(argument) for argument in call.expressions] == [exp.Literal, exp.Column]


def test_a_call_without_parentheses_has_a_place() -> None:
    assert parsed("SELECT 1, current_date").expressions[1].meta["start"] == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT a,, b FROM t", "1:9: syntax error"),
        ("SELECT f(a,) FROM t", "1:11: syntax error"),
        ("SELECT a FROM t WHERE", "something is missing"),
        ("SELECT (1", "expecting \\)"),
        ("SELECT a\nFROM t\nWHERE b = = 1", "line 3:"),
        ("SELECT a ! b", "1:10: syntax error"),
    ],
)
def test_a_syntax_error_has_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidSql, match=message):
        parsed(text)


def test_a_part_of_a_statement_is_parsed_in_place() -> None:
    text = "CREATE VIEW v AS SELECT zz"
    node = parse(Source(StatementText(text=text)), text.index("SELECT"))
    assert node.expressions[0].this.meta["start"] == text.index("zz")


def test_types_are_read_from_their_place() -> None:
    source = Source(StatementText(text="a numeric(3, 1) NOT NULL"))
    assert parse_type(source, 2, 15).sql() == "DECIMAL(3, 1)"
    with pytest.raises(InvalidSql, match="not the name of a type"):
        parse_type(source, 0, 1)


def test_tokens_of_a_broken_text_are_an_error() -> None:
    assert len(tokenize(Source(StatementText(text="a + 1")))) == 3
    with pytest.raises(InvalidSql):
        tokenize(Source(StatementText(text="'a")))
