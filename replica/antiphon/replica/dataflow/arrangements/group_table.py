"""Per-group numbers: a row of 64-bit integers for each key, updated in place.

A key is its 128-bit row hash. The low half is found in a sorted directory, the high half verifies
it, so a table holds no key columns: whoever changes a group brings its key along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_ranks
from antiphon.replica.dataflow.columns.gather import Rows

Numbers = npt.NDArray[np.int64]
_FIRST_SLOTS: Final = 64
MISSING: Final = -1
_FEW_COLUMNS: Final = 4  # set sooner one by one: in half the time for few rows, a tenth for many


class GroupTable:
    """`width` numbers for each of the groups present; absent groups read as zeros."""

    def __init__(self, width: int) -> None:
        self._directory = Spine()
        # The high half of the key, then the numbers: one read of memory for both.
        self._rows: Numbers = np.zeros((_FIRST_SLOTS, 1 + width), np.int64)
        self._used = 0  # slots ever handed out
        self._free: list[Rows] = []  # slots given back, the latest last
        self._free_count = 0
        self._all_known: Rows | None = None  # the latest located, if none of them is MISSING
        self._first: Batch | None = None  # of the directory, and what it holds
        self._first_slots: Rows = np.zeros(0, np.int64)

    @property
    def group_count(self) -> int:
        return self._used - self._free_count

    @property
    def byte_count(self) -> int:
        return self._directory.byte_count + self._rows.nbytes

    def look_up(self, low: Words, high: Words) -> tuple[Rows, Numbers]:
        """The slot of each key, or MISSING; its numbers, or zeros: a copy. Many keys are found
        faster when `low` is sorted."""
        batches = self._directory.batches
        if not batches:
            return np.full(len(low), MISSING, np.int64), np.zeros((len(low), self.width), np.int64)
        # Nearly all keys are known, and nearly all of those are in the first batch.
        if batches[0] is not self._first:
            self._first, self._first_slots = batches[0], values_of(batches[0].columns[0])
        ranks = batches[0].ranks
        places = batches[0].seek(low)
        slots: Rows = self._first_slots.take(places, mode="clip")
        there = ranks.take(places, mode="clip")
        rows = self._rows.take(slots, 0)
        # As bytes: a fourth of the time that finding out where they differ takes.
        if there.tobytes() == low.tobytes() and rows[:, 0].tobytes() == high.tobytes():
            self._all_known = slots
            return slots, rows[:, 1:]
        wrong = (there != low) | (rows[:, 0] != high.view(np.int64))
        rest = wrong.nonzero()[0]
        found = self._searched(batches, low.take(rest), high.take(rest))
        slots[rest], rows[rest] = found, self._rows.take(found, 0)
        rows[slots == MISSING] = 0
        return slots, rows[:, 1:]

    def _searched(self, batches: Sequence[Batch], low: Words, high: Words) -> Rows:
        slots = np.full(len(low), MISSING, np.int64)
        for match in probe_ranks(batches, low):
            found = values_of(match.batch.columns[0])[match.rows]
            # A slot given back and taken again by another key is told by its high half.
            same = self._rows[found, 0] == high.view(np.int64)[match.probes]
            if same.all():
                slots[match.probes] = found
            else:
                slots[match.probes[same]] = found[same]
        return slots

    def write(self, slots: Rows, low: Words, high: Words, numbers: Numbers) -> None:
        """Set the numbers of distinct keys; all zeros: the group is forgotten."""
        if slots is self._all_known and np.count_nonzero(numbers[:, 0]) == len(slots):
            self._set(slots, numbers)
            return
        known = slots != MISSING
        present = numbers.any(axis=1)
        kept = known & present
        self._set(slots[kept], numbers[kept])
        added = ~known & present
        if added.any():
            self._add(low[added], high[added], numbers[added])
        dropped = known & ~present
        if dropped.any():
            self._drop(slots[dropped], low[dropped])

    def widen(self, at: int, before: Numbers) -> None:
        """Insert columns before column `at`: `before` has a row for each slot of `all_numbers`."""
        left, right = self._rows[:, : 1 + at], self._rows[:, 1 + at :]
        self._rows = np.concatenate([left, before, right], axis=1)

    @property
    def width(self) -> int:
        return int(self._rows.shape[1]) - 1

    @property
    def all_numbers(self) -> Numbers:
        """Of every slot, used or not, in slot order: a view."""
        return self._rows[:, 1:]

    def maintain(self, fuel_rows: int) -> bool:
        return self._directory.maintain(fuel_rows)

    def _set(self, slots: Rows, numbers: Numbers) -> None:
        if self.width > _FEW_COLUMNS:
            self.all_numbers[slots] = numbers
            return
        for place, column in enumerate(numbers.T, 1):
            self._rows[:, place][slots] = column

    def _add(self, low: Words, high: Words, numbers: Numbers) -> None:
        count = len(low)
        reused = self._reused(count)
        fresh = np.arange(self._used, self._used + count - len(reused))
        self._used += len(fresh)
        self._reserve(self._used)
        slots = np.concatenate([reused, fresh])
        self._rows[slots, 0] = high.view(np.int64)
        self._set(slots, numbers)
        self._enter(low, slots, 1)

    def _reused(self, count: int) -> Rows:
        """Up to `count` of the slots given back."""
        parts: list[Rows] = [np.zeros(0, np.int64)]
        while count and self._free:
            latest = self._free.pop()
            if len(latest) > count:
                self._free.append(latest[: len(latest) - count])
                latest = latest[len(latest) - count :]
            parts.append(latest)
            self._free_count -= len(latest)
            count -= len(latest)
        return np.concatenate(parts)

    def _drop(self, slots: Rows, low: Words) -> None:
        self.all_numbers[slots] = 0
        self._rows[slots, 0] ^= -1  # matches no entry of the directory any more
        self._free.append(slots)
        self._free_count += len(slots)
        self._enter(low, slots, -1)
        if self._free_count == self._used:
            self._clear()

    def _clear(self) -> None:
        """The last group is gone: give all memory back."""
        self._directory, self._first = Spine(), None
        self._rows = np.zeros((_FIRST_SLOTS, 1 + self.width), np.int64)
        self._used = 0
        self._free, self._free_count = [], 0

    def _enter(self, low: Words, slots: Rows, diff: int) -> None:
        order = low.argsort()
        entries = array_of(slots.take(order), pa.int64())
        diffs = np.full(len(slots), diff, np.int64)
        self._directory.insert(Batch(low.take(order), (entries,), diffs))

    def _reserve(self, slots: int) -> None:
        capacity = len(self._rows)
        if slots <= capacity:
            return
        capacity = max(slots, capacity + capacity // 2)
        # In place: the allocator moves pages, not bytes, where it can.
        self._rows.resize((capacity, 1 + self.width), refcheck=False)
