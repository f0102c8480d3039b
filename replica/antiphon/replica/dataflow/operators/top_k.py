"""Top-k: the first rows of each group, after an offset. Touched groups alone are read and sorted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.plan import SortKey
from antiphon.protocol.row_hash import Words, hash_keys
from antiphon.replica.dataflow.batch import Batch, Rows, build_batch
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.groups import Groups, group_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.sort_codes import sort_codes, sorted_rows
from antiphon.replica.dataflow.spine import Spine, probe_keys
from antiphon.replica.dataflow.zset import Diffs, Zset, concat_rows

_NO_LIMIT: Final = 2**62


class TopK(Operator):
    """Rows of equal order are taken by their row hash, which the arrangement keeps beside them."""

    def __init__(
        self, group_by: Sequence[int], order_by: Sequence[SortKey], limit: int | None, offset: int
    ) -> None:
        self._group_by = tuple(group_by)
        self._order_by = tuple(order_by)
        self._first = offset
        self._last = offset + (_NO_LIMIT if limit is None else limit)
        self._spine = Spine()
        self._pending: Batch | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self._pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        hashes = array_of(hash_keys(change.columns, change.row_count).view(np.int64), pa.int64())
        batch = build_batch((*change.columns, hashes), change.diffs, self._group_by)
        if len(batch) == 0:
            return None
        self._pending = batch
        groups = group_rows([batch.columns[i] for i in self._group_by], len(batch))
        sources, group = self._touched(batch, groups)
        held = len(group) - len(batch)
        diffs = _joined([source.diffs[rows] for source, rows in sources])
        order, heads = self._sorted(sources, group)
        moved, rows = self._moved(order, heads, group, diffs, held)
        return self._gathered(sources, rows, moved) if len(rows) else None

    def _touched(
        self, batch: Batch, groups: Groups
    ) -> tuple[list[tuple[Batch, Rows]], Rows]:
        """All rows of the groups, held ones first and the change last; and the group of each."""
        index = array_of(groups.first_rows, pa.int64())
        own = [batch.columns[i].take(index) for i in self._group_by]
        sources: list[tuple[Batch, Rows]] = []
        found: list[Rows] = []
        for match in probe_keys(self._spine.batches, groups.low):
            others = [match.batch.columns[i] for i in self._group_by]
            same = equal_rows(own, match.probes, others, match.rows)
            sources.append((match.batch, match.rows if same is None else match.rows[same]))
            found.append(match.probes if same is None else match.probes[same])
        sources.append((batch, np.arange(len(batch))))
        found.append(groups.of_rows())
        return sources, np.concatenate(found)

    def _sorted(self, sources: list[tuple[Batch, Rows]], group: Rows) -> tuple[Rows, Rows]:
        """(all rows in order, where each distinct row begins in it)."""
        hashes: Words = values_of(_column(sources, -1)).view(np.uint64)
        keys: list[Words] = []
        for key in self._order_by:
            column = _column(sources, key.column)
            keys += sort_codes(column, descending=key.descending, nulls_first=key.nulls_first)
        keys.append(hashes)
        order = sorted_rows(group, keys)
        starts = np.ones(len(order), np.bool_)
        sorted_group, sorted_hash = group[order], hashes[order]
        starts[1:] = (sorted_group[1:] != sorted_group[:-1]) | (sorted_hash[1:] != sorted_hash[:-1])
        return order, np.flatnonzero(starts)

    def _moved(
        self, order: Rows, heads: Rows, group: Rows, diffs: Diffs, held: int
    ) -> tuple[Diffs, Rows]:
        """How the output changes: (diffs, rows)."""
        rows = order[heads]
        counts = diffs[order]
        after = np.add.reduceat(counts, heads)
        before = np.add.reduceat(np.where(order < held, counts, 0), heads)
        starts = np.ones(len(rows), np.bool_)
        of_row = group[rows]
        starts[1:] = of_row[1:] != of_row[:-1]
        moved = self._included(after, starts) - self._included(before, starts)
        changed = np.flatnonzero(moved)
        return moved[changed], rows[changed]

    def _included(self, counts: Diffs, starts: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Diffs:
        """How many copies of each row are among the first: rows of a group lie in order."""
        counts = np.maximum(counts, 0)
        ends = np.cumsum(counts)
        group = np.cumsum(starts) - 1
        base = (ends - counts)[starts][group]
        ends = ends - base
        found: Diffs = np.clip(ends, self._first, self._last) - np.clip(
            ends - counts, self._first, self._last
        )
        return found

    def _gathered(self, sources: list[tuple[Batch, Rows]], rows: Rows, diffs: Diffs) -> Zset:
        parts = []
        start = 0
        for batch, available in sources:
            inside = (rows >= start) & (rows < start + len(available))
            if inside.any():
                index = array_of(available[rows[inside] - start], pa.int64())
                columns = tuple(column.take(index) for column in batch.columns[:-1])
                parts.append(Zset(columns, diffs[inside]))
            start += len(available)
        found = concat_rows(parts)
        assert found is not None, "some rows moved"
        return found

    def commit(self) -> None:
        if self._pending is not None:
            self._spine.insert(self._pending)
            self._pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._spine.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._spine.row_count

    @property
    def state_bytes(self) -> int:
        return self._spine.byte_count


def _column(sources: list[tuple[Batch, Rows]], index: int) -> pa.Array:
    pieces = [batch.columns[index].take(array_of(rows, pa.int64())) for batch, rows in sources]
    return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)


def _joined(parts: list[Diffs]) -> Diffs:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
