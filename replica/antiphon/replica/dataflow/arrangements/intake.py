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

# What waits is sorted all at once: few enough rows that the tick which pays for it does not stand
# out, enough that ticks of a few rows share one sort.
_ROWS_MAX: Final = 8_192
_CHANGES_MAX: Final = 48
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
        self._change_count = 0
        self.row_count = 0

    @property
    def is_full(self) -> bool:
        return self.row_count > _ROWS_MAX or self._change_count > _CHANGES_MAX

    @property
    def byte_count(self) -> int:
        return sum(part.byte_count for part in self._parts)

    def add(self, change: Change) -> None:
        if len(change):
            self._parts.append(change)
            self._change_count += 1
            self.row_count += len(change)
            if len(self._parts) - self._gathered == _GATHERED:
                self._gather()

    def _gather(self) -> None:
        latest = self._parts[self._gathered :]
        if sum(map(len, latest)) <= _GATHERED_ROWS_MAX:
            self._parts[self._gathered :] = [_sum(latest)]
        self._gathered = len(self._parts)

    def taken(self) -> Change:
        """The sum of all, which wait no longer; there is one."""
        parts, self._parts = self._parts, []
        self._gathered = self._change_count = self.row_count = 0
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
