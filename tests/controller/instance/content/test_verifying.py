"""What is rebuilt is compared with what another replica holds before it counts."""

from __future__ import annotations

from antiphon.controller.engine.decision import Sync
from antiphon.controller.instance.event import DigestsTold
from antiphon.controller.instance.ready import AskDigests
from antiphon.controller.instance.state import HoldKind
from antiphon.controller.ports import ErrorReply
from antiphon.protocol.command import (
    AllowWrites,
    Hello,
    Peek,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.ids import CollectionId, Incarnation, ReplicaId
from antiphon.protocol.limits import UNARY_DEADLINE_MS
from tests.controller.instance.machine import Machine, index, of_type
from tests.controller.instance.replicas.test_syncing import facts_at, said

A, B = CollectionId(11), CollectionId(12)
R1, R2 = ReplicaId("r1"), ReplicaId("r2")
RIGHT, WRONG = b"r" * 16, b"w" * 16


def example() -> Machine:
    """r1 is up to date; r2 has filled everything."""
    machine = Machine()
    machine.install(index(A), index(B))
    machine.digest = None
    machine.connect("r1")
    fill(machine, "r1")
    machine.connect("r2")
    machine.take("r2")
    machine.others.clear()
    fill(machine, "r2")
    return machine


def fill(machine: Machine, name: str) -> None:
    machine.report(name, A, 100)
    machine.report(name, B, 100)


def asked(machine: Machine) -> list[AskDigests]:
    found = [each for each in machine.others if isinstance(each, AskDigests)]
    machine.others.clear()
    return found


def tell(machine: Machine, **digests: bytes) -> None:
    for ask in asked(machine):
        if ask.replica in digests:
            told = dict.fromkeys(ask.collections, digests[ask.replica])
            machine.step(DigestsTold(replica=ask.replica, time=ask.time, digests=told))


def is_accepted(machine: Machine, name: ReplicaId = R2) -> bool:
    return machine.state.replicas[name].accepted


def checks(machine: Machine) -> int:
    return sum(
        holder.kind is HoldKind.CHECK
        for collection in machine.state.collections.values()
        for holder in collection.holds
    )


def test_both_are_asked_at_one_time_that_stays_readable() -> None:
    """Sync 22"""
    machine = example()
    assert not is_accepted(machine)
    found = asked(machine)
    assert {(ask.replica, ask.collections, ask.time) for ask in found} == {
        ("r1", (A, B), 99),
        ("r2", (A, B), 99),
    }
    machine.tick(500)
    fill(machine, "r1")
    machine.beat()
    assert (machine.since(A) or 0) <= 99
    assert checks(machine) == 2


def test_equal_content_is_accepted_and_says_with_whom() -> None:
    machine = example()
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert is_accepted(machine)
    assert of_type(machine.take("r2"), AllowWrites)
    record = machine.state.replicas[R2].decisions[-1]
    assert (record.outcome, record.content) == (
        "completed",
        "its content at 99 is that of r1",
    )
    assert not checks(machine)


def test_other_content_is_refused_and_everything_is_built_anew_from_the_store() -> None:
    """Sync 13, 24, 27"""
    machine = example()
    request, _ = machine.peek(A, replica="r2")
    tell(machine, r1=RIGHT, r2=WRONG)
    assert not machine.state.replicas[R2].is_open
    assert isinstance(machine.replies[request][0], ErrorReply), "it was never asked"
    record = machine.state.replicas[R2].decisions[-1]
    assert record.outcome == "failed: digest_mismatch"
    assert record.content == "its content of u11, u12 at 99 is not that of r1"
    view = machine.state.sync.view(R2)
    assert view is not None
    assert view.failures == 1
    assert not checks(machine)
    commands = machine.connect("r2", **facts_at(machine, 2, A, B))
    (hello,) = of_type(commands, Hello)
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.REBUILD, "though it is at the head"
    record = machine.state.replicas[R2].decisions[-1]
    assert isinstance(record.decision, Sync)
    assert record.decision.code == "content_differed"
    assert record.base == (
        "base from the store because its content of u11, u12 at 99 is not that of r1"
    )
    fill(machine, "r2")
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert is_accepted(machine)


def test_if_the_store_leads_there_again_the_other_one_is_repaired() -> None:
    machine = example()
    tell(machine, r1=WRONG, r2=RIGHT)
    machine.connect("r2", incarnation=Incarnation(b"j" * 16))
    fill(machine, "r2")
    machine.take("r1")
    tell(machine, r1=WRONG, r2=RIGHT)
    assert not is_accepted(machine)
    (command,) = of_type(machine.take("r1"), StartRebuild)
    assert isinstance(command, StartRebuild)
    assert command.collections == (A, B)
    record = machine.state.replicas[R1].decisions[-1]
    assert record.decision.reason == "what r2 rebuilt from the store differs from it each time"


def test_where_nobody_is_up_to_date_that_is_said() -> None:
    machine = Machine()
    machine.install(index(A), index(B))
    machine.connect("r1")
    fill(machine, "r1")
    assert is_accepted(machine, R1)
    record = machine.state.replicas[R1].decisions[-1]
    assert record.content == "no other replica is up to date to compare with"


def test_who_was_asked_and_is_lost_is_passed_over() -> None:
    machine = example()
    machine.lose("r1")
    machine.respond("r2", said(2))
    assert is_accepted(machine)
    record = machine.state.replicas[R2].decisions[-1]
    assert record.content == "no other replica is up to date to compare with"


def test_a_sum_is_asked_for_again_once_it_was_told_in_part_or_never_came() -> None:
    """Each sums all that it holds, so that an answer on its way is waited for."""
    machine = example()
    first = asked(machine)
    for _ in range(10):
        machine.now_ms += 1_000
        machine.respond("r2", said(2))
    assert not asked(machine)
    machine.step(DigestsTold(replica=R1, time=first[0].time, digests={A: RIGHT}))
    assert not asked(machine), "not at once"
    machine.now_ms += 1_000
    machine.respond("r2", said(2))
    assert [ask.replica for ask in asked(machine)] == ["r1"]
    machine.now_ms += UNARY_DEADLINE_MS
    machine.respond("r2", said(2))
    assert [ask.replica for ask in asked(machine)] == ["r2", "r1"]


def test_who_does_not_tell_its_own_is_not_accepted() -> None:
    machine = example()
    for _ in range(200):
        tell(machine, r1=RIGHT)
        machine.now_ms += 1_000
        machine.respond("r2", said(2))
    assert not is_accepted(machine)
    machine.now_ms += UNARY_DEADLINE_MS
    machine.respond("r2", said(2))
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert is_accepted(machine)


def test_a_replica_that_comes_back_before_it_was_compared_is_compared_then() -> None:
    """Its position says that nothing is left to do: the same process has adopted the head."""
    machine = example()
    machine.lose("r2")
    machine.others.clear()
    machine.connect("r2", **facts_at(machine, 2, A, B))
    fill(machine, "r2")
    assert not is_accepted(machine)
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert is_accepted(machine)
    request, _ = machine.peek(A)
    assert of_type(machine.take("r2"), Peek)
    assert request is not None


def test_what_the_other_has_yet_to_fill_is_waited_for() -> None:
    """Else it would be believed, though nobody else told of it."""
    machine = Machine()
    machine.install(index(A))
    machine.digest = None
    machine.connect("r1")
    machine.report("r1", A, 100)
    assert is_accepted(machine, R1)
    machine.install(index(B))
    machine.connect("r2")
    machine.others.clear()
    fill(machine, "r2")
    assert not asked(machine)
    assert not is_accepted(machine)
    machine.report("r1", B, 100)
    machine.report("r2", A, 101)
    assert {(ask.replica, ask.collections) for ask in asked(machine)} == {
        ("r1", (A, B)),
        ("r2", (A, B)),
    }
