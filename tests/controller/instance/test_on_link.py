"""Connecting: what a replica is told, once and in order, and what it means to lose one."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.instance.event import LinkLost, ProtocolBroken, ReplicaRemoved
from antiphon.controller.instance.ready import CloseSession, ConnectLink, DisconnectLink
from antiphon.controller.instance.state import LinkState
from antiphon.protocol.command import (
    AllowWrites,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    SyncDecision,
    UpdateConfiguration,
)
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId, Position, ReplicaId, SessionId
from tests.controller.instance.machine import CONFIG, Machine, index, of_type

A, B = CollectionId(10), CollectionId(11)
R1 = ReplicaId("r1")


def test_a_session_begins_with_everything_the_replica_must_know() -> None:
    """Number 8."""
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    _, _peek = machine.peek(A)
    _, _subscribed = machine.subscribe()
    commands = machine.connect("r1")
    assert [type(command) for command in commands] == [
        Hello,
        CreateInstance,
        CreateDataflow,
        CreateDataflow,
        CreateDataflow,
        Schedule,
        Schedule,
        Schedule,
        Peek,
        InitializationComplete,
        AllowWrites,
    ]
    hello, complete = commands[0], commands[-2]
    assert isinstance(hello, Hello)
    assert isinstance(complete, InitializationComplete)
    assert (hello.decision, hello.command_set) == (SyncDecision.REBUILD, CommandSet.FULL)
    assert complete.head_position == machine.state.head == 2


def test_no_connection_is_like_another() -> None:
    """Number 9, and sessions count up."""
    machine = Machine()
    hellos = []
    for _ in range(5):
        hellos += of_type(machine.connect("r1"), Hello)
        machine.lose("r1")
    assert len({h.connection_id for h in hellos if isinstance(h, Hello)}) == 5
    sessions = [h.session_id for h in hellos if isinstance(h, Hello)]
    assert sessions == sorted(set(sessions))


def test_a_session_is_later_than_any_that_the_replica_has_seen() -> None:
    hello = Machine().connect("r1", session_id=SessionId(41))[0]
    assert isinstance(hello, Hello)
    assert hello.session_id == 42


def test_read_only_never_allows_writes() -> None:
    """Number 78."""
    machine = Machine(replace(CONFIG, read_only=True))
    assert of_type(machine.connect("r1"), AllowWrites) == []


def test_a_full_set_carries_neither_answered_peeks_nor_their_cancellations() -> None:
    """Number 50."""
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    for _ in range(1_000):
        _, peek_id = machine.peek(A)
        machine.answer("r1", peek_id)
    assert len(machine.connect("r2")) == 6


def test_merged_configuration_precedes_all_dataflows() -> None:
    """Number 53."""
    machine = Machine()
    machine.install(index(A))
    machine.state.configuration = (Position(1), UpdateConfiguration(values={"a": "1"}))
    machine.state.collections[A].position = Position(2)
    machine.state.head = Position(2)
    kinds = [type(command) for command in machine.connect("r1")]
    assert kinds.index(UpdateConfiguration) < kinds.index(CreateDataflow)


def test_a_stranger_is_refused_and_nothing_is_said_to_it() -> None:
    machine = Machine()
    assert machine.connect("r1", instance_id=InstanceId(8)) == []
    assert machine.state.replicas[R1].link is LinkState.REFUSED
    (refusal,) = [send for send in machine.others if isinstance(send, CloseSession)]
    assert "belongs to instance 8" in refusal.reason
    assert machine.state.replicas[R1].decisions[-1].decision.reason == refusal.reason


def test_a_replica_of_a_newer_epoch_is_left_alone() -> None:
    assert Machine().connect("r1", highest_epoch=Epoch(4)) == []


def test_every_decision_is_remembered_with_its_reason() -> None:
    machine = Machine()
    machine.connect("r1")
    machine.lose("r1")
    machine.connect("r1")
    records = machine.state.replicas[R1].decisions
    assert [record.session_id for record in records] == [1, 2]
    assert all(record.decision.reason.startswith("rebuild because") for record in records)


def test_a_probe_of_an_open_replica_means_that_it_was_lost() -> None:
    machine = Machine()
    machine.connect("r1")
    request, _ = machine.subscribe(replica="r1")
    assert machine.connect("r1")
    assert len(machine.replies[request]) == 1, "what was addressed to the lost session ended"


def test_an_old_loss_does_not_end_a_new_connection() -> None:
    machine = Machine()
    machine.connect("r1")
    old = machine.state.replicas[R1].connection_id
    machine.connect("r1")
    machine.step(LinkLost(replica=R1, connection_id=old, reason="late"))
    assert machine.state.replicas[R1].is_open


def test_adding_connects_and_removing_disconnects() -> None:
    machine = Machine()
    machine.add("r1")
    assert machine.others == [ConnectLink(replica=R1, address="unix:r1")]
    machine.step(ReplicaRemoved(replica=R1))
    assert machine.others[-1] == DisconnectLink(replica=R1)
    assert machine.state.replicas == {}


def test_a_replica_that_breaks_the_protocol_is_closed() -> None:
    machine = Machine()
    machine.connect("r1")
    machine.step(ProtocolBroken(replica=R1, reason="nonsense"))
    assert machine.others[-1] == CloseSession(replica=R1, reason="nonsense")
    assert not machine.state.replicas[R1].is_open
