"""Bounds of what a change can move are bounds, however many rows it has."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from antiphon.replica.dataflow.columns.limbs import moved_at_most, norm

INT64 = st.integers(-(2**63), 2**63 - 1)
PAIRS = st.lists(st.tuples(INT64 | st.integers(-9, 9), st.integers(-(2**40), 2**40)), max_size=60)


@given(PAIRS, st.sampled_from([1, 30]))
def test_no_sum_of_a_change_is_beyond_its_bound(pairs, copies):
    pairs *= copies  # so that there are few rows, some, and many
    values = np.array([value for value, _ in pairs], np.int64)
    diffs = np.array([diff for _, diff in pairs], np.int64)
    moved = sum(abs(value * diff) for value, diff in pairs)
    assert moved <= moved_at_most(norm(values), norm(diffs))
