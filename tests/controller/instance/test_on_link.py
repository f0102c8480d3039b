"""Connecting: what a replica is told, once and in order, and what it means to lose one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from antiphon.controller.instance.event import LinkLost, ProtocolBroken, ReplicaRemoved
from antiphon.controller.instance.ready import CloseSession, ConnectLink, DisconnectLink
from antiphon.controller.instance.state import Holder, HoldKind, LinkState
from antiphon.protocol.command import (
    AllowCompaction,
    AllowWrites,
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    SyncDecision,
    UpdateConfiguration,
    is_numbered,
)
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId, Position, ReplicaId, SessionId
from tests.controller.instance.machine import CONFIG, Machine, T, index, of_type

A, B = CollectionId(10), CollectionId(11)
R1 = ReplicaId("r1")
Facts = dict[str, Any]


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
        Schedule,  # the subscribe
        Schedule,  # both indexes
        Peek,
        InitializationComplete,
    ]
    hello, complete = commands[0], commands[-1]
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
    assert len(machine.connect("r2")) == 5


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
    assert all(" because " in record.decision.reason for record in records)


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


def hello_of(commands: list[Command]) -> Hello:
    assert isinstance(commands[0], Hello)
    return commands[0]


def facts_of(machine: Machine, *held: int, position: int | None = None, **options: int) -> Facts:
    """What a replica says that has applied everything up to `position` and installed `held`."""
    at = machine.state.head if position is None else Position(position)
    digest = machine.state.log.digest_at(at)
    upper = options.get("upper", machine.state.timeline_upper)
    return {
        "history_id": CONFIG.history_id,
        "applied_position": at,
        "command_digest": digest,
        "dataflows": tuple(
            DataflowFacts(
                exports=(CollectionId(each),),
                fingerprint=fingerprint_of(index(each)),
                since=Frontier(options.get("since", 0)),
                upper=Frontier(upper),
                hydrated=True,
            )
            for each in held
        ),
    }


def test_a_replica_at_the_head_is_kept_up_without_a_numbered_command() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.report("r1", A, 100)
    machine.lose("r1")
    commands = machine.connect("r1", **facts_of(machine, A))
    assert hello_of(commands).decision is SyncDecision.KEEP_UP
    assert hello_of(commands).command_set is CommandSet.SUFFIX
    assert [type(command) for command in commands[2:]] == [
        AllowCompaction,
        Schedule,
        InitializationComplete,
        AllowWrites,
    ]
    reason = machine.state.replicas[R1].decisions[-1].decision.reason
    assert reason == "keep-up because it is at the head 1, with the same digest"
    assert machine.state.replicas[R1].installed[A].hydrated, "it takes no slot to be filled"


def test_the_compaction_map_is_told_whole_whatever_the_facts_say() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    machine.connect("r1")
    machine.lose("r1")
    since = machine.since(A)
    both = [AllowCompaction(collection=A, frontier=Frontier(since), others=(B,))]
    for reported in (since, since - 1):
        told = machine.connect("r1", **facts_of(machine, A, B, since=reported))
        assert of_type(told, AllowCompaction) == both
        machine.lose("r1")


def test_what_a_suffix_creates_is_told_where_it_starts() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    held = facts_of(machine, A, position=1, since=machine.since(A))
    told = machine.connect("r1", **held)
    start = Frontier(machine.since(B))
    new = [one for one in told if isinstance(one, AllowCompaction) and B in one.collections]
    assert [one.frontier for one in new] == [start]


def test_a_kept_replica_holds_what_it_may_still_ask_for() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.connect("r1")
    machine.lose("r1")
    machine.connect("r1", **facts_of(machine, A, upper=100))
    holder = Holder(HoldKind.INPUT, A, "r1")
    assert machine.collection(T).holds[holder] == Frontier(99)
    machine.tick(200)
    machine.report("r1", A, 150)
    assert machine.collection(T).holds[holder] == Frontier(149)


def test_a_replica_behind_gets_exactly_what_it_missed() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    machine.install(drops=(A,))
    commands = machine.connect("r1", **facts_of(machine, A, position=1))
    assert hello_of(commands).decision is SyncDecision.CATCH_UP
    numbered = [c for c in commands if is_numbered(c)]
    assert [type(c) for c in numbered] == [CreateDataflow, AllowCompaction]
    assert A not in machine.state.replicas[R1].installed
    assert B in machine.state.replicas[R1].installed
    machine.dropped("r1", A)


def test_what_lies_behind_all_holds_is_reconciled_though_the_commands_are_all_there() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    machine.tick(500)
    machine.beat()
    machine.beat()
    assert machine.since(T) == 489
    behind = facts_of(machine, A, B, upper=300)
    commands = machine.connect("r1", **behind)
    assert hello_of(commands).decision is SyncDecision.RECONCILE
    assert hello_of(commands).command_set is CommandSet.FULL
    reason = machine.state.replicas[R1].decisions[-1].decision.reason
    assert reason.startswith("reconcile because it is at position 2 of 2: 2 of 2 dataflows")


def test_a_missing_dataflow_is_no_reason_to_build_the_others_anew() -> None:
    machine = Machine()
    machine.install(index(A))
    machine.install(index(B))
    commands = machine.connect("r1", **facts_of(machine, A))
    assert hello_of(commands).decision is SyncDecision.RECONCILE
    nothing = machine.connect("r1", **facts_of(machine), session_id=SessionId(9))
    assert hello_of(nothing).decision is SyncDecision.REBUILD


@pytest.mark.parametrize("has_other", [True, False])
def test_what_would_have_to_be_proven_is_built_anew(has_other: bool) -> None:
    """Also where another replica could tell whether the content is equal."""
    machine = Machine()
    machine.install(index(A))
    if has_other:
        machine.connect("r2")
        machine.report("r2", A, 100)
    diverged = facts_of(machine, A) | {"command_digest": b"x" * 32}
    commands = machine.connect("r1", **diverged)
    assert hello_of(commands).decision is SyncDecision.REBUILD
    reason = machine.state.replicas[R1].decisions[-1].decision.reason
    assert reason == "reconcile because its digest differs at position 1: it diverged"
