"""Arrangements: an input kept sorted by key, shared by all who look it up by that key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from antiphon.protocol.buffers import valid_of
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.spine import Spine
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.operators.operator import Operator, Step


class Arranged(Protocol):
    """What is looked up by key: as it was before this step, with what this step changes, and that
    change. `is_whole`: it has its whole content before any of it comes as a change."""

    is_whole: bool
    key_indices: tuple[int, ...]
    pending: Change | None

    def before(self, step: Step) -> list[Batch]: ...

    def after(self, step: Step) -> list[Batch]: ...


class Arrange(Operator, Arranged):
    """State before this step in `before`, this step's change in `pending`.

    `drop_nulls`: rows with a null in the key are left out; they can never be found by it.
    """

    is_whole = False

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
        found = change_by(change, self.key_indices, drop_nulls=self._drop_nulls)
        if found is None:
            return None
        self.pending, change = found
        return change

    def before(self, step: Step) -> list[Batch]:
        return self._spine.batches

    def after(self, step: Step) -> list[Batch]:
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


def change_by(
    change: Zset, key_indices: Sequence[int], *, drop_nulls: bool, words: Words | None = None
) -> tuple[Change, Zset] | None:
    """What is to be looked up, with its keys' words, and the same rows; None: nothing is left.
    `words`: of the keys of all, if they are known."""
    if drop_nulls:
        change = without_nulls(change, key_indices)
        if change.row_count == 0:
            return None
    if words is None or len(words) != change.row_count:  # nulls went
        words = key_words([change.columns[i] for i in key_indices], change.row_count)
    low = None if change.hashes is None else change.hashes[1]
    pending = Change(change.columns, change.diffs, words, None, low, is_distinct=change.is_distinct)
    return pending, change


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
