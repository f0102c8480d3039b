"""SIMILAR TO and concat_ws, as PostgreSQL has them."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.scalars.text_patterns import similar_to_regexp
from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT to_char(c, 'YYYY') FROM t", "to_char of text is not supported"),
        ("SELECT to_char(d, c) FROM t", "a format that is not a literal"),
        ("SELECT c SIMILAR TO c FROM t", "a pattern that is not a literal"),
        ("SELECT c SIMILAR TO 'a\\' FROM t", "ends with its escape character"),
    ],
)
def test_what_is_not_served_is_named(query: str, why: str) -> None:
    world = World()
    world.run("CREATE TABLE t (c text, d date)")
    with pytest.raises(ComputeError, match=why):
        world.select(query)


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
    assert similar_to_regexp(pattern).endswith(")$")


def test_groups_of_a_match_are_those_of_its_own_row() -> None:
    world = World()
    world.run("CREATE TABLE t (id int, s text)")
    world.run("INSERT INTO t VALUES (1, 'ab'), (2, NULL), (3, 'x'), (4, 'aa'), (5, 'y'), (6, NULL)")
    found = world.select("SELECT id, regexp_match(s, '(a+)(b)?') FROM t ORDER BY id")
    assert found == [
        (1, ["a", "b"]), (2, None), (3, None), (4, ["aa", None]), (5, None), (6, None),
    ]  # fmt: skip
