"""Planning beside the loop: a plan of before is reused where it is still right."""

from __future__ import annotations

import pytest

from antiphon.controller.io import planning as module
from antiphon.controller.io.planning import Planning
from antiphon.controller.sql.statement import Insert, Select, StatementText
from antiphon.protocol.errors import InvalidSql
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    return world


async def plan(planning: Planning, world: World, text: str) -> object:
    return await planning.plan(StatementText(text=text), world.driver.catalog)


async def test_a_read_is_planned_once_for_a_catalog(world: World) -> None:
    planning = Planning()
    first = await plan(planning, world, "SELECT k FROM t")
    assert isinstance(first, Select)
    assert await plan(planning, world, "SELECT k FROM t") is first
    world.sql("CREATE INDEX i ON t (k)")
    assert await plan(planning, world, "SELECT k FROM t") is not first
    planning.stop()


async def test_changes_and_what_asks_the_clock_are_planned_every_time(world: World) -> None:
    planning = Planning()
    for text in ("INSERT INTO t VALUES (1)", "SELECT k, now() FROM t"):
        first = await plan(planning, world, text)
        assert isinstance(first, Insert | Select)
        assert await plan(planning, world, text) is not first
    planning.stop()


async def test_a_default_that_asks_the_clock_is_told_the_time(world: World) -> None:
    world.sql("CREATE TABLE d (k bigint, at timestamptz DEFAULT now())")
    planning = Planning()
    found = await plan(planning, world, "INSERT INTO d (k) VALUES (1)")
    assert isinstance(found, Insert)
    assert found.rows.column("at").null_count == 0
    planning.stop()


async def test_a_named_collection_is_planned_once_for_a_catalog(world: World) -> None:
    planning = Planning()

    def read() -> object:
        return planning.read("t", world.driver.catalog, columns=("k",), keys=None)

    first = read()
    assert isinstance(first, Select)
    assert read() is first
    world.sql("CREATE INDEX i ON t (k)")
    assert read() is not first
    planning.stop()


async def test_the_cache_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLANS_KEPT_MAX", 3)
    planning = Planning()
    first = await plan(planning, world, "SELECT k FROM t")
    for number in range(3):
        await plan(planning, world, f"SELECT k FROM t WHERE k = {number}")
    assert await plan(planning, world, "SELECT k FROM t") is not first
    planning.stop()


async def test_what_cannot_be_planned_is_said(world: World) -> None:
    planning = Planning()
    with pytest.raises(InvalidSql):
        await plan(planning, world, "SELEC k")
    planning.stop()
