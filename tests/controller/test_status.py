"""Status: from facts to words that people act on."""

from __future__ import annotations

from antiphon.controller.status import decisions
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import InstanceId, Position
from antiphon.protocol.limits import STATE_BYTES_MAX, WORKER_SILENCE_MS
from antiphon.protocol.response import Frontiers, Status
from antiphon.protocol.stage import Stage
from tests.controller.world import World


def catch_up(
    world: World, name: str, *, silence_ms: int = 0, state: tuple[int, int] = (0, STATE_BYTES_MAX)
) -> None:
    upper = Frontier(world.driver.timeline_upper)
    index = world.id("i")
    frontiers = Frontiers(
        collection=index, write_frontier=upper, input_frontier=upper, output_frontier=upper
    )
    status = Status(
        stage=Stage.READ_WRITE,
        applied_position=Position(1),
        durable_position=Position(0),
        resident_bytes=5,
        backlog_age_ms=silence_ms,
        state_bytes=state[0],
        state_bytes_max=state[1],
    )
    world.respond(name, frontiers)
    world.respond(name, status)


def example() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.sql("CREATE INDEX i ON t (k)")
    world.append("t", [{"k": 1}])
    world.run()
    return world


def mode(world: World) -> str:
    status = world.driver.status()
    return f"{status.mode} because {status.mode_reason}"


def test_the_mode_follows_the_replicas() -> None:
    world = example()
    assert mode(world) == "allocated_only because no replica belongs to the instance"
    world.connect("r1")
    assert mode(world) == "needs_rebuild because r1: its state is being rebuilt"
    catch_up(world, "r1")
    assert mode(world) == "publish_healthy because all is well"
    world.connect("r2")
    assert mode(world) == "needs_rebuild because r2: its state is being rebuilt"
    catch_up(world, "r2")
    assert mode(world) == "publish_healthy because all is well"
    world.lose("r1")
    assert mode(world) == "degraded because r1: it is not connected"
    world.lose("r2")
    assert mode(world) == "bootstrap_pending because no replica is connected"


def test_what_is_lost_before_it_was_up_to_date_is_shown_as_that() -> None:
    world = example()
    world.connect("r1")
    world.lose("r1")
    assert mode(world) == ("degraded because r1: its connection was lost before it was up to date")
    ((_, record),) = decisions(world.driver.kernel.instance.state)
    assert record.outcome == "failed: transport_lost"


def test_a_replica_whose_worker_is_silent_is_not_ready() -> None:
    world = example()
    for name in ("r1", "r2"):
        world.connect(name)
        catch_up(world, name)
    catch_up(world, "r1", silence_ms=WORKER_SILENCE_MS)
    status = world.driver.status()
    assert mode(world) == "degraded because r1: its worker has been silent for 10 s"
    assert status.replicas[0].reason == "its worker has been silent for 10 s"
    catch_up(world, "r2", silence_ms=WORKER_SILENCE_MS)
    catch_up(world, "r1")
    assert mode(world) == "degraded because r2: its worker has been silent for 10 s"
    catch_up(world, "r2")
    assert mode(world) == "publish_healthy because all is well"


def test_a_read_only_instance_does_not_publish() -> None:
    world = World(read_only=True)
    world.connect("r1")
    assert world.driver.status().mode == "replica_ready"


def test_a_replica_shows_how_far_it_is() -> None:
    world = example()
    world.connect("r1")
    (replica,) = world.driver.status().replicas
    assert not replica.is_ready
    catch_up(world, "r1")
    (replica,) = world.driver.status().replicas
    assert (replica.is_ready, replica.lag_ms, replica.resident_bytes) == (True, 0, 5)
    assert (replica.stage, replica.decision) == (Stage.READ_WRITE, SyncDecision.REBUILD)
    (collection,) = replica.collections
    assert (collection.name, collection.hydrated) == ("i", True)
    world.append("t", [{"k": 2}])
    world.ports.now += 700
    world.run()
    world.append("t", [{"k": 3}])
    world.run()
    (replica,) = world.driver.status().replicas
    assert replica.lag_ms >= 700


def test_a_refused_replica_says_why() -> None:
    world = example()
    world.connect("r1", instance_id=InstanceId(99))
    (replica,) = world.driver.status().replicas
    assert replica.link == "refused"
    assert "belongs to instance 99" in replica.reason


def test_pending_work_is_counted() -> None:
    world = example()
    world.begin("SELECT * FROM t")
    world.begin("SUBSCRIBE t")
    status = world.driver.status()
    assert (status.peeks_pending, status.subscribes_active) == (1, 1)
    assert (status.epoch, status.head) == (1, 1)


def test_a_replica_that_holds_all_it_may_is_said_to_be_full() -> None:
    world = example()
    world.connect("r1")
    catch_up(world, "r1", state=(99, 100))
    assert mode(world) == "publish_healthy because all is well"
    catch_up(world, "r1", state=(100, 100))
    assert mode(world) == "publish_healthy because all is well; r1 is full"
    (replica,) = world.driver.status().replicas
    assert replica.is_ready, "it answers what it answered before"
    assert (replica.state_bytes, replica.state_bytes_max) == (100, 100)
    assert "ALTER SYSTEM SET state_bytes_max" in replica.reason
    catch_up(world, "r1", state=(100, STATE_BYTES_MAX))
    (replica,) = world.driver.status().replicas
    assert (replica.is_full, replica.state_bytes_max) == (False, None)
    assert "full" not in replica.reason
    world.lose("r1")
    assert not world.driver.status().replicas[0].is_full
