"""Parsing keeps what the user wrote, and says where it fails."""

from __future__ import annotations

import pytest
from sqlglot import exp

from antiphon.controller.sql.parsing.dialect import parse, parse_type, tokenize
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql, UnsupportedSql


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


@pytest.mark.parametrize(
    "text", ['"array"[1]', "list[1:2]", 't."array"[1]', "(s).list[i]", "array(SELECT 1)[1]"]
)
def test_what_is_called_array_or_list_keeps_its_subscript(text: str) -> None:
    subscript = parsed(f"SELECT {text} FROM t").expressions[0]
    assert isinstance(subscript, exp.Bracket)
    assert subscript.this.sql("postgres").lower() == text[: text.rindex("[")].lower()


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("~ a + 1 | 2", "(~ (a + 1)) | 2"),
        ("|/ a * 2 - 1", "|/ (a * 2 - 1)"),
        ("@ a - b", "@ (a - b)"),
        ("a ~ b || c", "(a ~ b) || c"),
        ("a !~* b || c", "(a !~* b) || c"),
        ("a ~~ b || c", "(a ~~ b) || c"),
        ("a || b @> c", "(a || b) @> c"),
        ("a LIKE b || c", "a LIKE (b || c)"),
        ("a # b = c", "(a # b) = c"),
    ],
)
def test_operators_without_a_precedence_of_their_own_are_on_one_level(text: str, same: str) -> None:
    one, other = (parsed(f"SELECT {written}").expressions[0] for written in (text, same))
    for node in list(other.find_all(exp.Paren)):
        node.replace(node.this)
    assert one == other


@pytest.mark.parametrize("text", ["SELECT a::int ARRAY", "SELECT MAP {'a': 1}"])
def test_words_that_the_parser_passes_over_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedSql, match=r"ARRAY after a type|a map"):
        parsed(text)


def test_an_array_that_is_spelled_out_is_no_subscript() -> None:
    for text in ("ARRAY[1]", "[1]", "array[array[1]][1]"):
        assert parsed(f"SELECT {text}").expressions[0].find(exp.Array) is not None
    assert isinstance(parsed("SELECT a[1 + 1]").expressions[0].expressions[0], exp.Add)


def test_a_call_without_parentheses_has_a_place() -> None:
    assert parsed("SELECT 1, current_date").expressions[1].meta["start"] == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT a,, b FROM t", "1:9: syntax error"),
        ("SELECT f(a,) FROM t", "1:11: syntax error"),
        ("SELECT a FROM t WHERE", "something is missing"),
        ("SELECT a {'x': 1}", "1:10: syntax error"),
        ("SELECT [1,]", "syntax error"),
        ("SELECT :x", "syntax error"),
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
