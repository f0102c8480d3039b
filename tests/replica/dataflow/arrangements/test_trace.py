"""A trace gives its content at every time in [since, upper), whatever was merged or compacted."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import NotComplete, SinceViolation
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import ERRORS, Zset, split_delta, to_delta
from tests.reference.plans import canonical_row, clean
from tests.replica.dataflow.changes import SCHEMA, add, rows_of, ticks, zset

KEY = (0, 3)


def contents(changes):
    """The content after each tick."""
    total, found = Counter(), []
    for tick in changes:
        for row, diff in tick:
            total[canonical_row(row)] += diff
        found.append(clean(total))
    return found


def failure(code):
    return zset(ERRORS, [((code, "what", "where"), 1)])


@settings(max_examples=60, deadline=None)
@given(ticks(tick_count=6), st.data())
def test_every_readable_time_reads_right_through_merges_and_compaction(changes, data):
    trace, expected = Trace(SCHEMA, KEY), contents(changes)
    since = 0
    for time, tick in enumerate(changes):
        upper = Frontier(time + 1)
        trace.insert(Frontier(time), upper, [(time, zset(SCHEMA, tick))] if tick else [])
        if data.draw(st.booleans()):
            since = max(since, data.draw(st.integers(0, time)))
            trace.allow_compaction(Frontier(since))
        trace.maintain(data.draw(st.sampled_from([0, 1, 3, 1000])))
        for past in range(since, time + 1):
            rows, errors = rows_of(trace.snapshot(past))
            assert rows == expected[past]
            assert not errors
        for past in range(since + 1, time + 2):
            seen = Counter(expected[since])
            for _, change in trace.updates(since + 1, past):
                add(seen, rows_of(change)[0])
            assert clean(seen) == expected[past - 1]
    while trace.maintain(100):
        pass
    assert rows_of(trace.snapshot(len(changes) - 1))[0] == expected[-1]


@settings(max_examples=60, deadline=None)
@given(ticks(tick_count=5), st.data())
def test_a_lookup_finds_the_rows_of_its_keys_and_no_others(changes, data):
    trace = Trace(SCHEMA, KEY)
    for time, tick in enumerate(changes):
        trace.insert(Frontier(time), Frontier(time + 1), [(time, zset(SCHEMA, tick))])
        trace.maintain(3)
    time = data.draw(st.integers(0, len(changes) - 1))
    content = contents(changes)[time]
    some = data.draw(st.lists(st.tuples(st.integers(-1, 2), st.sampled_from(["a", "", "é"]))))
    known = [(row[0], row[3]) for row in content]
    keys = some + (data.draw(st.lists(st.sampled_from(known))) if known else [])
    columns = [pa.array([k for k, _ in keys], pa.int64()), pa.array([s for _, s in keys])]
    columns[1] = columns[1].cast(pa.string())
    found, _ = rows_of(trace.lookup(columns, time))
    assert found == {row: n for row, n in content.items() if (row[0], row[3]) in keys}


def test_times_outside_since_and_upper_are_refused():
    trace = Trace(SCHEMA, KEY)
    row = (1, 1, 1.0, "a", None, None, True)
    trace.insert(START, Frontier(5), [(2, zset(SCHEMA, [(row, 1)]))])
    with pytest.raises(NotComplete):
        trace.snapshot(5)
    trace.allow_compaction(Frontier(3))
    trace.allow_compaction(Frontier(1))
    assert trace.since == Frontier(3)
    with pytest.raises(SinceViolation):
        trace.snapshot(2)
    with pytest.raises(SinceViolation):
        trace.updates(3, 5)
    with pytest.raises(NotComplete):
        trace.updates(4, 6)
    assert trace.updates(4, 5) == []
    assert trace.snapshot(3).row_count == 1
    trace.insert(Frontier(5), CLOSED, [])
    assert trace.snapshot(10**9).row_count == 1


def test_compaction_lets_go_of_what_cancelled():
    trace = Trace(SCHEMA, KEY)
    for time in range(40):
        row = (time // 2, 1, 1.0, "a", None, None, True)
        change = zset(SCHEMA, [(row, 1 if time % 2 == 0 else -1)])
        trace.insert(Frontier(time), Frontier(time + 1), [(time, change)])
    while trace.maintain(1_000):
        pass
    assert trace.row_count == 40
    trace.allow_compaction(Frontier(38))
    while trace.maintain(1_000):
        pass
    # What is left: the row of time 38, taken back at 39.
    assert trace.row_count == 2
    assert trace.snapshot(38).row_count == 1
    assert trace.snapshot(39).row_count == 0


def test_errors_are_read_beside_rows_until_they_are_taken_back():
    trace = Trace(SCHEMA, KEY)
    empty = Zset.empty(SCHEMA)
    broken = Zset(empty.columns, empty.diffs, failure("division_by_zero"))
    trace.insert(START, Frontier(2), [(1, broken)])
    trace.insert(Frontier(2), Frontier(3), [(2, broken.negated())])
    assert trace.errors(0) is None
    found = trace.errors(1)
    assert found is not None
    assert found.columns[0].to_pylist() == ["division_by_zero"]
    assert rows_of(trace.snapshot(1))[1] == {"division_by_zero": 1}
    assert trace.errors(2) is None


@settings(max_examples=40, deadline=None)
@given(ticks())
def test_deltas_and_zsets_turn_into_each_other(changes):
    parts = [(time, zset(SCHEMA, tick)) for time, tick in enumerate(changes, 1) if tick]
    back = split_delta(to_delta(SCHEMA, parts), SCHEMA)
    expected = {time: clean(rows_of(part)[0]) for time, part in parts}
    assert {t: rows_of(part)[0] for t, part in back} == {t: c for t, c in expected.items() if c}
