"""Consolidation: equal rows at equal times become one, zeros vanish, order is canonical."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN
from antiphon.protocol.interval_parts import part_words
from antiphon.protocol.row_hash import Words, hash_rows


def consolidate(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A delta (or an error batch), each (row, time) once, sorted by (time, low hash, high hash).

    Intervals that are equal in SQL and differ in their parts make different rows, neighbours.
    O(n log n), vectorised.
    """
    assert batch.schema.names[-2:] == [TIME_COLUMN, DIFF_COLUMN], "not a delta"
    if batch.num_rows == 0:
        return batch
    columns = batch.columns
    times = values_of(columns[-2]).astype(np.uint64, copy=False)
    diffs = values_of(columns[-1]).astype(np.int64, copy=False)
    hashes = hash_rows(columns[:-2], batch.num_rows)
    keep, sums = sum_equal(columns[:-2], diffs, hashes, times)
    if len(keep) == batch.num_rows and bool((keep[1:] > keep[:-1]).all()):
        return batch  # it was canonical already
    taken = batch.take(array_of(keep, pa.int64()))
    position = len(columns) - 1
    return taken.set_column(position, batch.schema.field(position), array_of(sums, pa.int64()))


def consolidate_many(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    """The sum of deltas of one schema, consolidated."""
    present = [batch for batch in batches if batch.num_rows]
    if not present:
        return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
    if len(present) == 1:
        return consolidate(present[0])
    return consolidate(pa.concat_batches(present))


def sum_equal(
    columns: Sequence[pa.Array],
    diffs: npt.NDArray[np.int64],
    hashes: tuple[Words, Words],
    times: Words | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The rows to keep, in canonical order, and the sums of their diffs, none of them 0.

    `hashes`: the (high, low) row hashes of `columns`; `times` None: all are of one time.
    """
    high, low = hashes
    order = _canonical_order(times, high, low)
    identity = [high, low] if times is None else [high, low, times]
    starts = _starts(order, identity)
    if starts.all():
        sums = diffs[order]
    else:
        parts = part_words(columns, len(diffs))
        if parts:  # what the row hash has equal may differ all the same
            identity = [*parts, *identity]
            order = np.lexsort(identity)
            starts = _starts(order, identity)
        heads = np.flatnonzero(starts)
        sums = np.add.reduceat(diffs[order], heads)
        order = order[heads]
    present = sums != 0
    if not present.all():
        order, sums = order[present], sums[present]
    return order, sums


def _starts(order: npt.NDArray[np.int64], identity: Sequence[Words]) -> npt.NDArray[np.bool_]:
    """Where a row differs from the one before it."""
    starts = np.zeros(len(order), np.bool_)
    starts[:1] = True
    after, before = order[1:], order[:-1]
    for word in identity:
        starts[1:] |= word[after] != word[before]
    return starts


def _canonical_order(times: Words | None, high: Words, low: Words) -> npt.NDArray[np.int64]:
    """The permutation that sorts rows by (time, low hash, high hash), stable. None: one time."""
    one_time = times is None or bool((times == times[:1]).all())
    keys = (high, low) if one_time or times is None else (high, low, times)
    order = np.argsort(low, kind="stable") if one_time else np.lexsort(keys[1:])
    sorted_low = low[order]
    tied = np.flatnonzero(sorted_low[1:] == sorted_low[:-1])
    if len(tied) and bool((high[order[tied + 1]] != high[order[tied]]).any()):
        return np.lexsort(keys)  # two rows share a low half: almost never
    return order
