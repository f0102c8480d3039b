"""Subscribes: one sequence without gap or repeat, whichever replicas it comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.instance.ready import CloseSession
from antiphon.controller.ports import ErrorReply, SubscribeReply
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Schedule, StartRebuild
from antiphon.protocol.dataflow import SubscribeExport
from antiphon.protocol.delta import TIME_COLUMN, decode_batch, delta_schema
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    DataError,
    InvalidArgument,
    NotComplete,
    ReplicaFailed,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.response import (
    Failure,
    RebuildCompleted,
    RebuildResult,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from tests.controller.instance.content.test_comparing import RIGHT, WRONG, tell, wait
from tests.controller.instance.machine import (
    CONFIG,
    SCHEMA,
    Machine,
    T,
    index,
    of_type,
    updates,
)

A = CollectionId(10)


@pytest.fixture
def machine() -> Machine:
    machine = Machine()
    machine.connect("r1")
    machine.connect("r2")
    return machine


def seen(machine: Machine, request: int) -> list[tuple[int | None, int | None, list[int]]]:
    """The intervals that the client got, with the times of their updates."""
    intervals = []
    for reply in machine.replies.get(request, []):
        assert isinstance(reply, SubscribeReply), reply
        times = [
            time
            for batch in reply.batches
            for time in decode_batch(batch, delta_schema(SCHEMA)).column(TIME_COLUMN).to_pylist()
        ]
        intervals.append((reply.lower.time, reply.upper.time, times))
    return intervals


def error_of(machine: Machine, request: int) -> ComputeError:
    reply = machine.replies[request][-1]
    assert isinstance(reply, ErrorReply)
    return reply.error


def end(machine: Machine, name: str, collection: CollectionId, failure: Failure) -> None:
    result = SubscribeBatch(lower=START, upper=Frontier(100), failure=failure)
    machine.respond(name, SubscribeResponse(collection=collection, result=result))


def test_it_starts_everywhere_and_at_once(machine: Machine) -> None:
    _, collection = machine.subscribe()
    for name in ("r1", "r2"):
        create, schedule = machine.take(name)
        assert isinstance(create, CreateDataflow)
        assert create.dataflow.as_of == Frontier(99)
        assert schedule == Schedule(collection=collection)


def test_batches_with_other_boundaries_are_delivered_once_and_contiguous(
    machine: Machine,
) -> None:
    """Number 44."""
    request, collection = machine.subscribe()
    machine.tick(150)
    machine.batch("r1", collection, 0, 100, 99)
    machine.batch("r2", collection, 0, 120, 99, 105, 119)
    machine.batch("r1", collection, 100, 110, 105)
    machine.batch("r1", collection, 110, 150, 119, 130)
    machine.batch("r2", collection, 120, 140, 130)
    assert seen(machine, request) == [
        (0, 100, [99]),
        (100, 120, [105, 119]),
        (120, 150, [130]),
    ]


def test_a_replica_that_comes_back_starts_where_the_client_is(machine: Machine) -> None:
    """Number 45: no gap, no repeat, and what was seen is not read again."""
    machine.lose("r2")
    request, collection = machine.subscribe()
    machine.tick(150)
    machine.batch("r1", collection, 0, 100, 99)
    machine.batch("r1", collection, 100, 150, 120)
    machine.lose("r1")
    (create,) = of_type(machine.connect("r1"), CreateDataflow)
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.as_of == Frontier(149)
    assert create.dataflow.exports[0].kind == SubscribeExport(with_snapshot=False)
    machine.tick(200)
    machine.batch("r1", collection, 150, 200, 160)
    assert seen(machine, request)[-1] == (150, 200, [160])


def test_before_the_snapshot_was_seen_it_is_asked_for_again(machine: Machine) -> None:
    _, _collection = machine.subscribe()
    machine.lose("r1")
    (create,) = of_type(machine.connect("r1"), CreateDataflow)
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.exports[0].kind == SubscribeExport(with_snapshot=True)


def test_the_time_before_the_frontier_stays_readable(machine: Machine) -> None:
    _, collection = machine.subscribe()
    machine.tick(500)
    for name in ("r1", "r2"):
        machine.report(name, collection, 500)
    machine.beat()
    assert machine.since(T) == 99
    machine.batch("r1", collection, 0, 300, 99)
    machine.beat()
    assert machine.since(T) == 299


def test_only_the_target_counts(machine: Machine) -> None:
    """Number 46."""
    request, collection = machine.subscribe(replica="r2")
    assert of_type(machine.take("r1"), CreateDataflow) == []
    machine.batch("r2", collection, 0, 100, 99)
    assert seen(machine, request) == [(0, 100, [99])]


def test_a_targeted_subscribe_ends_with_its_target(machine: Machine) -> None:
    """Number 47."""
    request, collection = machine.subscribe(replica="r2")
    machine.batch("r2", collection, 0, 100, 99)
    machine.lose("r2")
    assert isinstance(error_of(machine, request), ReplicaFailed)
    assert len(machine.replies[request]) == 2


def test_after_a_cancel_nothing_reaches_the_client_and_state_goes_when_all_have_stopped(
    machine: Machine,
) -> None:
    """Number 48."""
    request, collection = machine.subscribe()
    machine.take("r1"), machine.take("r2")
    machine.step(RequestCanceled(request=request))
    drop = AllowCompaction(collection=collection, frontier=CLOSED)
    assert machine.take("r1") == machine.take("r2") == [drop]
    machine.batch("r1", collection, 0, 100, 99)
    assert request not in machine.replies
    assert collection in machine.state.replicas[ReplicaId("r1")].installed
    machine.dropped("r1", collection)
    assert collection not in machine.state.replicas[ReplicaId("r1")].installed
    assert collection in machine.state.replicas[ReplicaId("r2")].installed


def test_it_goes_on_after_a_frontier_that_was_seen(machine: Machine) -> None:
    machine.tick(150)
    request, collection = machine.subscribe(resume_from=120)
    create = machine.take("r1")[0]
    assert isinstance(create, CreateDataflow)
    assert create.dataflow.as_of == Frontier(119)
    assert create.dataflow.exports[0].kind == SubscribeExport(with_snapshot=False)
    machine.batch("r1", collection, 120, 150, 130)
    assert seen(machine, request) == [(120, 150, [130])]


def test_where_it_cannot_go_on_it_says_so(machine: Machine) -> None:
    machine.tick(500)
    machine.beat()
    assert isinstance(error_of(machine, machine.subscribe(resume_from=100)[0]), SinceViolation)
    assert isinstance(error_of(machine, machine.subscribe(resume_from=502)[0]), NotComplete)
    assert isinstance(error_of(machine, machine.subscribe(resume_from=0)[0]), InvalidArgument)
    assert isinstance(error_of(machine, machine.subscribe(CollectionId(9))[0]), CollectionMissing)
    assert machine.state.subscribes == {}


def test_without_snapshot_only_changes_are_sent(machine: Machine) -> None:
    request, collection = machine.subscribe(with_snapshot=False)
    machine.tick(150)
    machine.batch("r1", collection, 100, 150, 120)
    assert seen(machine, request) == [(100, 150, [120])]


def test_a_data_error_is_final(machine: Machine) -> None:
    request, collection = machine.subscribe()
    end(machine, "r1", collection, Failure(code="data_error", message="division by zero"))
    assert isinstance(error_of(machine, request), DataError)
    assert collection not in machine.state.subscribes


def test_a_replicas_own_failure_leaves_it_to_the_others(machine: Machine) -> None:
    request, collection = machine.subscribe()
    end(machine, "r1", collection, Failure(code="internal", message="a bug"))
    machine.batch("r2", collection, 0, 100, 99)
    assert seen(machine, request) == [(0, 100, [99])]
    dropped = SubscribeResponse(collection=collection, result=SubscribeDropped(at=Frontier(100)))
    machine.respond("r2", dropped, legal=False)
    assert isinstance(error_of(machine, request), ReplicaFailed)


def test_a_finished_subscribe_is_over(machine: Machine) -> None:
    request, collection = machine.subscribe()
    last = SubscribeBatch(lower=START, upper=CLOSED, batches=(updates(99),))
    machine.respond("r1", SubscribeResponse(collection=collection, result=last))
    assert seen(machine, request) == [(0, None, [99])]
    assert collection not in machine.state.subscribes


def test_a_gap_is_the_replicas_fault(machine: Machine) -> None:
    request, collection = machine.subscribe()
    machine.batch("r1", collection, 0, 100, 99)
    # What the session's ledger would not let through, should it ever come.
    machine.batch("r1", collection, 120, 150, legal=False)
    assert any(isinstance(send, CloseSession) for send in machine.others)
    assert seen(machine, request) == [(0, 100, [99])]


def test_dropping_what_it_reads_ends_it(machine: Machine) -> None:
    request, collection = machine.subscribe()
    machine.install(drops=(T,))
    assert isinstance(error_of(machine, request), CollectionMissing)
    assert collection not in machine.state.subscribes


@given(st.data())
def test_any_two_replicas_make_one_sequence(data: st.DataObject) -> None:
    """Both report the same updates, each cut at its own times, interleaved in any way."""
    machine = Machine()
    machine.connect("r1"), machine.connect("r2")
    request, collection = machine.subscribe()
    machine.tick(140)
    times = sorted(data.draw(st.sets(st.integers(100, 139))))
    pending = {}
    for name in ("r1", "r2"):
        cuts = sorted({100, 140, *data.draw(st.sets(st.integers(101, 139), max_size=6))})
        bounds = list(zip([0, *cuts], cuts, strict=False))
        pending[name] = bounds
    while any(pending.values()):
        name = data.draw(st.sampled_from([n for n, bounds in pending.items() if bounds]))
        lower, upper = pending[name].pop(0)
        inside = [time for time in times if lower <= time < upper]
        machine.batch(name, collection, lower, upper, *(inside if lower else [99]))
    intervals = seen(machine, request)
    assert [time for _, _, found in intervals for time in found] == [99, *times]
    assert [lower for lower, _, _ in intervals] == [0, *(upper for _, upper, _ in intervals[:-1])]
    assert intervals[-1][1] == 140


def test_a_new_one_is_told_when_nobody_is_there_for_too_long() -> None:
    machine = Machine()
    request, _ = machine.subscribe()
    machine.now_ms += CONFIG.peek_wait_ms - 1
    machine.beat()
    error = error_of(machine, request)
    assert isinstance(error, Unavailable)
    assert error.details["waited_s"] == str(CONFIG.peek_wait_ms // 1000)
    assert machine.state.subscribes == {}


def test_one_that_has_begun_or_goes_on_or_has_a_replica_is_not_given_up(machine: Machine) -> None:
    begun, name = machine.subscribe()
    machine.batch("r1", name, 0, 100, 50)
    filling, _ = machine.subscribe()
    for _ in range(3):
        machine.now_ms += CONFIG.peek_wait_ms
        machine.beat()
    machine.lose("r1")
    machine.lose("r2")
    resumed, _ = machine.subscribe(resume_from=100)
    machine.now_ms += 2 * CONFIG.peek_wait_ms
    machine.beat()
    assert resumed not in machine.replies
    assert len(machine.replies[begun]) == 1
    assert isinstance(error_of(machine, filling), Unavailable)


def filling(*names: str) -> Machine:
    """A machine with an index; of these replicas the first is filled and read from."""
    machine = Machine()
    machine.install(index(A))
    for name in names:
        machine.connect(name)
    machine.report(names[0], A, 100)
    assert machine.state.replicas[ReplicaId(names[0])].accepted
    for name in names:
        machine.take(name)
    return machine


def begun(machine: Machine, name: str) -> list[int | None]:
    """From where on a subscribe was started there since the last look."""
    return [
        command.dataflow.as_of.time
        for command in machine.take(name)
        if isinstance(command, CreateDataflow)
    ]


def test_who_is_not_up_to_date_begins_once_it_is_where_the_client_is_by_then() -> None:
    machine = filling("r1", "r2")
    request, collection = machine.subscribe(with_snapshot=False)
    assert begun(machine, "r1") == [99]
    assert begun(machine, "r2") == []
    machine.tick(120)
    machine.batch("r1", collection, 100, 120, 110)
    machine.report("r2", A, 120)
    assert begun(machine, "r2") == [119]
    machine.tick(130)
    machine.batch("r2", collection, 120, 130, 125)
    assert seen(machine, request) == [(100, 120, [110]), (120, 130, [125])]


def test_a_lone_replica_is_asked_before_it_is_up_to_date() -> None:
    machine = filling("r1", "r2")
    _, collection = machine.subscribe(with_snapshot=False)
    machine.tick(120)
    machine.batch("r1", collection, 100, 120, 110)
    machine.take("r2")
    machine.lose("r1")
    assert begun(machine, "r2") == [119]


@pytest.mark.parametrize("mended_first", [False, True])
def test_who_is_found_wrong_is_heard_no_more_and_begins_again_when_it_is_mended(
    mended_first: bool,
) -> None:
    machine = filling("r1", "r2", "r3")
    for name in ("r2", "r3"):
        machine.report(name, A, 100)
    wait(machine, 0)
    for name in ("r1", "r2", "r3"):
        machine.take(name)
    machine.digest = None
    request, collection = machine.subscribe(with_snapshot=False)
    machine.take("r2")
    wait(machine, CONFIG.compare_ms)
    tell(machine, r1=RIGHT, r2=WRONG, r3=RIGHT)
    commands = machine.take("r2")
    drop = AllowCompaction(collection=collection, frontier=CLOSED)
    assert drop in commands
    (repair,) = of_type(commands, StartRebuild)
    assert isinstance(repair, StartRebuild)
    upper = machine.state.timeline_upper + 20
    machine.tick(upper)
    machine.batch("r2", collection, 100, upper, 110)
    assert seen(machine, request) == [], "what was under way is not heard"
    machine.batch("r1", collection, 100, upper, 111)
    assert seen(machine, request) == [(100, upper, [111])]
    if not mended_first:
        machine.dropped("r2", collection)
        assert begun(machine, "r2") == [], "it is wrong still"
    result = RebuildCompleted(achieved_time=repair.target_time, digest=RIGHT)
    machine.respond("r2", RebuildResult(session_id=repair.session_id, result=result))
    tell(machine, r1=RIGHT)
    if mended_first:
        assert begun(machine, "r2") == [], "it has yet to drop it"
        machine.dropped("r2", collection)
    assert begun(machine, "r2") == [upper - 1]
