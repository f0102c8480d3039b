"""Recovery: whatever was durable is there again, and nothing of the live table is."""

from __future__ import annotations

from antiphon.controller.engine.policy import Policy
from antiphon.controller.instance.event import Ticked
from antiphon.controller.ports import AppendReply, DoneReply
from antiphon.history.retention import Bounds
from antiphon.protocol.command import CreateDataflow, InitializationComplete, Peek
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.response import Frontiers
from tests.controller.world import World


def creates(world: World, name: str) -> dict[str, int | None]:
    """What a replica that connects is to build, and from when."""
    return {
        command.dataflow.name: command.dataflow.as_of.time
        for command in world.connect(name)
        if isinstance(command, CreateDataflow)
    }


def example() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    world.sql("CREATE FEED f (k bigint PRIMARY KEY, v bigint)")
    world.sql("CREATE VIEW w AS SELECT v, count(*) AS n FROM t GROUP BY v")
    world.sql("CREATE INDEX i ON w (v)")
    world.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM t WHERE v > 1")
    world.append("t", [{"k": 1, "v": 2}])
    world.run()
    return world


def test_names_data_and_dataflows_come_back() -> None:
    world = example()
    before = creates(world, "r1")
    after = world.restart()
    assert dict(after.driver.catalog.items) == dict(world.driver.catalog.items)
    assert after.driver.timeline_upper == world.driver.timeline_upper
    assert after.content("t") == world.content("t")
    assert set(creates(after, "r1")) == set(before)
    assert after.driver.fence.epoch == world.driver.fence.epoch + 1
    assert after.conflicts == ()


def test_a_new_controller_goes_on_from_the_same_head() -> None:
    world = example()
    after = world.restart()
    complete = [c for c in after.connect("r1") if isinstance(c, InitializationComplete)]
    opened = after.store.opened()
    assert complete == [
        InitializationComplete(head_position=opened.head, head_digest=opened.head_digest)
    ]
    assert isinstance(after.sql("CREATE INDEX j ON t (v)"), DoneReply)
    assert after.store.opened().head == opened.head + 1


def test_a_folded_history_is_folded_for_the_next_controller_too() -> None:
    """Sync 35. What is below the base is reduced, what is above it is sent as it was."""
    bounds = Bounds(slack_entries=2, age_ms_max=10_000)
    world = World(policy=Policy(bounds=bounds))
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    world.sql("CREATE INDEX kept ON t (v)")
    for number in range(5):
        world.sql(f"CREATE INDEX i{number} ON t (v)")
        world.sql(f"DROP INDEX i{number}")
    world.ports.now += 1_000
    world.handle(Ticked())
    world.run()
    status = world.driver.status()
    assert (status.base, status.head, status.log_commands) == (9, 11, 2)
    assert world.store.opened().base == 9
    after = world.restart()
    state = after.driver.kernel.instance.state
    assert (after.driver.status().base, state.log.base, state.log.head) == (9, 9, 11)
    assert state.log.digest_at(state.log.base) == after.store.digest_at(state.log.base)
    assert state.retention.byte_count == status.log_bytes
    assert set(creates(after, "r1")) == {"kept"}
    assert after.store.verify() == 11
    assert isinstance(after.sql("CREATE INDEX more ON t (v)"), DoneReply)
    assert state.log.digest_at(state.head) == after.store.opened().head_digest


def test_dropped_things_stay_dropped() -> None:
    world = example()
    world.sql("DROP INDEX i")
    after = world.restart()
    assert after.driver.catalog.find("i") is None
    assert len(creates(after, "r1")) == 1


def test_ids_are_never_used_again() -> None:
    world = example()
    highest = max(world.driver.catalog.items)
    world.sql("DROP MATERIALIZED VIEW m")
    after = world.restart()
    after.sql("CREATE TABLE n (a bigint)")
    assert after.id("n") > highest


def test_reads_of_a_controller_that_died_are_forgotten() -> None:
    world = example()
    world.connect("r1")
    world.begin("SELECT * FROM t")
    after = world.restart()
    assert [c for c in after.connect("r1") if isinstance(c, Peek)] == []


def test_dataflows_start_where_their_readers_were_promised() -> None:
    world = example()
    index = world.id("i")
    world.connect("r1")
    upper = Frontier(world.driver.timeline_upper)
    world.respond(
        "r1",
        Frontiers(
            collection=index, write_frontier=upper, input_frontier=upper, output_frontier=upper
        ),
    )
    world.pass_time(60_000)
    promised = world.store.opened().compaction[index].time
    assert promised is not None
    after = world.restart()
    found = after.driver.kernel.instance.state.collections
    assert found[index].since == Frontier(promised)
    assert found[after.id("t")].since.less_equal(found[index].since)


def test_a_materialized_view_starts_before_its_next_output() -> None:
    world = example()
    state = world.restart().driver.kernel.instance.state
    view = next(c for c in state.collections.values() if c.shard_upper is not None)
    assert view.shard_upper == Frontier(1)
    assert view.since == view.dataflow.as_of if view.dataflow else None


def test_writes_go_on_in_order() -> None:
    world = example()
    after = world.restart()
    before = after.driver.timeline_upper
    request = after.append("t", [{"k": 2, "v": 2}])
    after.run()
    reply = after.reply(request)
    assert isinstance(reply, AppendReply)
    assert reply.time >= before


def test_what_a_replica_has_yet_to_read_stays_until_it_is_heard_of() -> None:
    """It still fills its view from times that nobody else needs any more."""
    world = World()
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    world.sql("CREATE INDEX i ON t (v)")
    (create,) = [c for c in world.connect("r1") if isinstance(c, CreateDataflow)]
    head = world.store.opened()
    for number in range(3):
        world.append("t", [{"k": number, "v": 1}])
        world.pass_time(20_000)
    after = world.restart()
    after.pass_time(5_000)
    after.pass_time(5_000)
    dataflow = create.dataflow
    filling = DataflowFacts(
        exports=(dataflow.exports[0].collection,),
        fingerprint=fingerprint_of(dataflow),
        since=dataflow.as_of,
        upper=dataflow.as_of,
        hydrated=False,
    )
    told = after.connect(
        "r1",
        instance_id=head.instance_id,
        history_id=head.history_id,
        applied_position=head.head,
        command_digest=head.head_digest,
        dataflows=(filling,),
    )
    assert not [c for c in told if isinstance(c, CreateDataflow)], "it goes on"
    state = after.driver.kernel.instance.state
    assert state.replicas[ReplicaId("r1")].decisions[-1].decision.code == "at_head"
