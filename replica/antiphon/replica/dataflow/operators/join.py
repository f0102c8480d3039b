"""The inner equi-join. Outer, semi and anti joins are made of it in `render`.

With dL, dR the changes and L, R the states before them: dL ⋈ R + (L + dL) ⋈ dR. One side's change
is in its state before the other side's is joined with it, so a change on both sides at one time
counts once: with both old states it would be lost, with both new ones doubled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import hash_keys
from antiphon.replica.dataflow.batch import Batch
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.gather import Rows, index_of, taken, taken_rows
from antiphon.replica.dataflow.operators.arrange import Arrange
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.spine import probe_keys
from antiphon.replica.dataflow.zset import Zset, concat_rows

LEFT, RIGHT = 0, 1


class Join(Operator):
    """`output`: (side, column) of each output column. Reads two arrangements, has no state."""

    def __init__(self, left: Arrange, right: Arrange, output: Sequence[tuple[int, int]]) -> None:
        assert len(left.key_indices) == len(right.key_indices), "keys differ in number"
        self._sides = (left, right)
        self._output = tuple(output)

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        left, right = self._sides
        found = []
        if left.pending is not None:
            found.append(self._matched(LEFT, left.pending, right.before()))
        if right.pending is not None:
            found.append(self._matched(RIGHT, right.pending, left.after()))
        return concat_rows([part for part in found if part is not None])

    def _matched(self, side: int, change: Batch, batches: Sequence[Batch]) -> Zset | None:
        own_keys = [change.columns[i] for i in self._sides[side].key_indices]
        other_indices = self._sides[1 - side].key_indices
        probes: list[Rows] = []
        others: list[tuple[Batch, Rows]] = []
        for match in probe_keys(batches, change.ranks):
            other_keys = [match.batch.columns[i] for i in other_indices]
            same = equal_rows(own_keys, match.probes, other_keys, match.rows)
            own_rows, other_rows = match.probes, match.rows
            if same is not None:
                own_rows, other_rows = own_rows[same], other_rows[same]
            if len(own_rows):
                probes.append(own_rows)
                others.append((match.batch, other_rows))
        if not probes:
            return None
        return self._assembled(side, change, _joined(probes), others)

    def _assembled(
        self, side: int, change: Batch, own_rows: Rows, others: list[tuple[Batch, Rows]]
    ) -> Zset:
        own_index = index_of(own_rows)
        other_indices = [index_of(rows) for _, rows in others]
        columns = []
        for from_side, column in self._output:
            if from_side == side:
                columns.append(taken(change.columns[column], own_index))
                continue
            pieces = [
                taken(batch.columns[column], index)
                for (batch, _), index in zip(others, other_indices, strict=True)
            ]
            columns.append(pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces))
        other_diffs = _joined([batch.diffs[rows] for batch, rows in others])
        return Zset(tuple(columns), change.diffs[own_rows] * other_diffs)


def _joined(parts: list[Rows]) -> Rows:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Unmatched(Operator):
    """The left rows whose key is not among the right side's distinct keys.

    With K the keys: dL where the key is not in K + dK, and for each key that came or went the rows
    of L before. `keys` arranges distinct keys by all their columns; inputs are the left change with
    its null keys, which never match, and the two arrangements.
    """

    def __init__(self, width: int, left: Arrange, keys: Arrange) -> None:
        self._width = width
        self._left = left
        self._keys = keys

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        found = []
        change = inputs[0]
        if change is not None:
            found.append(self._absent(change))
        if self._keys.pending is not None:
            found += self._turned(self._keys.pending)
        return concat_rows([part for part in found if part is not None])

    def _absent(self, change: Zset) -> Zset | None:
        """The changed rows without a match in the keys as they are now."""
        keys = [change.columns[i] for i in self._left.key_indices]
        matched = np.zeros(change.row_count, np.int64)
        ranks = hash_keys(keys, change.row_count)
        for match in probe_keys(self._keys.after(), ranks):
            same = equal_rows(keys, match.probes, match.batch.columns, match.rows)
            own, other = match.probes, match.rows
            if same is not None:
                own, other = own[same], other[same]
            np.add.at(matched, own, match.batch.diffs[other])
        rows = np.flatnonzero(matched == 0)
        if len(rows) == 0:
            return None
        own_columns = Zset(change.columns[: self._width], change.diffs)
        return own_columns if len(rows) == change.row_count else own_columns.take(rows)

    def _turned(self, keys: Batch) -> list[Zset]:
        """The rows there were of keys that came (they leave) or went (they return)."""
        found = []
        for match in probe_keys(self._left.before(), keys.ranks):
            own = [match.batch.columns[i] for i in self._left.key_indices]
            same = equal_rows(keys.columns, match.probes, own, match.rows)
            probes, rows = match.probes, match.rows
            if same is not None:
                probes, rows = probes[same], rows[same]
            columns = taken_rows(match.batch.columns[: self._width], rows)
            found.append(Zset(columns, -keys.diffs[probes] * match.batch.diffs[rows]))
        return found
