"""The content digest of one export, kept up once somebody has asked for it.

Whoever never asks pays nothing. From the first question on the content there was is summed in
slices, and what changes is added to the sum, also in slices, so that no tick waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from antiphon.protocol.content_digest import EMPTY, added, digest_of_errors, digest_of_rows
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import Ticks


def digest_of(change: Zset) -> int:
    """Of rows and errors. O(rows)."""
    rows = digest_of_rows(change.columns, change.diffs, change.hashes)
    if change.errors is None:
        return rows
    return added(rows, digest_of_errors(change.errors.columns, change.errors.diffs))


class ContentDigest:
    """Of a content at `time`, whose parts add up to it, and of what follows."""

    def __init__(self, time: int, parts: Sequence[Zset]) -> None:
        self._time = time  # earlier times cannot be told
        self._base = EMPTY  # of everything up to `_time` that was summed
        self._parts = deque(parts)
        self._unsummed: deque[tuple[int, Zset]] = deque()
        self._sums: deque[tuple[int, int]] = deque()  # by time, after `_time`

    def add(self, ticks: Ticks) -> None:
        """Changes at times that ascend."""
        self._unsummed.extend(ticks)

    def forget(self, time: int) -> None:
        """Nobody asks for earlier times any more."""
        self._time = max(self._time, time)
        while self._sums and self._sums[0][0] <= self._time:
            self._base = added(self._base, self._sums.popleft()[1])

    def work(self, fuel_rows: int) -> bool:
        """Sums about so many rows; True: there are more."""
        fuel = fuel_rows
        while fuel > 0 and (self._parts or self._unsummed):
            if self._parts:
                part = self._parts.popleft()
                if part.row_count > fuel:
                    self._parts.appendleft(part.slice(fuel, part.row_count - fuel))
                    first = part.slice(0, fuel)
                    part = Zset(first.columns, first.diffs, part.errors)
                self._base = added(self._base, digest_of(part))
                fuel -= max(1, part.row_count)
            else:
                fuel -= self._sum_next()
        return bool(self._parts or self._unsummed)

    def at(self, time: int) -> int | None:
        """The digest of the content at `time`, which the caller knows to be complete; None: it is
        not summed so far, or so early that it cannot be told (`reaches`)."""
        if self._parts or not self.reaches(time):
            return None
        while self._unsummed and self._unsummed[0][0] <= time:
            self._sum_next()
        return added(self._base, *(sum_ for when, sum_ in self._sums if when <= time))

    def reaches(self, time: int) -> bool:
        return self._time <= time

    def _sum_next(self) -> int:
        time, change = self._unsummed.popleft()
        if time <= self._time:
            self._base = added(self._base, digest_of(change))
        else:
            self._sums.append((time, digest_of(change)))
        return max(1, change.row_count)
