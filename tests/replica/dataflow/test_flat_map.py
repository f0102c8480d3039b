"""Rows taken apart: at every tick what the same rows give from scratch, and nothing is kept."""

import datetime as dt
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import Call, ColumnReference, Interval, Literal
from antiphon.protocol.plan import FlatMap, Get, TableFunction
from antiphon.protocol.schema import (
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    Column,
    Schema,
    Type,
    TypeKind,
    arrow_schema,
)
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec, evaluate_once
from tests.replica.dataflow.changes import A, rows_of

TEXTS = Type(kind=TypeKind.LIST, element=TEXT)
NUMBERS = Type(kind=TypeKind.LIST, element=INT64)
SCHEMA = Schema(
    (
        Column(name="a", type=INT64),
        Column(name="b", type=INT64),
        Column(name="c", type=INT64),
        Column(name="xs", type=TEXTS),
        Column(name="ns", type=NUMBERS),
    )
)
GET = Get(collection=A, schema=SCHEMA)
COLUMNS = [ColumnReference(index=i, type=c.type) for i, c in enumerate(SCHEMA.columns)]
UNNEST_TEXT = TableFunction(name="unnest", arguments=(COLUMNS[3],), type=TEXT)
UNNEST_NUMBER = TableFunction(name="unnest", arguments=(COLUMNS[4],), type=INT64)
SERIES = TableFunction(name="generate_series", arguments=tuple(COLUMNS[:3]), type=INT64)

small = st.none() | st.integers(-3, 4)
ROWS = st.tuples(
    small,
    small,
    small,
    st.none() | st.lists(st.none() | st.sampled_from(["", "x", "yy"]), max_size=3).map(tuple),
    st.none() | st.lists(st.none() | st.integers(0, 2), max_size=3).map(tuple),
)
TICKS = st.lists(st.lists(st.tuples(ROWS, st.sampled_from([1, 1, 2, -1])), max_size=6), max_size=4)


def zset(changes):
    columns = tuple(
        pa.array([row[i] for row, _ in changes], field.type)
        for i, field in enumerate(arrow_schema(SCHEMA))
    )
    return Zset(columns, np.array([diff for _, diff in changes], np.int64))


def values_of(function, row):
    if function is SERIES:
        first, last, step = row[:3]
        if None in (first, last, step):
            return []
        if step == 0:
            raise ZeroDivisionError
        return list(range(first, last + (1 if step > 0 else -1), step))
    return list(row[function.arguments[0].index] or ())


def expected(plan, changes):
    """(rows, number of errors), row by row."""
    rows, errors = Counter(), 0
    for row, diff in changes:
        try:
            found = [values_of(function, row) for function in plan.functions]
        except ZeroDivisionError:
            errors += diff
            continue
        length = max(len(values) for values in found)
        for place in range(max(length, plan.keep_empty)):
            beside = [values[place] if place < len(values) else None for values in found]
            if plan.with_ordinality:
                beside.append(place + 1 if place < length else None)
            rows[(*row, *beside)] += diff
    return Counter({row: count for row, count in rows.items() if count}), errors


@pytest.mark.parametrize(
    "functions", [(UNNEST_TEXT,), (SERIES,), (UNNEST_NUMBER, SERIES), (UNNEST_TEXT, UNNEST_NUMBER)]
)
@pytest.mark.parametrize("with_ordinality", [False, True])
@pytest.mark.parametrize("keep_empty", [False, True])
@settings(max_examples=15, deadline=None)
@given(ticks=TICKS)
def test_every_tick_is_what_its_rows_give_one_by_one(functions, with_ordinality, keep_empty, ticks):
    plan = FlatMap(
        input=GET, functions=functions, with_ordinality=with_ordinality, keep_empty=keep_empty
    )
    flow = Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})
    for time, changes in enumerate(ticks):
        change = flow.step(time, {A: zset(changes).consolidated()})
        rows = Counter(dict(zip(_tuples(change), change.diffs.tolist(), strict=True)))
        errors = 0 if change.errors is None else int(change.errors.diffs.sum())
        assert (rows, errors) == expected(plan, changes)
        assert len(set(_tuples(change))) == change.row_count, "each row once"
    assert flow.state_rows == 0 == flow.state_bytes


def _tuples(change):
    columns = [column.to_pylist() for column in change.columns]
    rows = zip(*columns, strict=True)
    return [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in rows]


def series(first, last, months=0, days=0, microseconds=0):
    step = Interval(months=months, days=days, microseconds=microseconds)
    arguments = (
        Literal(value=_instant(first), type=TIMESTAMP),
        Literal(value=_instant(last), type=TIMESTAMP),
        Literal(value=step, type=INTERVAL),
    )
    return TableFunction(name="generate_series", arguments=arguments, type=TIMESTAMP)


def _instant(moment):
    return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


def spread(function):
    plan = FlatMap(input=GET, functions=(function,), with_ordinality=True)
    one = zset([((1, 1, 1, None, None), 1)])
    rows, _ = rows_of(evaluate_once(plan, {A: ImportSpec(schema=SCHEMA)}, {A: one}))
    found = sorted(rows, key=lambda row: row[-1])
    return [dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=row[-2]) for row in found]


moments = st.datetimes(dt.datetime(2019, 12, 1), dt.datetime(2021, 2, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)


@settings(max_examples=60, deadline=None)
@given(first=moments, last=moments, months=st.integers(-3, 3).filter(bool))
def test_months_are_added_one_after_another(first, last, months):
    """A short month cuts the day of all that follow: what walking from one to the next gives."""
    walked, at = [], first
    while at <= last if months > 0 else at >= last:
        walked.append(at)
        month = at.year * 12 + at.month - 1 + months
        year, number = divmod(month, 12)
        following = dt.datetime(year + (number == 11), (number + 1) % 12 + 1, 1)
        longest = (following - dt.timedelta(days=1)).day
        at = at.replace(year=year, month=number + 1, day=min(at.day, longest))
    assert spread(series(first, last, months=months)) == walked


def test_a_step_of_months_and_days_goes_from_each_to_the_next():
    first, last = dt.datetime(2024, 1, 30, 6), dt.datetime(2024, 5, 1)
    assert spread(series(first, last, months=1, days=1)) == [
        dt.datetime(2024, 1, 30, 6), dt.datetime(2024, 3, 1, 6), dt.datetime(2024, 4, 2, 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "last", "step", "members"),
    [
        (-(2**63), 2**63 - 1, 2**63 - 1, [-(2**63), -1, 2**63 - 2]),
        (2**63 - 1, -(2**63), -(2**63), [2**63 - 1, -1]),
        (2**63 - 2, 2**63 - 1, 1, [2**63 - 2, 2**63 - 1]),
        (1, 0, 1, []),
    ],
)
def test_series_end_at_the_edge_of_their_type(first, last, step, members):
    plan = FlatMap(input=GET, functions=(SERIES,))
    change = zset([((first, last, step, None, None), 1)])
    found = evaluate_once(plan, {A: ImportSpec(schema=SCHEMA)}, {A: change})
    assert found.errors is None
    assert sorted(found.columns[-1].to_pylist()) == sorted(members)


@pytest.mark.parametrize(
    "function",
    [
        TableFunction(name="explode", arguments=(COLUMNS[3],), type=TEXT),
        TableFunction(
            name="unnest", arguments=(Call(function="x", arguments=(), type=TEXTS),), type=TEXT
        ),
    ],
)
def test_what_is_not_evaluated_is_refused(function):
    with pytest.raises(NotServed):
        Dataflow.build(FlatMap(input=GET, functions=(function,)), {A: ImportSpec(schema=SCHEMA)})
