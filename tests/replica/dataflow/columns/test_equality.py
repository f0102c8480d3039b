"""A few rows are summed as consolidation sums them, by comparing each with each."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.equality import sum_of_few
from antiphon.replica.dataflow.columns.zset import Zset
from tests.replica.dataflow.changes import SCHEMA, VALUES, rows_of, zset

ROW = tuple(None for _ in SCHEMA.columns)


@st.composite
def few_entries(draw):
    """Rows that meet often, of every type."""
    distinct = draw(st.lists(st.tuples(*[st.none() | VALUES[c.type] for c in SCHEMA.columns]),
                             min_size=1, max_size=3))  # fmt: skip
    entry = st.tuples(st.sampled_from(distinct), st.sampled_from([1, -1, 2]))
    return draw(st.lists(entry, max_size=12))


@settings(max_examples=100, deadline=None)
@given(few_entries())
def test_equal_rows_are_summed_and_the_first_of_them_stays(entries):
    given_rows = zset(SCHEMA, entries)
    found = sum_of_few(given_rows.columns, given_rows.diffs)
    assert found is not None
    places, sums = found
    assert places == sorted(places)
    summed = Zset(given_rows.take(np.array(places, np.int64)).columns, np.array(sums, np.int64))
    assert rows_of(summed) == rows_of(given_rows.consolidated())
    assert summed.row_count == given_rows.consolidated().row_count


def test_more_than_a_few_are_not_compared_with_each_other():
    many = zset(SCHEMA, [(ROW, 1)] * 13)
    assert sum_of_few(many.columns, many.diffs) is None
    twelve = zset(SCHEMA, [(ROW, 1)] * 12)
    assert sum_of_few(twelve.columns, twelve.diffs) == ([0], [12])
