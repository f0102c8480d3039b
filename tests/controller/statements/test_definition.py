"""Catalog statements: one transaction each, in turn, and planned again when the catalog moved."""

from __future__ import annotations

import pytest

from antiphon.controller.catalog import AddItem, RemoveItem
from antiphon.controller.ports import DoneReply, ErrorReply, ReplanReply
from antiphon.controller.statements.definition import define
from antiphon.history.store import Refused
from antiphon.protocol.errors import StaleFacts
from antiphon.protocol.frontier import CLOSED
from tests.controller.world import NOW_MS, World


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    return world


def test_a_table_is_a_row_of_the_catalog_and_a_shard() -> None:
    world = World()
    definition = define(world.plan("CREATE TABLE t (k bigint PRIMARY KEY)"), 42)  # type: ignore[arg-type]
    (change,) = definition.changes
    assert isinstance(change, AddItem)
    assert change.item.created_at_ms == 42
    assert definition.new_shards[0].unique_key == (0,)
    assert definition.dataflows == ()


def test_a_view_is_only_a_row(world: World) -> None:
    definition = define(world.plan("CREATE VIEW w AS SELECT v FROM t"), 0)  # type: ignore[arg-type]
    assert (definition.new_shards, definition.dataflows, definition.stored) == ((), (), ())


def test_a_materialized_view_is_a_shard_without_unique_key_and_a_dataflow(world: World) -> None:
    definition = define(world.plan("CREATE MATERIALIZED VIEW m AS SELECT v FROM t"), 0)  # type: ignore[arg-type]
    assert definition.new_shards[0].unique_key == ()
    assert len(definition.dataflows) == 1


def test_a_drop_removes_rows_shards_and_dataflows(world: World) -> None:
    world.sql("CREATE INDEX i ON t (v)")
    definition = define(world.plan("DROP TABLE t CASCADE"), 0)  # type: ignore[arg-type]
    index = definition.drops[0]
    assert definition.changes[-1] == RemoveItem(definition.drops[1])
    assert len(definition.drops) == 2
    assert definition.dropped_shards == (definition.drops[1],)
    assert index != definition.drops[1]


def test_everything_becomes_durable_together(world: World) -> None:
    before = world.store.opened()
    world.begin("CREATE MATERIALIZED VIEW m AS SELECT v FROM t")
    assert world.driver.catalog.find("m") is None, "not before it is durable"
    assert world.store.opened() == before
    world.run()
    after = world.store.opened()
    assert after.head == before.head + 1
    assert len(after.catalog) == len(before.catalog) + 1
    assert len(after.shards) == len(before.shards) + 1
    item = world.driver.catalog.find("m")
    assert item is not None
    assert item.created_at_ms == NOW_MS


def test_statements_wait_for_each_other_and_the_later_is_planned_again(world: World) -> None:
    first = world.begin("CREATE TABLE a (x bigint)")
    second = world.begin("CREATE TABLE b (x bigint)")
    assert world.store.queued_count == 1
    world.run()
    assert isinstance(world.reply(first), DoneReply)
    assert world.reply(second) == ReplanReply(), "its id is taken by now"
    assert isinstance(world.sql("CREATE TABLE b (x bigint)"), DoneReply)
    assert world.id("b") == world.id("a") + 1


def test_what_the_store_refuses_did_not_happen(world: World) -> None:
    request = world.begin("CREATE INDEX i ON t (v)")
    token = world.driver.kernel._submitted[0][0]
    world.store.crash()
    world.handle(Refused(token=token, error=StaleFacts("the head moved")))
    assert isinstance(world.reply(request), ErrorReply)
    assert world.driver.catalog.find("i") is None
    assert world.driver.kernel.instance.state.installs == {}
    assert isinstance(world.sql("CREATE INDEX i ON t (v)"), DoneReply)


def test_notices_reach_the_caller(world: World) -> None:
    world.sql("CREATE VIEW w AS SELECT v FROM t")
    reply = world.sql("DROP TABLE t CASCADE")
    assert isinstance(reply, DoneReply)
    assert any("w" in notice for notice in reply.notices)


def test_dropping_forgets_how_far_compaction_was_allowed(world: World) -> None:
    world.sql("CREATE INDEX i ON t (v)")
    index = world.id("i")
    world.driver.kernel.submit(lambda _: None, compaction={index: CLOSED})
    world.run()
    world.sql("DROP INDEX i")
    assert world.store.opened().compaction == {}
