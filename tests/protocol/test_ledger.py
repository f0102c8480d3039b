"""What a session may refer to: each rule alone, then any sequence against a naive judge."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    CancelPeek,
    CancelRebuild,
    CreateDataflow,
    Schedule,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import CopyToExport, MaterializedViewExport, SubscribeExport
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.protocol.ids import CollectionId, PeekId, SessionId, transient
from antiphon.protocol.ledger import Ledger, LedgerCommand
from antiphon.protocol.response import (
    CopyToResponse,
    CopyToRows,
    Draining,
    Dropped,
    Failure,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    RebuildCompleted,
    RebuildResult,
    Response,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from tests.protocol.scripts import PEEK_1, PEEK_2, T1, U1, U2, create, drop, peek, subscribe

FAILURE = Failure(code="internal", message="no")
NO_ROWS = PeekRows(batches=(), row_count=0)
START_REBUILD = StartRebuild(
    session_id=SessionId(1), collections=(U1,), base_time=1, target_time=2, deadline_ms=1
)
CANCEL_REBUILD = CancelRebuild(session_id=SessionId(1), reason="enough")
COMPLETED = RebuildResult(
    session_id=SessionId(1), result=RebuildCompleted(achieved_time=2, digest=b"d")
)


def ledger(*messages: LedgerCommand | Response) -> Ledger:
    """A ledger that has seen these, each legal at its turn."""
    seen = Ledger()
    for message in messages:
        assert take(seen, message) is None, message
    return seen


def take(seen: Ledger, message: LedgerCommand | Response) -> str | None:
    """What it says, and that a refused one changes nothing."""
    before = repr(seen)
    if isinstance(message, LedgerCommand):
        problem = seen.take_command(message)
    else:
        problem = seen.take_response(message)
    assert problem is None or repr(seen) == before
    return problem


def compact(collection: CollectionId, time: int) -> AllowCompaction:
    return AllowCompaction(collection=collection, frontier=Frontier(time))


def batch(lower: int, upper: int | None, failure: Failure | None = None) -> SubscribeResponse:
    interval = Frontier(lower), CLOSED if upper is None else Frontier(upper)
    return SubscribeResponse(
        collection=T1, result=SubscribeBatch(lower=interval[0], upper=interval[1], failure=failure)
    )


def dropped_at(frontier: Frontier) -> SubscribeResponse:
    return SubscribeResponse(collection=T1, result=SubscribeDropped(at=frontier))


def moved(write: int | None = None, output: int | None = None) -> Frontiers:
    return Frontiers(
        collection=U1,
        write_frontier=None if write is None else Frontier(write),
        output_frontier=None if output is None else Frontier(output),
    )


def both(message: AllowCompaction | Frontiers | Schedule) -> AllowCompaction | Frontiers | Schedule:
    """The same said of U2 as well."""
    return replace(message, others=(U2,))


COPY = create(T1, kind=CopyToExport(uri="file:x", format="csv"))
COPIED = CopyToResponse(collection=T1, result=CopyToRows(row_count=1))
CLOSING = Frontiers(collection=U1, write_frontier=CLOSED)


@pytest.mark.parametrize(
    ("before", "message", "why"),
    [
        # Dataflows.
        ([], create(), "without exports"),
        ([], create(U1, U1), "exports a collection twice"),
        ([], create(U1, T1), "transient and catalog"),
        ([create(U1)], create(U1), "u1 exists already"),
        ([create(U1), drop(U1)], create(U1), "u1 exists already"),
        # Schedules and compaction.
        ([], Schedule(collection=U1), "there is no u1"),
        ([create(U1), drop(U1)], Schedule(collection=U1), "u1 was dropped"),
        ([], compact(U1, 5), "there is no u1"),
        ([create(U1), compact(U1, 7)], compact(U1, 6), "moves back from [7] to [6]"),
        ([create(U1), drop(U1)], compact(U1, 9), "u1 was dropped"),
        ([create(U1), drop(U1)], drop(U1), "u1 was dropped"),
        # Peeks.
        ([peek()], peek(), "is waiting already"),
        ([], PeekResponse(peek_id=PEEK_1, result=NO_ROWS), "no peek 31313131 is waiting"),
        (
            [peek(), PeekResponse(peek_id=PEEK_1, result=FAILURE)],
            PeekResponse(peek_id=PEEK_1, result=NO_ROWS),
            "no peek",
        ),
        ([peek()], PeekResponse(peek_id=PEEK_1, result=PeekCanceled()), "nobody canceled"),
        # Frontiers.
        ([], moved(5), "there is no u1"),
        ([create(U1)], moved(4), "write frontier of u1 moves back from [5] to [4]"),
        ([create(U1)], moved(output=4), "output frontier of u1 moves back"),
        ([create(U1), moved(9)], moved(8), "moves back from [9] to [8]"),
        ([create(U1), CLOSING], CLOSING, "was closed already"),
        # Drops.
        ([create(U1)], Dropped(collection=U1), "nobody dropped u1"),
        ([create(U1), drop(U1), Dropped(collection=U1)], Dropped(collection=U1), "no u1"),
        ([create(U1), drop(U1), Dropped(collection=U1)], moved(9), "there is no u1"),
        # Subscribes.
        ([create(U1)], dropped_at(START), "there is no t1"),
        ([subscribe()], batch(0, 5), "starts with [0] to [5]"),
        ([subscribe()], batch(7, 9), "starts with [7] to [9]"),
        ([subscribe(), batch(0, 8)], batch(9, 10), "continues [8] with [9]"),
        ([subscribe(), batch(0, 8)], batch(0, 9), "continues [8] with [0]"),
        ([subscribe(), batch(0, 8)], batch(8, 8), "an empty interval"),
        ([subscribe(), batch(0, None)], batch(9, 10), "has ended"),
        ([subscribe(), batch(0, 8, FAILURE)], batch(8, 9), "has ended"),
        ([subscribe(), batch(0, 8)], dropped_at(Frontier(8)), "nobody dropped t1"),
        ([subscribe(), batch(0, 8), drop(T1)], dropped_at(Frontier(7)), "ended at [8]"),
        ([subscribe(), batch(0, None), drop(T1)], dropped_at(CLOSED), "has ended"),
        ([subscribe()], COPIED, "is no copy-to"),
        # Copy-tos.
        ([COPY, COPIED], COPIED, "has ended"),
        ([COPY], batch(0, 9), "is no subscribe"),
        # Several at once: each is looked at, as if it stood alone.
        ([create(U1)], both(Schedule(collection=U1)), "there is no u2"),
        ([create(U1)], both(compact(U1, 9)), "there is no u2"),
        ([create(U1, U2), compact(U2, 9)], both(compact(U1, 8)), "of u2 moves back from [9]"),
        ([create(U1, U2)], both(drop(U1)), "2 collections are dropped at once"),
        ([create(U1)], both(moved(9)), "there is no u2"),
        ([create(U1, U2), both(moved(8)), moved(9)], both(moved(8)), "of u1 moves back from [9]"),
        ([create(U1, U2), both(moved(8)), both(CLOSING)], moved(9), "moves back from []"),
        ([create(U1, U2), both(moved(8)), both(CLOSING)], both(CLOSING), "of u1 was closed"),
        # Rebuilds.
        ([START_REBUILD], START_REBUILD, "runs already"),
        ([], COMPLETED, "no rebuild 1 runs"),
        ([START_REBUILD, CANCEL_REBUILD, COMPLETED], COMPLETED, "no rebuild 1 runs"),
        ([START_REBUILD, COMPLETED, CANCEL_REBUILD], COMPLETED, "no rebuild 1 runs"),
        ([START_REBUILD], AcceptRebuild(session_id=SessionId(1)), "has not completed"),
        ([START_REBUILD, COMPLETED], COMPLETED, "has completed"),
    ],
)
def test_it_is_illegal_and_the_reason_says_why(
    before: list[LedgerCommand | Response], message: LedgerCommand | Response, why: str
) -> None:
    reason = take(ledger(*before), message)
    assert reason is not None
    assert why in reason


@pytest.mark.parametrize(
    "messages",
    [
        [UpdateConfiguration(values={}), Draining(reason="x")],
        [create(U1, U2), drop(U1), moved(9), Dropped(collection=U1), Schedule(collection=U2)],
        [create(U1), compact(U1, 6), compact(U1, 6), compact(U1, 90)],
        [create(U1), moved(5), moved(5, 6), moved(), CLOSING],
        [create(U1, U2), both(Schedule(collection=U1)), both(compact(U1, 6)), both(moved(7))],
        [create(U1, kind=MaterializedViewExport()), moved(0), moved(3), moved(output=5)],
        [peek(), CancelPeek(peek_id=PEEK_1), PeekResponse(peek_id=PEEK_1, result=PeekCanceled())],
        [peek(), PeekResponse(peek_id=PEEK_1, result=NO_ROWS), CancelPeek(peek_id=PEEK_1)],
        [peek(), PeekResponse(peek_id=PEEK_1, result=NO_ROWS), peek()],
        [subscribe(), batch(0, 6), batch(6, 9), drop(T1), dropped_at(Frontier(9))],
        [subscribe(), drop(T1), dropped_at(START), Dropped(collection=T1)],
        [subscribe(), batch(6, 7), batch(7, None), drop(T1), Dropped(collection=T1)],
        [COPY, COPIED, drop(T1), Dropped(collection=T1)],
        [START_REBUILD, COMPLETED, AcceptRebuild(session_id=SessionId(1)), START_REBUILD],
        [START_REBUILD, CANCEL_REBUILD, CANCEL_REBUILD, START_REBUILD],
        [START_REBUILD, CANCEL_REBUILD, COMPLETED],
        [START_REBUILD, CANCEL_REBUILD, RebuildResult(session_id=SessionId(1), result=FAILURE)],
        [START_REBUILD, RebuildResult(session_id=SessionId(1), result=FAILURE), START_REBUILD],
    ],
    ids=lambda messages: "-".join(type(message).__name__ for message in messages),
)
def test_these_sequences_are_legal(messages: list[LedgerCommand | Response]) -> None:
    ledger(*messages)


def test_a_closed_as_of_is_illegal() -> None:
    never = create(U1)
    description = never.dataflow
    closed = CreateDataflow(
        dataflow=type(description)(
            name=description.name,
            imports=(),
            plan=description.plan,
            exports=description.exports,
            as_of=CLOSED,
            schema=description.schema,
        )
    )
    assert Ledger().take_command(closed) == "d starts at the closed frontier"


def test_collections_that_were_in_one_state_part_again() -> None:
    seen = ledger(create(U1), create(U2), both(moved(write=20)), moved(write=30))
    assert take(seen, both(moved(write=25))) == (
        "the write frontier of u1 moves back from [30] to [25]"
    )
    assert take(seen, replace(moved(write=25), collection=U2)) is None
    assert take(seen, both(moved(write=30))) is None
    assert take(seen, drop(U2)) is None
    assert take(seen, both(compact(U1, 5))) == "u2 was dropped"
    assert take(seen, compact(U1, 5)) is None


def test_what_came_before_the_session_is_known_but_transient_work_is_not() -> None:
    seen = Ledger()
    seen.adopt([(U1, Frontier(10)), (T1, Frontier(10))])
    assert take(seen, Schedule(collection=U1)) is None
    assert take(seen, compact(U1, 9)) is not None
    assert take(seen, subscribe()) is None
    assert take(seen, moved(0)) is None


IDS = st.sampled_from([U1, U2, T1, transient(2)])
TIMES = st.integers(0, 9)
PEEKS = st.sampled_from([PEEK_1, PEEK_2])
frontier = st.none() | TIMES.map(Frontier) | st.just(CLOSED)
message = st.one_of(
    st.builds(create, IDS, as_of=st.just(3)),
    st.builds(create, IDS, as_of=st.just(3), kind=st.just(SubscribeExport())),
    st.builds(drop, IDS),
    st.builds(compact, IDS, TIMES),
    st.builds(peek, PEEKS),
    st.builds(CancelPeek, peek_id=PEEKS),
    st.builds(PeekResponse, peek_id=PEEKS, result=st.just(NO_ROWS) | st.builds(PeekCanceled)),
    st.builds(
        Frontiers,
        collection=IDS,
        write_frontier=frontier,
        output_frontier=frontier,
        others=st.just(()) | st.tuples(IDS),
    ),
    st.builds(Dropped, collection=IDS),
    st.builds(
        SubscribeResponse,
        collection=IDS,
        result=st.builds(
            lambda lower, size: SubscribeBatch(lower=Frontier(lower), upper=Frontier(lower + size)),
            TIMES,
            st.integers(1, 5),
        ),
    ),
)


@settings(max_examples=300)
@given(st.lists(message, max_size=40))
def test_whatever_passes_keeps_the_promises_of_the_protocol(
    messages: list[LedgerCommand | Response],
) -> None:
    seen, passed = Ledger(), list[LedgerCommand | Response]()
    for item in messages:
        if take(seen, item) is None:
            passed.append(item)
    judge_counts(passed)
    for collection in (U1, U2, T1, transient(2)):
        judge_frontiers(passed, collection)
        judge_subscribes(passed, collection)


def judge_counts(passed: list[LedgerCommand | Response]) -> None:
    """Never more answers than questions, at no point of the trace."""
    balance: Counter[PeekId | CollectionId] = Counter()
    for item in passed:
        match item:
            case PeekResponse(peek_id=peek_id):
                balance[peek_id] -= 1
                assert balance[peek_id] >= 0
            case AllowCompaction(collection=collection, frontier=allowed) if allowed.is_closed:
                balance[collection] += 1
            case Dropped(collection=collection):
                balance[collection] -= 1
                assert balance[collection] >= 0
            case _ if hasattr(item, "target"):
                balance[item.peek_id] += 1
            case _:
                pass


def lives(
    passed: list[LedgerCommand | Response], collection: CollectionId
) -> list[list[LedgerCommand | Response]]:
    """The trace of one collection, cut at each creation: an id may come again after `Dropped`."""
    found: list[list[LedgerCommand | Response]] = [[]]
    for item in passed:
        match item:
            case CreateDataflow(dataflow=dataflow):
                if dataflow.exports[0].collection == collection:
                    found.append([])
            case AllowCompaction() | Schedule() | Frontiers():
                if collection in item.collections:
                    found[-1].append(item)
            case _ if getattr(item, "collection", None) == collection:
                found[-1].append(item)
            case _:
                pass
    return found


def judge_frontiers(passed: list[LedgerCommand | Response], collection: CollectionId) -> None:
    for life in lives(passed, collection):
        reports = [item for item in life if isinstance(item, Frontiers)]
        for name in ("write_frontier", "output_frontier"):
            said = [value for item in reports if (value := getattr(item, name)) is not None]
            ordered = sorted(said, key=lambda f: (f.is_closed, f.time or 0))
            assert said == ordered
            assert said.count(CLOSED) <= 1


def judge_subscribes(passed: list[LedgerCommand | Response], collection: CollectionId) -> None:
    for life in lives(passed, collection):
        batches = [item.result for item in life if isinstance(item, SubscribeResponse)]
        for earlier, later in itertools.pairwise(batches):
            assert isinstance(earlier, SubscribeBatch)
            assert isinstance(later, SubscribeBatch)
            assert later.lower == earlier.upper
