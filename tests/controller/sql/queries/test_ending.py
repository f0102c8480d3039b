"""How a SELECT ends: what it is sorted by, and DISTINCT."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import InvalidSql
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 5), (1, 4), (2, 3), (2, 3)")
    return made


def test_what_is_sorted_by_need_not_be_shown(world: World) -> None:
    assert world.select("SELECT a FROM t ORDER BY b, a LIMIT 3") == [(2,), (2,), (1,)]
    assert world.select("SELECT DISTINCT ON (a) b FROM t ORDER BY a DESC, b") == [(3,), (4,)]


def test_distinct_rows_are_sorted_by_what_is_shown(world: World) -> None:
    assert world.select("SELECT DISTINCT a, b FROM t ORDER BY b") == [(2, 3), (1, 4), (1, 5)]
    with pytest.raises(InvalidSql, match="may only name columns of the select list"):
        world.select("SELECT DISTINCT a FROM t ORDER BY b")


def test_rows_equal_to_the_last_one_are_kept(world: World) -> None:
    fetch = "ORDER BY a FETCH FIRST {} WITH TIES"
    assert len(world.select(f"SELECT a, b FROM t {fetch.format('ROW')}")) == 2
    assert len(world.select(f"SELECT a, b FROM t {fetch.format('3 ROWS')}")) == 4
    assert world.select(f"SELECT a FROM t UNION SELECT 0 {fetch.format('2 ROWS')}") == [(0,), (1,)]
    assert world.select(f"SELECT a FROM t {fetch.format('0 ROWS')}") == []
    most = 2**63 - 1
    assert (
        len(world.select(f"SELECT a FROM t ORDER BY a OFFSET 1 FETCH FIRST {most} ROWS WITH TIES"))
        == 3
    )
    with pytest.raises(InvalidSql, match="WITH TIES needs ORDER BY"):
        world.select("SELECT a FROM t FETCH FIRST ROW WITH TIES")
