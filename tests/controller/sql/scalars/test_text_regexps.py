"""Regular expressions with flags and starts: answers stand in `known_answers.sql`, and are checked
against Python's expressions here."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.controller.sql.scalars.text_regexps import looks_back
from antiphon.protocol.errors import InvalidSql, UnsupportedSql
from tests.controller.sql.world import World

TEXTS = ("", "a", "Ab", "aab", "xAbaB", "b\na", "éab😀ab")
PATTERNS = ("ab?", "b", "[^a]b", "(a)(b)")


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("a", False), ("[^a]", False), (r"\^", False), ("[]^]b", False), (r"\d+$", False),
        ("^a", True), ("a|^b", True), (r"\bx", True), (r"[a]\B", True), (r"\A", True),
    ],
)  # fmt: skip
def test_a_pattern_that_looks_back_is_known(pattern: str, wanted: bool) -> None:
    assert looks_back(pattern) == wanted


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(PATTERNS), st.integers(1, 5), st.sampled_from(["", "i", "ci", "ic"]))
def test_what_begins_later_is_looked_for_in_the_rest(pattern: str, start: int, flags: str) -> None:
    world = World()
    world.run("CREATE TABLE r (t text)")
    for text in TEXTS:
        world.run(f"INSERT INTO r VALUES ('{text}')")
    found = world.select(
        f"SELECT t, regexp_count(t, '{pattern}', {start}, '{flags}'), "
        f"regexp_instr(t, '{pattern}', {start}, 1, 0, '{flags}'), "
        f"regexp_instr(t, '{pattern}', {start}, 1, 1, '{flags}'), "
        f"regexp_substr(t, '{pattern}', {start}, 1, '{flags}'), "
        f"regexp_replace(t, '{pattern}', '<\\0>', {start}, 0, '{flags}') FROM r"
    )
    sought = re.compile(pattern, re.IGNORECASE if flags.endswith("i") else 0)
    for text, count, place, behind, match, replaced in found:
        rest, first = text[start - 1 :], sought.search(text[start - 1 :])
        assert count == len(sought.findall(rest))
        assert place == (first.start() + start if first else 0)
        assert behind == (first.end() + start if first else 0)
        assert match == (first.group() if first else None)
        assert replaced == text[: start - 1] + sought.sub(r"<\g<0>>", rest)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("regexp_count('a', 'a', 0)", InvalidSql),
        ("regexp_count('a', '^a', 2)", UnsupportedSql),
        ("regexp_count('a', 'a', 1, 'g')", UnsupportedSql),
        ("regexp_substr('a', 'a', 1, 2)", UnsupportedSql),
        ("regexp_instr('a', 'a', 1, 1, 2)", UnsupportedSql),
        ("regexp_replace('a', 'a', 'b', 'x')", UnsupportedSql),
        ("regexp_match('a', 'a', 'g')", UnsupportedSql),
    ],
)
def test_what_is_not_served_is_refused(call: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        World().select(f"SELECT {call}")
