"""The driver: durable, then sent, then replied; one transaction for one statement."""

from __future__ import annotations

import pytest

from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import (
    AppendReply,
    DoneReply,
    ErrorReply,
    ReplanReply,
    RowsReply,
)
from antiphon.history.store import ProducerSequence
from antiphon.protocol.command import AllowCompaction, CancelPeek, CreateDataflow
from antiphon.protocol.errors import (
    ComputeError,
    DuplicateKey,
    EpochFenced,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import ClaimId, ProducerId
from antiphon.protocol.response import Dropped, Frontiers
from tests.controller.world import World

PRODUCER = ProducerId(b"p" * 16)


@pytest.fixture
def world() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    return world


def error_of(world: World, request: int) -> ComputeError:
    reply = world.reply(request)
    assert isinstance(reply, ErrorReply)
    return reply.error


def test_an_append_is_durable_then_pushed_then_answered(world: World) -> None:
    world.ports.log.clear()
    request = world.append("t", [{"k": 1, "v": 10}])
    assert world.ports.log == [], "nothing leaves before it is durable"
    world.run()
    assert world.ports.log == ["push", "reply AppendReply"]
    reply = world.reply(request)
    assert reply == AppendReply(time=world.driver.timeline_upper - 1, row_count=1, duplicate=False)
    push = world.ports.pushes[-1]
    assert push.upper == Frontier(world.driver.timeline_upper)
    assert list(push.deltas) == [world.id("t")]


def test_appends_that_wait_share_one_time(world: World) -> None:
    requests = [world.append("t", [{"k": key, "v": 0}]) for key in range(5)]
    assert world.store.queued_count == 1, "one tick in flight"
    world.run()
    times = [world.ports.replies[request][0].time for request in requests]  # type: ignore[union-attr]
    assert len(set(times[1:])) == 1
    assert times[0] < times[1]


def test_a_refused_append_leaves_its_neighbours_alone(world: World) -> None:
    world.append("t", [{"k": 0, "v": 0}])
    good, bad = world.append("t", [{"k": 1, "v": 0}]), world.append("t", [{"k": 0, "v": 1}])
    world.run()
    assert isinstance(world.reply(good), AppendReply)
    assert isinstance(error_of(world, bad), DuplicateKey)
    assert [row["k"] for row in world.content("t")] == [0, 1]


def test_a_retried_append_is_applied_once(world: World) -> None:
    sequence = ProducerSequence(producer_id=PRODUCER, sequence=1)
    first = world.append("t", [{"k": 1, "v": 0}], sequence)
    world.run()
    again = world.append("t", [{"k": 1, "v": 0}], sequence)
    world.run()
    one, two = world.reply(first), world.reply(again)
    assert isinstance(one, AppendReply)
    assert isinstance(two, AppendReply)
    assert (two.time, two.duplicate) == (one.time, True)


def test_a_created_index_reaches_replicas_when_it_is_durable(world: World) -> None:
    world.connect("r1")
    world.ports.log.clear()
    world.begin("CREATE INDEX i ON t (v)")
    assert world.ports.log == []
    world.run()
    assert world.ports.log == ["send CreateDataflow", "send Schedule", "reply DoneReply"]
    create = world.ports.sent["r1"][-2]
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.exports[0].collection == world.id("i")


def test_a_drop_reaches_replicas_and_forgets_the_compaction(world: World) -> None:
    world.sql("CREATE INDEX i ON t (v)")
    dropped = world.id("i")
    world.connect("r1")
    world.sql("DROP INDEX i")
    assert world.ports.sent["r1"][-1] == AllowCompaction(collection=dropped, frontier=CLOSED)
    world.respond("r1", Dropped(collection=dropped))
    assert dropped not in world.driver.kernel.instance.state.collections
    assert world.driver.catalog.find("i") is None
    assert dropped not in world.store.opened().compaction


def test_a_read_touches_no_store_and_sends_no_reply_before_an_answer(world: World) -> None:
    world.connect("r1")
    request = world.begin("SELECT v, k FROM t ORDER BY k")
    assert world.store.queued_count == 0
    assert request not in world.ports.replies
    (peek,) = world.peeks("r1")
    world.answer("r1", peek, [{"v": 10, "k": 1}])
    reply = world.reply(request)
    assert isinstance(reply, RowsReply)
    assert (reply.row_count, reply.replica, reply.time) == (1, "r1", peek.time)


def test_a_canceled_read_is_told_to_the_replicas(world: World) -> None:
    world.connect("r1")
    request = world.begin("SELECT * FROM t")
    world.handle(RequestCanceled(request=request))
    assert isinstance(world.ports.sent["r1"][-1], CancelPeek)
    assert request not in world.ports.replies


def test_a_read_planned_before_the_catalog_moved_is_good_while_it_reads_what_exists(
    world: World,
) -> None:
    world.connect("r1")
    old = world.plan("SELECT * FROM t")
    version = world.driver.catalog.version
    world.sql("CREATE TABLE other (a bigint)")
    world.begin(old, version=version)
    assert len(world.peeks("r1")) == 1
    world.sql("DROP TABLE t")
    request = world.begin(old, version=version)
    assert world.reply(request) == ReplanReply()


def test_compaction_is_persisted_then_sent(world: World) -> None:
    world.sql("CREATE INDEX i ON t (v)")
    index = world.id("i")
    world.connect("r1")
    world.append("t", [{"k": 1, "v": 0}])
    world.run()
    upper = Frontier(world.driver.timeline_upper)
    world.respond(
        "r1",
        Frontiers(
            collection=index, write_frontier=upper, input_frontier=upper, output_frontier=upper
        ),
    )
    world.pass_time(60_000)
    since = world.store.opened().compaction[index]
    assert since == Frontier(world.driver.timeline_upper - 1 - 5_000)
    assert world.ports.sent["r1"][-1] == AllowCompaction(collection=index, frontier=since)
    assert world.store.opened().shards[world.id("t")].since == since.time


def test_a_replica_that_breaks_the_protocol_is_closed(world: World) -> None:
    world.connect("r1")
    world.respond("r1", Dropped(collection=world.id("t")))
    assert world.ports.log[-1] == "close r1"


def test_a_fenced_controller_knows_that_it_must_stop(world: World) -> None:
    world.store.claim(ClaimId(b"y" * 16))
    request = world.append("t", [{"k": 1, "v": 0}])
    world.run()
    assert isinstance(error_of(world, request), EpochFenced)
    assert isinstance(world.driver.fault, EpochFenced)


def test_a_store_that_loses_what_was_not_committed_loses_no_acknowledged_write(
    world: World,
) -> None:
    acknowledged = world.append("t", [{"k": 1, "v": 0}])
    world.run()
    lost = world.append("t", [{"k": 2, "v": 0}])
    world = world.restart()
    assert isinstance(world.content("t"), list)
    assert [row["k"] for row in world.content("t")] == [1]
    assert acknowledged != lost


def test_statements_without_effect_are_answered_at_once(world: World) -> None:
    reply = world.sql("CREATE TABLE IF NOT EXISTS t (a bigint)")
    assert isinstance(reply, DoneReply)
    assert world.store.queued_count == 0


def test_time_passes_by_itself_only_while_something_depends_on_the_clock(world: World) -> None:
    world.sql("CREATE TABLE s (at timestamptz)")
    before = world.driver.timeline_upper
    world.pass_time(5_000)
    assert world.driver.timeline_upper == before
    world.sql("CREATE MATERIALIZED VIEW recent AS SELECT * FROM s WHERE now() < at")
    uppers = set()
    for _ in range(3):
        world.pass_time(1_000)
        world.run()
        uppers.add(world.driver.timeline_upper)
    assert len(uppers) == 3
    assert world.driver.wake_at_ms is not None
    after = world.restart()  # its clock begins anew
    after.pass_time(20_000)
    after.run()
    assert after.driver.timeline_upper > max(uppers), "a restart knows it still"
    after.sql("DROP MATERIALIZED VIEW recent")
    before = after.driver.timeline_upper
    after.pass_time(5_000)
    after.run()
    assert after.driver.timeline_upper == before
