"""Changes on their way into an arrangement, not yet sorted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.columns.zset import Diffs

# What waits is sorted together, by a tick that brings enough not to stand out by it: not before
# there is so many times what the tick brings, for changes that are sorted together are merged less
# often; and at most so many times, and what is sorted in the time of the calls alone.
_LATEST_MIN: Final = 8
_LATEST_MAX: Final = 16
_ROWS_MIN: Final = 512
# However little a tick brings, no more than this is left to wait. Then it sorts the oldest of it.
_ROWS_MAX: Final = 8_192
_PARTS_MAX: Final = 48
# Changes of a few rows lie all over memory, and to gather many of them is most of what sorting them
# costs. So as many as this become one as they come.
_GATHERED: Final = 8
_GATHERED_ROWS_MAX: Final = 1_024


@dataclass(slots=True, eq=False)  # not frozen: as a Zset
class Change:
    """Rows in any order. `words`: of their keys, if known."""

    columns: tuple[pa.Array, ...]
    diffs: Diffs
    words: Words | None = None
    times: Words | None = None
    row_hashes: Words | None = None  # the low halves
    is_distinct: bool = False  # as of a Zset

    def __len__(self) -> int:
        return len(self.diffs)

    @property
    def byte_count(self) -> int:
        return int(self.diffs.nbytes) + sum(int(column.nbytes) for column in self.columns)

    def batch(self, key_indices: Sequence[int]) -> Batch:
        """O(n log n)."""
        return build_batch(
            self.columns, self.diffs, key_indices, self.times, self.row_hashes, self.words
        )


class Intake:
    """The changes that wait."""

    def __init__(self) -> None:
        self._parts: list[Change] = []
        self._gathered = 0  # of the parts, from the first one on
        self._latest = 0  # rows of the change that came last
        self.row_count = 0

    @property
    def is_full(self) -> bool:
        """Whether the change that came last should sort what `due` returns."""
        if self.row_count > _ROWS_MAX or len(self._parts) > _PARTS_MAX:
            return True
        least = max(_ROWS_MIN, _LATEST_MIN * self._latest)
        return least <= self.row_count <= self._due_rows

    @property
    def _due_rows(self) -> int:
        return _LATEST_MAX * self._latest + _ROWS_MIN

    @property
    def byte_count(self) -> int:
        return sum(part.byte_count for part in self._parts)

    def add(self, change: Change) -> None:
        if len(change):
            self._parts.append(change)
            self._latest = len(change)
            self.row_count += len(change)
            if len(self._parts) - self._gathered == _GATHERED:
                self._gather()

    def _gather(self) -> None:
        latest = self._parts[self._gathered :]
        if sum(map(len, latest)) <= _GATHERED_ROWS_MAX:
            self._parts[self._gathered :] = [_sum(latest)]
        self._gathered = len(self._parts)

    def due(self) -> Change:
        """The sum of the oldest, which wait no longer: as many rows as the change that came last
        may be asked to sort, or one part, if that has more."""
        rows = count = 0
        for part in self._parts:
            rows += len(part)
            if count and rows > self._due_rows:
                break
            count += 1
        return self._taken(count)

    def taken(self) -> Change:
        """The sum of all, which wait no longer; there is one."""
        return self._taken(len(self._parts))

    def _taken(self, count: int) -> Change:
        parts, self._parts = self._parts[:count], self._parts[count:]
        self._gathered = max(0, self._gathered - count)
        self.row_count -= sum(map(len, parts))
        return _sum(parts)


def _sum(parts: Sequence[Change]) -> Change:
    if len(parts) == 1:
        return parts[0]
    columns = tuple(
        pa.concat_arrays([part.columns[i] for part in parts]) for i in range(len(parts[0].columns))
    )
    return Change(
        columns,
        np.concatenate([part.diffs for part in parts]),
        _joined([part.words for part in parts]),
        _joined([part.times for part in parts]),
        _joined([part.row_hashes for part in parts]),
    )


def _joined(words: list[Words | None]) -> Words | None:
    """None as soon as one part lacks them."""
    known = [part for part in words if part is not None]
    return np.concatenate(known) if len(known) == len(words) else None
