"""Consolidation: one row for each (row, time), no zeros, one order whatever the input's."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.consolidate import consolidate, consolidate_many
from antiphon.protocol.delta import delta_schema
from antiphon.protocol.row_hash import hash_rows
from antiphon.protocol.schema import INT64, TEXT, Column, Schema

SCHEMA = delta_schema(Schema((Column(name="a", type=INT64), Column(name="b", type=TEXT))))
ROW = st.tuples(
    st.none() | st.integers(0, 3), st.none() | st.sampled_from(["", "x", "yy"]),
    st.integers(1, 3), st.integers(-2, 2).filter(bool),
)  # fmt: skip


def batch(rows):
    columns = list(zip(*rows, strict=True)) or [[], [], [], []]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def rows_of(found):
    return list(zip(*[c.to_pylist() for c in found.columns], strict=True))


@given(st.lists(ROW, max_size=30))
@settings(max_examples=100, deadline=None)
def test_consolidation_sums_equal_rows_and_drops_zeros(rows):
    found = consolidate(batch(rows))
    expected = Counter()
    for *row, diff in rows:
        expected[tuple(row)] += diff
    got = rows_of(found)
    assert {r[:-1]: r[-1] for r in got} == {r: d for r, d in expected.items() if d}
    assert len(got) == len({r[:-1] for r in got})
    if got:
        high, low = hash_rows(found.columns[:-2])
        keys = list(zip([r[2] for r in got], low.tolist(), high.tolist(), strict=True))
        assert keys == sorted(keys)


@given(st.lists(ROW, max_size=20), st.randoms(use_true_random=False), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_the_order_and_split_of_the_input_do_not_matter(rows, random, cut):
    shuffled = list(rows)
    random.shuffle(shuffled)
    parts = [batch(shuffled[:cut]), batch(shuffled[cut:])]
    assert consolidate_many(parts, SCHEMA).equals(consolidate(batch(rows)))


def test_nothing_consolidates_to_an_empty_batch_of_the_schema():
    assert consolidate_many([], SCHEMA).schema == SCHEMA
    assert consolidate(batch([])).num_rows == 0


def test_consolidating_twice_changes_nothing():
    once = consolidate(batch([(1, "x", 1, 1), (1, "x", 1, 1), (2, None, 1, -1)]))
    assert consolidate(once) is once
