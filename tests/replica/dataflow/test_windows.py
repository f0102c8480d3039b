"""Windows in the engine: what is read again, ties, copies, and errors that come and go."""

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.plan import Frame, FrameUnit, Get, SortKey, Window, WindowFunction
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.dataflow.operators import window
from antiphon.replica.dataflow.zset import Zset
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
