"""From whom a replica that is rebuilt reads: the choice, its change, and what is held for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.policy import BASE_STALL_MS_MAX
from antiphon.controller.instance.event import StoredInput
from antiphon.controller.instance.state import HoldKind
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.command import AllowWrites, BaseSource, Command, Schedule
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription
from antiphon.protocol.ids import CollectionId, Incarnation, Position, ReplicaId
from antiphon.protocol.plan import Get
from antiphon.protocol.response import HydrationProgress, Status
from antiphon.protocol.stage import Stage
from tests.controller.instance.machine import CONFIG, SCHEMA, Machine, T, U, index, of_type

A, B, F = CollectionId(11), CollectionId(12), CollectionId(3)
R1, R2, R3 = ReplicaId("r1"), ReplicaId("r2"), ReplicaId("r3")


def whole(number: int, on: CollectionId = T) -> DataflowDescription:
    """An index that holds the table as it is."""
    return replace(index(number, on=on), plan=plan_to_bytes(Get(collection=on, schema=SCHEMA)))


def example(*names: str, from_peers: int = 2) -> Machine:
    """A on T, as it is, and B on a part of U; those named are up to date at 200."""
    machine = Machine(replace(CONFIG, rebuild_from_peers=from_peers))
    machine.install(whole(A), index(B, on=U))
    for name in names:
        machine.connect(name)
        for each in (A, B):
            machine.report(name, each, 100)
    machine.tick(200)
    for name in names:
        for each in (A, B):
            machine.report(name, each, 200)
        machine.take(name)
    return machine


def starts(commands: list[Command]) -> dict[CollectionId, tuple[BaseSource, ...]]:
    return {
        collection: command.bases
        for command in commands
        if isinstance(command, Schedule)
        for collection in command.collections
    }


def scheduled(machine: Machine, name: str) -> dict[CollectionId, tuple[BaseSource, ...]]:
    return starts(machine.take(name))


def connect(machine: Machine, name: str) -> dict[CollectionId, tuple[BaseSource, ...]]:
    return starts(machine.connect(name))


def says(machine: Machine, name: str, *hydration: HydrationProgress) -> None:
    status = Status(
        stage=Stage.READ_ONLY,
        applied_position=Position(machine.state.head),
        durable_position=Position(0),
        hydration=hydration,
    )
    machine.respond(name, status)


def filling(number: int, **more: object) -> HydrationProgress:
    progress = HydrationProgress(collection=CollectionId(number), rows_done=0, rows_total=9)
    return replace(progress, **more)  # type: ignore[arg-type]


def base(machine: Machine, name: ReplicaId) -> str:
    return machine.state.replicas[name].decisions[-1].base


def held(machine: Machine) -> list[CollectionId]:
    return [
        collection.id
        for collection in machine.state.collections.values()
        for holder in collection.holds
        if holder.kind is HoldKind.BASE
    ]


def from_peer(collection: CollectionId, name: str) -> tuple[BaseSource, ...]:
    return (BaseSource(collection=collection, peer=f"unix:{name}"),)


def test_a_fresh_replica_reads_a_table_from_an_index_of_another_one() -> None:
    """And from the store what no index holds as it is."""
    machine = example("r1")
    assert connect(machine, "r2") == {A: from_peer(T, "r1"), B: ()}
    assert base(machine, R2) == (
        "base from r1 because it is up to date and holds 1 of the 2 inputs"
    )
    assert held(machine) == [A]
    as_of = machine.state.replicas[R2].installed[A].as_of.time
    machine.tick(500)
    machine.report("r1", A, 500)
    machine.beat()
    since = machine.since(A)
    assert since is not None
    assert as_of is not None
    assert since <= as_of, "who reads it there reads at that time"
    machine.report("r2", A, 500)
    assert not held(machine), "it was read"


def test_a_feed_is_read_from_whoever_reads_it() -> None:
    machine = Machine(replace(CONFIG, rebuild_from_peers=2))
    stored = StoredInput(collection=F, kind=CollectionKind.FEED, schema=SCHEMA)
    machine.install_stored(stored)
    machine.install(index(A, on=F, kind=CollectionKind.FEED))
    machine.connect("r1")
    machine.report("r1", A, 100)
    assert connect(machine, "r2") == {A: from_peer(F, "r1")}
    assert not held(machine), "a feed's past is not kept for anybody"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("lone", "no other replica is up to date"),
        ("filling", "no other replica is up to date"),
        ("off", "rebuild_from_peers is 0"),
        ("usual", "it has every input and spares the replicas that serve"),
    ],
)
def test_the_store_gives_what_nobody_else_can(what: str, words: str) -> None:
    names = ("r1",) if what in {"off", "usual"} else ()
    machine = example(*names, from_peers={"off": 0, "usual": 1}.get(what, 2))
    if what == "filling":
        machine.connect("r1")
    assert connect(machine, "r2") == {A: (), B: ()}
    assert base(machine, R2) == f"base from the store because {words}"
    assert not held(machine)


def test_a_peer_that_fails_is_followed_by_the_next_and_then_by_the_store() -> None:
    """Sync 26"""
    machine = example("r1", "r2")
    assert connect(machine, "r3")[A] == from_peer(T, "r1")
    says(machine, "r3", filling(A, peer_failed="unix:r1", peer_failure="it is gone"))
    assert scheduled(machine, "r3") == {A: from_peer(T, "r2"), B: ()}
    says(machine, "r3", filling(A, peer_failed="unix:r1", peer_failure="it is gone"))
    assert not scheduled(machine, "r3"), "an old complaint is about nobody"
    says(machine, "r3", filling(A, peer_failed="unix:r2", peer_failure="as well"))
    assert scheduled(machine, "r3") == {A: (), B: ()}
    assert base(machine, R3) == (
        "base from r1 because it is up to date and holds 1 of the 2 inputs"
        "; then base from r2 because r1 failed: it is gone"
        "; then base from the store because r2 failed: as well"
    )
    assert not held(machine)


def test_a_peer_that_gives_nothing_is_left_and_one_that_gives_is_not() -> None:
    machine = example("r1")
    connect(machine, "r2")
    for rows in range(3):
        machine.now_ms += BASE_STALL_MS_MAX
        says(machine, "r2", filling(A, rows_received=rows))
        assert not scheduled(machine, "r2")
    says(machine, "r2", filling(A, rows_received=9))
    machine.now_ms += 2 * BASE_STALL_MS_MAX
    says(machine, "r2", filling(A, rows_received=9))
    assert not scheduled(machine, "r2"), "all of it is there: it computes"
    says(machine, "r2", filling(A, rows_received=3))
    machine.now_ms += BASE_STALL_MS_MAX + 1
    says(machine, "r2", filling(A, rows_received=3))
    assert scheduled(machine, "r2") == {A: (), B: ()}
    assert base(machine, R2).endswith("because r1 failed: it gave nothing for 30 s")


def test_a_store_that_gives_nothing_is_followed_by_a_peer_and_then_waited_for() -> None:
    machine = example("r1", from_peers=1)
    assert connect(machine, "r2") == {A: (), B: ()}
    says(machine, "r2", filling(A))
    machine.now_ms += BASE_STALL_MS_MAX + 1
    says(machine, "r2", filling(A))
    assert scheduled(machine, "r2") == {A: from_peer(T, "r1"), B: ()}
    says(machine, "r2", filling(A, peer_failed="unix:r1", peer_failure="it is gone"))
    assert scheduled(machine, "r2") == {A: (), B: ()}
    for _ in range(3):
        machine.now_ms += BASE_STALL_MS_MAX + 1
        says(machine, "r2", filling(A))
        assert not scheduled(machine, "r2")
    assert base(machine, R2) == (
        "base from the store because it has every input and spares the replicas that serve"
        "; then base from r1 because the store failed: it gave nothing for 30 s"
        "; then base from the store because r1 failed: it is gone"
    )


def test_a_lone_replica_waits_for_the_store_and_nothing_is_said_twice() -> None:
    machine = example(from_peers=1)
    connect(machine, "r2")
    for _ in range(3):
        machine.now_ms += BASE_STALL_MS_MAX + 1
        says(machine, "r2", filling(A))
    assert base(machine, R2) == "base from the store because no other replica is up to date"


def test_a_peer_that_is_lost_is_left_at_once() -> None:
    machine = example("r1")
    connect(machine, "r2")
    machine.lose("r1")
    assert scheduled(machine, "r2") == {A: (), B: ()}
    assert base(machine, R2).endswith("because r1 failed: its connection was lost")
    assert not held(machine)


def test_a_replica_that_is_lost_holds_nothing_and_begins_from_scratch() -> None:
    """Sync 25"""
    machine = example("r1")
    connect(machine, "r2")
    machine.lose("r2")
    assert not held(machine)
    again = machine.connect("r2", incarnation=Incarnation(b"j" * 16))
    assert starts(again)[A] == from_peer(T, "r1")


def test_who_is_accepted_reads_from_nobody_any_more() -> None:
    machine = example("r1")
    connect(machine, "r2")
    machine.report("r2", A, 200)
    machine.report("r2", B, 200)
    assert of_type(machine.take("r2"), AllowWrites)
    assert machine.state.replicas[R2].base is None
    machine.install(index(13, on=U))
    assert scheduled(machine, "r2") == {CollectionId(13): ()}
