"""Statements that read: at the right time, from whom was asked, or from nobody."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields

import pytest

from antiphon.controller.ports import ErrorReply, ReplanReply, RowsReply
from antiphon.protocol.command import CreateDataflow, Peek
from antiphon.protocol.dataflow import SubscribeExport
from antiphon.protocol.errors import NotComplete, ReplicaMissing
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import Position, ReplicaId, is_transient
from antiphon.protocol.response import PeekResponse, PeekRows
from tests.controller.world import World


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint, v bigint)")
    world.sql("INSERT INTO t VALUES (1, 10)")
    world.connect("r1")
    world.connect("r2")
    return world


def test_a_read_without_a_time_is_strict(world: World) -> None:
    world.begin("SELECT * FROM t")
    assert world.peeks("r1")[0].time == world.driver.timeline_upper - 1


def test_a_time_may_be_given_in_sql_or_beside_it(world: World) -> None:
    time = world.driver.timeline_upper - 2
    world.begin(f"SELECT * FROM t AS OF {time}")
    world.begin("SELECT * FROM t", as_of=time)
    assert [peek.time for peek in world.peeks("r1")] == [time, time]


def test_limits_and_the_replica_are_the_callers(world: World) -> None:
    world.begin("SELECT * FROM t", replica=ReplicaId("r2"), rows_max=5, bytes_max=6)
    assert world.peeks("r1") == []
    (peek,) = world.peeks("r2")
    assert (peek.rows_max, peek.bytes_max) == (5, 6)


def test_what_cannot_be_read_is_said(world: World) -> None:
    request = world.begin("SELECT * FROM t", as_of=world.driver.timeline_upper)
    reply = world.reply(request)
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, NotComplete)
    reply = world.reply(world.begin("SELECT * FROM t", replica=ReplicaId("r9")))
    assert isinstance(reply, ErrorReply)
    assert isinstance(reply.error, ReplicaMissing)


def test_what_the_catalog_knows_asks_nobody(world: World) -> None:
    reply = world.reply(world.begin("SHOW TABLES"))
    assert isinstance(reply, RowsReply)
    assert (reply.row_count, reply.replica, reply.last) == (1, "", True)
    assert world.peeks("r1") == []


def test_subscribes_get_transient_ids_of_their_own(world: World) -> None:
    world.begin("SUBSCRIBE t")
    world.begin("SUBSCRIBE t WITH (SNAPSHOT = false)")
    creates = [c.dataflow for c in world.ports.sent["r1"] if isinstance(c, CreateDataflow)]
    exports = [dataflow.exports[0] for dataflow in creates]
    assert all(is_transient(export.collection) for export in exports)
    assert len({export.collection for export in exports}) == 2
    assert [export.kind for export in exports] == [
        SubscribeExport(),
        SubscribeExport(with_snapshot=False),
    ]
    assert creates[0].as_of == Frontier(world.driver.timeline_upper - 1)


def test_a_subscribe_of_what_is_gone_is_planned_for_again(world: World) -> None:
    statement, version = world.plan("SUBSCRIBE t"), world.driver.catalog.version
    world.sql("DROP TABLE t")
    assert world.reply(world.begin(statement, version=version)) == ReplanReply()


def test_ten_thousand_reads_leave_history_and_memory_as_they_were() -> None:
    """Number 50."""
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.sql("CREATE INDEX i ON t (k)")
    world.connect("r1")
    state = world.driver.kernel.instance.state
    select = world.plan("SELECT * FROM t")

    def read(count: int) -> None:
        for _ in range(count):
            request = world.begin(select)
            (peek,) = [c for c in world.ports.sent["r1"] if isinstance(c, Peek)]
            result = PeekRows(batches=(), row_count=0)
            world.respond("r1", PeekResponse(peek_id=peek.peek_id, result=result))
            assert isinstance(world.ports.replies.pop(request)[0], RowsReply)
            world.ports.sent["r1"].clear()
            world.ports.log.clear()

    read(100)
    world.pass_time(60_000)
    history, head = list(world.store.commands(Position(1))), state.head
    sizes = _sizes(world)
    tracemalloc.start()
    try:
        read(100)
        before, _ = tracemalloc.get_traced_memory()
        read(10_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 200_000, "less than a few words for each"
    world.pass_time(60_000)
    assert _sizes(world) == sizes
    assert (list(world.store.commands(Position(1))), state.head) == (history, head)


def _sizes(world: World) -> dict[str, int]:
    """Of everything in the machine that could grow."""
    kernel = world.driver.kernel
    state = kernel.instance.state
    return {
        "holds": sum(len(c.holds) for c in state.collections.values()),
        "installed": sum(len(r.installed) for r in state.replicas.values()),
        "log": state.log.head,
        "waiting": kernel.reservations.waiting_count,
        **{
            name: len(value)
            for name in (f.name for f in fields(state))
            if isinstance(value := getattr(state, name), dict | list)
        },
    }
