"""What the state's values say of themselves."""

from __future__ import annotations

from antiphon.controller.instance.state import LinkState, Replica
from antiphon.protocol.ids import CollectionId, ReplicaId
from tests.controller.instance.machine import Machine, T, index

A, B = CollectionId(10), CollectionId(11)


def test_a_table_is_stored_and_an_index_is_not() -> None:
    machine = Machine()
    machine.install(index(A))
    assert machine.collection(T).is_stored
    assert machine.collection(T).inputs == ()
    assert not machine.collection(A).is_stored
    assert machine.collection(A).inputs == (T,)


def test_live_dataflows_come_in_order_of_their_positions() -> None:
    machine = Machine()
    machine.install(index(B))
    machine.install(index(A))
    assert [c.id for c in machine.state.live_dataflows()] == [B, A]
    machine.connect("r1")
    machine.install(drops=(B,))
    assert [c.id for c in machine.state.live_dataflows()] == [A]


def test_hydrated_means_that_the_output_passed_the_as_of() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    installed = machine.state.replicas[ReplicaId("r1")].installed[A]
    assert not installed.hydrated
    machine.report("r1", A, 100)
    assert installed.hydrated


def test_a_replica_is_not_connected_at_first() -> None:
    replica = Replica(id=ReplicaId("r1"), address="unix:r1")
    assert replica.link is LinkState.CONNECTING
    assert not replica.is_open


def test_reads_are_at_the_last_complete_time() -> None:
    assert Machine(upper=42).state.read_time == 41
