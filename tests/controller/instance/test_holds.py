"""Holds: a since goes as far as everybody lets it, and never back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.instance import holds
from antiphon.controller.instance.event import ReplicaRemoved, ShardAdvanced
from antiphon.controller.instance.state import Holder, HoldKind
from antiphon.protocol.command import AllowCompaction, CreateDataflow
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import CollectionMissing, SinceViolation
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from tests.controller.instance.machine import CONFIG, Machine, T, U, index, of_type, view

A, B, M = CollectionId(10), CollectionId(11), CollectionId(12)
INDEX = CollectionKind.INDEX


@pytest.fixture
def machine() -> Machine:
    """An index on the table, on one replica that is up to date."""
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.report("r1", A, 100)
    return machine


def test_a_lag_lets_compaction_follow_the_reported_frontier(machine: Machine) -> None:
    """Number 69: not beyond it, and only once."""
    machine.tick(200)
    machine.report("r1", A, 150)
    machine.take("r1")
    machine.beat()
    assert machine.take("r1") == [AllowCompaction(collection=A, frontier=Frontier(139))]
    machine.beat()
    assert machine.take("r1") == []


def test_a_hold_keeps_its_time_until_it_is_released(machine: Machine) -> None:
    """Number 70."""
    holder = Holder(HoldKind.PEEK, b"x")
    holds.acquire(machine.state, A, holder, 120)
    machine.tick(200)
    machine.report("r1", A, 200)
    machine.beat()
    assert machine.since(A) == 120
    holds.release(machine.state, A, holder)
    machine.beat()
    assert machine.since(A) == 189


def test_a_dependant_keeps_its_input(machine: Machine) -> None:
    """Number 71."""
    machine.install(index(B, on=A, kind=INDEX))
    machine.tick(200)
    machine.report("r1", A, 200)
    machine.report("r1", B, 130)
    machine.beat()
    assert (machine.since(B), machine.since(A)) == (119, 119)


def test_a_slow_replica_keeps_what_it_has_yet_to_read(machine: Machine) -> None:
    """Number 72: the tables, though the fast replica is far; until it is removed."""
    machine.connect("r2")
    machine.report("r2", A, 105)
    machine.tick(500)
    machine.report("r1", A, 500)
    machine.beat()
    assert machine.since(A) == 489
    assert machine.since(T) == 104
    machine.step(ReplicaRemoved(replica=ReplicaId("r2")))
    machine.beat()
    assert machine.since(T) == 489


def test_a_lost_replica_holds_for_a_while_then_no_more(machine: Machine) -> None:
    machine.connect("r2")
    machine.report("r2", A, 105)
    machine.lose("r2")
    machine.tick(500)
    machine.report("r1", A, 500)
    machine.beat()
    assert machine.since(T) == 104
    machine.now_ms += CONFIG.replica_gone_ms
    machine.beat()
    assert machine.since(T) == 489


def test_without_replicas_indexes_go_on_and_sinks_do_not() -> None:
    """Number 79."""
    machine = Machine()
    machine.install(index(A))
    machine.install(view(M, on=U))
    machine.tick(500)
    machine.beat()
    assert machine.since(A) == machine.since(T) == 489
    assert machine.since(M) == machine.since(U) == 99


def test_a_sink_keeps_its_next_output() -> None:
    machine = Machine()
    machine.install(view(M))
    machine.connect("r1")
    machine.tick(500)
    machine.report("r1", M, 500)
    machine.beat()
    assert machine.since(M) == machine.since(T) == 99, "nothing was written yet"
    machine.step(ShardAdvanced(collection=M, upper=Frontier(300)))
    machine.beat()
    assert machine.since(M) == machine.since(T) == 299
    machine.step(ShardAdvanced(collection=M, upper=CLOSED))
    machine.beat()
    assert machine.since(M) == 489


def test_a_replica_that_connects_starts_where_readers_are(machine: Machine) -> None:
    machine.tick(500)
    machine.report("r1", A, 500)
    machine.beat()
    (create,) = of_type(machine.connect("r2"), CreateDataflow)
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.as_of == Frontier(489)


def test_a_retention_of_nothing_keeps_the_latest_time() -> None:
    machine = Machine(replace(CONFIG, retain_ms=0))
    machine.install(index(A))
    machine.connect("r1")
    machine.tick(500)
    machine.report("r1", A, 500)
    machine.beat()
    assert machine.since(A) == machine.since(T) == 499


def test_what_is_gone_cannot_be_read(machine: Machine) -> None:
    with pytest.raises(SinceViolation):
        holds.check_readable(machine.state, A, 98)
    with pytest.raises(CollectionMissing):
        holds.check_readable(machine.state, CollectionId(99), 100)
    machine.install(drops=(A,))
    with pytest.raises(CollectionMissing):
        holds.check_readable(machine.state, A, 100)


def test_a_hold_before_the_since_is_a_bug(machine: Machine) -> None:
    with pytest.raises(AssertionError):
        holds.acquire(machine.state, A, Holder(HoldKind.PEEK, b"x"), 98)


def test_a_hold_never_moves_back(machine: Machine) -> None:
    holder = Holder(HoldKind.PEEK, b"x")
    holds.acquire(machine.state, A, holder, 120)
    holds.move(machine.state, A, holder, Frontier(110))
    assert machine.collection(A).holds[holder] == Frontier(120)
