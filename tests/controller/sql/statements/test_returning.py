"""RETURNING: the rows as they are written, or deleted, and as DuckDB gives them."""

from __future__ import annotations

import os
import random

import duckdb
import pytest

from antiphon.controller.sql.statement import Delete, Insert, InsertSelect, Merge, Update
from antiphon.protocol.errors import DataError
from tests.controller.sql.random_changes import TABLES, ChangeWriter
from tests.controller.sql.recorded import check
from tests.controller.sql.world import Row, World, difference, tuples

START = int(os.environ.get("CHANGES_FROM", "0"))
CHANGES = 80
ASKED = ("*", "a, b", "b AS x, a IS NULL", "coalesce(a, 0) + 1, b")


def test_returning_is_planned_or_refused_as_recorded() -> None:
    check("returning")


def returned(world: World, statement: str) -> list[Row]:
    """What a change answers with; it is performed."""
    planned = world.plan(statement)
    assert isinstance(planned, Insert | InsertSelect | Merge | Update | Delete), statement
    rows = world.returned(planned)
    world.perform(planned)
    assert rows is not None, statement
    return tuples(rows)


@pytest.mark.parametrize("seed", range(START, START + 3))
def test_random_changes_return_what_duckdb_returns(seed: int) -> None:
    world, oracle = World(), duckdb.connect()
    oracle.execute("SET threads = 1; SET integer_division = true")
    for run in (world.run, oracle.execute):
        run(TABLES)
    chooser = random.Random(seed)
    writer = ChangeWriter(chooser)
    for number in range(CHANGES):
        statement = f"{writer.statement()} RETURNING {chooser.choice(ASKED)}"
        change, _, _ = statement.partition(" RETURNING ")
        if " FROM " in change and change.startswith(("UPDATE", "DELETE")):
            # DuckDB returns nothing of the other side, in whose columns these are ambiguous here.
            name = change.split()[2 if change.startswith("DELETE") else 1]
            statement = f"{change} RETURNING {name}.b, {name}.a"
        theirs = [tuple(row) for row in oracle.execute(statement).fetchall()]
        found = difference(returned(world, statement), theirs)
        assert found == "", f"seed {seed}, {number}: {statement}: {found}"


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int)")
    made.run("INSERT INTO t VALUES (1, 0), (1, 0), (2, 0), (NULL, 5)")
    made.run("INSERT INTO u VALUES (1, 9), (1, 7), (1, NULL), (3, 3)")
    made.run("CREATE TABLE k (id int PRIMARY KEY, n int); INSERT INTO k VALUES (1, 10)")
    return made


def test_each_copy_is_returned_with_what_it_was_changed_by(world: World) -> None:
    rows = returned(world, "UPDATE t SET b = u.b FROM u WHERE u.a = t.a RETURNING old.b, t.b, u.b")
    assert rows == [(0, 7, 7), (0, 7, 7)]


def test_of_several_matches_the_least_answer_is_given(world: World) -> None:
    rows = returned(world, "DELETE FROM t USING u WHERE u.a = t.a RETURNING t.a, u.b")
    assert rows == [(1, 7), (1, 7)]
    assert len(world.select("SELECT * FROM t")) == 2


def test_what_came_and_what_was_there_are_told_apart(world: World) -> None:
    rows = returned(
        world,
        "INSERT INTO k VALUES (1, 1), (2, 2) ON CONFLICT (id) DO UPDATE SET n = k.n + excluded.n "
        "RETURNING id, old.n, new.n, old.id IS NULL AS is_new",
    )
    assert sorted(rows) == [(1, 10, 11, False), (2, None, 2, True)]


def test_nothing_is_returned_of_what_is_left_alone(world: World) -> None:
    rows = returned(world, "INSERT INTO k VALUES (1, 1), (2, 2) ON CONFLICT DO NOTHING RETURNING *")
    assert rows == [(2, 2)]


def test_an_error_in_what_is_returned_is_one_of_the_statement(world: World) -> None:
    with pytest.raises(DataError, match="division by zero"):
        returned(world, "DELETE FROM t WHERE a = 1 RETURNING a / b")
    assert len(world.select("SELECT * FROM t")) == 4
