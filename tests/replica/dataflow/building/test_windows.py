"""Windows in the engine: what is read again, ties, copies, and errors that come and go."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import (
    Frame,
    FrameExclusion,
    FrameUnit,
    Get,
    SortKey,
    Window,
    WindowFunction,
)
from antiphon.protocol.schema import BOOLEAN, FLOAT64, INT32, INT64, TEXT, Column, Schema, decimal
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.dataflow.operators.windowing import window
from antiphon.replica.dataflow.operators.windowing.window_rows import blocks
from tests.replica.dataflow import changes
from tests.replica.dataflow.changes import A, rows_of

SCHEMA = Schema(
    (Column(name="g", type=INT64), Column(name="o", type=INT64), Column(name="x", type=INT64))
)
X = ColumnReference(index=2, type=INT64)


def made(*functions, schema=SCHEMA):
    plan = Window(
        input=Get(collection=A, schema=schema),
        partition_by=(0,),
        order_by=(SortKey(column=1),),
        functions=functions,
    )
    return Dataflow.build(plan, {A: ImportSpec(schema=schema)})


def function(name, *arguments, **options):
    return WindowFunction(name=name, arguments=arguments, type=INT64, **options)


def change(*rows):
    """Rows (g, o, x, diff)."""
    columns = [pa.array([row[i] for row in rows], pa.int64()) for i in range(3)]
    return Zset(tuple(columns), np.array([row[3] for row in rows], np.int64))


def window_of(flow):
    return next(op for op in flow._graph.operators if isinstance(op, window.Window))


def test_a_change_reads_its_own_partition_and_no_other():
    flow = made(function("sum", X), function("row_number"))
    count, per_partition = 1_000_000, 100
    numbers = np.arange(count)
    columns = (numbers // per_partition, numbers % per_partition, numbers)
    loaded = Zset(tuple(pa.array(c) for c in columns), np.ones(count, np.int64))
    flow.step(1, {A: loaded})
    before = window_of(flow).rows_read
    found = flow.step(2, {A: change((77, 50, 5, 1))})
    assert window_of(flow).rows_read - before == per_partition + 1
    # The rows behind the new one are numbered anew; those before it stay as they are.
    assert found.row_count < 2 * per_partition
    assert len(set(found.columns[0].to_pylist())) == 1


def test_blocks_are_whole_partitions():
    partition = np.repeat([0, 1, 2, 3, 4], [3, 1, 5, 2, 2])
    found = [(block.start, block.stop) for block in blocks(partition, 4)]
    assert found == [(0, 4), (4, 9), (9, 13)]
    assert blocks(partition, 100) == [slice(0, 13)]
    assert [block.stop for block in blocks(partition, 1)] == [3, 4, 9, 11, 13]
    assert [block.stop for block in blocks(np.zeros(9, np.int64), 2)] == [9]


def test_blocks_change_nothing():
    schema, calls = SCHEMA, (function("sum", X), function("rank"), function("row_number"))
    whole = made(*calls, schema=schema)
    parts = made(*calls, schema=schema)
    window_of(parts)._block_rows = 3
    rows = [(g, o, x, 1) for g in range(4) for o in range(3) for x in range(2)]
    for time, change_rows in enumerate((rows, [(1, 1, 1, -1), (3, 5, 5, 1)]), 1):
        first = rows_of(whole.step(time, {A: change(*change_rows)}))
        assert rows_of(parts.step(time, {A: change(*change_rows)})) == first


def test_copies_of_a_row_are_numbered_one_by_one():
    flow = made(function("row_number"), function("rank"))
    rows, _ = rows_of(flow.step(1, {A: change((1, 1, 1, 3), (1, 2, 1, 1))}))
    assert rows == {
        (1, 1, 1, 1, 1): 1, (1, 1, 1, 2, 1): 1, (1, 1, 1, 3, 1): 1, (1, 2, 1, 4, 4): 1
    }  # fmt: skip
    rows, _ = rows_of(flow.step(2, {A: change((1, 1, 1, -2))}))
    assert rows == {
        (1, 1, 1, 2, 1): -1, (1, 1, 1, 3, 1): -1, (1, 2, 1, 4, 4): -1, (1, 2, 1, 2, 2): 1
    }  # fmt: skip


def test_peers_are_numbered_alike_whatever_order_they_came_in():
    peers = [(1, 0, x, 1) for x in range(20)]
    first, second = made(function("row_number")), made(function("row_number"))
    at_once, _ = rows_of(first.step(1, {A: change(*peers)}))
    total = {}
    for time, row in enumerate(reversed(peers), 1):
        for key, count in rows_of(second.step(time, {A: change(row)}))[0].items():
            total[key] = total.get(key, 0) + count
    assert {key: count for key, count in total.items() if count} == at_once


def test_a_frame_that_overflows_is_an_error_until_it_does_not():
    frame = Frame(unit=FrameUnit.ROWS, start=-1, end=0)
    wide = Schema((*SCHEMA.columns[:2], Column(name="x", type=INT64)))
    flow = made(function("sum", X, frame=frame), schema=wide)
    big = 2**62
    rows, errors = rows_of(flow.step(1, {A: change((1, 1, big, 1), (1, 2, big, 1), (1, 3, 0, 1))}))
    assert errors == {"numeric_value_out_of_range": 1}
    assert rows == {(1, 1, big, big): 1, (1, 3, 0, big): 1}
    rows, errors = rows_of(flow.step(2, {A: change((1, 1, big, -1))}))
    assert errors == {"numeric_value_out_of_range": -1}
    assert rows == {(1, 1, big, big): -1, (1, 2, big, big): 1}
    rows, errors = rows_of(flow.step(3, {A: change((1, 2, big, -1), (1, 3, 0, -1))}))
    assert not errors
    while flow.maintain(1_000):
        pass
    assert flow.state_rows == 0


def test_a_row_that_says_how_far_may_say_nonsense():
    flow = made(function("ntile", X))
    _, errors = rows_of(flow.step(1, {A: change((1, 1, 0, 1), (1, 2, 1, 1))}))
    assert errors == {"invalid_argument": 1}


def of(kind_name, *arguments, kind, **options):
    return WindowFunction(name=kind_name, arguments=arguments, type=kind, **options)


REAL, MONEYS, TEXTS = (
    ColumnReference(index=i, type=changes.SCHEMA.columns[i].type) for i in (2, 4, 3)
)
NUMBER = ColumnReference(index=1, type=changes.SCHEMA.columns[1].type)
FLAG = ColumnReference(index=6, type=BOOLEAN)
TWO, ONE = Literal(value=2, type=INT64), Literal(value=1, type=INT64)
UNFRAMED = (
    of("row_number", kind=INT64), of("rank", kind=INT64), of("dense_rank", kind=INT64),
    of("percent_rank", kind=FLOAT64), of("cume_dist", kind=FLOAT64), of("ntile", TWO, kind=INT32),
    of("lag", TEXTS, kind=TEXT), of("lead", REAL, NUMBER, kind=FLOAT64),
    of("lag", NUMBER, ONE, NUMBER, kind=NUMBER.type),
)  # fmt: skip
FRAMED = (
    of("first_value", REAL, kind=FLOAT64), of("last_value", TEXTS, kind=TEXT),
    of("nth_value", MONEYS, TWO, kind=MONEYS.type), of("count", kind=INT64),
    of("count", TEXTS, kind=INT64), of("sum", REAL, kind=FLOAT64), of("sum", NUMBER, kind=INT64),
    of("sum", MONEYS, kind=decimal(38, 2), filter=FLAG), of("min", REAL, kind=FLOAT64),
    of("max", TEXTS, kind=TEXT), of("min", MONEYS, kind=MONEYS.type, filter=FLAG),
    of("max", FLAG, kind=BOOLEAN), of("bool_and", FLAG, kind=BOOLEAN),
    of("var_pop", NUMBER, kind=FLOAT64),
)  # fmt: skip


@st.composite
def frames(draw, order):
    """A frame over an order by this column."""
    unit = draw(st.sampled_from(FrameUnit))
    start = draw(st.none() | st.integers(-2, 2))
    end = draw(st.none() | st.integers(-2, 2))
    exclude = draw(st.sampled_from(FrameExclusion))
    if unit is not FrameUnit.RANGE:
        return Frame(unit=unit, start=start, end=end, exclude=exclude)
    kinds = {1: st.integers(0, 8), 2: st.sampled_from([0.0, 1.5, 4.0, 1e300])}
    far = kinds[order].map(lambda v: Literal(value=v, type=INT64 if order == 1 else FLOAT64))
    sides = [None if bound is None else max(-1, min(1, bound)) for bound in (start, end)]
    return Frame(
        unit=unit, start=sides[0], end=sides[1], exclude=exclude,
        start_distance=draw(far) if sides[0] else None,
        end_distance=draw(far) if sides[1] else None,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    rows=changes.ticks(),
    order=st.sampled_from([1, 2]),
    descending=st.booleans(),
    nulls_first=st.booleans(),
    grouped=st.booleans(),
    unframed=st.lists(st.sampled_from(UNFRAMED), max_size=3),
    framed=st.lists(st.sampled_from(FRAMED), max_size=3),
)
def test_against_looking_at_every_row(
    data, rows, order, descending, nulls_first, grouped, unframed, framed
):
    shaped = [replace(f, frame=data.draw(st.none() | frames(order))) for f in framed]
    plan = Window(
        input=changes.get(),
        partition_by=(6,) if grouped else (),
        order_by=(SortKey(column=order, descending=descending, nulls_first=nulls_first),),
        functions=(*unframed, *shaped) or UNFRAMED[:1],
    )
    assert changes.check_plan(plan, rows).state_rows == 0, "state is left when all rows are gone"


@pytest.mark.parametrize("name", ["percentile_cont", "string_agg", "frobnicate"])
def test_what_is_not_served_is_refused_when_it_is_built(name):
    with pytest.raises(NotServed, match=name):
        made(function(name, X))


def test_a_range_needs_an_order_with_distances():
    distance = Literal(value=1, type=INT64)
    frame = Frame(unit=FrameUnit.RANGE, start=-1, end=0, start_distance=distance)
    texts = Schema((SCHEMA.columns[0], Column(name="o", type=TEXT), SCHEMA.columns[2]))
    with pytest.raises(NotServed, match="RANGE"):
        made(function("sum", X, frame=frame), schema=texts)
