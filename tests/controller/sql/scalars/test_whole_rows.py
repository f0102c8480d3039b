"""A table's name as a value."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import InvalidSql, UnsupportedSql
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run(
        "CREATE TABLE t (a int, b int); CREATE TABLE u (a int, u int);"
        "INSERT INTO t VALUES (1, NULL), (2, 3), (NULL, NULL)"
    )
    return made


def test_it_is_the_whole_row(world: World) -> None:
    assert world.select("SELECT x FROM t x WHERE x.a = 1") == [({"a": 1, "b": None},)]
    assert world.select("SELECT (t).b FROM t WHERE t.* = ROW(2, 3)") == [(3,)]
    assert world.select("SELECT ROW(t.*, 5) FROM t WHERE a = 2") == [({"f1": 2, "f2": 3, "f3": 5},)]


def test_a_test_for_null_asks_every_value(world: World) -> None:
    assert world.select("SELECT a FROM t WHERE t IS NULL") == [(None,)]
    assert world.select("SELECT a FROM t WHERE t.* IS NOT NULL") == [(2,)]
    assert world.select("SELECT a FROM t WHERE ROW(t.*) IS NULL") == [(None,)]


def test_a_row_of_nulls_is_there_and_one_of_an_outer_join_is_not(world: World) -> None:
    assert world.select("SELECT count(t), count(t.*) FROM t") == [(3, 3)]
    joined = "FROM t LEFT JOIN u AS x ON x.a = t.a"
    assert world.select(f"SELECT count(x), count(*) {joined}") == [(0, 3)]
    assert world.select(f"SELECT x {joined}") == [(None,)] * 3


def test_a_column_goes_before_the_row(world: World) -> None:
    world.run("INSERT INTO u VALUES (1, 7)")
    assert world.select("SELECT u FROM u") == [(7,)]
    assert world.select("SELECT u.* IS NOT NULL, count(u.*) FROM u GROUP BY u.a, u.u") == [
        (True, 1)
    ]


def test_a_query_inside_may_mention_it(world: World) -> None:
    query = "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM t x WHERE x < t AND x.a IS NOT NULL)"
    assert sorted(world.select(query), key=str) == [(2,), (None,)]


def test_what_has_no_marker_is_refused(world: World) -> None:
    with pytest.raises(UnsupportedSql, match='"s" as a whole row'):
        world.select("SELECT s FROM t, LATERAL (SELECT t.a AS q) s")
    with pytest.raises(InvalidSql, match='column "y" does not exist'):
        world.select("SELECT y FROM t")
