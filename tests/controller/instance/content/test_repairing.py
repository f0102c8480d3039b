"""A repair: its base, its end, and what is done when it does not come to one."""

from __future__ import annotations

import pytest

from antiphon.controller.engine.decision import Sync
from antiphon.controller.engine.policy import BASE_STALL_MS_MAX
from antiphon.controller.instance.event import DigestsTold, ReplicaRemoved, StoredInput, Ticked
from antiphon.controller.instance.ready import AskDigests, CloseSession
from antiphon.controller.instance.state import DecisionRecord
from antiphon.protocol.command import (
    AcceptRebuild,
    CancelRebuild,
    Command,
    Hello,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import Unavailable
from antiphon.protocol.failure import failure_of
from antiphon.protocol.ids import CollectionId, Position, ReplicaId
from antiphon.protocol.response import RebuildCompleted, RebuildProgress, RebuildResult, Status
from antiphon.protocol.stage import Stage
from tests.controller.instance.content.test_comparing import RIGHT, WRONG, asks, tell, wait
from tests.controller.instance.machine import CONFIG, SCHEMA, Machine, index, of_type
from tests.controller.instance.replicas.test_syncing import facts_at

A, F = CollectionId(10), CollectionId(3)
R2 = ReplicaId("r2")


@pytest.fixture
def machine() -> Machine:
    """An index of a feed on three replicas, and r2 is found to differ."""
    machine = Machine()
    machine.install_stored(StoredInput(collection=F, kind=CollectionKind.FEED, schema=SCHEMA))
    machine.install(index(A, on=F, kind=CollectionKind.FEED))
    for name in ("r1", "r2", "r3"):
        machine.connect(name)
        machine.report(name, A, 100)
        machine.take(name)
    wait(machine, 0)
    machine.digest = None
    differ(machine)
    return machine


def differ(machine: Machine) -> None:
    wait(machine, CONFIG.compare_ms)
    tell(machine, r1=RIGHT, r2=WRONG, r3=RIGHT)


def started(machine: Machine) -> StartRebuild:
    (command,) = of_type(machine.take("r2"), StartRebuild)
    assert isinstance(command, StartRebuild)
    return command


def fails(machine: Machine, command: StartRebuild, why: str) -> None:
    failure = failure_of(Unavailable(why))
    machine.respond("r2", RebuildResult(session_id=command.session_id, result=failure))


def completes(machine: Machine, command: StartRebuild, digest: bytes = RIGHT) -> None:
    result = RebuildCompleted(achieved_time=command.target_time, digest=digest)
    machine.respond("r2", RebuildResult(session_id=command.session_id, result=result))


def record(machine: Machine) -> DecisionRecord:
    return machine.state.replicas[R2].decisions[-1]


def says(machine: Machine, rebuild: RebuildProgress | None = None) -> None:
    status = Status(
        stage=Stage.READ_WRITE,
        applied_position=Position(machine.state.head),
        durable_position=Position(0),
        rebuild=rebuild,
    )
    machine.respond("r2", status)


def of_kind(commands: list[Command], kind: type[Command]) -> bool:
    return any(isinstance(command, kind) for command in commands)


def test_the_store_then_the_one_who_is_believed_then_everything_anew(machine: Machine) -> None:
    """Sync 13, 26, 27"""
    first = started(machine)
    assert first.peer == ""
    fails(machine, first, "the base is gone")
    assert record(machine).outcome == "failed: the base is gone"
    assert machine.state.repair is None
    differ(machine)
    second = started(machine)
    assert second.peer == "unix:r1"
    assert second.session_id > first.session_id
    assert record(machine).base == "base from r1 because the store failed: the base is gone"
    fails(machine, second, "the peer died")
    differ(machine)
    assert not of_kind(machine.take("r2"), StartRebuild)
    assert machine.state.replicas[R2].wrong, "nobody reads from it until it is gone"
    assert record(machine).base == "recomputed because r1 failed: the peer died"
    says(machine)
    assert any(isinstance(other, CloseSession) for other in machine.others)
    assert not machine.state.replicas[R2].is_open
    facts = facts_at(machine, 1, A)
    commands = machine.connect("r2", **facts)
    (hello,) = of_type(commands, Hello)
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.REBUILD
    decision = record(machine).decision
    assert isinstance(decision, Sync)
    assert decision.reason == "rebuild because its content was not that of the others"


def test_a_completed_repair_is_accepted_only_if_it_is_what_another_one_holds(
    machine: Machine,
) -> None:
    """Sync 22, 24"""
    command = started(machine)
    completes(machine, command)
    (ask,) = asks(machine)
    assert ask == AskDigests(replica=ReplicaId("r1"), collections=(A,), time=command.target_time)
    assert not machine.take("r2"), "nothing is accepted before"
    told = DigestsTold(replica=ask.replica, time=ask.time, digests={A: RIGHT})
    machine.step(told)
    assert of_kind(machine.take("r2"), AcceptRebuild)
    assert record(machine).outcome == "repaired"
    machine.step(told)
    assert not machine.take("r2"), "once"


def test_a_repair_that_comes_to_something_else_is_refused_and_the_second_is_not(
    machine: Machine,
) -> None:
    """If the store leads there again, the one it is compared with is wrong."""
    command = started(machine)
    completes(machine, command, b"x" * 16)
    tell(machine, r1=RIGHT)
    commands = machine.take("r2")
    assert of_kind(commands, CancelRebuild)
    assert not of_kind(commands, AcceptRebuild)
    assert record(machine).outcome == "failed: content_differs"
    assert "is not that of r1" in record(machine).content
    differ(machine)
    completes(machine, started(machine), b"x" * 16)
    tell(machine, r1=RIGHT)
    assert of_kind(machine.take("r2"), AcceptRebuild)
    assert record(machine).content.endswith("it was built from the store twice")


def test_another_one_of_that_name_is_refused_by_what_it_comes_to_itself(machine: Machine) -> None:
    completes(machine, started(machine), b"x" * 16)
    tell(machine, r1=RIGHT)
    machine.step(ReplicaRemoved(replica=R2))
    machine.connect("r2")
    machine.report("r2", A, 100)
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert machine.state.replicas[R2].accepted
    machine.take("r2")
    wait(machine, 0)
    tell(machine, r1=RIGHT, r2=WRONG, r3=RIGHT)
    completes(machine, started(machine), b"x" * 16)
    tell(machine, r1=RIGHT)
    commands = machine.take("r2")
    assert of_kind(commands, CancelRebuild)
    assert not of_kind(commands, AcceptRebuild)


def test_who_does_not_tell_is_passed_over(machine: Machine) -> None:
    command = started(machine)
    completes(machine, command)
    for _ in range(70):
        machine.now_ms += 1_000
        says(machine)
    asked = {ask.replica for ask in asks(machine)}
    assert asked == {"r1", "r3"}
    for _ in range(70):
        machine.now_ms += 1_000
        says(machine)
    assert of_kind(machine.take("r2"), AcceptRebuild)
    assert record(machine).content == "r1, r3 did not tell what to compare with"


def test_a_base_that_does_not_come_is_given_up(machine: Machine) -> None:
    command = started(machine)
    progress = RebuildProgress(
        session_id=command.session_id,
        base_chunks=1,
        base_rows=3,
        base_rows_total=9,
        live_rows=0,
        dataflows_filled=0,
        dataflows_total=1,
    )
    says(machine, progress)
    machine.now_ms += BASE_STALL_MS_MAX
    says(machine, progress)
    assert machine.state.repair is not None
    machine.now_ms += 1
    says(machine, progress)
    assert of_kind(machine.take("r2"), CancelRebuild)
    assert record(machine).outcome == "failed: its base gave nothing for 30 s"
    completes(machine, command)  # it crossed the cancellation
    assert not machine.take("r2")


def test_a_repair_ends_with_the_connection_and_counts_as_no_failure(machine: Machine) -> None:
    """Sync 25"""
    command = started(machine)
    completes(machine, command)
    machine.lose("r2")
    replica = machine.state.replicas[R2]
    assert machine.state.repair is None
    assert replica.repairing is None
    assert replica.check is None
    assert not replica.repair_failures
    (hello,) = of_type(machine.connect("r2", **facts_at(machine, 1, A)), Hello)
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.REBUILD, "it came back with what is wrong"
    machine.lose("r2")
    tell(machine, r1=RIGHT)
    machine.step(Ticked())
    assert all(
        not holder.replica or holder.replica != "r2" or holder.kind.name == "INPUT"
        for collection in machine.state.collections.values()
        for holder in collection.holds
    )


def test_digests_that_are_not_one_for_each_collection_break_the_session(
    machine: Machine,
) -> None:
    command = started(machine)
    completes(machine, command, b"short")
    assert not machine.state.replicas[R2].is_open
