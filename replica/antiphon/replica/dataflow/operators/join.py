"""The inner equi-join. Outer, semi and anti joins are made of it in `render`.

With dL, dR the changes and L, R the states before them: dL ⋈ R + (L + dL) ⋈ dR. One side's change
is in its state before the other side's is joined with it, so a change on both sides at one time
counts once: with both old states it would be lost, with both new ones doubled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.replica.dataflow.batch import KEY_MASK, ROW_MASK, Batch, Rows
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.operators.arrange import Arrange
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.spine import probe_batches
from antiphon.replica.dataflow.zset import Zset, concat_rows

LEFT, RIGHT = 0, 1


class Join(Operator):
    """`output`: (side, column) of each output column. Reads two arrangements, has no state."""

    def __init__(
        self, left: Arrange, right: Arrange, output: Sequence[tuple[int, int]]
    ) -> None:
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
        first, last = change.ranks & KEY_MASK, change.ranks | ROW_MASK
        for match in probe_batches(batches, first, last):
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
        own_index = array_of(own_rows, pa.int64())
        other_indices = [array_of(rows, pa.int64()) for _, rows in others]
        columns = []
        for from_side, column in self._output:
            if from_side == side:
                columns.append(change.columns[column].take(own_index))
                continue
            pieces = [
                batch.columns[column].take(index)
                for (batch, _), index in zip(others, other_indices, strict=True)
            ]
            columns.append(pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces))
        other_diffs = _joined([batch.diffs[rows] for batch, rows in others])
        return Zset(tuple(columns), change.diffs[own_rows] * other_diffs)


def _joined(parts: list[Rows]) -> Rows:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
