"""A query becomes one read: by key where an index has the key."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.sql.statement import Read, Rows, Select
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.ids import CollectionId
from tests.controller.sql.world import World, plan_one


@pytest.fixture
def world() -> World:
    made = World()
    made.run(
        "CREATE TABLE t (a int, b text, c int);"
        "CREATE VIEW v AS SELECT a, b, count(*) AS n FROM t GROUP BY a, b;"
        "CREATE INDEX v_ab ON v (b, a);"
    )
    return made


def read(world: World, text: str) -> Read:
    statement = plan_one(text, world.catalog)
    assert isinstance(statement, Select)
    return statement.read


def keys(target: IndexTarget | PlanTarget) -> list[dict[str, object]]:
    assert isinstance(target, IndexTarget)
    assert target.keys is not None
    found: list[dict[str, object]] = pa.ipc.open_stream(target.keys).read_all().to_pylist()
    return found


def test_all_key_columns_must_be_fixed_for_a_look_up(world: World) -> None:
    target = read(world, "SELECT * FROM v WHERE a = 1 AND b = 'x'").target
    assert keys(target) == [{"b": "x", "a": 1}]
    partly = read(world, "SELECT * FROM v WHERE a = 1").target
    assert isinstance(partly, IndexTarget)
    assert partly.keys is None


def test_every_combination_of_keys_is_looked_up(world: World) -> None:
    found = keys(read(world, "SELECT n FROM v WHERE a IN (1, 2) AND b IN ('x', 'y')").target)
    assert found == [{"b": b, "a": a} for b in ("x", "y") for a in (1, 2)]


def test_too_many_keys_are_read_as_a_filter(world: World) -> None:
    wanted = ", ".join(str(number) for number in range(1_001))
    target = read(world, f"SELECT * FROM v WHERE a IN ({wanted}) AND b = 'x'").target
    assert isinstance(target, IndexTarget)
    assert target.keys is None
    assert target.plan is not None


def test_a_contradiction_of_keys_is_still_filtered(world: World) -> None:
    target = read(world, "SELECT * FROM v WHERE a = 1 AND a = 2 AND b = 'x'").target
    assert keys(target) == [{"b": "x", "a": 1}]
    assert isinstance(target, IndexTarget)
    assert target.plan is not None


def test_a_read_knows_what_it_reads_and_what_is_under_it(world: World) -> None:
    found = read(world, "SELECT * FROM v")
    table, index = world.catalog.find("t"), world.catalog.find("v_ab")
    assert table is not None
    assert index is not None
    assert found.imports == (index.id,)
    assert found.sources == (table.id,)


def test_constants_need_no_replica(world: World) -> None:
    statement = plan_one("SELECT 1 AS one, 'x' AS two", world.catalog)
    assert isinstance(statement, Rows)
    assert statement.rows.to_pylist() == [{"one": 1, "two": "x"}]
    limited = plan_one("VALUES (1), (2), (3) LIMIT 1 OFFSET 1", world.catalog)
    assert isinstance(limited, Rows)
    assert limited.rows.to_pylist() == [{"column1": 2}]


def test_what_was_sorted_by_is_not_in_the_answer(world: World) -> None:
    found = read(world, "SELECT b FROM t ORDER BY c DESC LIMIT 2")
    assert found.schema.names == ("b",)
    assert found.finishing.project == (0,)
    assert found.finishing.order_by == ((1, True, True),)


def test_an_answer_has_no_two_columns_of_a_name(world: World) -> None:
    assert read(world, "SELECT a, a, b AS a FROM t").schema.names == ("a", "a_1", "a_2")


def test_ids_of_the_catalog_are_small_numbers(world: World) -> None:
    assert world.catalog.next_id == CollectionId(4)
