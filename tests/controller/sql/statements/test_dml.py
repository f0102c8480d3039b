"""INSERT, UPDATE and DELETE, and what they refuse."""

from __future__ import annotations

import os
import random

import duckdb
import pytest

from tests.controller.sql.random_changes import ALL, TABLES, ChangeWriter
from tests.controller.sql.recorded import check
from tests.controller.sql.world import Row, World, difference

START = int(os.environ.get("CHANGES_FROM", "0"))
CHANGES = 150


def test_changes_are_planned_or_refused_as_recorded() -> None:
    check("dml")


@pytest.mark.parametrize("seed", range(START, START + 4))
def test_random_changes_leave_what_duckdb_has(seed: int) -> None:
    world, oracle = World(), duckdb.connect()
    oracle.execute("SET threads = 1; SET integer_division = true")
    for run in (world.run, oracle.execute):
        run(TABLES)
    if seed % 2:
        world.run("CREATE INDEX k_by_id ON k (id)")  # keys are looked up
    writer = ChangeWriter(random.Random(seed))
    for number in range(CHANGES):
        statement = writer.statement()
        world.run(statement)
        oracle.execute(statement)
        for name, columns in ALL.items():
            ours = world.select(f"SELECT {columns} FROM {name}")
            theirs = oracle.execute(f"SELECT {columns} FROM {name}").fetchall()
            found = difference(ours, [tuple(row) for row in theirs])
            assert found == "", f"seed {seed}, {number}: {statement}: {found}"
            if len(ours) > 40:
                for run in (world.run, oracle.execute):
                    run(f"DELETE FROM {name} WHERE a <> 1 OR a IS NULL")


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int)")
    made.run("INSERT INTO t VALUES (1, 0), (1, 0), (2, 0), (NULL, 5)")
    made.run("INSERT INTO u VALUES (1, 9), (1, 7), (1, NULL), (3, 3)")
    return made


def rows(world: World, query: str) -> list[Row]:
    return sorted(world.select(query), key=repr)


def test_of_several_new_rows_the_least_is_taken_for_each_copy(world: World) -> None:
    world.run("UPDATE t SET b = u.b FROM u WHERE u.a = t.a")
    assert rows(world, "SELECT * FROM t") == [(1, 7), (1, 7), (2, 0), (None, 5)]


def test_a_row_goes_with_its_copies_and_once(world: World) -> None:
    world.run("DELETE FROM t USING u WHERE u.a = t.a OR t.b = 5")
    assert rows(world, "SELECT * FROM t") == [(2, 0)]
