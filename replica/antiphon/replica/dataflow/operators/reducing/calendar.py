"""What is due later: changes by the second at which they happen.

A hierarchy of buckets, as of a clock with ever coarser hands. A change that is due within the same
64 seconds has a bucket of its second, one within the same 64 x 64 seconds a bucket of 64 seconds,
and so on; when the clock enters a coarse bucket, what is in it moves to finer ones. So a change is
moved a few times at the most, buckets are few however many seconds are wanted, and nothing that is
not due is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows

Seconds = npt.NDArray[np.int64]

HAND_BITS = 6  # a bucket of one level is split into 64 of the next
LEVELS = 10  # 2^60 seconds: beyond every timestamp
CONSOLIDATE_ROWS_MIN = 1_024  # smaller buckets are left as they are
_HANDS = np.array([1 << (HAND_BITS * level) for level in range(1, LEVELS)], np.int64)


@dataclass(slots=True)
class _Bucket:
    """Changes with one more column, the second at which each is due."""

    parts: list[Zset] = field(default_factory=list)
    row_count: int = 0
    compact_count: int = CONSOLIDATE_ROWS_MIN  # rows after the last consolidation

    def add(self, part: Zset) -> None:
        self.parts.append(part)
        self.row_count += part.row_count
        if self.row_count > 2 * self.compact_count:
            whole = self.content().consolidated()
            self.parts = [whole]
            self.row_count = whole.row_count
            self.compact_count = max(self.row_count, CONSOLIDATE_ROWS_MIN)

    def content(self) -> Zset:
        whole = concat_rows(self.parts)
        assert whole is not None, "a bucket is made when something goes in"
        return whole


class Calendar:
    """Changes that are due after `now`, in seconds. O(changes), whatever is held."""

    def __init__(self) -> None:
        self._now = -1
        self._buckets: dict[tuple[int, int], _Bucket] = {}
        self.next_second: int | None = None  # nothing is due before it

    @property
    def row_count(self) -> int:
        return sum(bucket.row_count for bucket in self._buckets.values())

    @property
    def byte_count(self) -> int:
        parts = [part for bucket in self._buckets.values() for part in bucket.parts]
        return sum(int(column.nbytes) for part in parts for column in part.columns) + sum(
            part.diffs.nbytes for part in parts
        )

    def due(self, now: int) -> list[Zset]:
        """What is due up to `now`, inclusive. Changes nothing: `advance` does."""
        assert now >= self._now, f"the clock goes back: {self._now} -> {now}"
        found = []
        for key in self._reached(now):
            content = self._buckets[key].content()
            rows = np.flatnonzero(_seconds_of(content) <= now)
            if len(rows):
                found.append(_without_seconds(content.take(rows)))
        return found

    def advance(self, now: int, changes: Zset, seconds: Seconds) -> None:
        """Let go of what is due up to `now`, and take up `changes`, all due after it."""
        reached = [self._buckets.pop(key) for key in self._reached(now)]
        self._now = now
        for bucket in reached:
            content = bucket.content()
            later = np.flatnonzero(_seconds_of(content) > now)
            if len(later):
                self._add(content.take(later))
        if changes.row_count:
            columns = (*changes.columns, array_of(seconds, pa.int64()))
            self._add(Zset(columns, changes.diffs))
        firsts = (number << (HAND_BITS * level) for level, number in self._buckets)
        self.next_second = min(firsts, default=None)

    def _reached(self, now: int) -> list[tuple[int, int]]:
        """The buckets that begin up to `now`."""
        return [key for key in self._buckets if key[1] << (HAND_BITS * key[0]) <= now]

    def _add(self, changes: Zset) -> None:
        seconds = _seconds_of(changes)
        assert bool((seconds > self._now).all()), "it is due already"
        # The coarsest hand that has to move before it is due.
        levels = np.searchsorted(_HANDS, seconds ^ np.int64(max(self._now, 0)), side="right")
        numbers = seconds >> (HAND_BITS * levels)
        order = np.lexsort((numbers, levels))
        levels, numbers = levels[order], numbers[order]
        moved = (levels[1:] != levels[:-1]) | (numbers[1:] != numbers[:-1])
        starts = np.concatenate([[0], np.flatnonzero(moved) + 1])
        ends = np.append(starts[1:], len(order))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            key = (int(levels[start]), int(numbers[start]))
            self._buckets.setdefault(key, _Bucket()).add(changes.take(order[start:end]))


def _seconds_of(changes: Zset) -> Seconds:
    return values_of(changes.columns[-1])


def _without_seconds(changes: Zset) -> Zset:
    return Zset(changes.columns[:-1], changes.diffs)
