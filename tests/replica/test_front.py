"""The front: who may speak, who is evicted, what is said and when. Numbers are those of the
behaviours that the protocol promises."""

from __future__ import annotations

import pytest

from antiphon.protocol.command import (
    AllowCompaction,
    AllowWrites,
    CommandSet,
    Schedule,
    SyncDecision,
    UpdateConfiguration,
)
from antiphon.protocol.errors import (
    AntiphonError,
    EpochFenced,
    InstanceMismatch,
    Internal,
    RemoteProtocolError,
    StaleFacts,
    Unavailable,
    VersionMismatch,
)
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    Epoch,
    Incarnation,
    InstanceId,
    Position,
)
from antiphon.protocol.limits import GREETING_DEADLINE_MS, HEARTBEAT_INTERVAL_MS
from antiphon.protocol.response import (
    Draining,
    Failure,
    Frontiers,
    HydrationProgress,
    PeekResponse,
    PeekRows,
    PeekStashed,
    Status,
)
from antiphon.protocol.stage import Stage
from antiphon.replica.front import Front
from antiphon.replica.ports import (
    CommandsReceived,
    Connected,
    Disconnected,
    EndSession,
    Fence,
    OpenTail,
    Stash,
    WorkerProgress,
    WorkerReady,
)
from tests.replica.scripted import (
    CLAIM,
    INCARNATION,
    INSTANCE,
    REPLICA,
    at,
    complete,
    connection,
    create_instance,
    hello,
    index,
    peek_id,
    read_index,
    sent,
)


def new_front(fence: Fence | None = None, stash_bytes_max: int = 1_000) -> Front:
    return Front(
        replica=REPLICA,
        incarnation=INCARNATION,
        fence=fence,
        stash_bytes_max=stash_bytes_max,
    )


def connected(front: Front, stream: int = 1, **options: int) -> None:
    """A session in READ_ONLY, without anything installed."""
    front.opened(stream, 0)
    ready = front.received(stream, (hello(**options), create_instance(), complete()), 0)
    assert not ready.ends or ready.ends[0][0] != stream, f"refused: {ready.ends}"


def errors_of(ends: list[tuple[int, AntiphonError]]) -> dict[int, type[AntiphonError]]:
    return {stream: type(error) for stream, error in ends}


def test_the_first_hello_is_remembered_before_anything_else_happens() -> None:
    front = new_front()
    front.opened(1, 0)
    ready = front.received(1, (hello(epoch=3), create_instance()), 0)
    assert ready.remember == Fence(instance_id=INSTANCE, epoch=Epoch(3), claim_id=CLAIM)
    kinds = [type(event) for event in ready.events]
    assert kinds == [Connected, CommandsReceived]
    assert not ready.ends


def test_1_nothing_is_said_before_the_instance_is_created() -> None:
    front = new_front()
    front.opened(1, 0)
    front.received(1, (hello(), create_instance()), 0)
    quiet = front.drain("test")  # in INITIALIZATION only signs of life are legal
    assert [type(response) for _, _, sent_ in quiet.sends for response in sent_] == [Draining]
    other = new_front()
    other.opened(1, 0)
    other.received(1, (hello(),), 0)
    assert not other.drain("test").sends
    assert not other.tick(10 * HEARTBEAT_INTERVAL_MS).sends


def test_2_a_stream_that_does_not_begin_with_hello_is_closed_and_changes_nothing() -> None:
    front = new_front()
    before = front.facts()
    front.opened(1, 0)
    ready = front.received(1, (create_instance(),), 0)
    assert errors_of(ready.ends) == {1: RemoteProtocolError}
    assert not ready.events
    assert front.facts() == before


def test_3_a_dataflow_before_create_instance_is_rejected() -> None:
    front = new_front()
    front.opened(1, 0)
    ready = front.received(1, (hello(), sent(index(7), 1)), 0)
    assert errors_of(ready.ends) == {1: RemoteProtocolError}
    assert [type(event) for event in ready.events] == [Connected, Disconnected]


def test_21_a_schedule_of_what_does_not_exist_closes_the_stream() -> None:
    front = new_front()
    connected(front)
    ready = front.received(1, (sent(Schedule(collection=CollectionId(9))),), 0)
    assert errors_of(ready.ends) == {1: RemoteProtocolError}


def test_commands_before_an_illegal_one_reach_the_worker() -> None:
    front = new_front()
    connected(front)
    good = sent(UpdateConfiguration(values={"a": "1"}), 1)
    ready = front.received(1, (good, sent(Schedule(collection=CollectionId(9)))), 0)
    received, gone = ready.events
    assert isinstance(received, CommandsReceived)
    assert received.commands == (good,)
    assert isinstance(gone, Disconnected)


REFUSED: dict[str, tuple[dict[str, object], type[AntiphonError]]] = {
    "an older epoch": ({"epoch": 2}, EpochFenced),
    "another claim of the epoch": ({"epoch": 3, "claim": ClaimId(b"x" * 16)}, EpochFenced),
    "a version nobody speaks": ({"version": 99}, VersionMismatch),
    "another instance": ({"instance": InstanceId(2)}, InstanceMismatch),
    "another replica's name": ({"replica": "other"}, InstanceMismatch),
    "an earlier start of the process": ({"incarnation": Incarnation(b"o" * 16)}, StaleFacts),
    "another position": ({"position": 5}, StaleFacts),
    "an old session": ({"session": 1}, StaleFacts),
    "a connection id that is not new": ({"connection_id": 1}, RemoteProtocolError),
    "a decision that contradicts its set": (
        {"decision": SyncDecision.KEEP_UP, "command_set": CommandSet.FULL},
        RemoteProtocolError,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_5_a_newcomer_that_is_refused_leaves_the_incumbent_alone(
    case: str,
) -> None:
    options, error = REFUSED[case]
    newcomer = hello(**{"epoch": 4, "session": 9, "connection_id": 2, **options})  # type: ignore[arg-type]
    front = new_front()
    connected(front, epoch=3)
    before = front.facts()
    front.opened(2, 0)
    ready = front.received(2, (newcomer,), 0)
    assert errors_of(ready.ends) == {2: error}
    assert ready.remember is None
    assert not ready.events
    assert front.facts() == before
    # The incumbent still works.
    ready = front.received(1, (sent(UpdateConfiguration(values={}), 1),), 0)
    assert [type(event) for event in ready.events] == [CommandsReceived]


def test_6_a_newer_controller_ends_the_incumbent_with_a_fence() -> None:
    front = new_front()
    connected(front, epoch=3)
    front.opened(2, 0)
    ready = front.received(2, (hello(epoch=4, connection_id=2, session=2),), 0)
    assert errors_of(ready.ends) == {1: EpochFenced}
    assert ready.remember is not None
    assert ready.remember.epoch == 4
    assert [type(event) for event in ready.events] == [Disconnected, Connected]


def test_a_new_connection_of_the_same_controller_does_not_fence_it() -> None:
    front = new_front()
    connected(front, epoch=3)
    front.opened(2, 0)
    ready = front.received(2, (hello(epoch=3, connection_id=2, session=2),), 0)
    assert errors_of(ready.ends) == {1: Unavailable}
    assert ready.remember is None


def test_a_fence_survives_a_restart() -> None:
    front = new_front(Fence(instance_id=INSTANCE, epoch=Epoch(7), claim_id=CLAIM))
    assert front.facts().highest_epoch == 7
    front.opened(1, 0)
    ready = front.received(1, (hello(epoch=6),), 0)
    assert errors_of(ready.ends) == {1: EpochFenced}


def test_66_responses_of_an_earlier_connection_go_nowhere() -> None:
    front = new_front()
    connected(front, 1, connection_id=1)
    connected(front, 2, connection_id=2, session=2)
    stale = Frontiers(collection=CollectionId(7), write_frontier=at(5))
    ready = front.worker_ready(WorkerReady(responses=(stale,), connection_id=connection(1)), 0)
    assert not ready.sends


def test_every_response_carries_its_connection() -> None:
    front = new_front()
    front.opened(1, 0)
    front.received(1, (hello(), create_instance(), sent(index(7), 1), complete(1)), 0)
    report = Frontiers(collection=CollectionId(7), write_frontier=at(10))
    ready = front.worker_ready(WorkerReady(responses=(report,), connection_id=connection(1)), 0)
    assert ready.sends == [(1, connection(1), (report,))]


def test_64_the_position_moves_only_once_initialization_is_complete() -> None:
    front = new_front()
    front.opened(1, 0)
    front.received(1, (hello(), create_instance(), sent(index(7), 4)), 0)
    ready = front.closed(1, 0)
    assert [type(event) for event in ready.events] == [Disconnected]
    assert front.facts().applied_position == 0
    connected_again = (
        hello(connection_id=2, session=2),
        create_instance(),
        sent(index(7), 4),
        complete(6),
    )
    front.opened(2, 0)
    front.received(2, connected_again, 0)
    assert front.facts().applied_position == 6


def test_numbered_commands_extend_the_digest_from_the_head_on() -> None:
    front = new_front()
    connected(front)
    assert front.facts().command_digest == bytes(32)
    front.received(1, (sent(index(7), 1),), 0)
    first = front.facts()
    assert first.applied_position == 1
    assert first.command_digest != bytes(32)
    front.received(1, (sent(Schedule(collection=CollectionId(7))),), 0)
    assert front.facts().command_digest == first.command_digest, "live state is not numbered"
    dropped = AllowCompaction(collection=CollectionId(7), frontier=CLOSED)
    front.received(1, (sent(dropped, 2),), 0)
    assert front.facts().applied_position == 2
    assert front.facts().command_digest != first.command_digest


def test_the_heartbeat_comes_each_second_even_if_the_worker_is_silent() -> None:
    front = new_front()
    connected(front)
    wake = front.wake_at_ms()
    assert wake == HEARTBEAT_INTERVAL_MS
    first = front.tick(wake)
    second = front.tick(2 * HEARTBEAT_INTERVAL_MS)
    statuses = [response for ready in (first, second) for _, _, r in ready.sends for response in r]
    assert [type(status) for status in statuses] == [Status, Status]
    late = statuses[1]
    assert isinstance(late, Status)
    assert late.stage is Stage.READ_ONLY
    assert late.backlog_age_ms == 2 * HEARTBEAT_INTERVAL_MS, "nothing was handled since"


def test_the_heartbeat_tells_the_progress_of_the_worker() -> None:
    front = new_front()
    connected(front)
    front.worker_handled(2)
    front.resident(123)
    hydration = (HydrationProgress(collection=CollectionId(7), rows_done=1, rows_total=2),)
    progress = WorkerProgress(applied_position=front.facts().applied_position, hydration=hydration)
    front.worker_ready(WorkerReady(progress=progress), 0)
    (_, _, (status,)) = front.tick(HEARTBEAT_INTERVAL_MS).sends[0]
    assert isinstance(status, Status)
    assert status.hydration == hydration
    assert status.resident_bytes == 123
    assert status.backlog_age_ms == 0


def test_what_was_applied_is_said_at_once_with_what_cannot_run() -> None:
    """Who waits for a session to be accepted does not wait for the next heartbeat."""
    front = new_front()
    connected(front)
    progress = WorkerProgress(applied_position=Position(7), failed=(CollectionId(3),))
    (_, _, (status,)) = front.worker_ready(WorkerReady(progress=progress), 0).sends[0]
    assert isinstance(status, Status)
    assert (status.applied_position, status.failed) == (7, (CollectionId(3),))
    assert front.worker_ready(WorkerReady(progress=progress), 1).sends == []


def test_a_stream_that_stays_mute_is_ended() -> None:
    front = new_front()
    front.opened(1, 0)
    assert front.wake_at_ms() == GREETING_DEADLINE_MS
    assert not front.tick(GREETING_DEADLINE_MS - 1).ends
    assert errors_of(front.tick(GREETING_DEADLINE_MS).ends) == {1: RemoteProtocolError}
    assert front.wake_at_ms() is None


def test_the_worker_can_end_its_own_session_and_no_other() -> None:
    front = new_front()
    connected(front, 1, connection_id=1)
    stale = EndSession(connection_id=connection(9), error=Internal("x"))
    assert not front.worker_ready(WorkerReady(requests=(stale,)), 0).ends
    mine = EndSession(connection_id=connection(1), error=Internal("x"))
    ready = front.worker_ready(WorkerReady(requests=(mine,)), 0)
    assert errors_of(ready.ends) == {1: Internal}
    assert [type(event) for event in ready.events] == [Disconnected]


def test_requests_for_the_store_pass_through() -> None:
    front = new_front()
    request = OpenTail(tail=1, collections={})
    assert front.worker_ready(WorkerReady(requests=(request,)), 0).requests == [request]


def stashed(front: Front, number: int, size: int) -> object:
    front.received(1, (sent(read_index(number, 7, 5)),), 0)
    answer = PeekResponse(peek_id=peek_id(number), result=PeekStashed(row_count=1, byte_count=size))
    ready = front.worker_ready(
        WorkerReady(
            requests=(Stash(peek_id=peek_id(number), batches=(b"x" * size,), row_counts=(1,)),),
            responses=(answer,),
            connection_id=connection(1),
        ),
        0,
    )
    (_, _, (response,)) = ready.sends[0]
    assert isinstance(response, PeekResponse)
    return response.result


def test_a_stashed_result_is_taken_once() -> None:
    front = new_front()
    connected(front)
    assert isinstance(stashed(front, 1, 600), PeekStashed)
    fetch = front.take_result(peek_id(1), 0)
    assert fetch is not None
    assert front.take_result(peek_id(1), 0) is None
    assert front.stashed_bytes == 600
    chunk = fetch.next_chunk(0)
    assert chunk is not None
    assert chunk[1] == 1
    fetch.close()
    assert front.stashed_bytes == 0


def test_a_stash_that_is_full_turns_the_answer_into_a_failure() -> None:
    front = new_front(stash_bytes_max=1_000)
    connected(front)
    assert isinstance(stashed(front, 1, 600), PeekStashed)
    refused = stashed(front, 2, 600)
    assert isinstance(refused, Failure)
    assert refused.code == "limit_exceeded"
    assert front.take_result(peek_id(2), 0) is None


def test_an_illegal_response_never_leaves() -> None:
    front = new_front()
    connected(front)
    answer = PeekResponse(peek_id=peek_id(1), result=PeekRows(batches=(), row_count=0))
    with pytest.raises(AntiphonError, match="no peek"):
        front.worker_ready(WorkerReady(responses=(answer,), connection_id=connection(1)), 0)


def test_draining_is_announced_and_lets_nobody_in() -> None:
    front = new_front()
    connected(front)
    (_, _, (draining,)) = front.drain("SIGTERM").sends[0]
    assert draining == Draining(reason="SIGTERM")
    assert errors_of(front.opened(2, 0).ends) == {2: Unavailable}


def test_the_stage_shown_is_that_of_the_session() -> None:
    front = new_front()
    assert front.facts().stage is Stage.CLOSED
    connected(front)
    assert front.facts().stage is Stage.READ_ONLY
    front.received(1, (sent(AllowWrites()),), 0)
    assert front.facts().stage is Stage.READ_WRITE
    front.closed(1, 0)
    assert front.facts().stage is Stage.CLOSED
    connected(front, 2, connection_id=2, session=2)
    assert front.facts().stage is Stage.READ_ONLY, "each connection is allowed anew"


def test_68_the_last_of_many_connections_is_the_one_that_counts() -> None:
    front = new_front()
    for number in range(1, 40):
        front.opened(number, 0)
        front.received(number, (hello(connection_id=number, session=number),), 0)
    assert front.facts().session_id == 39
    ready = front.received(39, (create_instance(), complete()), 0)
    assert not ready.ends
    assert not front.received(38, (create_instance(),), 0).events, "its stream was ended"


def test_a_voided_session_leaves_no_claims_and_whoever_builds_on_it_ends() -> None:
    front = new_front()
    connected(front)
    front.received(1, (sent(index(7), 1),), 0)
    front.closed(1, 0)
    digest = front.facts().command_digest
    follow_up = (
        hello(
            connection_id=2,
            session=2,
            position=1,
            decision=SyncDecision.KEEP_UP,
            command_set=CommandSet.SUFFIX,
        ),
        create_instance(),
        complete(1, digest),
    )
    front.opened(2, 0)
    assert not front.received(2, follow_up, 0).ends
    late = EndSession(connection_id=connection(1), error=Internal("x"), void=True)
    ready = front.worker_ready(WorkerReady(requests=(late,)), 0)
    assert errors_of(ready.ends) == {2: Internal}
    facts = front.facts()
    assert (facts.history_id, facts.applied_position, facts.dataflows) == (None, 0, ())
