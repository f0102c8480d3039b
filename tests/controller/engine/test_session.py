"""A session's life: a table of states, a frozen target, a budget."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.engine.policy import Budget
from antiphon.controller.engine.session import (
    TRANSITIONS,
    Rejection,
    Session,
    SessionRef,
    SessionState,
    completed,
    failed,
    issue,
    overrun,
    overrun_at_ms,
    progressed,
)
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import Epoch, Position, SessionId
from tests.controller.engine.facts import incarnation

REF = SessionRef(
    session_id=SessionId(4),
    kind=SyncDecision.CATCH_UP,
    epoch=Epoch(3),
    incarnation=incarnation(1),
)


def issued(start: int = 5, target: int = 10) -> Session:
    return issue(REF, start=Position(start), target=Position(target), now_ms=100)


def test_a_session_starts_where_its_pin_is() -> None:
    session = issued()
    assert session.state is SessionState.ISSUED
    assert (session.start, session.pin, session.progress, session.target) == (5, 5, 5, 10)


def test_terminal_states_have_no_way_out() -> None:
    """Sync 21."""
    assert [state for state in SessionState if not TRANSITIONS[state]] == [
        SessionState.COMPLETED,
        SessionState.FAILED,
    ]


@pytest.mark.parametrize(
    ("position", "state", "progress"),
    [
        (7, SessionState.RUNNING, 7),
        (5, SessionState.RUNNING, 5),  # it has begun
        (10, SessionState.RUNNING, 10),  # arriving is not completing
    ],
)
def test_progress_makes_it_run(position: int, state: SessionState, progress: int) -> None:
    moved = progressed(issued(), Position(position), 150)
    assert isinstance(moved, Session)
    assert (moved.state, moved.progress, moved.progressed_at_ms) == (state, progress, 150)
    assert moved.target == 10


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (4, Rejection.NO_PROGRESS),
        (7, Rejection.NO_PROGRESS),
        (11, Rejection.BEYOND_TARGET),
    ],
)
def test_what_is_no_progress_is_refused(position: int, why: Rejection) -> None:
    running = progressed(issued(), Position(7), 150)
    assert isinstance(running, Session)
    assert progressed(running, Position(position), 160) is why


@pytest.mark.parametrize(
    ("achieved", "base_complete", "why"),
    [
        (9, True, Rejection.BELOW_TARGET),  # the base alone does not complete it
        (10, False, Rejection.BASE_INCOMPLETE),  # nor do the commands alone
        (10, True, None),
        (12, True, None),  # live commands came on the same stream
    ],
)
def test_both_lanes_complete_it(achieved: int, base_complete: bool, why: Rejection | None) -> None:
    """Sync 22."""
    done = completed(issued(), Position(achieved), base_complete=base_complete)
    if why is not None:
        assert done is why
    else:
        assert isinstance(done, Session)
        assert (done.state, done.progress) == (SessionState.COMPLETED, 10)
        assert not done.is_active


def test_a_failure_keeps_what_it_was() -> None:
    lost = failed(issued(), "pin_lost")
    assert (lost.state, lost.reason) == (SessionState.FAILED, "pin_lost")
    assert replace(lost, state=SessionState.ISSUED, reason="") == issued()


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        (REF, None),
        (replace(REF, epoch=Epoch(2)), Rejection.STALE_EPOCH),
        (replace(REF, session_id=SessionId(3)), Rejection.STALE_SESSION),
        (replace(REF, session_id=SessionId(5)), Rejection.STALE_SESSION),
        (replace(REF, kind=SyncDecision.REBUILD), Rejection.STALE_SESSION),
        (replace(REF, incarnation=incarnation(2)), Rejection.STALE_SESSION),
    ],
)
def test_a_report_must_be_about_this_very_session(ref: SessionRef, why: Rejection | None) -> None:
    """Sync 14."""
    assert issued().mismatch(ref) is why


def test_a_session_that_has_ended_hears_no_more() -> None:
    """Sync 21."""
    assert failed(issued(), "canceled").mismatch(REF) is Rejection.NOT_ACTIVE
    for late in (
        lambda session: progressed(session, Position(9), 200),
        lambda session: completed(session, Position(10), base_complete=True),
        lambda session: failed(session, "again"),
    ):
        with pytest.raises(AssertionError):
            late(failed(issued(), "canceled"))


@pytest.mark.parametrize(
    ("budget", "now_ms", "reason"),
    [
        (Budget(), 10**9, None),
        (Budget(duration_ms_max=50), 150, None),
        (Budget(duration_ms_max=50), 151, "deadline_exceeded"),
        (Budget(progress_ms_max=20), 140, None),
        (Budget(progress_ms_max=20), 141, "progress_stalled"),
        (Budget(duration_ms_max=50, progress_ms_max=20), 151, "deadline_exceeded"),
    ],
)
def test_a_budget_is_used_up_by_the_clock_of_the_caller(
    budget: Budget, now_ms: int, reason: str | None
) -> None:
    running = progressed(issued(), Position(7), 120)
    assert isinstance(running, Session)
    assert overrun(running, budget, now_ms) == reason
    assert overrun(failed(running, "canceled"), budget, now_ms) is None


@given(
    st.builds(Budget, duration_ms_max=st.integers(0, 50), progress_ms_max=st.integers(0, 50)),
    st.integers(100, 200),
)
def test_it_is_asked_again_exactly_when_the_answer_changes(budget: Budget, now_ms: int) -> None:
    deadline = overrun_at_ms(issued(), budget)
    is_over = overrun(issued(), budget, now_ms) is not None
    assert is_over == (deadline is not None and now_ms >= deadline)
    assert overrun_at_ms(failed(issued(), "canceled"), budget) is None


def test_a_session_does_not_go_back() -> None:
    with pytest.raises(AssertionError):
        issued(start=10, target=5)
