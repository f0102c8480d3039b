"""VALUES as a query."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import InvalidSql
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (3, 'x'), (4, 'y')")
    return made


def test_subqueries_stand_in_values(world: World) -> None:
    rows = world.select("VALUES ((SELECT max(a) FROM t), 'p'), (2, NULL) ORDER BY 1 LIMIT 2")
    assert rows == [(2, None), (4, "p")]
    world.run("INSERT INTO t VALUES ((SELECT max(a) + 1 FROM t), 'z'), ('9', NULL)")
    assert sorted(world.select("SELECT a FROM t")) == [(3,), (4,), (5,), (9,)]


def test_many_rows_with_a_subquery_are_not_nested_deeply(world: World) -> None:
    rows = ", ".join(f"({number})" for number in range(1_000))
    found = world.select(f"SELECT count(*) FROM (VALUES ((SELECT max(a) FROM t)), {rows}) q")
    assert found == [(1_001,)]


@pytest.mark.parametrize("first", ["1, 2", "(SELECT 1), 2"])
def test_rows_of_different_widths_are_refused(world: World, first: str) -> None:
    with pytest.raises(InvalidSql, match="a row of 1 values among rows of 2"):
        world.select(f"VALUES ({first}), (3)")
