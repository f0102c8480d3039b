"""Variances: exact up to their one rounding, whatever comes and goes."""

import math
import random
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.plan import Aggregate, Get, Reduce
from antiphon.protocol.schema import FLOAT64, INT16, INT32, INT64, Column, Schema, decimal
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.reference.gathered import MOMENTS, moment
from tests.replica.dataflow.changes import A

FUNCTIONS = list(MOMENTS)
TINY, HUGE = 2.0**-1000, 2.0**500


def flow_of(kind, *, grouped=True):
    schema = Schema((Column(name="g", type=INT64), Column(name="x", type=kind)))
    x = ColumnReference(index=1, type=kind)
    aggregates = tuple(
        Aggregate(function=function, arguments=(x,), type=FLOAT64) for function in FUNCTIONS
    )
    keys = (ColumnReference(index=0, type=INT64),) if grouped else ()
    plan = Reduce(input=Get(collection=A, schema=schema), keys=keys, aggregates=aggregates)
    return Dataflow.build(plan, {A: ImportSpec(schema=schema)})


def change(kind, rows):
    """Rows (group, value, diff)."""
    stored = pa.decimal128(kind.precision, kind.scale) if kind.scale else None
    stored = stored or {INT16: pa.int16(), INT32: pa.int32(), INT64: pa.int64()}.get(
        kind, pa.float64()
    )
    columns = (pa.array([r[0] for r in rows], pa.int64()), pa.array([r[1] for r in rows], stored))
    return Zset(columns, np.array([r[2] for r in rows], np.int64))


def check(found, values):
    expected = [moment(function, values) if values else None for function in FUNCTIONS]
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is None or math.isnan(theirs):
            assert ours is None if theirs is None else math.isnan(ours)
        else:
            assert math.isclose(ours, theirs, rel_tol=4e-15, abs_tol=0.0), (found, expected)


def values_of(kind, pick):
    if kind == FLOAT64:
        return pick.choice([0.0, -0.0, 1.0, 1e8 + pick.random(), TINY, -3 * HUGE, math.pi, 1e-30])
    if kind.scale:
        return pick.choice([-1, 1]) * pick.randrange(10**30) * Fraction(1, 10**kind.scale)
    top = {INT16: 2**15, INT32: 2**31, INT64: 2**63}[kind]
    return pick.choice([-top, top - 1, top - 2, 0, 1, pick.randrange(-top, top)])


@pytest.mark.parametrize("kind", [INT16, INT32, INT64, decimal(38, 8), FLOAT64], ids=str)
def test_against_fractions_as_rows_come_and_go(kind):
    pick, flow = random.Random(7), flow_of(kind)
    present = {group: [] for group in range(3)}
    shown = {}
    for time in range(1, 40):
        rows = []
        for _ in range(pick.randrange(1, 6)):
            group = pick.randrange(3)
            if present[group] and pick.random() < 0.45:
                value = present[group].pop(pick.randrange(len(present[group])))
                rows.append((group, value, -1))
            else:
                value = values_of(kind, pick)
                present[group].append(value)
                rows.append((group, value, 1))
        found = flow.step(time, {A: change(kind, [(g, plain(kind, v), d) for g, v, d in rows])})
        flow.maintain(100)
        assert found.errors is None
        for index, diff in enumerate(found.diffs.tolist()):
            if diff > 0:
                shown[found.columns[0][index].as_py()] = [
                    column[index].as_py() for column in found.columns[1:]
                ]
        for group in {row[0] for row in rows}:
            if present[group]:
                check(shown[group], present[group])


def plain(kind, value):
    if not kind.scale:
        return value
    return pa.scalar(int(value * 10**kind.scale), pa.decimal128(38, 0)).as_py().scaleb(-kind.scale)


def test_large_values_close_together_have_their_own_variance():
    flow = flow_of(INT64)
    base = 2**62
    found = flow.step(1, {A: change(INT64, [(1, base + step, 1) for step in (0, 1, 2, 3)])})
    check([column[0].as_py() for column in found.columns[1:]], [0, 1, 2, 3])


def test_what_was_taken_back_leaves_nothing_behind():
    flow = flow_of(FLOAT64, grouped=False)
    flow.step(1, {A: change(FLOAT64, [(1, 0.1, 1), (1, 0.3, 1)])})
    flow.step(2, {A: change(FLOAT64, [(1, HUGE, 1), (1, TINY, 1), (1, math.inf, 1)])})
    found = flow.step(3, {A: change(FLOAT64, [(1, HUGE, -1), (1, TINY, -1), (1, math.inf, -1)])})
    row = found.diffs.tolist().index(1)
    check([column[row].as_py() for column in found.columns], [0.1, 0.3])


def test_of_nothing_there_is_none():
    found = flow_of(INT32, grouped=False).step(1, {})
    assert [column[0].as_py() for column in found.columns] == [None] * 4


def test_a_variance_out_of_range_is_an_error_until_it_is_not():
    flow = flow_of(FLOAT64)
    found = flow.step(1, {A: change(FLOAT64, [(1, 1e300, 1), (1, -1e300, 1)])})
    assert found.row_count == 0
    assert found.errors.columns[0].to_pylist() == ["numeric_value_out_of_range"]
    found = flow.step(2, {A: change(FLOAT64, [(1, 1e300, -1)])})
    assert found.errors.diffs.tolist() == [-1]
    assert [column[0].as_py() for column in found.columns] == [1, None, 0.0, None, 0.0]
