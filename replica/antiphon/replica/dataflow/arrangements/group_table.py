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


class GroupTable:
    """`width` numbers for each of the groups present; absent groups read as zeros."""

    def __init__(self, width: int) -> None:
        self._directory = Spine()
        self._high = np.zeros(_FIRST_SLOTS, np.uint64)
        self._numbers: Numbers = np.zeros((_FIRST_SLOTS, width), np.int64)
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
        return self._directory.byte_count + self._high.nbytes + self._numbers.nbytes

    def locate(self, low: Words, high: Words) -> Rows:
        """The slot of each key, or MISSING. Many are found faster when `low` is sorted."""
        batches = self._directory.batches
        if not batches:
            return np.full(len(low), MISSING, np.int64)
        # Nearly all keys are known, and nearly all of those are in the first batch.
        if batches[0] is not self._first:
            self._first, self._first_slots = batches[0], values_of(batches[0].columns[0])
        ranks = batches[0].ranks
        places = batches[0].seek(low)
        slots: Rows = self._first_slots.take(places, mode="clip")
        wrong = ranks.take(places, mode="clip") != low
        wrong |= self._high.take(slots) != high
        if np.count_nonzero(wrong):
            rest = wrong.nonzero()[0]
            slots[rest] = self._searched(batches, low.take(rest), high.take(rest))
        else:
            self._all_known = slots
        return slots

    def _searched(self, batches: Sequence[Batch], low: Words, high: Words) -> Rows:
        slots = np.full(len(low), MISSING, np.int64)
        for match in probe_ranks(batches, low):
            found = values_of(match.batch.columns[0])[match.rows]
            # A slot given back and taken again by another key is told by its high half.
            same = self._high[found] == high[match.probes]
            if same.all():
                slots[match.probes] = found
            else:
                slots[match.probes[same]] = found[same]
        return slots

    def read(self, slots: Rows) -> Numbers:
        """The numbers at each slot, zeros where MISSING; a copy."""
        numbers = self._numbers.take(slots, axis=0)
        if slots is not self._all_known:
            numbers[slots == MISSING] = 0
        return numbers

    def write(self, slots: Rows, low: Words, high: Words, numbers: Numbers) -> None:
        """Set the numbers of distinct keys; all zeros: the group is forgotten."""
        if slots is self._all_known and np.count_nonzero(numbers[:, 0]) == len(slots):
            self._numbers[slots] = numbers
            return
        known = slots != MISSING
        present = numbers.any(axis=1)
        kept = known & present
        self._numbers[slots[kept]] = numbers[kept]
        added = ~known & present
        if added.any():
            self._add(low[added], high[added], numbers[added])
        dropped = known & ~present
        if dropped.any():
            self._drop(slots[dropped], low[dropped])

    def widen(self, at: int, before: Numbers) -> None:
        """Insert columns before column `at`: `before` has a row for each slot of `all_numbers`."""
        left, right = self._numbers[:, :at], self._numbers[:, at:]
        self._numbers = np.concatenate([left, before, right], axis=1)

    @property
    def all_numbers(self) -> Numbers:
        """Of every slot, used or not, in slot order."""
        return self._numbers

    def maintain(self, fuel_rows: int) -> bool:
        return self._directory.maintain(fuel_rows)

    def _add(self, low: Words, high: Words, numbers: Numbers) -> None:
        count = len(low)
        reused = self._reused(count)
        fresh = np.arange(self._used, self._used + count - len(reused))
        self._used += len(fresh)
        self._reserve(self._used)
        slots = np.concatenate([reused, fresh])
        self._high[slots] = high
        self._numbers[slots] = numbers
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
        self._numbers[slots] = 0
        self._high[slots] = ~self._high[slots]  # matches no entry of the directory any more
        self._free.append(slots)
        self._free_count += len(slots)
        self._enter(low, slots, -1)
        if self._free_count == self._used:
            self._clear()

    def _clear(self) -> None:
        """The last group is gone: give all memory back."""
        self._directory, self._first = Spine(), None
        self._high = np.zeros(_FIRST_SLOTS, np.uint64)
        self._numbers = np.zeros((_FIRST_SLOTS, self._numbers.shape[1]), np.int64)
        self._used = 0
        self._free, self._free_count = [], 0

    def _enter(self, low: Words, slots: Rows, diff: int) -> None:
        order = low.argsort()
        entries = array_of(slots.take(order), pa.int64())
        diffs = np.full(len(slots), diff, np.int64)
        self._directory.insert(Batch(low.take(order), (entries,), diffs))

    def _reserve(self, slots: int) -> None:
        capacity = len(self._high)
        if slots <= capacity:
            return
        capacity = max(slots, capacity + capacity // 2)
        # In place: the allocator moves pages, not bytes, where it can.
        self._high.resize(capacity, refcheck=False)
        self._numbers.resize((capacity, self._numbers.shape[1]), refcheck=False)
