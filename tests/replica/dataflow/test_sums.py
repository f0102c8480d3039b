"""Sums and averages are exact: no drift, no order, whatever is added and taken back."""

import math
from decimal import ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Aggregate, AggregateFunction, Get, Reduce
from antiphon.protocol.schema import (
    FLOAT32,
    FLOAT64,
    INT64,
    INTERVAL,
    Column,
    Schema,
    arrow_type,
    decimal,
)
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec

getcontext().prec = 90
A = CollectionId(1)
SUM, AVG = AggregateFunction.SUM, AggregateFunction.AVG


class Running:
    """A group-by over one key column, fed and read."""

    def __init__(self, source, *aggregates):
        self.source = source
        schema = Schema((Column(name="k", type=INT64), Column(name="v", type=source)))
        value = ColumnReference(index=1, type=source)
        plan = Reduce(
            input=Get(collection=A, schema=schema),
            keys=(ColumnReference(index=0, type=INT64),),
            aggregates=tuple(
                Aggregate(function=f, arguments=(value,), type=kind) for f, kind in aggregates
            ),
        )
        self.flow = Dataflow.build(plan, {A: ImportSpec(schema=schema)})
        self.time = 0
        self.rows = {}
        self.errors = 0

    def feed(self, rows):
        """(key, value, diff)"""
        self.time += 1
        columns = (
            pa.array([k for k, _, _ in rows], pa.int64()),
            pa.array([v for _, v, _ in rows], arrow_type(self.source), from_pandas=False),
        )
        diffs = np.array([d for _, _, d in rows], np.int64)
        change = self.flow.step(self.time, {A: Zset(columns, diffs)} if rows else {})
        lines = list(zip(*[c.to_pylist() for c in change.columns], strict=True))
        for row, diff in sorted(zip(lines, change.diffs.tolist(), strict=True), key=lambda p: p[1]):
            if diff < 0:
                assert same(self.rows.pop(row[0]), row[1:]), "what is taken back was there"
            else:
                self.rows[row[0]] = row[1:]
        if change.errors is not None:
            self.errors += int(change.errors.diffs.sum())


def same(a, b):
    return repr(a) == repr(b)


FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)
ANY = st.floats() | st.sampled_from([1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2), FINITE), max_size=6), max_size=5))
@example([[(0, 1.0), (0, -8.988465674311579e307), (0, -8.98846567431158e307)]])  # just fits
def test_float_sums_are_those_of_exact_summation(ticks):
    running = Running(FLOAT64, (SUM, FLOAT64))
    content = {}
    for tick in ticks:
        running.feed([(k, v, 1) for k, v in tick])
        for k, v in tick:
            content.setdefault(k, []).append(v)
        for k, values in content.items():
            try:
                # Not `math.fsum`: it gives up where a part of the sum is too large.
                expected = float(sum(map(Fraction, values)))
            except OverflowError:
                assert k not in running.rows, "an overflow is an error, not a row"
                continue
            (found,) = running.rows[k]
            assert math.isclose(found, expected, rel_tol=4e-16, abs_tol=5e-324)


@settings(max_examples=80, deadline=None)
@given(st.lists(ANY, max_size=8), st.lists(ANY, max_size=8), st.integers(0, 8))
def test_what_is_taken_back_leaves_no_trace(kept, passing, cut):
    plain, busy = (Running(FLOAT64, (SUM, FLOAT64), (AVG, FLOAT64)) for _ in range(2))
    plain.feed([(0, v, 1) for v in kept])
    busy.feed([(0, v, 1) for v in passing])
    busy.feed([(0, v, 1) for v in kept])
    busy.feed([(0, v, -1) for v in passing[:cut]])
    busy.feed([(0, v, -1) for v in passing[cut:]])
    assert same(plain.rows, busy.rows)
    assert plain.errors == busy.errors
    busy.feed([(0, v, -1) for v in kept])
    assert busy.rows == {}
    assert busy.errors == 0
    assert busy.flow.state_rows == 0


def test_large_and_small_values_do_not_drown_each_other():
    running = Running(FLOAT64, (SUM, FLOAT64))
    running.feed([(0, 1e300, 1), (0, 1.0, 1)])
    running.feed([(0, 1e300, -1), (0, 1e-300, 1)])
    assert running.rows == {0: (1.0,)}
    running.feed([(0, 1.0, -1)])
    assert running.rows == {0: (1e-300,)}
    running.feed([(0, 1e-300, -1), (0, -1e-300, 1), (1, -1e250, 1)])
    assert running.rows == {0: (-1e-300,), 1: (-1e250,)}


def test_reals_are_summed_as_doubles():
    running = Running(FLOAT32, (SUM, FLOAT64), (SUM, FLOAT32))
    running.feed([(0, 0.1, 1)] * 10)
    (wide, narrow) = running.rows[0]
    assert wide == math.fsum([float(np.float32(0.1))] * 10)
    assert narrow == float(np.float32(wide))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(10**18), 10**18), st.integers(1, 3)), min_size=1, max_size=8),
    st.sampled_from([0, 3, 6]), st.sampled_from([0, 2, 10, 16]),
)  # fmt: skip
def test_decimal_sums_and_averages_round_once(values, scale, digits):
    source, mean = decimal(19, scale), decimal(38, digits)
    running = Running(source, (SUM, decimal(38, scale)), (AVG, mean))
    unit = Decimal(1).scaleb(-scale)
    rows = [(0, Decimal(v) * unit, n) for v, n in values]
    for part in (rows[:2], rows[2:]):
        running.feed(part)
    total = sum(v * n for _, v, n in rows)
    average = total / sum(n for _, _, n in rows)
    assert running.rows[0][0] == total
    assert running.rows[0][1] == average.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(1, 3)), max_size=8))
def test_integer_sums_overflow_only_into_the_type_that_asks(values):
    running = Running(INT64, (SUM, decimal(38, 0)))
    narrow = Running(INT64, (SUM, INT64))
    for v, n in values:
        running.feed([(0, v, n)])
        narrow.feed([(0, v, n)])
    if not values:
        return
    total = sum(v * n for v, n in values)
    assert running.rows[0] == (Decimal(total),)
    if -(2**63) <= total < 2**63:
        assert narrow.rows[0] == (total,)
        assert narrow.errors == 0
    else:
        assert narrow.rows == {}
        assert narrow.errors == 1


def test_a_sum_beyond_38_digits_is_an_error_until_it_shrinks():
    running = Running(decimal(38, 0), (SUM, decimal(38, 0)), (AVG, decimal(38, 0)))
    most = Decimal(10**38 - 1)
    running.feed([(0, most, 1), (0, Decimal(1), 1)])
    assert running.rows == {}
    assert running.errors == 1
    running.feed([(0, Decimal(1), -1)])
    assert running.rows == {0: (most, most)}
    assert running.errors == 0


def test_intervals_add_up_by_parts():
    running = Running(INTERVAL, (SUM, INTERVAL))
    month, second = pa.MonthDayNano([1, 0, 0]), pa.MonthDayNano([0, 2, 10**9])
    running.feed([(0, month, 2), (0, second, 1)])
    assert running.rows == {0: (pa.MonthDayNano([2, 2, 10**9]),)}


@pytest.mark.parametrize("diff", [1, 10**6])
def test_multiplicities_count(diff):
    running = Running(INT64, (SUM, INT64), (AVG, FLOAT64), (AVG, decimal(38, 4)))
    running.feed([(0, 3, diff), (0, 4, diff)])
    assert running.rows == {0: (7 * diff, 3.5, Decimal("3.5000"))}


def test_more_values_than_sums_are_exact_for_are_an_error_while_they_are_there():
    most = 2**30 - 1
    variance = (AggregateFunction.VAR_POP, FLOAT64)
    for source, value, kind in (
        (INT64, 2**63 - 1, decimal(38, 10)),
        (decimal(20, 2), Decimal("-1.25"), decimal(38, 10)),
        (FLOAT64, 0.1, FLOAT64),
    ):
        running = Running(source, (AVG, kind), variance)
        running.feed([(0, value, most)])
        before = dict(running.rows)
        assert before[0][1] == 0
        assert running.errors == 0
        running.feed([(0, value, 1)])
        assert running.rows == {}
        assert running.errors == 1
        running.feed([(0, value, 2**29)])
        running.feed([(0, value, -(2**29) - 1)])
        assert running.rows == before
        assert running.errors == 0
