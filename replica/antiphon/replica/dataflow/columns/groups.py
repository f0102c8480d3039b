"""The rows of one change, put together by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.columns.words import key_identity

_FEW_ROWS: Final = 48  # up to here a set of Python integers is faster than a sort
_COUNTED: Final = [np.arange(n) for n in range(_FEW_ROWS + 1)]


# Not frozen: making a frozen value of six fields takes twice as long, and each operator makes one.
@dataclass(slots=True, eq=False)
class Groups:
    """`order` puts the rows of a key together; `heads` are the groups' first places in it.

    `low`, `high`: each group's key identity; of many groups sorted by `low`, which makes them
    faster to look up. `first_rows`: a row of each group. `singles`: each row is a group, in the
    rows' own order.
    """

    order: Rows
    heads: Rows
    low: Words
    high: Words
    first_rows: Rows
    singles: bool = False

    def __len__(self) -> int:
        return len(self.heads)

    def sums(self, values: Rows) -> Rows:
        """Of each group's values; `values` may have several rows, each is summed by itself."""
        if self.singles:
            return values
        ordered: Rows = values.take(self.order, axis=-1)
        if len(self.heads) == len(self.order):
            return ordered
        summed: Rows = np.add.reduceat(ordered, self.heads, axis=-1)
        return summed

    def of_rows(self) -> Rows:
        """The group of each row, in the rows' own order."""
        sizes = np.diff(np.append(self.heads, len(self.order)))
        found = np.empty(len(self.order), np.int64)
        found[self.order] = np.repeat(np.arange(len(self.heads)), sizes)
        return found


def group_rows(keys: Sequence[pa.Array], count: int) -> Groups:
    """O(n log n). No key columns: one group, also of no rows."""
    if not keys:
        zero = np.zeros(1, np.uint64)
        first = np.zeros(1, np.int64)
        return Groups(np.arange(count), first, zero, zero, first)
    low, high = key_identity(keys, count)
    # Per-row Python is cheaper here, but only here: most small changes touch no key twice.
    if count <= _FEW_ROWS and len(set(low.tolist())) == count:
        every = _COUNTED[count]
        return Groups(every, every, low, high, every, singles=True)
    order = low.argsort()
    sorted_low = low.take(order)
    fresh = sorted_low[1:] != sorted_low[:-1]
    if np.count_nonzero(fresh) == count - 1:  # each row is a group: most small changes
        sorted_high = sorted_low if high is low else high.take(order)
        return Groups(order, np.arange(count), sorted_low, sorted_high, order)
    sorted_high = high.take(order)
    if bool((~fresh & (sorted_high[1:] != sorted_high[:-1])).any()):
        order = np.lexsort((high, low))  # two keys share a low half: once in an age
        sorted_low, sorted_high = low[order], high[order]
        fresh = (sorted_low[1:] != sorted_low[:-1]) | (sorted_high[1:] != sorted_high[:-1])
    starts = np.empty(count, np.bool_)
    starts[:1] = True
    starts[1:] = fresh
    heads = starts.nonzero()[0]
    return Groups(order, heads, sorted_low[heads], sorted_high[heads], order[heads])
