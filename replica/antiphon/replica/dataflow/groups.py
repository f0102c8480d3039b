"""The rows of one change, put together by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words, hash_rows
from antiphon.replica.dataflow.gather import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """`order` sorts the rows by key; `heads` are the groups' first places in it.

    `low`, `high`: each group's key hash, sorted by `low`. `first_rows`: a row of each group.
    """

    order: Rows
    heads: Rows
    low: Words
    high: Words
    first_rows: Rows

    def __len__(self) -> int:
        return len(self.heads)

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
    high, low = hash_rows(keys, count)
    order = np.argsort(low)
    sorted_low, sorted_high = low[order], high[order]
    starts = np.empty(count, np.bool_)
    starts[:1] = True
    np.not_equal(sorted_low[1:], sorted_low[:-1], out=starts[1:])
    if not starts.all() and bool((~starts[1:] & (sorted_high[1:] != sorted_high[:-1])).any()):
        order = np.lexsort((high, low))  # two keys share a low half: once in an age
        sorted_low, sorted_high = low[order], high[order]
        starts[1:] = (sorted_low[1:] != sorted_low[:-1]) | (sorted_high[1:] != sorted_high[:-1])
    heads = np.flatnonzero(starts)
    return Groups(order, heads, sorted_low[heads], sorted_high[heads], order[heads])
