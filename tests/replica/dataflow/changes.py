"""Random inputs, and the comparison of a dataflow with the plan's result from scratch."""

import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, imports_of
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT32,
    INT64,
    TEXT,
    Column,
    Schema,
    arrow_schema,
    arrow_type,
    decimal,
)
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.reference.plans import canonical_row, clean, result_of

A, B = CollectionId(1), CollectionId(2)
MONEY = decimal(10, 2)

SCHEMA = Schema(
    (
        Column(name="k", type=INT64),
        Column(name="n", type=INT32),
        Column(name="x", type=FLOAT64),
        Column(name="s", type=TEXT),
        Column(name="m", type=MONEY),
        Column(name="d", type=DATE),
        Column(name="b", type=BOOLEAN),
    )
)
# Few distinct values, so that rows meet; floats whose sums are exact in any order.
VALUES = {
    INT64: st.sampled_from([0, 1, 2, -1, 2**62]),
    INT32: st.sampled_from([0, 1, -7, 5, 2**31 - 1]),
    FLOAT64: st.sampled_from([0.0, -0.0, 1.5, -2.25, math.nan, math.inf, 1e300, 1e-300]),
    TEXT: st.sampled_from(["", "a", "ab", "é", "a longer text, of more than eight bytes"]),
    MONEY: st.sampled_from([Decimal("0.00"), Decimal("1.25"), Decimal("-99.99")]),
    DATE: st.sampled_from([0, -1, 19_000]),
    BOOLEAN: st.booleans(),
}


def rows_strategy(schema=SCHEMA):
    return st.tuples(*[st.none() | VALUES[c.type] for c in schema.columns])


@st.composite
def ticks(draw, schema=SCHEMA, tick_count=4, row_count=6):
    """Ticks of (row, diff); at no time does a row occur a negative number of times."""
    present, found = [], []
    for _ in range(draw(st.integers(1, tick_count))):
        tick = []
        for _ in range(draw(st.integers(0, row_count))):
            if present and draw(st.integers(0, 2)) == 0:
                tick.append((present.pop(draw(st.integers(0, len(present) - 1))), -1))
            else:
                row = draw(rows_strategy(schema))
                present.append(row)
                tick.append((row, 1))
        found.append(tick)
    return found


def get(collection=A, schema=SCHEMA):
    return Get(collection=collection, schema=schema)


def zset(schema, rows):
    columns = []
    for index, field in enumerate(schema.columns):
        values = [row[index] for row, _ in rows]
        stored = arrow_type(field.type)
        if field.type == DATE:
            columns.append(pa.array(values, pa.int32()).cast(stored))
        else:
            columns.append(pa.array(values, stored, from_pandas=False))
    return Zset(tuple(columns), np.array([diff for _, diff in rows], np.int64))


def rows_of(change):
    """A zset's rows as a counter; its errors by code."""
    columns = []
    for column in change.columns:
        plain = column.cast(pa.int32()) if column.type == pa.date32() else column
        if pa.types.is_timestamp(plain.type):
            plain = plain.cast(pa.int64())
        columns.append(plain.to_pylist())
    rows, errors = Counter(), Counter()
    lines = zip(*columns, strict=True) if columns else [()] * change.row_count
    for row, diff in zip(lines, change.diffs.tolist(), strict=True):
        rows[canonical_row(row)] += diff
    if change.errors is not None:
        codes = change.errors.columns[0].to_pylist()
        for code, diff in zip(codes, change.errors.diffs.tolist(), strict=True):
            errors[code] += diff
    return rows, errors


def add(into, counter):
    for key, count in counter.items():
        into[key] += count


def check_plan(plan, *inputs, schema=SCHEMA, maintain=True):
    """Run ticks of each input through the plan: right at every time, and nothing left after all is
    taken back. Returns the dataflow."""
    imports = imports_of(plan)
    flow = Dataflow.build(plan, {c: ImportSpec(schema=schema) for c in imports})
    content = {c: Counter() for c in (A, B)}
    rows, errors = Counter(), Counter()
    length = max(len(ticks_) for ticks_ in inputs)
    for time in range(length + 1):
        changes = {}
        for collection, ticks_ in zip((A, B), inputs, strict=False):
            tick = ticks_[time] if time < len(ticks_) else []
            if time == length:
                tick = [(row, -count) for row, count in content[collection].items() if count]
                tick = [(unquoted(row), count) for row, count in tick]
            for row, diff in tick:
                content[collection][canonical_row(row)] += diff
            if tick and collection in imports:
                changes[collection] = zset(schema, tick)
        content = {c: clean(counter) for c, counter in content.items()}
        change = flow.step(time + 1, changes)
        assert_consolidated(change)
        assert [c.type for c in change.columns] == [f.type for f in arrow_schema(flow.schema)]
        found_rows, found_errors = rows_of(change)
        add(rows, found_rows)
        add(errors, found_errors)
        expected_rows, expected_errors = result_of(plan, content)
        assert clean(rows) == expected_rows, f"at time {time + 1}"
        assert clean(errors) == expected_errors, f"errors at time {time + 1}"
        if maintain:
            flow.maintain(7)
    while flow.maintain(1_000):
        pass
    return flow


def unquoted(row):
    return tuple(math.nan if value == "NaN" else value for value in row)


def assert_consolidated(change):
    rows, _ = rows_of(change)
    assert len(rows) == change.row_count, "a row occurs twice"
    assert all(change.diffs != 0), "a diff of zero"
