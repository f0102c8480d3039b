"""Arrangements: an input kept sorted by key, shared by all who look it up by that key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.protocol.buffers import valid_of
from antiphon.replica.dataflow.batch import Batch, build_batch
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.spine import Spine
from antiphon.replica.dataflow.zset import Zset


class Arrange(Operator):
    """State before this step in `batches`, this step's change in `pending`.

    `drop_nulls`: rows with a null in the key are left out; they can never be found by it.
    """

    def __init__(self, key_indices: Sequence[int], *, drop_nulls: bool) -> None:
        self.key_indices = tuple(key_indices)
        self._drop_nulls = drop_nulls
        self._spine = Spine()
        self.pending: Batch | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self.pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        if self._drop_nulls:
            change = without_nulls(change, self.key_indices)
        low = None if change.hashes is None else change.hashes[1]
        batch = build_batch(change.columns, change.diffs, self.key_indices, row_hashes=low)
        if len(batch) == 0:
            return None
        self.pending = batch
        return Zset(batch.columns, batch.diffs)

    def before(self) -> list[Batch]:
        return self._spine.batches

    def after(self) -> list[Batch]:
        return self._spine.batches if self.pending is None else [*self._spine.batches, self.pending]

    def commit(self) -> None:
        if self.pending is not None:
            self._spine.insert(self.pending)
            self.pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._spine.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._spine.row_count

    @property
    def state_bytes(self) -> int:
        return self._spine.byte_count


def without_nulls(change: Zset, key_indices: Sequence[int]) -> Zset:
    """The rows without a null in these columns."""
    kept = None
    for index in key_indices:
        valid = valid_of(change.columns[index])
        if valid is not None:
            kept = valid if kept is None else kept & valid
    return change if kept is None else change.take(np.flatnonzero(kept))
