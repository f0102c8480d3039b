"""Lists over window frames, and sums over their distinct values."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import Frame, FrameExclusion, FrameUnit, Get, Window, WindowFunction
from antiphon.protocol.plan import SortKey as Key
from antiphon.protocol.schema import INT64, TEXT, Column, Schema, list_of
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.dataflow.operators.windowing import window_gathered
from antiphon.replica.dataflow.operators.windowing.distinct_frames import FirstRows
from tests.replica.dataflow.changes import A

SCHEMA = Schema(tuple(Column(name=n, type=t) for n, t in (("g", INT64), ("o", INT64), ("s", TEXT))))
S = ColumnReference(index=2, type=TEXT)
RUNNING = Frame(unit=FrameUnit.ROWS, start=None, end=0)
LISTS = WindowFunction(name="array_agg", arguments=(S,), type=list_of(TEXT), frame=RUNNING)
JOINED = WindowFunction(
    name="string_agg", arguments=(S, Literal(value=";", type=TEXT)), type=TEXT, frame=RUNNING
)
COUNT = WindowFunction(name="count_distinct", arguments=(S,), type=INT64, frame=RUNNING)


def made(*functions):
    plan = Window(
        input=Get(collection=A, schema=SCHEMA), partition_by=(0,), order_by=(Key(column=1),),
        functions=functions,
    )  # fmt: skip
    return Dataflow.build(plan, {A: ImportSpec(schema=SCHEMA)})


def change(*rows):
    """Rows (g, o, s, diff)."""
    kinds = (pa.int64(), pa.int64(), pa.string())
    columns = tuple(pa.array([row[i] for row in rows], kind) for i, kind in enumerate(kinds))
    return Zset(columns, np.array([row[3] for row in rows], np.int64))


def entered(found):
    rows = found.take(np.flatnonzero(found.diffs > 0)).columns
    return sorted(zip(*(column.to_pylist() for column in rows), strict=True))


@given(st.data())
def test_sums_over_first_rows_are_those_of_sets(data):
    count = data.draw(st.integers(0, 12))
    values = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    counted = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    ends = st.tuples(st.integers(0, count), st.integers(0, count)).map(sorted)
    frames = data.draw(st.lists(ends, max_size=6))
    numbers = np.array([counted, np.multiply(values, counted)], np.int64).reshape(2, count)
    first = FirstRows(np.array(values, np.uint64), np.array(counted, np.bool_))
    start, end = np.array(frames, np.int64).reshape(-1, 2).T
    wanted = [{values[k] for k in range(i, j) if counted[k]} for i, j in frames]
    found = first.sums(numbers, start, end)
    assert found.tolist() == [[len(s) for s in wanted], [sum(s) for s in wanted]]


def test_lists_follow_the_order_and_keep_nulls():
    flow = made(LISTS, JOINED, COUNT)
    first = flow.step(1, {A: change((1, 3, "c", 1), (1, 1, "a", 1), (1, 2, None, 1))})
    assert entered(first) == [
        (1, 1, "a", ["a"], "a", 1),
        (1, 2, None, ["a", None], "a", 1),
        (1, 3, "c", ["a", None, "c"], "a;c", 2),
    ]
    flow.maintain(50)
    second = flow.step(2, {A: change((1, 1, "a", -1))})
    assert entered(second) == [(1, 2, None, [None], None, 0), (1, 3, "c", [None, "c"], "c", 1)]


def test_a_partition_whose_lists_are_too_long_fails_and_no_other(monkeypatch):
    monkeypatch.setattr(window_gathered, "MEMBERS_MAX", 5)
    flow = made(LISTS)
    rows = [(1, o, "a", 1) for o in range(3)] + [(2, o, "b", 1) for o in range(2)]
    found = flow.step(1, {A: change(*rows)})
    assert found.columns[0].to_pylist() == [2, 2]
    assert set(found.errors.columns[1].to_pylist()) == {
        "the frames of array_agg have too many rows together"
    }
    flow.maintain(50)
    gone = flow.step(2, {A: change((1, 2, "a", -1))}).consolidated()
    assert gone.columns[3].to_pylist() == [["a"], ["a", "a"]]
    assert gone.errors.diffs.sum() == -3


def test_a_partition_whose_texts_are_too_long_fails(monkeypatch):
    monkeypatch.setattr(window_gathered, "MEMBER_BYTES_MAX", 10)
    flow = made(JOINED)
    found = flow.step(1, {A: change((1, 1, "abcd", 1), (1, 2, "e", 1), (2, 1, "abcd", 1))})
    assert found.columns[3].to_pylist() == ["abcd"]


@pytest.mark.parametrize(
    "function",
    [
        replace(COUNT, frame=replace(RUNNING, exclude=FrameExclusion.CURRENT_ROW)),
        replace(JOINED, arguments=(S, S)),
        replace(COUNT, name="corr_distinct"),
    ],
    ids=["exclusion", "separator", "unknown"],
)
def test_what_is_not_computed_is_refused(function):
    with pytest.raises(NotServed):
        made(function)
