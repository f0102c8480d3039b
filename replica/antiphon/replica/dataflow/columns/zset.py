"""Z-sets: how a collection changes at one time, as Arrow columns and differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.consolidate import sum_equal
from antiphon.protocol.delta import ERROR_SCHEMA, Delta, delta_schema
from antiphon.protocol.row_hash import Words, hash_rows
from antiphon.protocol.schema import TEXT, Column, Schema, arrow_schema
from antiphon.replica.dataflow.columns.gather import taken_rows

Diffs = npt.NDArray[np.int64]

ERRORS = Schema(tuple(Column(name=n, type=TEXT) for n in ("code", "message", "expression")))
_NO_DIFFS: Diffs = np.zeros(0, np.int64)


# Not frozen, though nobody changes one: each operator makes one a step, in a quarter of the time.
@dataclass(slots=True, eq=False)
class Zset:
    """Rows and how often each is added (or, negative, taken away); and the same for errors.

    `columns` are of one length, that of `diffs`. A row may occur more than once unless the zset
    `is_distinct`. `errors` has columns code, message, expression, and no errors of its own.
    """

    columns: tuple[pa.Array, ...]
    diffs: Diffs
    errors: Zset | None = None
    # Set on what `consolidated` returns: the (high, low) row hashes, which also say that it is.
    hashes: tuple[Words, Words] | None = field(default=None, repr=False)
    # Known to have each row once and none with diff 0, in whatever order: needs no consolidation
    # by who only adds it up. False: not known.
    is_distinct: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.diffs)
        for column in self.columns:
            assert len(column) == count, "ragged columns"

    @staticmethod
    def empty(schema: Schema) -> Zset:
        return Zset(tuple(pa.array([], f.type) for f in arrow_schema(schema)), _NO_DIFFS)

    @staticmethod
    def concat(schema: Schema, zsets: Iterable[Zset]) -> Zset:
        """The sum, not consolidated."""
        present = list(zsets)
        rows = concat_rows([z for z in present if len(z.diffs)])
        errors = concat_rows([z.errors for z in present if z.errors is not None])
        if rows is None:
            return Zset(Zset.empty(schema).columns, _NO_DIFFS, errors)
        return Zset(rows.columns, rows.diffs, errors)

    @property
    def row_count(self) -> int:
        return len(self.diffs)

    @property
    def is_empty(self) -> bool:
        return len(self.diffs) == 0 and (self.errors is None or len(self.errors.diffs) == 0)

    def negated(self) -> Zset:
        errors = None if self.errors is None else self.errors.negated()
        return Zset(self.columns, -self.diffs, errors, self.hashes, self.is_distinct)

    def take(self, rows: npt.NDArray[np.int64]) -> Zset:
        """The rows at these positions; without errors."""
        return Zset(taken_rows(self.columns, rows), self.diffs[rows])

    def slice(self, start: int, count: int) -> Zset:
        """These rows, without copying them; without errors. Of what is consolidated, so is each
        part."""
        columns = tuple(column.slice(start, count) for column in self.columns)
        stop = start + count
        hashes = self.hashes
        if hashes is not None:
            hashes = (hashes[0][start:stop], hashes[1][start:stop])
        return Zset(columns, self.diffs[start:stop], None, hashes, self.is_distinct)

    def consolidated(self) -> Zset:
        """Each row once, none with diff 0, sorted by (low, high) row hash; errors too. Intervals
        that are equal and spelled otherwise make different rows."""
        if self.hashes is not None:
            return self
        errors = self.errors
        if errors is not None:
            errors = errors.consolidated()
            errors = errors if len(errors.diffs) else None
        count = len(self.diffs)
        hashes = hash_rows(self.columns, count)
        if not self.columns:
            total = self.diffs.sum(keepdims=True)
            total = total[total != 0] if count else self.diffs
            shortened = (hashes[0][: len(total)], hashes[1][: len(total)])
            return Zset((), total, errors, shortened, is_distinct=True)
        keep, sums = sum_equal(self.columns, self.diffs, hashes)
        if len(keep) == count and bool((keep[1:] > keep[:-1]).all()):
            return Zset(self.columns, self.diffs, errors, hashes, is_distinct=True)
        columns, (high, low) = taken_rows(self.columns, keep), hashes
        return Zset(columns, sums, errors, (high[keep], low[keep]), is_distinct=True)


def without_errors(zset: Zset) -> Zset:
    if zset.errors is None:
        return zset
    return Zset(zset.columns, zset.diffs, None, zset.hashes, zset.is_distinct)


def concat_rows(zsets: Sequence[Zset]) -> Zset | None:
    """The rows of all, without errors; None for none."""
    if not zsets:
        return None
    if len(zsets) == 1:
        return without_errors(zsets[0])
    columns = tuple(
        pa.concat_arrays([z.columns[i] for z in zsets]) for i in range(len(zsets[0].columns))
    )
    return Zset(columns, np.concatenate([z.diffs for z in zsets]))


def split_delta(delta: Delta, schema: Schema) -> list[tuple[int, Zset]]:
    """A delta's changes by time, ascending; times without change are absent."""
    rows = _split_batches(delta.rows)
    errors = _split_batches(delta.errors)
    empty = Zset.empty(schema)
    found = []
    for time in sorted(rows.keys() | errors.keys()):
        here = rows.get(time, empty)
        found.append((time, Zset(here.columns, here.diffs, errors.get(time))))
    return found


def _split_batches(batches: Sequence[pa.RecordBatch]) -> dict[int, Zset]:
    present = [batch for batch in batches if batch.num_rows]
    if not present:
        return {}
    batch = present[0] if len(present) == 1 else pa.concat_batches(present)
    columns = tuple(batch.columns[:-2])
    times = values_of(batch.columns[-2])
    diffs = values_of(batch.columns[-1])
    if times[0] == times[-1] and bool((times == times[0]).all()):
        # A delta is consolidated. Were one not, only sums that nobody has seen yet would show it.
        return {int(times[0]): Zset(columns, diffs, is_distinct=len(present) == 1)}
    whole = Zset(columns, diffs)
    if bool((times[1:] < times[:-1]).any()):
        order = np.argsort(times, kind="stable")
        whole, times = whole.take(order), times[order]
    starts = np.flatnonzero(np.concatenate([[True], times[1:] != times[:-1]]))
    ends = np.append(starts[1:], len(times))
    return {
        int(times[s]): Zset(tuple(c.slice(s, e - s) for c in whole.columns), whole.diffs[s:e])
        for s, e in zip(starts.tolist(), ends.tolist(), strict=True)
    }


def to_delta(schema: Schema, changes: Iterable[tuple[int, Zset]]) -> Delta:
    """Changes at ascending times as one batch a side, each time consolidated."""
    present = [(time, zset.consolidated()) for time, zset in changes]
    rows = _stamped([(t, z) for t, z in present if len(z.diffs)], delta_schema(schema))
    errors = _stamped([(t, z.errors) for t, z in present if z.errors is not None], ERROR_SCHEMA)
    return Delta(rows=rows, errors=errors)


def _stamped(changes: list[tuple[int, Zset]], schema: pa.Schema) -> tuple[pa.RecordBatch, ...]:
    rows = concat_rows([zset for _, zset in changes])
    if rows is None:
        return ()
    sizes = [len(zset.diffs) for _, zset in changes]
    times = np.repeat(np.array([time for time, _ in changes], np.uint64), sizes)
    arrays = [*rows.columns, array_of(times, pa.uint64()), _diff_array(rows.diffs)]
    return (pa.RecordBatch.from_arrays(arrays, schema=schema),)


def _diff_array(diffs: Diffs) -> pa.Array:
    return array_of(np.ascontiguousarray(diffs), pa.int64())
