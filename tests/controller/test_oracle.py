"""The oracle: one tick at a time, all that waits in one, and time that never goes back."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller import oracle as module
from antiphon.controller.oracle import Oracle
from antiphon.history.store import Append
from antiphon.protocol.errors import ClockJumped, LimitExceeded
from antiphon.protocol.ids import CollectionId

HOUR_MS = 3_600_000


def rows(count: int = 1) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"v": list(range(count)), "antiphon_diff": [1] * count})


def append(count: int = 1) -> Append:
    return Append(collection=CollectionId(1), rows=rows(count))


def test_all_that_waits_shares_the_next_tick() -> None:
    oracle = Oracle(upper=1)
    oracle.enqueue(1, append(), 50)
    first = oracle.begin_tick(50)
    assert first is not None
    assert len(first.appends) == 1
    oracle.enqueue(2, append(), 51)
    oracle.enqueue(3, append(), 52)
    assert oracle.begin_tick(52) is None, "one tick is in flight at a time"
    assert list(oracle.commit_tick()[1]) == [1]
    second = oracle.begin_tick(53)
    assert second is not None
    assert len(second.appends) == 2
    assert list(oracle.commit_tick()[1]) == [2, 3]


def test_nothing_waits_nothing_ticks() -> None:
    assert Oracle(upper=1).begin_tick(99) is None


def test_a_strict_read_is_at_the_latest_complete_time() -> None:
    oracle = Oracle(upper=1)
    assert oracle.read_time == 0
    oracle.enqueue(1, append(), 70)
    oracle.begin_tick(70)
    assert oracle.read_time == 0, "not before it is durable"
    oracle.commit_tick()
    assert (oracle.upper, oracle.read_time) == (71, 70)


def test_a_refused_tick_moves_nothing() -> None:
    oracle = Oracle(upper=5)
    oracle.enqueue(1, append(), 70)
    oracle.begin_tick(70)
    assert list(oracle.refuse_tick()) == [1]
    assert oracle.upper == 5


def test_a_clock_that_jumps_an_hour_is_not_believed_until_it_is_back() -> None:
    oracle = Oracle(upper=1)
    oracle.observe_clock(1_000)
    with pytest.raises(ClockJumped):
        oracle.enqueue(1, append(), 1_000 + HOUR_MS + 1)
    oracle.observe_clock(1_000 + HOUR_MS + 2)
    with pytest.raises(ClockJumped):
        oracle.enqueue(1, append(), 1_000 + HOUR_MS + 3)
    oracle.enqueue(1, append(), 2_000)
    assert oracle.pending_count == 1


def test_hours_without_writes_are_no_jump_while_the_clock_is_watched() -> None:
    oracle = Oracle(upper=1)
    for minute in range(0, 300, 10):
        oracle.observe_clock(minute * 60_000)
    oracle.enqueue(1, append(), 300 * 60_000)
    assert oracle.pending_count == 1


def test_a_jump_may_be_allowed() -> None:
    oracle = Oracle(upper=1, allow_clock_jump=True)
    oracle.observe_clock(0)
    oracle.enqueue(1, append(), 10 * HOUR_MS)
    tick = oracle.begin_tick(10 * HOUR_MS)
    assert tick is not None
    assert tick.time == 10 * HOUR_MS


def test_a_full_queue_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_APPENDS_MAX", 2)
    oracle = Oracle(upper=1)
    oracle.enqueue(1, append(), 1)
    oracle.enqueue(2, append(), 1)
    with pytest.raises(LimitExceeded):
        oracle.enqueue(3, append(), 1)


def test_a_tick_is_bounded_in_bytes_but_takes_at_least_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TICK_BYTES_MAX", 100)
    oracle = Oracle(upper=1)
    oracle.enqueue(1, append(1_000), 1)
    oracle.enqueue(2, append(3), 1)
    oracle.enqueue(3, append(3), 1)
    first = oracle.begin_tick(1)
    assert first is not None
    assert len(first.appends) == 1, "alone, though it is too large"
    oracle.commit_tick()
    second = oracle.begin_tick(1)
    assert second is not None
    assert len(second.appends) == 2


@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=40))
def test_times_ascend_whatever_the_clock_does(steps: list[tuple[int, bool]]) -> None:
    oracle = Oracle(upper=1, allow_clock_jump=True)
    times: list[int] = []
    for now_ms, commits in steps:
        oracle.enqueue(len(times), append(), now_ms)
        tick = oracle.begin_tick(now_ms)
        assert tick is not None
        assert tick.time >= oracle.upper
        if commits:
            oracle.commit_tick()
            assert oracle.upper == tick.time + 1
            times.append(tick.time)
        else:
            oracle.refuse_tick()
    assert times == sorted(set(times))


def test_a_spaced_tick_waits_and_says_until_when() -> None:
    oracle = Oracle(upper=1)
    oracle.enqueue(1, append(), 1_000)
    assert oracle.begin_tick(1_000, spacing_ms=50) is not None
    oracle.commit_tick()
    oracle.enqueue(2, append(), 1_010)
    assert oracle.begin_tick(1_010, spacing_ms=50) is None
    assert oracle.wake_at_ms == 1_050
    oracle.enqueue(3, append(), 1_020)
    tick = oracle.begin_tick(1_050, spacing_ms=50)
    assert tick is not None
    assert len(tick.appends) == 2, "what arrived meanwhile shares the tick"
    assert oracle.wake_at_ms is None


def test_a_clock_that_went_back_does_not_hold_a_spaced_tick_up() -> None:
    oracle = Oracle(upper=1)
    oracle.enqueue(1, append(), 100_000)
    oracle.begin_tick(100_000, spacing_ms=50)
    oracle.commit_tick()
    oracle.enqueue(2, append(), 100_000)
    assert oracle.begin_tick(5_000, spacing_ms=50) is not None


def test_while_something_depends_on_the_clock_each_second_has_a_tick() -> None:
    oracle = Oracle(upper=1)
    oracle.observe_clock(5_400)
    assert oracle.begin_tick(5_400) is None, "nothing depends on it yet"
    oracle.follows_clock = True
    assert oracle.wake_at_ms == 1_000, "overdue"
    tick = oracle.begin_tick(5_400)
    assert tick is not None
    assert (tick.time, tick.appends) == (5_400, ())
    assert oracle.wake_at_ms is None, "one tick is in flight at a time"
    assert list(oracle.commit_tick()[1]) == []
    assert oracle.wake_at_ms == 6_000
    assert oracle.begin_tick(5_999) is None, "the clock says the same second still"
    oracle.enqueue(1, append(), 6_100)
    tick = oracle.begin_tick(6_100)
    assert tick is not None
    assert len(tick.appends) == 1, "a write's tick is that second's"
    oracle.commit_tick()
    assert oracle.begin_tick(6_200) is None
    assert oracle.wake_at_ms == 7_000


def test_a_clock_that_jumped_makes_no_time_pass_and_is_looked_at_again_later() -> None:
    oracle = Oracle(upper=1)
    oracle.follows_clock = True
    oracle.observe_clock(10_000)
    jumped = 10_000 + 2 * HOUR_MS
    oracle.observe_clock(jumped)
    assert oracle.begin_tick(jumped) is None
    assert oracle.wake_at_ms == jumped + 1_000
    assert oracle.begin_tick(11_000) is not None, "it was set right"
