"""Merging sorted runs, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import (
    FORGOTTEN,
    Batch,
    sorted_batch,
    sorted_order,
)
from antiphon.replica.dataflow.columns.column_builder import ColumnBuilder
from antiphon.replica.dataflow.columns.radix import RadixBuilder, radix_builder
from antiphon.replica.dataflow.columns.zset import Diffs

Pieces: TypeAlias = list[tuple[int, slice]]  # which input, and what of it
Side: TypeAlias = Literal["left", "right"]
_ALLOCATED_AS: Final = 1_024  # rows merged in the time in which there is made room for all


class Merge:
    """Several batches becoming one. They stay readable until `result` takes their place.

    Times at or before `since` are forgotten, so that updates which only differed by them cancel;
    None: there are no times, or all stay.
    """

    def __init__(self, inputs: Sequence[Batch], since: int | None) -> None:
        self.inputs = tuple(inputs)
        self._since = since
        self._positions = [0] * len(inputs)
        self._row_count = sum(len(batch) for batch in inputs)
        self._is_timed = any(batch.times is not None for batch in inputs)
        self._done_rows = 0
        self._written = 0
        self._ranks: Words | None = None
        self._builders: list[ColumnBuilder] = []
        self._radix: RadixBuilder | None = None
        self.result: Batch | None = None

    @property
    def rows_left(self) -> int:
        return self._row_count - self._done_rows

    def work(self, fuel_rows: int) -> int:
        """Merge about `fuel_rows` rows; returns how many. `result` is set when none are left."""
        assert self.result is None, "the merge is done"
        if self._done_rows == 0 and self._row_count <= fuel_rows:
            self.result = self._merged([slice(0, len(batch)) for batch in self.inputs])
            self._done_rows = self._row_count
            return self._row_count
        done = 0
        if self._ranks is None:
            self._allocate()
            done = _ALLOCATED_AS
        while done < fuel_rows and self._done_rows < self._row_count:
            part = self._next_part(min(fuel_rows - done, 1 << 18))
            rows = sum(piece.stop - piece.start for piece in part)
            self._append(part)
            done += rows
            self._done_rows += rows
            if 2 * done > fuel_rows:
                break  # a stretch is seldom just as long as it should be; one more costs as much
        if self._done_rows == self._row_count:
            self._finish()
        return done

    def _next_part(self, rows: int) -> list[slice]:
        """Where each input's next stretch ends: all ranks below one cut, about `rows` in sum."""
        left = [len(b) - p for b, p in zip(self.inputs, self._positions, strict=True)]
        longest = max(range(len(left)), key=left.__getitem__)
        share = max(1, rows * left[longest] // max(1, sum(left)))
        ends = [len(batch) for batch in self.inputs]
        if share < left[longest]:
            ranks = self.inputs[longest].ranks
            cut = ranks[self._positions[longest] + share]
            # A run of one rank longer than the share is taken whole, or nothing would move.
            side: Side = "right" if cut == ranks[self._positions[longest]] else "left"
            ends = [int(batch.ranks.searchsorted(cut, side)) for batch in self.inputs]
        parts = [slice(p, e) for p, e in zip(self._positions, ends, strict=True)]
        self._positions = ends
        return parts

    def _merged(self, parts: list[slice]) -> Batch:
        pieces = self._pieces(parts)
        ranks, diffs, times = self._joined(pieces)
        columns = tuple(
            pa.concat_arrays([self.inputs[which].columns[index][part] for which, part in pieces])
            for index in range(len(self.inputs[0].columns))
        )
        merged = sorted_batch(ranks, columns, diffs, times, runs=True)
        return self._timeless(merged)

    def _pieces(self, parts: list[slice]) -> Pieces:
        pieces = [(which, part) for which, part in enumerate(parts) if part.stop > part.start]
        assert pieces, "a part without rows"
        return pieces

    def _joined(self, pieces: Pieces) -> tuple[Words, Diffs, Words | None]:
        """(ranks, diffs, times) of the pieces, one after another."""
        times = None
        batches = [(self.inputs[which], part) for which, part in pieces]
        if self._is_timed:
            times = np.concatenate([_times(batch, part) for batch, part in batches])
            if self._since is not None:
                times[times <= np.uint64(self._since)] = FORGOTTEN
        ranks = np.concatenate([batch.ranks[part] for batch, part in batches])
        return ranks, np.concatenate([batch.diffs[part] for batch, part in batches]), times

    def _timeless(self, batch: Batch) -> Batch:
        times = batch.times
        if times is None or bool((times != FORGOTTEN).any()):
            return batch
        return Batch(batch.ranks, batch.columns, batch.diffs, radix=batch.radix)

    def _allocate(self) -> None:
        count = self._row_count
        self._radix = radix_builder(count)
        self._ranks = np.empty(count, np.uint64)
        self._diffs = np.empty(count, np.int64)
        self._times: Words | None = np.empty(count, np.uint64) if self._is_timed else None
        self._builders = [
            ColumnBuilder([batch.columns[index] for batch in self.inputs])
            for index in range(len(self.inputs[0].columns))
        ]

    def _append(self, parts: list[slice]) -> None:
        """Merge a stretch, straight to where it belongs."""
        assert self._ranks is not None, "nothing was allocated"
        pieces = self._pieces(parts)
        ranks, diffs, times = self._joined(pieces)
        columns = tuple([builder.joined(pieces) for builder in self._builders])
        order, ranks, diffs = sorted_order(ranks, columns, diffs, times, runs=True)
        place = slice(self._written, self._written + len(order))
        self._ranks[place] = ranks
        if self._radix is not None:
            self._radix.append(ranks)
        self._diffs[place] = diffs
        if self._times is not None:
            self._times[place] = FORGOTTEN if times is None else times[order]
        for builder, column in zip(self._builders, columns, strict=True):
            builder.append_rows(column, order)
        self._written += len(order)

    def _finish(self) -> None:
        assert self._ranks is not None, "nothing was allocated"
        count = self._written
        columns = tuple(builder.finish() for builder in self._builders)
        times = None if self._times is None else self._times[:count]
        radix = None if self._radix is None else self._radix.finish()
        self.result = self._timeless(
            Batch(self._ranks[:count], columns, self._diffs[:count], times, radix=radix)
        )
        self._builders = []


def _times(batch: Batch, part: slice) -> Words:
    if batch.times is None:
        return np.full(part.stop - part.start, FORGOTTEN)
    return batch.times[part]
