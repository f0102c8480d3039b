"""Catalog statements: one transaction each, in turn, and planned again when the catalog moved."""

from __future__ import annotations

import pytest

from antiphon.controller.catalog import AddItem, RemoveItem
from antiphon.controller.ports import DoneReply, ErrorReply, ReplanReply, RowsReply
from antiphon.controller.statements.definition import define
from antiphon.controller.statements.show import SETTINGS_SCHEMA
from antiphon.history.store import Refused
from antiphon.protocol.command import (
    CreateDataflow,
    InitializationComplete,
    UpdateConfiguration,
)
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.errors import StaleFacts
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.schema import arrow_schema
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


def test_a_view_goes_and_another_comes_in_one_transaction(world: World) -> None:
    world.sql("CREATE VIEW w AS SELECT v FROM t")
    old = world.driver.catalog.find("w")
    definition = define(world.plan("CREATE OR REPLACE VIEW w AS SELECT k, v FROM t"), 0)  # type: ignore[arg-type]
    gone, come = definition.changes
    assert old is not None
    assert gone == RemoveItem(old.id)
    assert isinstance(come, AddItem)
    assert (come.item.name, come.item.schema.names) == ("w", ("k", "v"))
    world.sql("CREATE OR REPLACE VIEW w AS SELECT k, v FROM t")
    now = world.driver.catalog.find("w")
    assert now is not None
    assert now.schema.names == ("k", "v")


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


def settings_of(world: World) -> dict[str, str]:
    reply = world.reply(world.begin("SHOW ALL"))
    assert isinstance(reply, RowsReply)
    schema = arrow_schema(SETTINGS_SCHEMA)
    rows = [row for b in reply.batches for row in decode_batch(b, schema).to_pylist()]
    return {row["name"]: row["value"] for row in rows}


def test_a_setting_is_durable_before_anybody_follows_it(world: World) -> None:
    world.connect("r1")
    request = world.begin("ALTER SYSTEM SET retain_ms = 9")
    assert settings_of(world)["retain_ms"] != "9", "not before it is durable"
    assert not any(isinstance(c, UpdateConfiguration) for c in world.ports.sent["r1"])
    world.run()
    assert world.reply(request) == DoneReply(tag="ALTER SYSTEM")
    assert settings_of(world)["retain_ms"] == "9"
    assert world.driver.kernel.instance.state.config.retain_ms == 9
    assert world.ports.sent["r1"][-1] == UpdateConfiguration(values={"retain_ms": "9"})


def test_settings_outlive_the_controller_and_can_be_taken_back(world: World) -> None:
    before = settings_of(world)
    world.sql("CREATE INDEX i ON t (v)")
    world.sql("ALTER SYSTEM SET retain_ms = 9")
    world.sql("ALTER SYSTEM SET result_bytes_max = 10")
    world.sql("ALTER SYSTEM SET retain_ms = 11")
    again = world.restart()
    assert settings_of(again) == {**before, "retain_ms": "11", "result_bytes_max": "10"}
    again.sql("ALTER SYSTEM RESET ALL")
    assert settings_of(again.restart()) == before


def test_a_replica_that_comes_later_is_told_them_once_in_order_of_position(world: World) -> None:
    """Number 53."""
    world.sql("CREATE INDEX i ON t (v)")
    world.sql("ALTER SYSTEM SET result_bytes_max = 10")
    world.sql("CREATE INDEX j ON t (v)")
    world.sql("ALTER SYSTEM SET result_bytes_max = 11")
    for restarted in (False, True):
        instance = world.restart() if restarted else world
        told = instance.connect("r1")
        kinds = [type(c) for c in told if isinstance(c, CreateDataflow | UpdateConfiguration)]
        assert kinds == [CreateDataflow, UpdateConfiguration, CreateDataflow]
        (update,) = [c for c in told if isinstance(c, UpdateConfiguration)]
        assert update.values == {"result_bytes_max": "11"}
        assert told.index(update) < [type(c) for c in told].index(InitializationComplete)
