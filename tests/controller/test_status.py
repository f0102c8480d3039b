"""Status: from facts to words that people act on."""

from __future__ import annotations

from antiphon.protocol.command import SyncDecision
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import InstanceId, Position
from antiphon.protocol.limits import WORKER_SILENCE_MS
from antiphon.protocol.response import Frontiers, Status
from antiphon.protocol.stage import Stage
from tests.controller.world import World


def catch_up(world: World, name: str, *, silence_ms: int = 0) -> None:
    upper = Frontier(world.driver.timeline_upper)
    index = world.id("i")
    world.respond(
        name,
        Status(
            stage=Stage.READ_WRITE,
            applied_position=Position(1),
            durable_position=Position(0),
            resident_bytes=5,
            backlog_age_ms=silence_ms,
        ),
        Frontiers(
            collection=index, write_frontier=upper, input_frontier=upper, output_frontier=upper
        ),
    )


def example() -> World:
    world = World()
    world.sql("CREATE TABLE t (k bigint)")
    world.sql("CREATE INDEX i ON t (k)")
    world.append("t", [{"k": 1}])
    world.run()
    return world


def test_the_mode_follows_the_replicas() -> None:
    world = example()
    assert world.driver.status().mode == "allocated_only"
    world.connect("r1")
    assert world.driver.status().mode == "bootstrap_pending"
    catch_up(world, "r1")
    assert world.driver.status().mode == "publish_healthy"
    world.connect("r2")
    assert world.driver.status().mode == "degraded"
    catch_up(world, "r2")
    assert world.driver.status().mode == "publish_healthy"
    world.lose("r1")
    assert world.driver.status().mode == "degraded"
    world.lose("r2")
    assert world.driver.status().mode == "bootstrap_pending"


def test_a_replica_whose_worker_is_silent_is_not_ready() -> None:
    world = example()
    for name in ("r1", "r2"):
        world.connect(name)
        catch_up(world, name)
    catch_up(world, "r1", silence_ms=WORKER_SILENCE_MS)
    status = world.driver.status()
    assert (status.mode, status.mode_reason) == ("degraded", "1 of 2 replicas are ready")
    assert status.replicas[0].reason == "its worker has been silent for 10 s"
    catch_up(world, "r2", silence_ms=WORKER_SILENCE_MS)
    assert world.driver.status().mode == "degraded"
    catch_up(world, "r1")
    catch_up(world, "r2")
    assert world.driver.status().mode == "publish_healthy"


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
