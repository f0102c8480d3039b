"""Arrangements: an input kept sorted by key, shared by all who look it up by that key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.protocol.buffers import valid_of
from antiphon.replica.dataflow.batch import Batch
from antiphon.replica.dataflow.intake import Change
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.spine import Spine
from antiphon.replica.dataflow.words import key_words
from antiphon.replica.dataflow.zset import Zset


class Arrange(Operator):
    """State before this step in `before`, this step's change in `pending`.

    `drop_nulls`: rows with a null in the key are left out; they can never be found by it.
    """

    def __init__(self, key_indices: Sequence[int], *, drop_nulls: bool) -> None:
        self.key_indices = tuple(key_indices)
        self._drop_nulls = drop_nulls
        self._spine = Spine(self.key_indices)
        self.pending: Change | None = None
        self._sorted: Batch | None = None  # what is pending, once somebody needed it sorted

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self.abandon()
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        if self._drop_nulls:
            change = without_nulls(change, self.key_indices)
            if change.row_count == 0:
                return None
        words = key_words([change.columns[i] for i in self.key_indices], change.row_count)
        low = None if change.hashes is None else change.hashes[1]
        self.pending = Change(
            change.columns, change.diffs, words, None, low, is_distinct=change.is_distinct
        )
        return change

    def before(self) -> list[Batch]:
        return self._spine.batches

    def after(self) -> list[Batch]:
        if self.pending is None:
            return self._spine.batches
        if self._sorted is None:
            self._sorted = self.pending.batch(self.key_indices)
        held = self._spine.batches
        return [*held, self._sorted] if len(self._sorted) else held

    def commit(self) -> None:
        if self._sorted is not None:
            self._spine.insert(self._sorted)
        elif self.pending is not None:
            self._spine.take_in(self.pending)
        self.abandon()

    def abandon(self) -> None:
        self.pending = self._sorted = None

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
    if kept is None:
        return change
    found = change.take(np.flatnonzero(kept))
    return Zset(found.columns, found.diffs, is_distinct=change.is_distinct)
