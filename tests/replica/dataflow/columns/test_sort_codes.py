"""Rows sorted by a group and keys, whatever of them fits into one word."""

import random

import numpy as np
import pytest

from antiphon.replica.dataflow.columns.sort_codes import sorted_rows

SPANS = [1, 2, 5, 2**20, 2**33, 2**62, 2**64]


def random_key(rng, count):
    span = rng.choice(SPANS)
    lowest = rng.randrange(2**64 - span + 1)
    values = [lowest + rng.randrange(span) for _ in range(rng.choice([1, 3, count]))]
    return np.array([rng.choice(values) for _ in range(count)], np.uint64)


@pytest.mark.parametrize("seed", range(200))
def test_rows_are_in_the_order_of_group_and_keys(seed):
    rng = random.Random(seed)
    count = rng.choice([0, 1, 2, 30, 300])
    groups = rng.choice([1, 2, 1_000, 2**33])
    group = np.array([rng.randrange(groups) for _ in range(count)], np.int64)
    keys = [random_key(rng, count) for _ in range(rng.choice([1, 2, 3, 4]))]
    order = sorted_rows(group, keys)
    assert sorted(order.tolist()) == list(range(count)), "each row once"
    rows = [(g, *k) for g, *k in zip(group.tolist(), *(key.tolist() for key in keys), strict=True)]
    assert [rows[place] for place in order] == sorted(rows)
