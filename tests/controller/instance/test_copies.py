"""Copy-to: one replica writes, one answer comes, and another takes over where the first is lost."""

from __future__ import annotations

from antiphon.controller.instance import copies
from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.instance.ready import CloseSession
from antiphon.controller.ports import DoneReply, ErrorReply
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule
from antiphon.protocol.dataflow import CopyToExport
from antiphon.protocol.errors import (
    CollectionMissing,
    DataError,
    LimitExceeded,
    NotComplete,
    ReplicaFailed,
    ReplicaMissing,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import CopyToDropped, CopyToRows, Failure
from tests.controller.instance.machine import CONFIG, Machine, T

FULL = Failure(code="replica_failed", message="the disk is full")


def machine_of(*names: str) -> Machine:
    machine = Machine()
    for name in names:
        machine.connect(name)
    return machine


def asked(machine: Machine, name: str) -> list[CollectionId]:
    """What a replica was told to write since the last look."""
    return [
        command.dataflow.exports[0].collection
        for command in machine.take(name)
        if isinstance(command, CreateDataflow)
    ]


def error_of(machine: Machine, request: int) -> object:
    (reply,) = machine.replies[request]
    assert isinstance(reply, ErrorReply)
    return reply.error


def test_one_replica_is_asked_and_its_answer_is_the_answer() -> None:
    machine = machine_of("r1", "r2")
    request, copy = machine.copy()
    create, schedule = machine.take("r1")
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.exports[0].kind == CopyToExport(uri="x.parquet", format="parquet")
    assert (create.dataflow.as_of, create.dataflow.until) == (Frontier(99), Frontier(100))
    assert schedule == Schedule(collection=copy)
    assert asked(machine, "r2") == []
    machine.copied("r1", copy, CopyToRows(row_count=7, path="/x.parquet"))
    (reply,) = machine.replies[request]
    wrote = ("r1 wrote /x.parquet",)
    assert reply == DoneReply(tag="COPY 7", row_count=7, time=99, notices=wrote)
    (drop,) = machine.take("r1")
    assert isinstance(drop, AllowCompaction)
    assert drop.frontier.is_closed
    machine.dropped("r1", copy)
    assert machine.state.copies == {}
    assert copy not in next(iter(machine.state.replicas.values())).installed


def test_who_is_not_asked_for_reads_is_asked_last() -> None:
    machine = machine_of("r1", "r2")
    first, second = machine.state.replicas.values()
    first.accepted, second.accepted, first.troubled = True, True, True
    request, copy = machine.copy()
    assert (asked(machine, "r1"), asked(machine, "r2")) == ([], [copy])
    machine.copied("r2", copy, FULL)
    assert asked(machine, "r1") == [copy]
    assert request not in machine.replies


def test_the_time_is_held_until_the_answer() -> None:
    machine = machine_of("r1")
    _, copy = machine.copy()
    machine.take("r1")
    machine.tick(1_000)
    machine.beat()
    assert machine.since(T) == 99
    machine.copied("r1", copy, CopyToRows(row_count=0))
    machine.dropped("r1", copy)
    machine.beat()
    assert machine.since(T) == 999 - CONFIG.retain_ms


def test_another_replica_takes_over_where_the_first_is_lost() -> None:
    machine = machine_of("r1", "r2")
    request, copy = machine.copy()
    assert asked(machine, "r1") == [copy]
    machine.lose("r1")
    assert asked(machine, "r2") == [copy]
    machine.lose("r2")
    assert machine.replies == {}
    assert copy in [
        c.dataflow.exports[0].collection
        for c in machine.connect("r1")
        if isinstance(c, CreateDataflow)
    ]
    machine.connect("r2")
    assert asked(machine, "r2") == []
    machine.copied("r1", copy, CopyToRows(row_count=1))
    assert len(machine.replies[request]) == 1


def test_another_replica_is_asked_where_the_first_cannot_write() -> None:
    machine = machine_of("r1", "r2")
    request, copy = machine.copy()
    assert asked(machine, "r1") == [copy]
    machine.copied("r1", copy, FULL)
    assert asked(machine, "r2") == [copy]
    assert request not in machine.replies
    machine.copied("r2", copy, FULL)
    assert isinstance(error_of(machine, request), ReplicaFailed)
    assert machine.state.copies == {}


def test_what_any_replica_would_say_is_the_answer() -> None:
    machine = machine_of("r1", "r2")
    request, copy = machine.copy()
    machine.copied("r1", copy, Failure(code="data_error", message="division by zero"))
    assert isinstance(error_of(machine, request), DataError)
    assert asked(machine, "r2") == []


def test_a_replica_that_drops_it_unasked_has_failed() -> None:
    machine = machine_of("r1")
    request, copy = machine.copy()
    machine.copied("r1", copy, CopyToDropped())
    assert isinstance(error_of(machine, request), ReplicaFailed)


def test_a_canceled_copy_is_silent_and_given_up() -> None:
    machine = machine_of("r1")
    request, copy = machine.copy()
    machine.take("r1")
    machine.step(RequestCanceled(request=request))
    (drop,) = machine.take("r1")
    assert drop == AllowCompaction(collection=copy, frontier=Frontier(None))
    machine.copied("r1", copy, CopyToDropped())
    assert machine.replies == {}
    assert machine.state.copies == {}
    assert not any(isinstance(send, CloseSession) for send in machine.others)


def test_it_waits_for_a_replica_but_not_for_ever() -> None:
    machine = Machine()
    request, _ = machine.copy()
    assert machine.wake_at_ms is not None
    assert machine.wake_at_ms <= machine.now_ms + CONFIG.peek_wait_ms
    machine.now_ms += CONFIG.peek_wait_ms
    machine.beat()
    assert isinstance(error_of(machine, request), Unavailable)


def test_a_copy_for_one_replica_ends_with_it() -> None:
    machine = machine_of("r1", "r2")
    request, copy = machine.copy(replica="r2")
    assert (asked(machine, "r1"), asked(machine, "r2")) == ([], [copy])
    machine.lose("r2")
    assert isinstance(error_of(machine, request), ReplicaFailed)
    missing, _ = machine.copy(replica="r3")
    assert isinstance(error_of(machine, missing), ReplicaMissing)


def test_what_cannot_be_read_is_refused_at_once() -> None:
    machine = machine_of("r1")
    ahead, _ = machine.copy(time=500)
    assert isinstance(error_of(machine, ahead), NotComplete)
    machine.tick(1_000)
    machine.beat()
    gone, _ = machine.copy(time=3)
    assert isinstance(error_of(machine, gone), SinceViolation)
    for _ in range(copies.COPIES_ACTIVE_MAX):
        machine.copy()
    full, _ = machine.copy()
    assert isinstance(error_of(machine, full), LimitExceeded)


def test_a_dropped_table_ends_it() -> None:
    machine = machine_of("r1")
    request, _ = machine.copy()
    machine.install(drops=(T,))
    assert isinstance(error_of(machine, request), CollectionMissing)
    assert machine.state.copies == {}
