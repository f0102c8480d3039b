"""Aggregates beside each other: each may need more room at its own time, and disturbs none."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Aggregate, AggregateFunction, Get, Reduce
from antiphon.protocol.schema import (
    FLOAT64,
    INT64,
    Column,
    Schema,
    Type,
    arrow_type,
    decimal,
)
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec

COUNT, SUM = AggregateFunction.COUNT, AggregateFunction.SUM
A = CollectionId(1)
WIDE, NARROW = decimal(38, 0), decimal(12, 2)
TYPES: tuple[Type, ...] = (INT64, INT64, NARROW, FLOAT64)
# What is seldom is far out: nulls, and values whose sums leave 64 bits.
WHOLE = st.integers(-9, 9) | st.none() | st.sampled_from([2**63 - 1, -(2**63), 2**61])
CENTS = st.integers(-900, 900).map(lambda n: Decimal(n) / 100) | st.none()
FAR = st.sampled_from([Decimal("9999999999.99"), Decimal("-9999999999.99")])
FLOATS = st.sampled_from([0.5, -0.25, 3.0, None, 2.0**90, -(2.0**-80)])
ROW = st.tuples(st.integers(0, 2), WHOLE, WHOLE, CENTS | FAR, FLOATS)
CHOICE = st.lists(
    st.tuples(st.sampled_from([COUNT, SUM]), st.integers(0, len(TYPES) - 1)), min_size=2, max_size=6
)


def aggregate(function: AggregateFunction, column: int) -> Aggregate:
    source = TYPES[column]
    total = FLOAT64 if source is FLOAT64 else decimal(38, source.scale)
    value = ColumnReference(index=column + 1, type=source)
    return Aggregate(
        function=function, arguments=(value,), type=INT64 if function is COUNT else total
    )


def expected(rows: list[tuple[Any, ...]], function: AggregateFunction, column: int) -> Any:
    values = [row[column + 1] for row in rows if row[column + 1] is not None]
    if function is COUNT:
        return len(values)
    if TYPES[column] is FLOAT64:
        return float(sum(map(Fraction, values))) if values else None
    return sum(map(Decimal, values)) if values else None


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(ROW, max_size=6), max_size=6), CHOICE, st.randoms(use_true_random=False))
def test_every_group_has_its_own_results_whatever_the_others_need(ticks, chosen, random):
    named = [Column(name=f"c{index}", type=kind) for index, kind in enumerate(TYPES)]
    columns = (Column(name="k", type=INT64), *named)
    schema = Schema(columns)
    plan = Reduce(
        input=Get(collection=A, schema=schema),
        keys=(ColumnReference(index=0, type=INT64),),
        aggregates=tuple(aggregate(*one) for one in chosen),
    )
    flow = Dataflow.build(plan, {A: ImportSpec(schema=schema)})
    present: list[tuple[Any, ...]] = []
    found: dict[int, tuple[Any, ...]] = {}
    for time, come in enumerate([*ticks, []], 1):
        gone = list(present) if not come else random.sample(present, len(present) // 3)
        for row in gone:
            present.remove(row)
        present += come
        rows = [*gone, *come]
        arrays = tuple(
            pa.array([row[index] for row in rows], arrow_type(column.type))
            for index, column in enumerate(columns)
        )
        diffs = np.array([-1] * len(gone) + [1] * len(come), np.int64)
        change = flow.step(time, {A: Zset(arrays, diffs)})
        assert change.errors is None
        lines = zip(*[column.to_pylist() for column in change.columns], strict=True)
        for line, diff in sorted(
            zip(lines, change.diffs.tolist(), strict=True), key=lambda p: p[1]
        ):
            if diff < 0:
                assert found.pop(line[0]) == line[1:], "what is taken back was there"
            else:
                found[line[0]] = line[1:]
        groups = defaultdict(list)
        for row in present:
            groups[row[0]].append(row)
        assert set(found) == set(groups)
        for key, members in groups.items():
            for value, one in zip(found[key], chosen, strict=True):
                assert value == expected(members, *one)
