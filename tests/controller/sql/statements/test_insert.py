"""INSERT: which columns are given, and how rows come."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.statement import Insert, InsertSelect
from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World, plan_one, tuples


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int NOT NULL, b text DEFAULT 'd')")
    return made


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("INSERT INTO t VALUES (1, 'x'), (2, DEFAULT)", [(1, "x", 1), (2, "d", 1)]),
        ("INSERT INTO t AS other (b, a) VALUES ('x', 1)", [(1, "x", 1)]),
        ("INSERT INTO t (a) VALUES (1 + 1)", [(2, "d", 1)]),
        ("INSERT INTO t (a) SELECT 3", [(3, "d", 1)]),
        ("INSERT INTO t SELECT 3, 'ON CONFLICT (a)'", [(3, "ON CONFLICT (a)", 1)]),
    ],
)
def test_constant_rows_are_ready_to_append(world: World, text: str, rows: list[object]) -> None:
    statement = plan_one(text, world.catalog)
    assert isinstance(statement, Insert)
    assert tuples(statement.rows) == rows


def test_rows_of_a_query_are_read(world: World) -> None:
    assert isinstance(plan_one("INSERT INTO t (a) SELECT a FROM t", world.catalog), InsertSelect)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INSERT INTO t", "VALUES or a query is expected"),
        ("INSERT INTO t VALUES (1, 'x') garbage", 'line 1:31: syntax error near "garbage"'),
        ("INSERT INTO t (b) SELECT 'x'", 'column "a" of "t" is NOT NULL'),
        ("INSERT INTO t (b) VALUES ('x')", 'column "a" of "t" is NOT NULL'),
        ("INSERT INTO t DEFAULT VALUES", 'column "a" of "t" is NOT NULL'),
        ("INSERT INTO t (a) DEFAULT VALUES", "DEFAULT VALUES takes no list of columns"),
        ("INSERT INTO t (a) SELECT 1, 2", "the query has 2 columns for 1 of the table"),
        ("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)", "OVERRIDING is not supported"),
        ("INSERT INTO t (a) VALUES (DEFAULT)", 'column "a" of "t" is NOT NULL'),
    ],
)
def test_what_cannot_be_inserted_is_named(world: World, text: str, message: str) -> None:
    with pytest.raises(ComputeError, match=message):
        plan_one(text, world.catalog)
