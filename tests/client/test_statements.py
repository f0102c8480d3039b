"""Where statements end, and what repeating one would do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.client.statements import (
    Effect,
    Place,
    effect_of,
    in_script,
    is_name,
    says_something,
    split,
    subscribe_target,
)
from antiphon.protocol.errors import ConstraintViolation, InvalidSql

PIECES = st.sampled_from(
    [
        "SELECT 1",
        "SELECT ';'",
        "SELECT 'it''s; fine'",
        'SELECT "a;b" FROM t',
        "SELECT $$ ; $$",
        "SELECT $tag$ ; $$ ; $tag$",
        "SELECT E'a\\';b'",
        "SELECT 1 -- not; here\n + 1",
        "SELECT /* ; /* ; */ ; */ 2",
        "INSERT INTO t VALUES (1, 'x')",
    ]
)


@given(st.lists(PIECES))
def test_a_script_splits_into_the_statements_it_was_joined_from(pieces: list[str]) -> None:
    script = split(";\n".join(pieces) + ";")
    assert list(script.statements) == pieces
    assert not script.is_open
    assert not says_something(script.rest)


@given(st.text())
def test_any_text_splits_without_losing_what_follows_the_last_semicolon(text: str) -> None:
    script = split(text)
    assert text.endswith(script.rest)
    assert all(says_something(statement) for statement in script.statements)


@given(st.one_of(st.text(), st.lists(PIECES).map(";\n ".join)))
def test_each_statement_is_found_at_its_place(text: str) -> None:
    script = split(text)
    lines = text.split("\n")
    assert len(script.places) == len(script.statements) + 1
    for statement, place in zip(script.all, script.places, strict=False):
        rest = "\n".join(lines[place.line - 1 :])
        assert rest[place.column - 1 :].startswith(statement)


def test_an_error_moves_to_its_place_in_the_script() -> None:
    error = InvalidSql("line 1:8: no", line=1, column=8, name="x")
    moved = in_script(error, Place(3, 5))
    assert isinstance(moved, InvalidSql)
    assert moved.message == "line 3:12: no"
    assert moved.details == {"line": "3", "column": "12", "name": "x"}
    later = in_script(ConstraintViolation("null", line=2, column=3), Place(3, 5))
    assert (later.message, later.details) == ("null", {"line": "4", "column": "3"})
    for other, place in ((error, Place(1, 1)), (InvalidSql("no place"), Place(3, 5))):
        assert in_script(other, place) is other


@given(st.lists(PIECES, min_size=1), st.integers(min_value=0))
def test_a_text_fed_in_two_parts_gives_the_same_statements(pieces: list[str], cut: int) -> None:
    text = ";\n".join(pieces) + ";"
    cut %= len(text) + 1
    first = split(text[:cut])
    second = split(first.rest + text[cut:])
    assert first.statements + second.statements == split(text).statements


@pytest.mark.parametrize("text", ["SELECT 'a", 'SELECT "a', "SELECT $x$ a", "/* a", "SELECT 1; 'b"])
def test_a_text_that_ends_inside_a_quote_is_open(text: str) -> None:
    assert split(text).is_open


def test_the_last_statement_needs_no_semicolon() -> None:
    assert split("SELECT 1; SELECT 2").all == ("SELECT 1", "SELECT 2")
    assert split("SELECT 1; -- the end").all == ("SELECT 1",)
    assert split(" ;; \n;").all == ()


@pytest.mark.parametrize(
    ("statement", "effect"),
    [
        ("select 1", Effect.READ),
        ("  -- why\n SELECT 1", Effect.READ),
        ("(SELECT 1) UNION ALL (SELECT 2)", Effect.READ),
        ("FROM t", Effect.READ),
        ("/* x */ insert into t values (1)", Effect.CHANGE),
        ("WITH a AS (SELECT 1) SELECT * FROM a", Effect.CHANGE),
        ("DELETE FROM t", Effect.CHANGE),
        ("CREATE TABLE t (a int)", Effect.CATALOG),
        ("something else", Effect.CATALOG),
        ("", Effect.CATALOG),
        ("Subscribe to v", Effect.SUBSCRIBE),
    ],
)
def test_the_first_word_says_what_a_repetition_would_do(statement: str, effect: Effect) -> None:
    assert effect_of(statement) is effect


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("v", "v"),
        ("SUBSCRIBE v;", "v"),
        ("subscribe TO (SELECT 1)", "(SELECT 1)"),
        ("SELECT 1", "SELECT 1"),
        ("subscriber", "subscriber"),
    ],
)
def test_a_subscribe_statement_names_its_target(text: str, target: str) -> None:
    assert subscribe_target(text) == target


def test_names_and_queries_are_told_apart() -> None:
    assert all(is_name(name) for name in ("v", "antiphon.replicas", '"A b"', '"a""b"'))
    assert not any(is_name(text) for text in ("SELECT 1", "v w", "", '"a', "a-b"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", False),
        (" \n", False),
        ("-- x", False),
        ("-- x\ny", True),
        ("/* /* x */ */", False),
        ("/* x */ y", True),
        ("/* x", False),
        ("-", True),
        ("/ 2", True),
        ("(-- x\n)", True),
        ("''", True),
    ],
)
def test_a_text_says_something_if_more_than_blanks_and_comments_is_there(
    text: str, says: bool
) -> None:
    assert says_something(text) is says
