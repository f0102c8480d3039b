"""Ranks found by their upper bits: exactly what a binary search finds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.merge import Merge
from antiphon.replica.dataflow.arrangements.spine import probe_keys
from antiphon.replica.dataflow.columns.radix import Radix, RadixBuilder, radix_of

LAST = 2**64 - 1


def sorted_words(count: int, seed: int) -> Words:
    words = np.random.default_rng(seed).integers(0, LAST, count, dtype=np.uint64, endpoint=True)
    return np.sort(words)


def probes(ranks: Words, seed: int, count: int = 5_000) -> Words:
    """Words that are there, their neighbours, others, and both ends."""
    random = np.random.default_rng(seed)
    there = random.choice(ranks, count)
    anywhere = random.integers(0, LAST, count, dtype=np.uint64, endpoint=True)
    ends = np.array([0, 1, LAST - 1, LAST], np.uint64)
    return np.concatenate([there, there + np.uint64(1), there - np.uint64(1), anywhere, ends])


def made(ranks: Words) -> Radix:
    radix = radix_of(ranks)
    assert radix is not None
    return radix


@pytest.mark.parametrize("count", [32_768, 50_001, 131_071, 300_000])
def test_it_finds_what_a_binary_search_finds(count: int) -> None:
    ranks = sorted_words(count, seed=count)
    words = probes(ranks, seed=1)
    assert (made(ranks).seek(ranks, words) == ranks.searchsorted(words)).all()


def test_equal_ranks_are_found_at_the_first_of_them() -> None:
    ranks = np.repeat(sorted_words(20_000, seed=3), 5)
    words = probes(ranks, seed=4)
    assert (made(ranks).seek(ranks, words) == ranks.searchsorted(words)).all()


def test_both_ends_of_the_words_may_be_there() -> None:
    ranks = sorted_words(40_000, seed=5)
    ranks[:3], ranks[-3:] = 0, LAST
    words = probes(ranks, seed=6)
    assert (made(ranks).seek(ranks, words) == ranks.searchsorted(words)).all()


def test_ranks_in_a_part_of_the_range_leave_the_rest_empty() -> None:
    ranks = sorted_words(40_000, seed=7)
    inner = np.sort(np.concatenate([ranks[10_000:30_000], ranks[10_000:30_000] + np.uint64(1)]))
    words = probes(ranks, seed=8)
    assert (made(inner).seek(inner, words) == inner.searchsorted(words)).all()


def test_keys_with_many_rows_each_have_none() -> None:
    few = sorted_words(50, seed=9) & np.uint64(0xFFFFFFFFFF000000)
    ranks = np.sort(np.repeat(few, 2_000) | np.arange(100_000, dtype=np.uint64))
    assert radix_of(ranks) is None


def test_few_ranks_have_none() -> None:
    assert radix_of(sorted_words(32_767, seed=10)) is None


@pytest.mark.parametrize("slice_rows", [1, 777, 40_000])
def test_it_is_the_same_in_slices(slice_rows: int) -> None:
    ranks = sorted_words(33_000, seed=11)
    whole = RadixBuilder(len(ranks))
    whole.append(ranks)
    sliced = RadixBuilder(len(ranks))
    for start in range(0, len(ranks), slice_rows):
        sliced.append(ranks[start : start + slice_rows])
    one, other = whole.finish(), sliced.finish()
    assert one is not None
    assert other is not None
    assert (one.begins == other.begins).all()
    assert (one.shift, one.halvings) == (other.shift, other.halvings)


def test_a_merge_that_cancels_most_rows_still_finds_the_rest() -> None:
    ranks = sorted_words(80_000, seed=12)
    column = pa.array(ranks.view(np.int64))
    there = Batch(ranks, (column,), np.ones(len(ranks), np.int64))
    gone = ranks[5:-5:2]
    others = Batch(gone, (pa.array(gone.view(np.int64)),), np.full(len(gone), -1, np.int64))
    merge = Merge([there, others], None)
    while merge.result is None:
        merge.work(1_000)
    left = merge.result
    assert len(left) == len(ranks) - len(gone)
    assert left.radix is not None
    words = probes(ranks, seed=13)
    assert (left.seek(words) == left.ranks.searchsorted(words)).all()


def test_a_key_at_the_very_end_is_found_with_all_its_rows() -> None:
    last_key = np.arange(LAST - 9, LAST, dtype=np.uint64)
    ranks = np.append(sorted_words(40_000, seed=14)[:-10], [*last_key, np.uint64(LAST)])
    batch = Batch(ranks, (pa.array(ranks.view(np.int64)),), np.ones(len(ranks), np.int64))
    words = np.full(300, LAST, np.uint64)
    match, *others = probe_keys([batch], words)
    assert not others
    expected = np.flatnonzero(ranks & np.uint64(0xFFFFFFFFFF000000) == 0xFFFFFFFFFF000000)
    assert len(expected) >= 10
    assert (match.rows.reshape(300, -1) == expected).all()
    assert (np.unique(match.probes, return_counts=True)[1] == len(expected)).all()
