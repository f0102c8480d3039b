"""Joins on ranges: every pair that overlaps, at every tick, however the runs lie."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import Call, ColumnReference
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject, schema_of
from antiphon.protocol.schema import BOOLEAN, DATE, FLOAT64, INT32, INT64
from antiphon.replica.dataflow.columns.intervals import Run, overlaps
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.dataflow.operators.joining import range_join
from tests.replica.dataflow.changes import SCHEMA, A, B, check_plan, get, ticks, zset

WIDTH = len(SCHEMA)
codes = st.integers(0, 40)


def run_of(intervals):
    low, high = (np.array([i[side] for i in intervals], np.uint64) for side in (0, 1))
    rows = Zset((pa.array(range(len(intervals)), pa.int64()),), np.ones(len(intervals), np.int64))
    return Run.of(rows, low, high)


@settings(max_examples=60, deadline=None)
@given(
    left=st.lists(st.tuples(codes, codes), min_size=1, max_size=40),
    right=st.lists(st.tuples(codes, codes), min_size=1, max_size=400),
)
def test_overlaps_are_those_that_comparing_all_pairs_finds(left, right):
    ours, theirs = run_of(left), run_of(right)
    for a, b, first, second in ((ours, theirs, left, right), (theirs, ours, right, left)):
        rows, others = overlaps(a, b)
        found = sorted(
            zip(
                a.columns[0].take(pa.array(rows)).to_pylist(),
                b.columns[0].take(pa.array(others)).to_pylist(),
                strict=True,
            )
        )
        assert found == [
            (i, j)
            for i, (low, high) in enumerate(first)
            for j, (begin, end) in enumerate(second)
            if low <= end and begin <= high
        ]


def test_a_probe_looks_at_few_rows_of_many():
    """Short intervals far apart: what is visited grows with the depth of the tree."""
    count = 100_000
    begins = np.arange(count, dtype=np.uint64) * np.uint64(10)
    rows = Zset((pa.array(range(count), pa.int64()),), np.ones(count, np.int64))
    run = Run.of(rows, begins, begins + np.uint64(3))
    assert len(run.tree) == 5
    probe = run_of([(500_001, 500_002), (7, 8)])
    assert [side.tolist() for side in overlaps(probe, run)] == [[1], [50_000]]


def column(index, kind, side=0):
    return ColumnReference(index=index + side * WIDTH, type=kind)


def compared(function, *arguments):
    return Call(function=function, arguments=arguments, type=BOOLEAN)


N, X, D = 1, 2, 5
CONDITIONS = {
    "between": [
        compared("greater_equal", column(X, FLOAT64), column(X, FLOAT64, 1)),
        compared("less", column(N, INT32), column(N, INT32, 1)),
    ],
    "overlap": [
        compared("less", column(0, INT64), column(0, INT64, 1)),
        compared("greater", column(D, DATE), column(D, DATE, 1)),
    ],
    "one": [compared("less_equal", column(X, FLOAT64), column(X, FLOAT64, 1))],
}


def joins(condition):
    residual = compared("and", *condition) if len(condition) > 1 else condition[0]
    cross = Join(kind=JoinKind.INNER, left=get(A), right=get(B), left_keys=(), right_keys=())
    width = len(schema_of(cross))
    yield MapFilterProject(
        input=cross, maps=(), filters=tuple(condition), project=tuple(range(width))
    )
    for kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.FULL, JoinKind.SEMI, JoinKind.ANTI):
        yield Join(
            kind=kind, left=get(A), right=get(B), left_keys=(), right_keys=(), residual=residual
        )


@pytest.mark.parametrize("name", CONDITIONS)
@settings(max_examples=4, deadline=None)
@given(left=ticks(tick_count=3, row_count=4), right=ticks(tick_count=3, row_count=4))
def test_joins_on_ranges_are_exact_at_every_tick(name, left, right):
    for plan in joins(CONDITIONS[name]):
        flow = check_plan(plan, left, right)
        assert "range_join" in [counters.name for counters in flow.counters()]


def test_runs_stay_few_and_what_cancels_out_goes(monkeypatch):
    monkeypatch.setattr(range_join, "_RUNS_MAX", 3)
    plan = next(joins(CONDITIONS["one"]))
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA), B: ImportSpec(schema=SCHEMA)})
    operator = next(o for c, o in flow.operators() if c.name == "range_join")
    rows = [(i, i % 7, float(i % 5), None, None, None, True) for i in range(40)]
    for time, row in enumerate(rows):
        flow.step(time, {A: zset(SCHEMA, [(row, 1)])})
        assert len(operator._left.runs) <= 3
    assert operator.state_rows == 40
    for time, row in enumerate(rows):
        flow.step(100 + time, {A: zset(SCHEMA, [(row, -1)])})
        while flow.maintain(1_000):
            pass
    assert operator.state_rows == 0
    assert operator.state_bytes == 0


def test_a_bound_that_fails_fails_in_every_pair():
    bound = Call(function="divide", arguments=(column(N, INT32), column(N, INT32)), type=INT32)
    plan = next(joins([compared("less_equal", bound, column(N, INT32, 1))]))
    zero, one, other = ((k, n, None, None, None, None, None) for k, n in ((1, 0), (1, 1), (2, 5)))
    nothing = (3, None, None, None, None, None, None)
    # What is null matches nothing, whatever it is compared with.
    flow = check_plan(plan, [[(zero, 1), (one, 1)], [(zero, -1)]], [[(one, 1), (other, 1)]])
    change = flow.step(10, {A: zset(SCHEMA, [(zero, 1)]), B: zset(SCHEMA, [(nothing, 1)])})
    assert change.is_empty
    change = flow.step(11, {B: zset(SCHEMA, [(other, 2)])})
    assert change.errors.diffs.tolist() == [2]


def test_a_bound_that_fails_fails_beside_one_that_is_null():
    bound = Call(function="divide", arguments=(column(N, INT32), column(N, INT32)), type=INT32)
    conditions = [
        compared("less_equal", bound, column(N, INT32, 1)),
        compared("greater_equal", column(0, INT64), column(0, INT64, 1)),
    ]
    row, other = ((k, n, None, None, None, None, None) for k, n in ((None, 0), (2, 5)))
    check_plan(next(joins(conditions)), [[(row, 1)]], [[(other, 1)]])
