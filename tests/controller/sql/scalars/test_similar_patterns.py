"""SIMILAR TO, and SUBSTRING ... SIMILAR. More answers stand in `postgres_answers.sql`."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.scalars.similar_patterns import similar_part, similar_to_regexp
from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World


@pytest.mark.parametrize(
    ("pattern", "same", "other"),
    [
        ("a%", ["a", "abc", "a\nb"], ["ba", ""]),
        ("_b", ["ab", "bb"], ["b", "abb"]),
        ("(a|b)+c?", ["ab", "bac"], ["c", "abcc"]),
        ("[a-c%]x", ["bx", "%x"], ["dx"]),
        ("a.^$", ["a.^$"], ["ab^$"]),
        ("\\%\\_\\.", ["%_."], ["a_."]),
        ("a{2}", ["aa"], ["a", "aaa"]),
    ],
)
def test_similar_to_matches_the_whole_text(pattern: str, same: list[str], other: list[str]) -> None:
    world = World()
    for text, expected in [*((t, True) for t in same), *((t, False) for t in other)]:
        world.run("CREATE TABLE one (c text)")
        world.run(f"INSERT INTO one VALUES ('{text}')")
        assert world.select(f"SELECT c SIMILAR TO '{pattern}' FROM one") == [(expected,)], text
        world.run("DROP TABLE one")


def test_an_escaped_letter_is_an_escape_of_regular_expressions() -> None:
    assert similar_to_regexp(r"\d%") == r"^(?:\d.*)$"
    assert similar_to_regexp("#d#_", "#") == r"^(?:\d\_)$"


def test_what_is_wanted_stands_between_two_separators() -> None:
    assert similar_part('a%#"(b|c)#"_', "#") == "^(?U:a.*)((?:b|c))(?:.)$"
    assert similar_part("a%", "#") == "^(a.*)$"
    with pytest.raises(ValueError, match="two separators or none, not 1"):
        similar_part('a#"b', "#")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT c SIMILAR TO c FROM t", "a pattern that is not a literal"),
        ("SELECT c SIMILAR TO 'a\\' FROM t", "ends with its escape character"),
        ("SELECT substring(c similar c escape '#') FROM t", "a pattern that is not a literal"),
        ("SELECT substring(c similar 'a' escape '##') FROM t", "ESCAPE takes one character"),
        ("SELECT substring(c similar 'a') FROM t", "expected ESCAPE"),
        ("SELECT substring(c similar '#\"' escape '#') FROM t", "two separators or none"),
    ],
)
def test_what_is_not_served_is_named(query: str, why: str) -> None:
    world = World()
    world.run("CREATE TABLE t (c text)")
    with pytest.raises(ComputeError, match=why):
        world.select(query)
