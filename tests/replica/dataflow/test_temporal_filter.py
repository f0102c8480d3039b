"""Rows that come and go by the clock: at every time, those that are due and no others."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import Call, Cast, ColumnReference, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction, Reduce, TemporalFilter
from antiphon.protocol.schema import FLOAT64, INT64, TIMESTAMP, TIMESTAMPTZ, Column, Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec, evaluate_once
from antiphon.replica.dataflow.operators.reducing import calendar
from antiphon.replica.dataflow.operators.reducing.calendar import Calendar
from tests.replica.dataflow.changes import A, get, rows_of

SCHEMA = Schema(
    (
        Column(name="k", type=INT64),
        Column(name="a", type=TIMESTAMP),
        Column(name="b", type=TIMESTAMP),
    )
)
BEGIN = ColumnReference(index=1, type=TIMESTAMP)
END = ColumnReference(index=2, type=TIMESTAMP)
SECOND = 1_000_000

# Around the hands of the calendar's clock, and off the second by a little.
MOMENTS = st.builds(
    lambda second, off: second * SECOND + off,
    st.sampled_from([-70, -1, 0, 1, 2, 63, 64, 65, 127, 4_095, 4_096, 9_000, 300_000]),
    st.sampled_from([-1, 0, 1, 500_000]),
)
ROWS = st.tuples(st.integers(0, 2), st.none() | MOMENTS, st.none() | MOMENTS)


def zset(changes):
    rows = [row for row, _ in changes]
    columns = (
        pa.array([row[0] for row in rows], pa.int64()),
        *(pa.array([row[i] for row in rows], pa.int64()).cast(pa.timestamp("us")) for i in (1, 2)),
    )
    return Zset(columns, np.array([diff for _, diff in changes], np.int64))


@st.composite
def histories(draw):
    """Changes at ascending times, in milliseconds; what is taken away was there."""
    present, found, time = [], [], 0
    for _ in range(draw(st.integers(1, 6))):
        time += draw(st.sampled_from([1, 400, 999, 1_000, 63_000, 64_001, 5_000_000]))
        tick = []
        for _ in range(draw(st.integers(0, 5))):
            if present and draw(st.booleans()):
                place = draw(st.integers(0, len(present) - 1))
                tick.append((present.pop(place), -1))
            else:
                row = draw(ROWS)
                present.append(row)
                tick.append((row, 1))
        found.append((time, tick))
    return found


def expected(content, time, *, has_from, has_until):
    """What the definition says of each row, one at a time."""
    now = time // 1_000 * SECOND
    found = Counter()
    for row, count in content.items():
        _, begin, end = row
        if has_from and (begin is None or now < begin):
            continue
        if has_until and (end is None or now >= end):
            continue
        found[row] += count
    return found


@settings(max_examples=150, deadline=None)
@given(history=histories(), has_from=st.booleans(), has_until=st.booleans())
def test_at_every_time_those_rows_are_there_that_the_clock_lets_be(history, has_from, has_until):
    plan = TemporalFilter(
        input=get(A, SCHEMA),
        valid_from=BEGIN if has_from else None,
        valid_until=END if has_until else None,
    )
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
    content, seen = Counter(), Counter()
    moved = 0

    def run(time, changes):
        rows, errors = rows_of(flow.step(time, changes))
        assert not errors
        for row, diff in rows.items():
            seen[row] += diff
        assert +seen == expected(content, time, has_from=has_from, has_until=has_until)
        assert min(seen.values(), default=0) >= 0

    for time, tick in [*history, (400_000_000, [])]:
        while (due := flow.next_time) is not None and due < time:
            assert due > moved, "what is due is done at once"
            run(due, {})
            moved = due
        for row, diff in tick:
            content[row] += diff
        run(time, {A: zset(tick)} if tick else {})
        moved = time
        once = evaluate_once(plan, {A: ImportSpec(schema=SCHEMA)}, {A: whole(content)}, time)
        assert rows_of(once)[0] == +seen
    assert flow.next_time is None
    assert flow.state_rows == 0


def whole(content):
    return zset([(row, count) for row, count in content.items() if count])


def test_what_stands_above_follows_the_clock():
    plan = Reduce(
        input=TemporalFilter(input=get(A, SCHEMA), valid_from=None, valid_until=END),
        keys=(),
        aggregates=(Aggregate(function=AggregateFunction.COUNT, arguments=(), type=INT64),),
    )
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
    rows, _ = rows_of(flow.step(5_000, {A: zset([((i, None, i * SECOND), 1) for i in range(8)])}))
    assert rows == {(2,): 1}
    assert flow.next_time == 6_000
    assert rows_of(flow.step(6_000, {}))[0] == {(2,): -1, (1,): 1}
    assert rows_of(flow.step(7_000, {}))[0] == {(1,): -1, (0,): 1}
    assert flow.next_time is None


def test_a_bound_that_cannot_be_computed_is_an_error_for_as_long_as_its_row_is_there():
    ratio = Call(
        function="divide",
        arguments=(Literal(value=8, type=INT64), ColumnReference(index=0, type=INT64)),
        type=INT64,
    )
    seconds = Cast(input=ratio, type=FLOAT64)
    bound = Call(function="to_timestamp", arguments=(seconds,), type=TIMESTAMPTZ)
    plan = TemporalFilter(input=get(A, SCHEMA), valid_from=None, valid_until=bound)
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
    bad = (0, None, None)
    _, errors = rows_of(flow.step(1, {A: zset([(bad, 1), ((1, None, None), 1)])}))
    assert errors == {"division_by_zero": 1}
    _, errors = rows_of(flow.step(2, {A: zset([(bad, -1)])}))
    assert errors == {"division_by_zero": -1}


def test_rows_that_come_and_go_before_they_are_due_leave_nothing_behind():
    held = Calendar()
    rows = calendar.CONSOLIDATE_ROWS_MIN
    change = Zset((pa.array(range(rows), pa.int64()),), np.ones(rows, np.int64))
    for now in range(1, 40):
        sign = change if now % 2 else change.negated()
        held.advance(now, sign, np.full(rows, 1_000_000))
        assert held.row_count <= 4 * rows
    assert len(held.due(999_999)) == 0
    assert sum(part.diffs.sum() for part in held.due(1_000_000)) == rows
