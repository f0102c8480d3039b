"""to_char and the groups of regular expressions, as PostgreSQL has them."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT to_char(c, 'YYYY') FROM t", "to_char of text is not supported"),
        ("SELECT to_char(d, c) FROM t", "a format that is not a literal"),
    ],
)
def test_what_is_not_served_is_named(query: str, why: str) -> None:
    world = World()
    world.run("CREATE TABLE t (c text, d date)")
    with pytest.raises(ComputeError, match=why):
        world.select(query)


def test_groups_of_a_match_are_those_of_its_own_row() -> None:
    world = World()
    world.run("CREATE TABLE t (id int, s text)")
    world.run("INSERT INTO t VALUES (1, 'ab'), (2, NULL), (3, 'x'), (4, 'aa'), (5, 'y'), (6, NULL)")
    found = world.select("SELECT id, regexp_match(s, '(a+)(b)?') FROM t ORDER BY id")
    assert found == [
        (1, ["a", "b"]), (2, None), (3, None), (4, ["aa", None]), (5, None), (6, None),
    ]  # fmt: skip
