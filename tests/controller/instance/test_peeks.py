"""Peeks: one answer from whoever is first, and the time held until the others are told to stop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.instance.event import RequestCanceled, StashReleased, Ticked
from antiphon.controller.ports import ErrorReply, RowsReply, StashReply
from antiphon.protocol.command import AllowCompaction, CancelPeek, Peek
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    DataError,
    Internal,
    NotComplete,
    ReplicaFailed,
    ReplicaMissing,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, PeekId, ReplicaId
from antiphon.protocol.response import Failure, PeekResponse, PeekStashed
from tests.controller.instance.machine import CONFIG, Machine, T, U, index, of_type

A = CollectionId(10)
DATA_ERROR = Failure(code="data_error", message="division by zero")
BROKEN = Failure(code="internal", message="a bug")


@pytest.fixture
def machine() -> Machine:
    """An index on two replicas that are up to date at 199."""
    machine = Machine()
    machine.install(index(A))
    for name in ("r1", "r2"):
        machine.connect(name)
        machine.report(name, A, 100)
    machine.tick(200)
    for name in ("r1", "r2"):
        machine.report(name, A, 200)
        machine.take(name)
    return machine


def error_of(machine: Machine, request: int) -> ComputeError:
    (reply,) = machine.replies[request]
    assert isinstance(reply, ErrorReply)
    return reply.error


def fail(machine: Machine, name: str, peek_id: PeekId, failure: Failure) -> None:
    machine.respond(name, PeekResponse(peek_id=peek_id, result=failure))


def test_a_strict_peek_reads_after_the_latest_completed_write(machine: Machine) -> None:
    machine.peek(A)
    for name in ("r1", "r2"):
        (peek,) = machine.take(name)
        assert isinstance(peek, Peek)
        assert peek.time == 199


def test_the_first_answer_wins_and_the_other_replica_is_told_to_stop(machine: Machine) -> None:
    """Number 33."""
    request, peek_id = machine.peek(A)
    machine.take("r1"), machine.take("r2")
    machine.answer("r1", peek_id, row_count=3)
    assert machine.take("r2") == [CancelPeek(peek_id=peek_id)]
    assert machine.take("r1") == []
    machine.answer("r2", peek_id, row_count=4)
    assert machine.replies[request] == [
        RowsReply(batches=(), row_count=3, time=199, replica=ReplicaId("r1"), last=True)
    ]


def test_only_the_target_is_asked_and_only_it_may_answer(machine: Machine) -> None:
    """Number 34."""
    request, peek_id = machine.peek(A, replica="r2")
    assert machine.take("r1") == []
    machine.answer("r1", peek_id, legal=False)
    assert request not in machine.replies
    machine.answer("r2", peek_id)
    assert isinstance(machine.replies[request][0], RowsReply)


def test_a_targeted_peek_ends_with_its_target(machine: Machine) -> None:
    """Number 35: an error, and no hold remains."""
    request, _ = machine.peek(A, replica="r2")
    machine.lose("r2")
    assert isinstance(error_of(machine, request), ReplicaFailed)
    assert all("PEEK" not in str(holder) for holder in machine.collection(A).holds)


def test_a_target_must_exist_and_be_there(machine: Machine) -> None:
    assert isinstance(error_of(machine, machine.peek(A, replica="r9")[0]), ReplicaMissing)
    machine.lose("r2")
    assert isinstance(error_of(machine, machine.peek(A, replica="r2")[0]), ReplicaFailed)


def test_a_peek_waits_for_a_replica_to_come(machine: Machine) -> None:
    """Number 36."""
    machine.lose("r1"), machine.lose("r2")
    request, peek_id = machine.peek(A)
    assert of_type(machine.connect("r3"), Peek)
    machine.answer("r3", peek_id)
    assert isinstance(machine.replies[request][0], RowsReply)


def test_a_peek_that_nobody_is_there_for_gives_up() -> None:
    machine = Machine(replace(CONFIG, peek_wait_ms=30_000))
    request, _ = machine.peek(T)
    assert machine.wake_at_ms is not None
    assert machine.wake_at_ms <= machine.now_ms + 30_000
    machine.now_ms += 29_999
    machine.step(Ticked())
    assert request not in machine.replies
    machine.now_ms += 1
    machine.step(Ticked())
    error = error_of(machine, request)
    assert isinstance(error, Unavailable)
    assert error.definite


def test_with_a_replica_a_peek_takes_the_time_it_takes(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    machine.now_ms += 100_000
    machine.step(Ticked())
    assert request not in machine.replies
    machine.answer("r1", peek_id)
    assert isinstance(machine.replies[request][0], RowsReply)


def test_cancellation_precedes_compaction_past_the_time(machine: Machine) -> None:
    """Number 37."""
    _, peek_id = machine.peek(A)
    machine.take("r2")
    machine.tick(500)
    machine.report("r1", A, 500), machine.report("r2", A, 500)
    machine.beat()
    allowed = of_type(machine.take("r2"), AllowCompaction)
    assert allowed == [AllowCompaction(collection=A, frontier=Frontier(199))], "no further"
    machine.answer("r1", peek_id)
    machine.beat()
    commands = machine.take("r2")
    assert [type(command) for command in commands] == [CancelPeek, AllowCompaction]


def test_a_canceled_peek_is_silent(machine: Machine) -> None:
    """Number 38."""
    request, peek_id = machine.peek(A)
    machine.take("r1")
    machine.step(RequestCanceled(request=request))
    assert machine.take("r1") == [CancelPeek(peek_id=peek_id)]
    machine.answer("r1", peek_id)
    assert request not in machine.replies


def test_a_data_error_is_an_answer(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    fail(machine, "r1", peek_id, DATA_ERROR)
    assert isinstance(error_of(machine, request), DataError)
    assert peek_id not in machine.state.peeks


def test_a_replicas_own_failure_waits_for_the_others(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    fail(machine, "r1", peek_id, BROKEN)
    assert request not in machine.replies
    machine.answer("r2", peek_id, row_count=1)
    assert isinstance(machine.replies[request][0], RowsReply)


def test_when_all_fail_the_failure_is_the_answer(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    fail(machine, "r1", peek_id, BROKEN)
    fail(machine, "r2", peek_id, BROKEN)
    assert isinstance(error_of(machine, request), Internal)


def test_when_the_last_hope_is_lost_the_failure_is_the_answer(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    fail(machine, "r1", peek_id, BROKEN)
    machine.lose("r2")
    assert isinstance(error_of(machine, request), Internal)


def test_a_replica_that_failed_and_came_back_is_asked_again(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    fail(machine, "r1", peek_id, BROKEN)
    machine.lose("r1")
    assert not of_type(machine.connect("r1"), Peek), "it is rebuilt, and r2 can still answer"
    machine.report("r1", A, 200)
    assert of_type(machine.take("r1"), Peek)
    machine.answer("r1", peek_id)
    assert isinstance(machine.replies[request][0], RowsReply)


def test_a_large_answer_stays_where_it_is_until_fetched(machine: Machine) -> None:
    request, peek_id = machine.peek(A)
    machine.take("r1"), machine.take("r2")
    stashed = PeekStashed(row_count=9, byte_count=10**7)
    machine.respond("r1", PeekResponse(peek_id=peek_id, result=stashed))
    assert machine.replies[request] == [
        StashReply(peek_id=peek_id.value, replica=ReplicaId("r1"), row_count=9, time=199)
    ]
    assert machine.take("r1") == [], "a cancellation would drop the result"
    machine.respond("r2", PeekResponse(peek_id=peek_id, result=stashed))
    assert machine.take("r2") == 2 * [CancelPeek(peek_id=peek_id)], "nobody wants this one"
    machine.step(StashReleased(replica=ReplicaId("r1"), peek_id=peek_id))
    assert machine.take("r1") == [CancelPeek(peek_id=peek_id)]


def test_what_cannot_be_read_is_said_at_once(machine: Machine) -> None:
    assert isinstance(error_of(machine, machine.peek(A, time=200)[0]), NotComplete)
    assert isinstance(error_of(machine, machine.peek(A, time=50)[0]), SinceViolation)
    assert isinstance(error_of(machine, machine.peek(CollectionId(99))[0]), CollectionMissing)
    assert machine.state.peeks == {}


def test_a_peek_holds_everything_it_reads() -> None:
    machine = Machine()
    machine.peek(T, U)
    machine.tick(500)
    machine.beat()
    assert machine.since(T) == machine.since(U) == 99


def test_a_peek_of_something_dropped_meanwhile_ends_when_nobody_has_it_any_more(
    machine: Machine,
) -> None:
    request, _ = machine.peek(A)
    machine.install(drops=(A,))
    assert request not in machine.replies, "the replicas were asked before the drop"
    machine.lose("r1")
    machine.lose("r2")
    assert not of_type(machine.connect("r1"), Peek)
    assert isinstance(error_of(machine, request), CollectionMissing)


def test_nobody_is_waited_for_who_connected_after_what_is_read_was_dropped(
    machine: Machine,
) -> None:
    request, _ = machine.peek(A)
    machine.lose("r1")
    machine.install(drops=(A,))
    assert not of_type(machine.connect("r1"), Peek), "there it can no longer be answered"
    assert request not in machine.replies, "but the other replica still has it"
    machine.lose("r2")
    assert isinstance(error_of(machine, request), CollectionMissing)
