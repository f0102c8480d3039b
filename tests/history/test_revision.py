"""Merging and folding: exact whatever the sizes, in bounded batches, with sizes that grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.history import revision
from antiphon.history.revision import (
    Lane,
    Run,
    Source,
    cut,
    latest,
    listened,
    merge,
    partition_hash,
    runs_to_fold,
)
from antiphon.protocol.consolidate import consolidate_many
from antiphon.protocol.delta import delta_schema
from tests.history.stores import SCHEMA, updates

COLUMNS = delta_schema(SCHEMA)
SUMS = Lane(COLUMNS)
OVERWRITES = Lane(COLUMNS, (0,))
AS_OF = 1_000
Update = tuple[int, str, int, int]

UPDATES = st.lists(
    st.tuples(
        st.integers(0, 9), st.sampled_from("ab"), st.integers(1, 3), st.sampled_from([1, -1])
    ),
    max_size=30,
)


@pytest.fixture(autouse=True, scope="module")
def _small_steps() -> Iterator[None]:
    """Steps and chunks of a few rows, so that small examples cross many borders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision, "FOLD_STEP_ROWS", 3)
        patch.setattr(revision, "CHUNK_ROWS_MAX", 4)
        yield


def batches_of(entries: list[Update], offset: int) -> pa.RecordBatch:
    return updates(*((key, name, time + offset, diff) for key, name, time, diff in entries))


def folded(batches: Iterator[pa.RecordBatch], lane: Lane) -> Source:
    return Source(iter(list(batches)), True)


def values(batches: Iterator[pa.RecordBatch]) -> list[tuple[int, str, int, int]]:
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@given(st.lists(UPDATES, max_size=4), st.integers(0, 4))
def test_sums_are_the_same_however_runs_were_folded(
    histories: list[list[Update]], folds: int
) -> None:
    raw = [batches_of(entries, 10 * at) for at, entries in enumerate(histories)]
    expected = values(
        iter([consolidate_many([revision.at_time(batch, AS_OF) for batch in raw], COLUMNS)])
    )
    sources = [Source(iter([batch]), False) for batch in raw]
    older = merge(sources[:folds], SUMS, 500, keep_deletes=True)
    merged = list(merge([folded(older, SUMS), *sources[folds:]], SUMS, AS_OF, keep_deletes=False))
    assert values(iter(merged)) == expected
    assert all(batch.num_rows <= 4 for batch in merged)


@given(st.lists(UPDATES, max_size=4), st.integers(0, 4), st.integers(0, 4))
def test_of_a_feed_the_latest_overwrite_counts_however_runs_were_folded(
    histories: list[list[Update]], first: int, second: int
) -> None:
    per_tick: list[pa.RecordBatch] = []
    expected: dict[int, str] = {}
    for at, entries in enumerate(histories):
        tick = {key: (name, diff) for key, name, _, diff in entries}
        per_tick.append(updates(*((k, name, 10 + at, diff) for k, (name, diff) in tick.items())))
        for key, (name, diff) in tick.items():
            expected.pop(key, None)
            if diff > 0:
                expected[key] = name
    sources = [Source(iter([batch]), False) for batch in per_tick]
    low, high = sorted((first, second))
    # The oldest run lost its deletes; the one after it must keep them.
    oldest = merge(sources[:low], OVERWRITES, 10 + low - 1, keep_deletes=False)
    middle = merge(sources[low:high], OVERWRITES, 10 + high - 1, keep_deletes=True)
    runs = [folded(oldest, OVERWRITES), folded(middle, OVERWRITES), *sources[high:]]
    merged = list(merge(runs, OVERWRITES, AS_OF, keep_deletes=False))
    found = values(iter(merged))
    assert {key: name for key, name, _, _ in found} == expected
    assert len(found) == len(expected)
    assert {(time, diff) for _, _, time, diff in found} <= {(AS_OF, 1)}


@given(UPDATES)
def test_a_merge_is_sorted_by_hash(entries: list[Update]) -> None:
    for lane in (SUMS, OVERWRITES):
        sources = [Source(iter([batches_of(entries, 0)]), False)]
        merged = list(merge(sources, lane, AS_OF, keep_deletes=True))
        low = [int(word) for batch in merged for word in partition_hash(batch, lane)]
        assert low == sorted(low)


@given(UPDATES, st.integers(0, 4))
def test_updates_after_the_time_are_left_out(entries: list[Update], as_of: int) -> None:
    sources = [Source(iter([batches_of(entries, 0)]), False)]
    before = batches_of([entry for entry in entries if entry[2] <= as_of], 0)
    expected = consolidate_many([revision.at_time(before, as_of)], COLUMNS)
    assert values(merge(sources, SUMS, as_of, keep_deletes=True)) == values(iter([expected]))


@given(UPDATES)
def test_a_cut_keeps_order_and_never_parts_equal_rows(entries: list[Update]) -> None:
    doubled = batches_of([entry for entry in entries for _ in range(3)], 0)
    order = sorted(range(doubled.num_rows), key=lambda at: int(partition_hash(doubled, SUMS)[at]))
    batch = revision.at_time(doubled.take(pa.array(order, pa.int64())), 7)
    pieces = list(cut(batch, SUMS))
    assert values(iter(pieces)) == values(iter([batch]))
    for before, after in pairwise(pieces):
        assert partition_hash(before, SUMS)[-1] != partition_hash(after, SUMS)[0]


def test_a_cut_bounds_bytes_too() -> None:
    wide = updates(*((number, "x" * 100_000, 7, 1) for number in range(100)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision, "CHUNK_ROWS_MAX", 65_536)
        pieces = list(cut(wide, SUMS))
    assert 3 <= len(pieces) <= 5
    assert max(piece.nbytes for piece in pieces) <= 5 << 20


def test_the_latest_of_each_key_is_by_order_or_else_by_place() -> None:
    batch = updates((1, "a", 5, 1), (2, "b", 5, 1), (1, "c", 4, 1))
    by_place = {tuple(row.values())[:2] for row in latest(batch, (0,)).to_pylist()}
    by_time = latest(batch, (0,), revision.values_of(batch.column(2)))
    assert by_place == {(1, "c"), (2, "b")}
    assert {tuple(row.values())[:2] for row in by_time.to_pylist()} == {(1, "a"), (2, "b")}


def test_listening_takes_the_interval_alone() -> None:
    batch = updates((1, "a", 4, 1), (1, "a", 5, 1), (1, "a", 6, 1))
    assert [entry[2] for entry in values(listened([batch], 5, 6))] == [5]
    assert values(listened([batch], 7, 9)) == []
    assert next(listened([batch], 4, 7)) is batch


# When to fold.


def runs(*sizes: tuple[int, bool]) -> list[Run]:
    return [
        Run(number=at, time_first=at, time_last=at, row_count=size, is_folded=is_folded)
        for at, (size, is_folded) in enumerate(sizes)
    ]


def test_a_few_small_ticks_are_left_alone() -> None:
    assert runs_to_fold(runs(*[(1, False)] * 63), 100) == ()
    assert runs_to_fold([], 100) == ()


def test_many_ticks_are_merged_but_not_into_a_much_larger_revision() -> None:
    known = runs((1_000_000, True), *[(1, False)] * 64)
    assert runs_to_fold(known, 100) == tuple(known[1:])


def test_changes_that_exceed_the_revision_are_folded_into_it() -> None:
    known = runs((10_000, True), (5_000, False), (5_001, False))
    assert runs_to_fold(known, 100) == tuple(known)
    assert runs_to_fold(known[:2], 100) == ()


def test_only_what_since_has_passed_is_folded() -> None:
    known = runs(*[(10_000, False)] * 5)
    assert runs_to_fold(known, 2) == tuple(known[:3])


def test_a_lone_run_is_never_folded() -> None:
    assert runs_to_fold(runs((1_000_000, False)), 100) == ()


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=400))
def test_folding_keeps_runs_few_and_rewrites_cheap(sizes: list[int]) -> None:
    known: list[Run] = []
    rewritten = total = 0
    for at, size in enumerate(sizes):
        total += size
        known.append(Run(number=at, time_first=at, time_last=at, row_count=size, is_folded=False))
        while chosen := runs_to_fold(known, at):
            assert chosen == tuple(known[-len(chosen) :])
            row_count = sum(run.row_count for run in chosen)
            rewritten += row_count
            known[-len(chosen) :] = [
                Run(number=at, time_first=0, time_last=at, row_count=row_count, is_folded=True)
            ]
    assert sum(run.row_count for run in known) == total
    assert len(known) <= 64 + total.bit_length()
    assert rewritten <= 4 * total * total.bit_length()
