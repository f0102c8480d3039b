"""Runs and how they merge: snapshots and folding, in steps of bounded size.

A *run* is a sequence of batches of one side (rows or errors) of one shard. A raw run is what one
tick or one compare-and-append stored. A folded run holds everything of several runs at or before
some since, at one time, each row once, sorted by the low hash; the oldest folded run is the
*revision*. Sizes of folded runs grow geometrically with age, so that a row is rewritten O(log n)
times and a reader merges O(log n) runs.

Rows of tables and views are summed. A feed's are overwrites: of each key the latest counts.
Batches are cut so that rows of one hash never straddle two batches of a run: merging goes by ranges
of the hash, and a row's changes must meet in one range.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, islice
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.history.limits import (
    CHUNK_BYTES_MAX,
    CHUNK_ROWS_MAX,
    FOLD_BATCHES_MIN,
    FOLD_ROWS_MIN,
    FOLD_STEP_ROWS,
    GATHER_BYTES_MAX,
)
from antiphon.history.shard import Shard, at_time
from antiphon.protocol.buffers import values_of
from antiphon.protocol.consolidate import consolidate
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import ERROR_SCHEMA
from antiphon.protocol.row_hash import hash_keys, hash_rows

_UINT64_MAX: Final = 2**64 - 1


class Side(IntEnum):
    ROWS = 0
    ERRORS = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """How one side of a shard merges. `key`: overwrites of these columns; empty: sums."""

    schema: pa.Schema
    key: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is known of a run without reading it."""

    number: int
    time_first: int
    time_last: int
    row_count: int
    is_folded: bool

    @property
    def is_sorted(self) -> bool:
        """Whether its rows ascend in hash: always, but for a raw run of several times."""
        return self.is_folded or self.time_first == self.time_last


def rows_until(runs: Iterable[Run], as_of: int) -> int:
    """What a merge of these runs at `as_of` may come to: updates that cancel are counted."""
    return sum(run.row_count for run in runs if run.time_first <= as_of)


@dataclass(frozen=True, slots=True)
class Source:
    """A run to be merged: its batches in order. `is_sorted`: by hash, over all of them."""

    batches: Iterator[pa.RecordBatch]
    is_sorted: bool


def lane_of(shard: Shard, side: Side) -> Lane:
    if side is Side.ERRORS:
        return Lane(ERROR_SCHEMA)
    return Lane(shard.columns, shard.unique_key if shard.kind is CollectionKind.FEED else ())


def partition_hash(batch: pa.RecordBatch, lane: Lane) -> npt.NDArray[np.uint64]:
    """The hash by which runs of this lane are sorted: of the key of a feed, else of the row."""
    columns = batch.columns[:-2]
    if lane.key:
        columns = [columns[index] for index in lane.key]
    return hash_keys(columns, batch.num_rows)


def latest(
    batch: pa.RecordBatch, key: tuple[int, ...], order: npt.NDArray[np.generic] | None = None
) -> pa.RecordBatch:
    """Of each key the overwrite that comes last: by `order`, or by place. Sorted by (low, high)
    hash of the key."""
    if batch.num_rows == 0:
        return batch
    high, low = hash_rows([batch.column(index) for index in key], batch.num_rows)
    keys = (high, low) if order is None else (order, high, low)
    sorted_rows = np.lexsort(keys)  # stable: equal keys stay in their order
    high, low = high[sorted_rows], low[sorted_rows]
    ends = np.append((low[1:] != low[:-1]) | (high[1:] != high[:-1]), True)
    return batch.take(pa.array(sorted_rows[ends]))


def cut(batch: pa.RecordBatch, lane: Lane) -> Iterator[pa.RecordBatch]:
    """Batches within the limits of a chunk (but for one row that is larger than that), never
    between rows of one hash and one time. The batch must be sorted by time, then by hash."""
    if batch.num_rows == 0:
        return
    rows_by_bytes = batch.num_rows * CHUNK_BYTES_MAX // max(1, batch.nbytes)
    rows_max = max(1, min(CHUNK_ROWS_MAX, rows_by_bytes))
    if batch.num_rows <= rows_max:
        yield batch
        return
    low = partition_hash(batch, lane)
    times = values_of(batch.column(batch.num_columns - 2))
    joined = np.append((low[1:] == low[:-1]) & (times[1:] == times[:-1]), False)
    start = 0
    while start < batch.num_rows:
        stop = min(start + rows_max, batch.num_rows)
        while joined[stop - 1]:
            stop += 1
        yield batch.slice(start, stop - start)
        start = stop


def merge(
    sources: Sequence[Source], lane: Lane, as_of: int, *, keep_deletes: bool
) -> Iterator[pa.RecordBatch]:
    """The content that the sources add up to at `as_of`, sorted by hash, in bounded batches.

    Sources of several sorted batches are held in memory a batch at a time, others whole. Updates
    after `as_of` are left out of sources that are not sorted; of sorted ones, which are at one
    time, the caller leaves out the run. `keep_deletes`: a feed's deletes are kept, because older
    runs that are not merged may hold their keys.
    """
    pieces: Iterator[pa.RecordBatch]
    if len(sources) == 1 and sources[0].is_sorted:
        pieces = (
            at_time(_without_deletes(batch, lane, keep_deletes), as_of)
            for batch in sources[0].batches
        )
    else:
        pieces = _merge_ranges(_cursors(sources, lane, as_of), lane, as_of, keep_deletes)
    pending: list[pa.RecordBatch] = []
    pending_rows = 0
    for piece in pieces:
        pending.append(piece)
        pending_rows += piece.num_rows
        if pending_rows >= FOLD_STEP_ROWS:
            yield from cut(pa.concat_batches(pending), lane)
            pending, pending_rows = [], 0
    if pending_rows:
        yield from cut(pa.concat_batches(pending), lane)


def _cursors(sources: Sequence[Source], lane: Lane, as_of: int) -> list[_Cursor]:
    """Large sorted runs with a cursor each; all others gathered, then sorted together."""
    cursors: list[_Cursor] = []
    gathered: list[pa.RecordBatch] = []
    gathered_bytes = 0

    def sort_gathered() -> None:
        if gathered:
            batch = pa.concat_batches(gathered)
            order = pa.array(np.argsort(partition_hash(batch, lane), kind="stable"))
            cursors.append(_Cursor(iter([batch.take(order)]), lane))
            gathered.clear()

    for source in sources:
        few = list(islice(source.batches, 2)) if source.is_sorted else []
        if len(few) == 2:
            cursors.append(_Cursor(chain(few, source.batches), lane))
            continue
        for batch in few or (_until(batch, as_of) for batch in source.batches):
            gathered.append(batch)
            gathered_bytes += batch.nbytes
            if gathered_bytes > GATHER_BYTES_MAX:
                sort_gathered()
                gathered_bytes = 0
    sort_gathered()
    return cursors


def _merge_ranges(
    cursors: list[_Cursor], lane: Lane, as_of: int, keep_deletes: bool
) -> Iterator[pa.RecordBatch]:
    """One batch per range of the hash, ranges ascending."""
    while live := [cursor for cursor in cursors if cursor.load()]:
        limit = min(cursor.limit() for cursor in live)
        piece = pa.concat_batches([cursor.take(limit) for cursor in live])
        if lane.key:
            times = values_of(piece.column(piece.num_columns - 2))
            merged = at_time(latest(piece, lane.key, times), as_of)
            yield _without_deletes(merged, lane, keep_deletes)
        else:
            yield consolidate(at_time(piece, as_of))


class _Cursor:
    """A place in a run: the rows of its current batch that are not merged yet."""

    __slots__ = ("_batch", "_batches", "_lane", "_low")

    def __init__(self, batches: Iterator[pa.RecordBatch], lane: Lane) -> None:
        self._batches = batches
        self._lane = lane
        self._batch: pa.RecordBatch | None = None
        self._low: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)

    def load(self) -> bool:
        """Whether there are rows left; reads the next batch if need be."""
        while self._batch is None or self._batch.num_rows == 0:
            batch = next(self._batches, None)
            if batch is None:
                return False
            self._batch = batch
            self._low = partition_hash(batch, self._lane)
        return True

    def limit(self) -> int:
        """The hash up to which this cursor lets the others go on, in bounded steps."""
        return int(self._low[min(FOLD_STEP_ROWS, len(self._low)) - 1])

    def take(self, limit: int) -> pa.RecordBatch:
        """The rows whose hash is at most `limit`."""
        assert self._batch is not None, "take before load"
        count = int(np.searchsorted(self._low, np.uint64(limit), "right"))
        taken = self._batch.slice(0, count)
        self._batch = self._batch.slice(count)
        self._low = self._low[count:]
        return taken


def listened(batches: Iterable[pa.RecordBatch], lower: int, upper: int) -> Iterator[pa.RecordBatch]:
    """The updates of a raw run at lower <= time < upper."""
    for batch in batches:
        times = values_of(batch.column(batch.num_columns - 2))
        keep = (times >= np.uint64(lower)) & (times < np.uint64(upper))
        if keep.all():
            yield batch
        elif keep.any():
            yield batch.filter(pa.array(keep))


def _until(batch: pa.RecordBatch, as_of: int) -> pa.RecordBatch:
    times = values_of(batch.column(batch.num_columns - 2))
    keep = times <= np.uint64(as_of)
    return batch if bool(keep.all()) else batch.filter(pa.array(keep))


def _without_deletes(batch: pa.RecordBatch, lane: Lane, keep_deletes: bool) -> pa.RecordBatch:
    if not lane.key or keep_deletes:
        return batch
    upserts = values_of(batch.column(batch.num_columns - 1)) > 0
    return batch if bool(upserts.all()) else batch.filter(pa.array(upserts))


def runs_to_fold(runs: Sequence[Run], since: int) -> tuple[Run, ...]:
    """Which runs, given oldest first, are worth merging now; empty: none.

    Always the newest of those at or before `since`, from the oldest one on that is at most twice
    as large as all after it together. So sizes grow by a factor with age, and the revision is
    rewritten only once the changes since it was written exceed it.
    """
    foldable = [run for run in runs if run.time_last <= since]
    raw_count = sum(not run.is_folded for run in foldable)
    row_count = sum(run.row_count for run in foldable[1:])
    due = row_count > max(foldable[0].row_count, FOLD_ROWS_MIN) if foldable else False
    if not due and raw_count < FOLD_BATCHES_MIN:
        return ()
    after = row_count
    for index, run in enumerate(foldable[:-1]):
        revision_due = index > 0 or not run.is_folded or run.row_count < after
        if run.row_count <= 2 * after and revision_due:
            return tuple(foldable[index:])
        after -= foldable[index + 1].row_count
    return ()
