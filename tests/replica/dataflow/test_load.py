"""Content in parts is the same content: each part is there for the next, and for later."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, Join, JoinKind
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec

A, B = CollectionId(1), CollectionId(2)
SCHEMA = Schema((Column(name="k", type=INT64), Column(name="v", type=INT64)))
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=6)


def joined():
    key = ColumnReference(index=0, type=INT64)
    plan = Join(
        left=Get(collection=A, schema=SCHEMA),
        right=Get(collection=B, schema=SCHEMA),
        kind=JoinKind.LEFT,
        left_keys=(key,),
        right_keys=(key,),
    )
    return Dataflow.build(plan, {c: ImportSpec(schema=SCHEMA) for c in (A, B)})


def zset(rows):
    columns = [pa.array([row[at] for row in rows], pa.int64()) for at in (0, 1)]
    return Zset(tuple(columns), np.ones(len(rows), np.int64))


def inputs(left, right):
    return {c: zset(rows) for c, rows in ((A, left), (B, right)) if rows}


def add(content, change):
    lines = zip(*[column.to_pylist() for column in change.columns], strict=True)
    for row, diff in zip(lines, change.diffs.tolist(), strict=True):
        content[row] += diff


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=4), ROWS, ROWS)
def test_parts_add_up_and_what_follows_meets_all_of_them(parts, left, right):
    in_parts, at_once = joined(), joined()
    found, expected = Counter(), Counter()
    for part in parts:
        add(found, in_parts.load(5, inputs(*part)))
    whole = inputs([r for p, _ in parts for r in p], [r for _, p in parts for r in p])
    add(expected, at_once.step(5, whole))
    assert {r: n for r, n in found.items() if n} == {r: n for r, n in expected.items() if n}
    add(found, in_parts.step(6, inputs(left, right)))
    add(expected, at_once.step(6, inputs(left, right)))
    assert {r: n for r, n in found.items() if n} == {r: n for r, n in expected.items() if n}
