"""Appended rows: what is checked before they count, and what a tick makes of them.

All appends of a tick to one collection are checked and hashed together, column by column; whether
each of them applies is then decided one by one, in order, because a later one must see the keys
that an earlier one took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.history.revision import Lane, Side, cut, lane_of, latest
from antiphon.history.shard import Shard, schema_problem
from antiphon.history.store import Append
from antiphon.protocol.buffers import values_of
from antiphon.protocol.consolidate import consolidate
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    ComputeError,
    ConstraintViolation,
    DuplicateKey,
    InvalidArgument,
)
from antiphon.protocol.ids import show
from antiphon.protocol.one_zero import batch_with_one_zero
from antiphon.protocol.row_hash import hash_rows

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Hashes:
    """128-bit hashes, by halves."""

    high: Words
    low: Words

    def __len__(self) -> int:
        return len(self.low)

    def at(self, index: npt.NDArray[np.int64] | slice) -> Hashes:
        return Hashes(self.high[index], self.low[index])


@dataclass(frozen=True, slots=True)
class KeyedRows:
    """Rows of a table with a unique key, by hash. `places`: where they are in the batch."""

    keys: Hashes
    rows: Hashes
    places: npt.NDArray[np.int64]


_NOTHING: Final = Hashes(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
NO_ROWS: Final = KeyedRows(_NOTHING, _NOTHING, np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class KeyConflict:
    """The first row, by its index among the removed or added ones, that the keys do not allow."""

    added: bool  # a key that is taken; False: a row that is not there
    index: int


class Group:
    """The appends of one tick to one collection. `indices`: their places in the tick."""

    def __init__(self, shard: Shard, appends: Sequence[tuple[int, Append]]) -> None:
        self._shard = shard
        self._applied: list[tuple[int, int]] = []
        self._ranges: dict[int, tuple[int, int]] = {}
        self._problems: dict[int, ComputeError] = {}
        self._schema = shard.columns.remove(len(shard.schema))  # all but the time
        self._batch = self._gather(appends)
        self._diffs = values_of(self._batch.column(len(shard.schema))).astype(np.int64, copy=False)
        self._only_inserts = bool((self._diffs == 1).all())
        self._places = np.arange(len(self._diffs))
        self._find_problems()
        self._hashes: tuple[Hashes, Hashes] | None = None
        if shard.kind is CollectionKind.TABLE and shard.unique_key and self._batch.num_rows:
            columns = self._batch.columns[:-1]
            self._hashes = (
                Hashes(*hash_rows([columns[index] for index in shard.unique_key])),
                Hashes(*hash_rows(columns)),
            )

    def _gather(self, appends: Sequence[tuple[int, Append]]) -> pa.RecordBatch:
        """One batch of all well-formed appends."""
        batches = []
        start = 0
        for index, append in appends:
            problem = schema_problem(self._shard.collection, append.rows, self._schema)
            if problem is not None:
                self._problems[index] = problem
                continue
            stop = start + append.rows.num_rows
            self._ranges[index] = (start, stop)
            start = stop
            batches.append(pa.RecordBatch.from_arrays(append.rows.columns, schema=self._schema))
        if not batches:
            return pa.RecordBatch.from_arrays(
                [pa.array([], kind) for kind in self._schema.types], schema=self._schema
            )
        return batches[0] if len(batches) == 1 else pa.concat_batches(batches)

    def _find_problems(self) -> None:
        """Nulls where none may be, and diffs that mean nothing; of each append the first."""
        shard, where = self._shard, show(self._shard.collection)
        diff_column = self._batch.column(len(shard.schema))
        if diff_column.null_count:
            self._refuse(
                _nulls(diff_column),
                ConstraintViolation(f"a row for {where} has no diff", collection=shard.collection),
            )
        is_feed = shard.kind is CollectionKind.FEED
        wrong = (np.abs(self._diffs) != 1) if is_feed else (self._diffs == 0)
        if wrong.any():
            allowed = "1 (upsert) or -1 (delete)" if is_feed else "not 0"
            self._refuse(
                wrong, InvalidArgument(f"a diff for {where} is {allowed}", collection=where)
            )
        for index, column in enumerate(shard.schema.columns):
            array = self._batch.column(index)
            if column.nullable or array.null_count == 0:
                continue
            nulls = _nulls(array)
            if is_feed and index not in shard.unique_key:
                nulls &= self._diffs > 0  # a delete says nothing but the key
            error = ConstraintViolation(
                f"null in the column {column.name} of {where}, which is NOT NULL",
                collection=shard.collection,
                column=column.name,
            )
            self._refuse(nulls, error)

    def _refuse(self, rows: npt.NDArray[np.bool_], error: ComputeError) -> None:
        if not rows.any():
            return
        for index, (start, stop) in self._ranges.items():
            if rows[start:stop].any():
                self._problems.setdefault(index, error)

    def problem(self, index: int) -> ComputeError | None:
        """Why the tick's append `index` cannot apply, whatever the table holds."""
        return self._problems.get(index)

    def keyed_rows(self, index: int) -> tuple[KeyedRows, KeyedRows] | None:
        """(removed, added) of an append to a table with a unique key; None: nothing to check.

        Equal rows of the append have met already: what it deletes and inserts again is in neither.

        Raises:
            DuplicateKey, ConstraintViolation: it inserts, or deletes, one row twice.
        """
        if self._hashes is None:
            return None
        start, stop = self._ranges[index]
        places = self._places[start:stop]
        diffs = self._diffs[start:stop]
        keys, rows = self._hashes
        if self._only_inserts:
            added = slice(start, stop)
            return NO_ROWS, KeyedRows(keys.at(added), rows.at(added), places)
        places, diffs = _net(places, diffs, rows)
        for place in np.flatnonzero(np.abs(diffs) > 1):
            doubled = KeyedRows(keys, rows, places[place : place + 1])
            raise self.conflict(KeyConflict(bool(diffs[place] > 1), 0), doubled)
        gone, come = places[diffs < 0], places[diffs > 0]
        return (
            KeyedRows(keys.at(gone), rows.at(gone), gone),
            KeyedRows(keys.at(come), rows.at(come), come),
        )

    def conflict(self, conflict: KeyConflict, rows: KeyedRows) -> ComputeError:
        """The error for a conflict among `rows`, naming the key's columns and values."""
        shard = self._shard
        place = int(rows.places[conflict.index])
        names = ", ".join(shard.schema.columns[column].name for column in shard.unique_key)
        values = ", ".join(str(self._batch.column(c)[place].as_py()) for c in shard.unique_key)
        where = show(shard.collection)
        if conflict.added:
            return DuplicateKey(
                f"{where} would have two rows with ({names}) = ({values})",
                collection=shard.collection, columns=names, values=values,
            )  # fmt: skip
        return ConstraintViolation(
            f"{where} has no such row with ({names}) = ({values}) to delete",
            collection=shard.collection, columns=names, values=values,
        )  # fmt: skip

    def apply(self, index: int) -> None:
        """Count the append in."""
        self._applied.append(self._ranges[index])

    def delta(self, time: int) -> Delta:
        """What the applied appends change at `time`, in chunks: consolidated; of a feed the last
        overwrite of each key."""
        lane = lane_of(self._shard, Side.ROWS)
        batch = self._stamped(time)
        batch = _overwrites(batch, lane) if lane.key else consolidate(batch)
        return Delta(rows=tuple(cut(batch, lane)))

    def _stamped(self, time: int) -> pa.RecordBatch:
        """The applied rows in their order, with the time column."""
        if len(self._applied) == len(self._ranges):
            applied = self._batch
        else:
            slices = [self._batch.slice(start, stop - start) for start, stop in self._applied]
            applied = pa.concat_batches(slices) if slices else self._batch.slice(0, 0)
        times = pa.array(np.full(applied.num_rows, time, np.uint64))
        *columns, diffs = batch_with_one_zero(applied).columns
        return pa.RecordBatch.from_arrays([*columns, times, diffs], schema=self._shard.columns)


def _overwrites(batch: pa.RecordBatch, lane: Lane) -> pa.RecordBatch:
    """The last overwrite of each key; of deletes the key alone."""
    batch = latest(batch, lane.key)
    diffs = batch.column(batch.num_columns - 1)
    if batch.num_rows == 0 or bool((values_of(diffs) > 0).all()):
        return batch
    upserts = pc.greater(diffs, 0)
    columns = batch.columns
    for index in range(batch.num_columns - 2):
        if index not in lane.key:
            nothing = pa.nulls(batch.num_rows, columns[index].type)
            columns[index] = pc.if_else(upserts, columns[index], nothing)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _net(
    places: npt.NDArray[np.int64], diffs: npt.NDArray[np.int64], rows: Hashes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Equal rows summed: (a place of each row that remains, its diff)."""
    if len(places) == 0:
        return places, diffs
    high, low = rows.high[places], rows.low[places]
    order = np.lexsort((high, low))
    high, low = high[order], low[order]
    starts = np.append(True, (low[1:] != low[:-1]) | (high[1:] != high[:-1]))
    heads = np.flatnonzero(starts)
    sums = np.add.reduceat(diffs[order], heads)
    present = sums != 0
    return places[order][heads][present], sums[present]


def _nulls(column: pa.Array) -> npt.NDArray[np.bool_]:
    nulls: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return nulls
