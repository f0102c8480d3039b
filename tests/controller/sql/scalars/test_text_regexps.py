"""Regular expressions with flags and starts: answers stand in `known_answers.sql`, and are checked
against Python's expressions here."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.controller.sql.scalars.text_regexps import looks_back
from antiphon.protocol.errors import ComputeError, InvalidSql, UnsupportedSql
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
        f"regexp_replace(t, '{pattern}', '<\\&>', {start}, 0, '{flags}') FROM r"
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
        ("regexp_substr('a', 'a', 1, 1, 'x')", UnsupportedSql),
        ("regexp_instr('a', 'a', 1, 1, 2)", UnsupportedSql),
        ("regexp_replace('a', 'a', 'b', 'x')", UnsupportedSql),
        ("regexp_match('a', 'a', 'g')", UnsupportedSql),
    ],
)
def test_what_is_not_served_is_refused(call: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        World().select(f"SELECT {call}")


@pytest.mark.parametrize("pattern", ["[ab]", "(a+)(b)?", "a|b+", "(?i)A", "é.", "([ab])([^ab])"])
def test_later_matches_and_all_of_them_are_those_of_python(pattern: str) -> None:
    pick = random.Random(7)
    words = ["".join(pick.choice("abé😀 ") for _ in range(pick.randrange(9))) for _ in range(60)]
    world = World()
    world.run("CREATE TABLE w (id int, t text)")
    world.run("INSERT INTO w VALUES (-1, NULL)")
    world.run("INSERT INTO w VALUES " + ", ".join(f"({n}, '{t}')" for n, t in enumerate(words)))
    calls = (
        f"regexp_substr(t, '{pattern}', 1, 2), regexp_instr(t, '{pattern}', 1, 2), "
        f"regexp_instr(t, '{pattern}', 1, 2, 1), regexp_replace(t, '{pattern}', '-', 1, 2), "
        f"regexp_substr(t, '{pattern}', 2, 2), regexp_instr(t, '{pattern}', 2, 2)"
    )
    found = {row[0]: row[1:] for row in world.select(f"SELECT id, {calls} FROM w")}
    assert found[-1] == (None,) * 6
    for number, text in enumerate(words):
        matches = list(re.finditer(pattern, text))
        later = list(re.finditer(pattern, text[1:]))
        expected: tuple[object, ...] = (None, 0, 0, text)
        if len(matches) > 1:
            second = matches[1]
            changed = text[: second.start()] + "-" + text[second.end() :]
            expected = (second.group(), second.start() + 1, second.end() + 1, changed)
        other = (None, 0) if len(later) < 2 else (later[1].group(), later[1].start() + 2)
        assert found[number] == expected + other, text
    rows = world.select(f"SELECT id, regexp_matches(t, '{pattern}', 'g') FROM w")
    wanted = [
        (number, list(match.groups()) or [match.group()])
        for number, text in enumerate(words)
        for match in re.finditer(pattern, text)
    ]
    assert sorted(rows, key=repr) == sorted(wanted, key=repr)
    first = world.select(f"SELECT id, regexp_matches(t, '{pattern}') FROM w")
    assert len(first) == sum(re.search(pattern, text) is not None for text in words)


def test_a_group_of_a_match_is_asked_for_by_its_number() -> None:
    query = "SELECT regexp_substr('a1b2', '([a-z])([0-9])', 1, {}, '', {})"
    answers = {(1, 1): "a", (1, 2): "1", (2, 1): "b", (2, 2): "2", (2, 3): None, (3, 1): None}
    for (number, group), expected in answers.items():
        assert World().select(query.format(number, group)) == [(expected,)]


@pytest.mark.parametrize(
    "call",
    [
        "regexp_replace(t, '^a', 'x', 1, 2)",
        "regexp_substr(t, '(a)$', 1, 2, '', 1)",
        "regexp_matches(t, '\\ya', 'g')",
        "regexp_matches(t, t, 'g')",
    ],
)
def test_patterns_that_look_around_are_refused_where_a_match_is_taken_alone(call: str) -> None:
    world = World()
    world.run("CREATE TABLE w (t text)")
    with pytest.raises(ComputeError, match="of a pattern that may look around, is not supported"):
        world.select(f"SELECT {call} FROM w")
