"""Who is read from once a controller has come back, or another one follows it."""

from __future__ import annotations

import pytest

from antiphon.controller.instance.event import DigestsTold, LinkLost, ReplicaRemoved, Ticked
from antiphon.controller.instance.ready import AskDigests
from antiphon.controller.instance.state import Replica
from antiphon.protocol.command import (
    AllowWrites,
    CancelPeek,
    Command,
    Hello,
    Peek,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.ids import CollectionId, Epoch, Incarnation, ReplicaId
from tests.controller.instance.machine import Machine, index, of_type
from tests.controller.instance.replicas.test_syncing import facts_at, said

A, B = CollectionId(11), CollectionId(12)
RIGHT, WRONG = b"r" * 16, b"w" * 16


@pytest.fixture
def machine() -> Machine:
    """A controller that has just begun, with two indexes and two replicas out of reach so far."""
    machine = Machine()
    machine.install(index(A), index(B))
    machine.digest = None
    machine.add("r1", "r2")
    return machine


def comes_back(machine: Machine, name: str, *, unaccepted: bool = False) -> list[Command]:
    """It has all that it should have, and says whether anybody has accepted that."""
    incarnation = Incarnation(name.encode().ljust(16))
    facts = facts_at(machine, 2, A, B)
    return machine.connect(name, incarnation=incarnation, unaccepted=unaccepted, **facts)


def is_filled(machine: Machine, name: str) -> None:
    for each in (A, B):
        machine.report(name, each, 100)
    machine.respond(name, said(2))


def tell(machine: Machine, **digests: bytes) -> None:
    asks = [send for send in machine.others if isinstance(send, AskDigests)]
    machine.others.clear()
    for ask in asks:
        told = dict.fromkeys(ask.collections, digests[ask.replica])
        machine.step(DigestsTold(replica=ask.replica, time=ask.time, digests=told))


def found(machine: Machine, name: str) -> Replica:
    return machine.state.replicas[ReplicaId(name)]


def is_asked(machine: Machine, name: str) -> bool:
    return bool(of_type(machine.take(name), Peek))


def test_what_nobody_accepted_is_not_read_after_a_restart_before_it_was_compared(
    machine: Machine,
) -> None:
    comes_back(machine, "r1")
    (hello,) = of_type(comes_back(machine, "r2", unaccepted=True), Hello)
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.KEEP_UP, "what it has filled so far it keeps"
    is_filled(machine, "r1")
    machine.take("r1")
    machine.peek(A)
    assert is_asked(machine, "r1")
    is_filled(machine, "r2")
    assert not is_asked(machine, "r2"), "it is filled, and was not compared"
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert found(machine, "r2").decisions[-1].content == "its content at 99 is that of r1"
    commands = machine.take("r2")
    assert of_type(commands, AllowWrites)
    assert of_type(commands, Peek)


def test_what_nobody_accepted_and_is_wrong_is_built_anew_after_a_restart(machine: Machine) -> None:
    comes_back(machine, "r1")
    is_filled(machine, "r1")
    comes_back(machine, "r2", unaccepted=True)
    is_filled(machine, "r2")
    tell(machine, r1=RIGHT, r2=WRONG)
    assert not found(machine, "r2").is_open
    (hello,) = of_type(comes_back(machine, "r2", unaccepted=True), Hello)
    assert isinstance(hello, Hello)
    assert hello.decision is SyncDecision.REBUILD


def test_what_was_accepted_before_is_read_at_once(machine: Machine) -> None:
    commands = comes_back(machine, "r2")
    assert of_type(commands, AllowWrites)
    machine.peek(A)
    assert is_asked(machine, "r2")


def test_what_nobody_accepted_waits_for_word_of_the_others(machine: Machine) -> None:
    """r1 is heard of a moment later."""
    machine.peek(A)
    comes_back(machine, "r2", unaccepted=True)
    is_filled(machine, "r2")
    assert not is_asked(machine, "r2")
    assert not found(machine, "r2").accepted
    commands = comes_back(machine, "r1")
    assert of_type(commands, Peek)
    assert not is_asked(machine, "r2")


@pytest.mark.parametrize("how", ["away", "removed", "refused"])
def test_a_lone_replica_is_read_once_it_is_known_that_there_is_no_other(
    machine: Machine, how: str
) -> None:
    machine.peek(A)
    comes_back(machine, "r2", unaccepted=True)
    assert not is_asked(machine, "r2")
    r1 = ReplicaId("r1")
    match how:
        case "away":
            machine.step(LinkLost(replica=r1, connection_id=None, reason="nobody listens"))
        case "removed":
            machine.step(ReplicaRemoved(replica=r1))
        case _:
            machine.connect("r1", highest_epoch=Epoch(9))
    assert is_asked(machine, "r2"), "it is all there is"


def alone(machine: Machine) -> None:
    """r2 was accepted while r1 was away, and has been asked."""
    machine.step(LinkLost(replica=ReplicaId("r1"), connection_id=None, reason="nobody listens"))
    comes_back(machine, "r2", unaccepted=True)
    is_filled(machine, "r2")
    assert found(machine, "r2").accepted
    assert found(machine, "r2").uncompared
    machine.take("r2")
    machine.peek(A)
    assert is_asked(machine, "r2")


def test_who_was_accepted_alone_is_compared_as_soon_as_there_is_another(machine: Machine) -> None:
    alone(machine)
    assert of_type(comes_back(machine, "r1"), Peek)
    assert of_type(machine.take("r2"), CancelPeek), "it is not to answer before it was compared"
    machine.peek(B)
    assert not is_asked(machine, "r2")
    assert machine.wake_at_ms == 0, "the comparison is due"
    machine.step(Ticked())
    tell(machine, r1=RIGHT, r2=RIGHT)
    assert not found(machine, "r2").uncompared
    assert is_asked(machine, "r2")


def test_of_two_that_differ_the_one_that_was_compared_before_is_believed(machine: Machine) -> None:
    machine.add("r3")
    alone_as = "r1"
    machine.step(LinkLost(replica=ReplicaId("r2"), connection_id=None, reason="nobody listens"))
    machine.step(LinkLost(replica=ReplicaId("r3"), connection_id=None, reason="nobody listens"))
    comes_back(machine, alone_as, unaccepted=True)
    is_filled(machine, alone_as)
    assert found(machine, alone_as).uncompared
    comes_back(machine, "r2")
    machine.step(Ticked())
    tell(machine, r1=WRONG, r2=RIGHT)
    assert of_type(machine.take("r1"), StartRebuild)
    assert not of_type(machine.take("r2"), StartRebuild)


def test_who_was_found_wrong_is_not_believed_because_nobody_else_tells(machine: Machine) -> None:
    comes_back(machine, "r1")
    comes_back(machine, "r2")
    found(machine, "r2").wrong = True
    machine.state.compare_at_ms = 0
    machine.step(Ticked())
    asks = [send for send in machine.others if isinstance(send, AskDigests)]
    (ask,) = [ask for ask in asks if ask.replica == "r2"]
    told = dict.fromkeys(ask.collections, WRONG)
    machine.step(DigestsTold(replica=ask.replica, time=ask.time, digests=told))
    machine.now_ms += 60_000
    machine.step(Ticked())
    assert machine.state.comparison is None
    assert found(machine, "r2").wrong
