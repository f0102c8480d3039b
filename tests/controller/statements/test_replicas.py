"""Replicas join, leave and are promoted: durable, then reached, then answered."""

from __future__ import annotations

import pytest

from antiphon.controller.ports import DoneReply, ErrorReply
from antiphon.controller.request import ReplicaNamed, ReplicaPromoted, ReplicaUnnamed
from antiphon.protocol.command import AllowWrites
from antiphon.protocol.errors import (
    EpochFenced,
    InvalidArgument,
    LimitExceeded,
    ReplicaExists,
    ReplicaMissing,
)
from antiphon.protocol.ids import ClaimId, ReplicaId
from antiphon.protocol.limits import REPLICAS_MAX
from tests.controller.world import World

R1, R2 = ReplicaId("r1"), ReplicaId("r2")


def add(world: World, name: ReplicaId, address: str = "unix:x", *, read_only: bool = False) -> int:
    request = world.request()
    world.handle(ReplicaNamed(request=request, replica=name, address=address, read_only=read_only))
    return request


def remove(world: World, name: ReplicaId) -> int:
    request = world.request()
    world.handle(ReplicaUnnamed(request=request, replica=name))
    return request


def promote(world: World, name: ReplicaId) -> int:
    request = world.request()
    world.handle(ReplicaPromoted(request=request, replica=name))
    return request


def refusal(world: World, request: int) -> type[Exception]:
    reply = world.reply(request)
    assert isinstance(reply, ErrorReply), reply
    return type(reply.error)


def names(world: World) -> list[str]:
    return list(world.driver.kernel.instance.state.replicas)


def test_a_replica_is_durable_then_reached_then_answered() -> None:
    world = World()
    world.ports.log.clear()
    request = add(world, R1)
    assert world.ports.log == [], "nothing happens before it is durable"
    world.run()
    assert world.ports.log == ["connect r1", "reply DoneReply"]
    assert world.reply(request) == DoneReply(tag="ADD REPLICA")
    world.ports.log.clear()
    remove(world, R1)
    assert world.ports.log == []
    world.run()
    assert world.ports.log == ["disconnect r1", "reply DoneReply"]


def test_what_a_client_was_told_is_there_after_a_restart() -> None:
    world = World()
    add(world, R1)
    add(world, R2, read_only=True)
    world.run()
    remove(world, R1)
    world.run()
    after = world.restart()
    assert names(after) == ["r2"]
    assert AllowWrites() not in after.connect("r2"), "it is read-only still"


def test_what_was_not_durable_is_not_there() -> None:
    world = World()
    request = add(world, R1)
    after = world.restart()
    assert names(after) == []
    assert request not in world.ports.replies


def test_replicas_change_beside_statements_that_are_under_way() -> None:
    world = World()
    world.begin("CREATE TABLE t (k bigint)")
    add(world, R1)
    world.run()
    assert [item.name for item in world.driver.catalog.items.values()] == ["t"]
    assert list(world.driver.catalog.replicas) == ["r1"]


def test_names_are_checked_on_what_is_under_way() -> None:
    world = World()
    add(world, R1)
    assert refusal(world, add(world, R1)) is ReplicaExists
    remove(world, R1)
    assert refusal(world, remove(world, R1)) is ReplicaMissing
    again = add(world, R1)
    world.run()
    assert world.reply(again) == DoneReply(tag="ADD REPLICA")
    assert names(world) == ["r1"]


def test_an_instance_has_so_many_replicas_and_no_more() -> None:
    world = World()
    for number in range(REPLICAS_MAX):
        add(world, ReplicaId(f"r{number}"))
    assert refusal(world, add(world, ReplicaId("more"))) is LimitExceeded


def test_what_the_settings_name_is_theirs() -> None:
    world = World(named={R1: ""})
    assert names(world) == ["r1"]
    assert refusal(world, remove(world, R1)) is InvalidArgument
    assert names(world.restart()) == []
    assert names(world.restart(named={R2: ""})) == ["r2"]


def test_a_replica_warms_up_read_only_until_it_is_promoted() -> None:
    world = World()
    add(world, R1, read_only=True)
    world.run()
    assert AllowWrites() not in world.connect("r1")
    request = promote(world, R1)
    assert world.ports.sent["r1"][-1] != AllowWrites(), "not before it is durable"
    world.run()
    assert world.ports.sent["r1"][-1] == AllowWrites()
    assert world.reply(request) == DoneReply(tag="PROMOTE REPLICA")
    count = len(world.ports.sent["r1"])
    promote(world, R1)
    world.run()
    assert len(world.ports.sent["r1"]) == count, "once is enough"
    assert AllowWrites() in world.restart().connect("r1")
    assert refusal(world, promote(world, R2)) is ReplicaMissing


def test_a_read_only_instance_promotes_nobody() -> None:
    world = World(read_only=True)
    add(world, R1, read_only=True)
    world.run()
    world.connect("r1")
    promote(world, R1)
    world.run()
    assert AllowWrites() not in world.ports.sent["r1"]


@pytest.mark.parametrize("change", [add, promote, remove])
def test_a_fenced_controller_changes_no_replica(change: object) -> None:
    world = World()
    add(world, R1, read_only=True)
    world.run()
    world.store.claim(ClaimId(b"n" * 16))
    name = R2 if change is add else R1
    request = change(world, name)  # type: ignore[operator]
    world.run()
    assert refusal(world, request) is EpochFenced
    assert names(world) == ["r1"]
    assert list(world.driver.catalog.replicas) == ["r1"]
