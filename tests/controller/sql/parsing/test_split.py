"""A text is cut at semicolons outside quotes and comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.sql.parsing.split import split_statements
from antiphon.protocol.errors import InvalidSql, LimitExceeded


def texts(sql: str) -> list[str]:
    return [piece.text for piece in split_statements(sql)]


@pytest.mark.parametrize(
    ("sql", "pieces"),
    [
        ("", []),
        (" ; ;; -- nothing\n;", []),
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';'", ["select ';'"]),
        ("select 'it''s;'; x", ["select 'it''s;'", "x"]),
        ('select ";" ; x', ['select ";"', "x"]),
        ("select $$a;b$$; x", ["select $$a;b$$", "x"]),
        ("select $q$a;$$b$q$; x", ["select $q$a;$$b$q$", "x"]),
        ("select e'a\\';b'; x", ["select e'a\\';b'", "x"]),
        ("select 1 -- a;b\n; x", ["select 1 -- a;b", "x"]),
        ("select /* a; /* b; */ c; */ 1; x", ["select /* a; /* b; */ c; */ 1", "x"]),
        ("/* first */ -- second\n select 1", ["select 1"]),
    ],
)
def test_statements_are_found(sql: str, pieces: list[str]) -> None:
    assert texts(sql) == pieces


def test_a_nul_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidSql, match="line 2:3: a NUL character"):
        split_statements("select 1;\n  \0")


def test_a_piece_knows_where_it_begins() -> None:
    pieces = split_statements("select 1;\n  -- next\n  select 2")
    assert [(piece.line, piece.column) for piece in pieces] == [(1, 1), (3, 3)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1;\nselect 'x", "line 2:8: a string without end"),
        ('select "x', "line 1:8: a quoted name without end"),
        ("select $$x", "without its closing"),
        ("select /* x", "a comment without end"),
        ("select e'x\\'", "a string without end"),
    ],
)
def test_what_has_no_end_is_an_error_with_its_place(sql: str, message: str) -> None:
    with pytest.raises(InvalidSql, match=message.replace("$", r"\$")):
        split_statements(sql)


def test_a_text_that_is_too_large_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="bytes"):
        split_statements("x" * (1 << 21))


@given(st.lists(st.sampled_from(["a", "'b;c'", '"d;"', "--e;\n", "/*f;*/", " ", ";"])))
def test_nothing_is_lost_but_comments_before_statements(parts: list[str]) -> None:
    sql = "".join(parts)
    for piece in split_statements(sql):
        assert piece.text in sql
        assert not piece.text.startswith((";", "--", "/*", " "))
    assert sum(sql.count(text) for text in ("a", "'b;c'", '"d;"')) == sum(
        piece.text.count(text) for piece in split_statements(sql) for text in ("a", "'b;c'", '"d;"')
    )
