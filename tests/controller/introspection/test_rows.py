"""The rows of introspection collections say what status, explain and the history say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from antiphon.controller.introspection.rows import Moment, Process, rows_of
from antiphon.controller.introspection.system import SCHEMAS, SystemCollection
from antiphon.controller.request import HoldRequested
from antiphon.controller.sql.statement import Subscribe
from antiphon.controller.sql.statements.named import plan_collection_subscribe
from antiphon.protocol.dataflow import Export, SubscribeExport
from antiphon.protocol.expression import Call, ColumnReference, Literal
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, InstanceId, Position, transient
from antiphon.protocol.response import ArrangementState, Frontiers, Status
from antiphon.protocol.schema import BOOLEAN, INT64, arrow_schema
from antiphon.protocol.selection import selection_of
from antiphon.protocol.stage import Stage
from tests.controller.world import World


def moment(world: World) -> Moment:
    return Moment(
        state=world.driver.kernel.instance.state,
        catalog=world.driver.catalog,
        status=world.driver.status(),
        links={"r1": "probing", "r2": "backing off"},
        processes={"r1": Process(process_id=42, restarts=3)},
        holds=world.driver.holds.all(),
        commands=list(world.store.commands(Position(1))),
    )


def rows(world: World, which: SystemCollection) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows_of(which, moment(world)).to_pylist()
    return found


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.sql("CREATE INDEX i ON t (k)")
    world.append("t", [{"k": 1}])
    world.run()
    world.connect("r1")
    upper = Frontier(world.driver.timeline_upper)
    frontiers = Frontiers(
        collection=world.id("i"), write_frontier=upper, input_frontier=upper,
        output_frontier=upper,
    )  # fmt: skip
    status = Status(
        stage=Stage.READ_WRITE, applied_position=Position(1), durable_position=Position(0)
    )
    world.respond("r1", frontiers)
    world.respond("r1", status)
    return world


def test_all_have_their_columns_even_when_empty() -> None:
    empty = World()
    for which in SystemCollection:
        assert rows_of(which, moment(empty)).schema == arrow_schema(SCHEMAS[which])


def test_replicas_are_as_status_says(world: World) -> None:
    world.connect("r2", instance_id=InstanceId(99))
    first, second = rows(world, SystemCollection.REPLICAS)
    assert (first["name"], first["link"], first["stage"]) == ("r1", "connected", "read-write")
    assert (first["ready"], first["process_id"], first["restarts"]) == (True, 42, 3)
    assert first["reason"] == world.driver.status().replicas[0].reason
    assert (second["name"], second["link"], second["ready"]) == ("r2", "backing off", False)
    assert second["process_id"] is None


def test_decisions_are_in_the_words_of_the_log(world: World) -> None:
    world.connect("r2", instance_id=InstanceId(99))
    first, second = rows(world, SystemCollection.DECISIONS)
    recorded = world.driver.kernel.instance.state.replicas
    (record,) = next(iter(recorded.values())).decisions
    assert (first["replica"], first["reason"]) == ("r1", record.decision.reason)
    assert first["at"].timestamp() * 1000 == record.at_ms
    assert first["decision"] == "rebuild"
    assert (second["replica"], second["decision"]) == ("r2", "refused")


def test_dataflows_and_their_inputs(world: World) -> None:
    world.begin("SUBSCRIBE t")
    index, subscribe = rows(world, SystemCollection.DATAFLOWS)
    assert (index["name"], index["kind"], index["position"]) == ("i", "index", 1)
    assert index["imports"] == "t"
    assert index["text"].startswith("create-dataflow u2:index(0)")
    assert (subscribe["kind"], subscribe["position"]) == ("subscribe", None)


def test_frontiers_of_the_instance_and_of_each_replica(world: World) -> None:
    upper = world.driver.timeline_upper
    found = {(r["name"], r["replica"]): r for r in rows(world, SystemCollection.FRONTIERS)}
    assert set(found) == {("t", None), ("i", None), ("i", "r1")}
    assert found["t", None]["write_frontier"] == upper
    assert found["t", None]["input_frontier"] is None
    assert found["i", "r1"]["output_frontier"] == upper


def test_hydration_of_each_dataflow_on_each_replica(world: World) -> None:
    (row,) = rows(world, SystemCollection.HYDRATION)
    assert (row["replica"], row["name"], row["scheduled"], row["hydrated"]) == (
        "r1", "i", True, True,
    )  # fmt: skip


def test_what_cannot_run_is_no_hydration_that_takes_long(world: World) -> None:
    status = Status(
        stage=Stage.READ_WRITE, applied_position=Position(1), durable_position=Position(0),
        failed=(world.id("i"),),
    )  # fmt: skip
    assert [row["failed"] for row in rows(world, SystemCollection.HYDRATION)] == [False]
    world.respond("r1", status)
    assert [row["failed"] for row in rows(world, SystemCollection.HYDRATION)] == [True]


def test_what_dataflows_look_up_together_as_a_replica_has_told(world: World) -> None:
    assert rows(world, SystemCollection.ARRANGEMENTS) == []
    told = ArrangementState(
        collection=world.id("t"), key_columns=(0,), column_count=1, row_count=5, byte_count=80,
        reader_count=2,
    )  # fmt: skip
    column = ColumnReference(index=0, type=INT64)
    one = Literal(value=1, type=INT64)
    large = selection_of([Call(function="less", arguments=(one, column), type=BOOLEAN)])
    told = replace(told, selection=large)
    gone = replace(told, collection=CollectionId(99), key_columns=(1, 0))
    status = Status(
        stage=Stage.READ_WRITE, applied_position=Position(1), durable_position=Position(0),
        arrangements=(told, gone),
    )  # fmt: skip
    world.respond("r1", status)
    first, second = rows(world, SystemCollection.ARRANGEMENTS)
    assert first == {
        "replica": "r1", "collection": "u1", "name": "t", "key": "k", "filter": "(k > 1)",
        "columns": 1, "rows": 5, "bytes": 80, "readers": 2,
    }  # fmt: skip
    assert (second["name"], second["key"], second["filter"]) == ("u99", "#1, #0", "(#0 > 1)")


def test_peeks_that_wait(world: World) -> None:
    world.begin("SELECT * FROM t WHERE k > 1")
    (row,) = rows(world, SystemCollection.PEEKS)
    assert (row["reads"], row["replica"], row["failures"]) == ("i", None, 0)
    assert row["time"] == world.driver.timeline_upper - 1
    (peek,) = world.peeks("r1")
    world.answer("r1", peek, [{"k": 2}])
    assert rows(world, SystemCollection.PEEKS) == []


def test_named_holds_and_what_each_of_them_keeps(world: World) -> None:
    planned = plan_collection_subscribe("t", world.driver.catalog.without_indexes())
    assert isinstance(planned, Subscribe)
    export = Export(collection=transient(1), kind=SubscribeExport())
    dataflow = replace(planned.dataflow, exports=(export,))
    world.handle(HoldRequested(request=900, name="mine", target="t", dataflow=dataflow))
    world.run()
    (row,) = rows(world, SystemCollection.HOLDS)
    assert (row["name"], row["target"], row["active"], row["lost"]) == ("mine", "t", False, None)
    assert (row["time"], row["acknowledged"]) == (world.driver.timeline_upper - 1, None)
    world.begin(planned, hold="mine")
    (row,) = rows(world, SystemCollection.HOLDS)
    assert row["active"]


def test_the_history_is_what_is_durable(world: World) -> None:
    world.sql("DROP INDEX i")
    created, dropped = rows(world, SystemCollection.HISTORY)
    assert (created["position"], created["kind"], created["collection"]) == (
        1, "create_dataflow", "u2",
    )  # fmt: skip
    assert (dropped["position"], dropped["name"]) == (2, None)
    assert dropped["text"] == "allow-compaction u2 frontier=[]"
    assert dropped["digest"] == world.driver.kernel.instance.state.head_digest.hex()
