"""INSERT of rows whose key may be taken. What DuckDB says too stands in `test_dml`."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import ConstraintViolation, DataError
from tests.controller.sql.recorded import check
from tests.controller.sql.world import Row, World


def test_clauses_are_planned_or_refused_as_recorded() -> None:
    check("on_conflict")


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE k (id int PRIMARY KEY, n int NOT NULL, c text)")
    made.run("INSERT INTO k VALUES (1, 0, 'x'), (2, 5, NULL)")
    return made


def rows(world: World) -> list[Row]:
    return sorted(world.select("SELECT * FROM k"))


def test_of_equal_keys_the_first_is_inserted(world: World) -> None:
    world.run(
        "INSERT INTO k VALUES (3, 1, 'first'), (1, 1, '-'), (3, 0, 'b') ON CONFLICT DO NOTHING"
    )
    assert rows(world) == [(1, 0, "x"), (2, 5, None), (3, 1, "first")]
    world.run("INSERT INTO k SELECT 4, n, c FROM k ON CONFLICT (id) DO NOTHING")
    assert rows(world)[-1] == (4, 0, "x")  # the least


def test_a_key_that_comes_twice_cannot_change_a_row(world: World) -> None:
    text = "ON CONFLICT (id) DO UPDATE SET n = excluded.n"
    with pytest.raises(ConstraintViolation, match=r"two rows for \"k\" have the same key \(id\)"):
        world.run(f"INSERT INTO k VALUES (1, 1, 'a'), (1, 2, 'b') {text}")
    assert rows(world) == [(1, 0, "x"), (2, 5, None)]


def test_what_is_set_is_computed_where_a_row_was_there_alone(world: World) -> None:
    divided = "ON CONFLICT (id) DO UPDATE SET n = 10 / k.n"
    world.run(f"INSERT INTO k VALUES (2, 0, '-'), (3, 0, '-') {divided}")
    assert rows(world) == [(1, 0, "x"), (2, 2, None), (3, 0, "-")]
    with pytest.raises(DataError, match="division by zero"):
        world.run(f"INSERT INTO k VALUES (1, 0, '-') {divided}")


def test_a_subquery_may_read_the_row_that_was_there(world: World) -> None:
    count = "(SELECT count(*) FROM k o WHERE o.n >= k.n)"
    world.run(f"INSERT INTO k VALUES (1, 9, '-') ON CONFLICT (id) DO UPDATE SET n = {count}")
    assert rows(world) == [(1, 2, "x"), (2, 5, None)]


def test_every_nan_is_one_key() -> None:
    world = World()
    world.run("CREATE TABLE d (x double precision PRIMARY KEY, n int)")
    world.run("INSERT INTO d VALUES ('NaN', 1), ('NaN', 2), (0.0, 3) ON CONFLICT DO NOTHING")
    world.run("INSERT INTO d VALUES ('NaN', 4), (-0.0, 5), (1, 6) ON CONFLICT DO NOTHING")
    nan = "(SELECT x FROM d WHERE n = 1)"
    world.run(f"INSERT INTO d SELECT {nan}, 7 ON CONFLICT DO NOTHING")
    merged = "ON CONFLICT (x) DO UPDATE SET n = d.n + 10 * excluded.n"
    world.run(f"INSERT INTO d VALUES ('NaN', 8), (-0.0, 9) {merged}")
    assert sorted(n for _, n in world.select("SELECT * FROM d")) == [6, 81, 93]
    for twice in ("('NaN', 1), ('NaN', 2)", "(0.0, 1), (-0.0, 2)"):
        with pytest.raises(ConstraintViolation, match="the same key"):
            world.run(f"INSERT INTO d VALUES {twice} {merged}")


@pytest.mark.parametrize("indexed", [False, True])
def test_lists_and_structs_are_keys(indexed: bool) -> None:
    world = World()
    world.run("CREATE TABLE d (l double precision[], s struct(a int), n int, PRIMARY KEY (l, s))")
    if indexed:
        world.run("CREATE INDEX d_key ON d (s, l)")
    world.run("INSERT INTO d VALUES (['NaN', NULL], ROW(1), 1), ([], ROW(NULL), 2)")
    again = "(['NaN', NULL], ROW(1), 10), ([], ROW(NULL), 20), ([NULL], ROW(1), 30)"
    world.run(f"INSERT INTO d VALUES {again}, ([NULL], ROW(1), 40) ON CONFLICT DO NOTHING")
    assert sorted(n for _, _, n in world.select("SELECT * FROM d")) == [1, 2, 30]
    merged = "ON CONFLICT (l, s) DO UPDATE SET n = d.n + excluded.n"
    world.run(f"INSERT INTO d VALUES {again} {merged}")
    assert sorted(n for _, _, n in world.select("SELECT * FROM d")) == [11, 22, 60]
    assert world.select("SELECT n FROM d WHERE l = [NULL::double precision] AND s = ROW(1)") == [
        (60,)
    ]
    with pytest.raises(ConstraintViolation, match="the same key"):
        world.run(f"INSERT INTO d VALUES {again}, ([NULL], ROW(1), 40) {merged}")


@pytest.mark.parametrize("indexed", [False, True])
def test_what_was_written_twice_is_one_row(indexed: bool, world: World) -> None:
    if indexed:
        world.run("CREATE INDEX k_id ON k (id)")
    for _ in range(2):
        world.run("INSERT INTO k VALUES (3, 1, 'c'), (3, 1, 'c') ON CONFLICT DO NOTHING")
    assert rows(world) == [(1, 0, "x"), (2, 5, None), (3, 1, "c")]
    same = "VALUES (3, 1, 'c'), (3, 1, 'c') ON CONFLICT (id) DO UPDATE SET n = 2"
    with pytest.raises(ConstraintViolation, match="the same key"):
        world.run(f"INSERT INTO k {same}")


def test_nulls_are_checked_in_what_a_row_becomes(world: World) -> None:
    with pytest.raises(ConstraintViolation, match="NOT NULL"):
        world.run("INSERT INTO k VALUES (1, 1, '-') ON CONFLICT (id) DO UPDATE SET n = NULL")
    with pytest.raises(ConstraintViolation, match="NOT NULL"):
        world.run("INSERT INTO k VALUES (NULL, 1, '-') ON CONFLICT DO NOTHING")
