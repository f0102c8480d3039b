"""The reader of our own statements: words, names, places."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.parsing.cursor import Cursor, check_new_name
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql, UnsupportedSql


def cursor(text: str) -> Cursor:
    return Cursor(Source(StatementText(text=text)))


def test_words_are_accepted_whole_or_not_at_all() -> None:
    reader = cursor("IF NOT x")
    assert not reader.accept("IF", "NOT", "EXISTS")
    assert reader.accept("IF", "NOT")
    assert reader.name("it") == "x"
    assert reader.at_end


def test_names_fold_unless_quoted() -> None:
    reader = cursor('Ab "Cd ""e" /* skip */ f -- end')
    assert [reader.name("it") for _ in range(3)] == ["ab", 'Cd "e', "f"]
    reader.expect_end()


def test_a_quoted_name_is_no_word() -> None:
    assert not cursor('"IF"').accept("IF")


def test_what_is_expected_is_said_with_the_place() -> None:
    reader = cursor("a b")
    reader.take()
    with pytest.raises(InvalidSql, match='line 1:3: syntax error near "b": TABLE is expected'):
        reader.expect("TABLE")
    with pytest.raises(InvalidSql, match="at the end"):
        cursor("").name("it")


def test_lists_of_names_have_places() -> None:
    assert cursor("(a, B)").names("a column") == [("a", 1), ("b", 4)]
    with pytest.raises(InvalidSql, match="expected"):
        cursor("(a b)").names("a column")


def test_a_schema_is_refused_but_that_of_the_users() -> None:
    with pytest.raises(UnsupportedSql, match="schema"):
        cursor("other.t").name("it")
    assert cursor("public.t").name("it") == cursor('"public"."t"').name("it") == "t"
    assert cursor("public.t").path("it") == (None, "t")


@pytest.mark.parametrize("name", ["", "antiphon_x", "x" * 256])
def test_new_names_are_checked(name: str) -> None:
    with pytest.raises(InvalidSql):
        check_new_name(Source(StatementText(text="x")), 0, name)
