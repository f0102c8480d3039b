"""Consolidation: equal rows at equal times become one, zeros vanish, order is canonical."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN
from antiphon.protocol.row_hash import Words, hash_rows


def consolidate(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A delta (or an error batch), each (row, time) once, sorted by (time, low hash, high hash).

    Of values that are equal in SQL and differ in bytes (a month and 30 days) the first stays.
    O(n log n), vectorised.
    """
    assert batch.schema.names[-2:] == [TIME_COLUMN, DIFF_COLUMN], "not a delta"
    if batch.num_rows == 0:
        return batch
    columns = batch.columns
    times = values_of(columns[-2]).astype(np.uint64, copy=False)
    diffs = values_of(columns[-1]).astype(np.int64, copy=False)
    high, low = hash_rows(columns[:-2], batch.num_rows)
    order = canonical_order(times, high, low)
    keep, sums = sum_equal(order, diffs, (times, high, low))
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


def canonical_order(times: Words | None, high: Words, low: Words) -> npt.NDArray[np.int64]:
    """The permutation that sorts rows by (time, low hash, high hash), stable. None: one time."""
    one_time = times is None or bool((times == times[:1]).all())
    keys = (high, low) if one_time or times is None else (high, low, times)
    order = np.argsort(low, kind="stable") if one_time else np.lexsort(keys[1:])
    sorted_low = low[order]
    tied = np.flatnonzero(sorted_low[1:] == sorted_low[:-1])
    if len(tied) and bool((high[order[tied + 1]] != high[order[tied]]).any()):
        return np.lexsort(keys)  # two rows share a low half: almost never
    return order


def sum_equal(
    order: npt.NDArray[np.int64], diffs: npt.NDArray[np.int64], identity: tuple[Words, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of rows in `order`, neighbours with one identity summed: (rows to keep, their diffs)."""
    starts = np.zeros(len(order), np.bool_)
    starts[:1] = True
    after, before = order[1:], order[:-1]
    for word in identity:
        starts[1:] |= word[after] != word[before]
    if starts.all():
        sums = diffs[order]
    else:
        heads = np.flatnonzero(starts)
        sums = np.add.reduceat(diffs[order], heads)
        order = order[heads]
    present = sums != 0
    if not present.all():
        order, sums = order[present], sums[present]
    return order, sums
