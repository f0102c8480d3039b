"""Batches: immutable sorted runs of an arrangement.

Rows are sorted by *rank*, one 64-bit word: the upper 40 bits of the key's word, then the upper 24
bits of the row's. One word halves what a lookup reads and what a merge moves. Rows whose ranks are
equal may still differ, so whoever looks up by key compares keys, and consolidation compares the
whole 128-bit row hash of just those rows, and the parts of their intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.interval_parts import part_words
from antiphon.protocol.row_hash import Words, hash_rows
from antiphon.replica.dataflow.columns.equality import same_rows
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.radix import Radix, radix_of
from antiphon.replica.dataflow.columns.words import key_words, row_words
from antiphon.replica.dataflow.columns.zset import Diffs

# Arrays without a dimension, with which a small call costs half of what it does with a scalar.
_ROW_BITS: Final = np.array(40, np.uint64)  # shift that leaves 24 bits of the row hash
KEY_MASK: Final = np.array(0xFFFFFFFFFF000000, np.uint64)
ROW_MASK: Final = np.array(0x0000000000FFFFFF, np.uint64)
FORGOTTEN: Final = np.uint64(0)  # the time of what no reader can date any more


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A sorted, consolidated run. `times` None: all FORGOTTEN, at or before since. `until`: rows
    with later times are not there for whoever looks; None: all are. `radix`: of a large one's
    ranks."""

    ranks: Words
    columns: tuple[pa.Array, ...]
    diffs: Diffs
    times: Words | None = None
    until: np.uint64 | None = None
    radix: Radix | None = None

    def __post_init__(self) -> None:
        assert len(self.ranks) == len(self.diffs), "ranks and diffs differ in length"
        assert self.times is None or len(self.times) == len(self.diffs), "times differ in length"

    def __len__(self) -> int:
        return len(self.diffs)

    @property
    def byte_count(self) -> int:
        own = self.ranks.nbytes + self.diffs.nbytes
        own += 0 if self.times is None else self.times.nbytes
        own += 0 if self.radix is None else self.radix.begins.nbytes
        return int(own) + sum(int(column.nbytes) for column in self.columns)

    def seen(self) -> Batch:
        """What of it is there for whoever looks, without times: equal rows may be there twice."""
        if self.times is None:
            return self
        if self.until is None:
            return Batch(self.ranks, self.columns, self.diffs, radix=self.radix)
        rows = np.flatnonzero(self.times <= self.until)
        return Batch(self.ranks[rows], taken_rows(self.columns, rows), self.diffs[rows])

    def seek(self, words: Words, *, wraps: bool = False) -> Rows:
        """How many ranks are below each word: where the first that is not stands. `wraps`: 0 means
        one more than the last word there is."""
        if self.radix is None:
            found: Rows = self.ranks.searchsorted(words)
        else:
            found = self.radix.seek(self.ranks, words)
        if wraps and np.count_nonzero(words) < len(words):
            found[words == 0] = len(self.ranks)
        return found


def ranks_of(
    columns: Sequence[pa.Array],
    key_indices: Sequence[int],
    count: int,
    words: Words | None = None,
    row_hashes: Words | None = None,
) -> Words:
    """The rank of each row. `words`: of the keys; `row_hashes`: low halves; None: not known yet."""
    if words is None:
        whole = len(key_indices) == len(columns) > 1
        if whole and row_hashes is not None and tuple(key_indices) == tuple(range(len(columns))):
            words = row_hashes  # a key of several columns has the row hash for its word
        else:
            words = key_words([columns[i] for i in key_indices], count)
    ranks: Words = words & KEY_MASK
    if len(key_indices) < len(columns):
        ranks |= row_words(columns, count, row_hashes) >> _ROW_BITS
    return ranks


def build_batch(
    columns: tuple[pa.Array, ...],
    diffs: Diffs,
    key_indices: Sequence[int],
    times: Words | None = None,
    row_hashes: Words | None = None,
    words: Words | None = None,
) -> Batch:
    """A batch of any rows. O(n log n)."""
    ranks = ranks_of(columns, key_indices, len(diffs), words, row_hashes)
    return sorted_batch(ranks, columns, diffs, times)


def sorted_batch(
    ranks: Words,
    columns: tuple[pa.Array, ...],
    diffs: Diffs,
    times: Words | None,
    *,
    runs: bool = False,
) -> Batch:
    """Sort and consolidate; `runs` as of `sorted_order`."""
    order, ranks, sums = sorted_order(ranks, columns, diffs, times, runs=runs)
    return Batch(
        ranks,
        taken_rows(columns, order),
        sums,
        None if times is None else times[order],
        radix=radix_of(ranks),
    )


def sorted_order(
    ranks: Words,
    columns: tuple[pa.Array, ...],
    diffs: Diffs,
    times: Words | None,
    *,
    runs: bool,
) -> tuple[Rows, Words, Diffs]:
    """(which rows stay, sorted; their ranks; their diffs).

    `runs`: the rows are a few sorted runs, one after another, none with diff 0.
    """
    # The stable sort finds the runs and merges them; the other is faster on anything else.
    order = ranks.argsort(kind="stable" if runs else None)
    ranks = ranks.take(order)
    sums = diffs.take(order)
    tied = ranks[1:] == ranks[:-1]
    if np.count_nonzero(tied):
        _sum_tied(order, ranks, tied, columns, diffs, times, sums)
    elif runs:  # none of them has a diff of 0
        return order, ranks, sums
    present = sums != 0
    if np.count_nonzero(present) < len(sums):
        order, ranks, sums = order[present], ranks[present], sums[present]
    return order, ranks, sums


def _sum_tied(
    order: Rows,
    ranks: Words,
    tied: npt.NDArray[np.bool_],
    columns: tuple[pa.Array, ...],
    diffs: Diffs,
    times: Words | None,
    sums: Diffs,
) -> None:
    """Sum equal rows among those of equal rank, into the first of each; changes order and sums."""
    after, before = np.zeros(len(ranks), np.bool_), np.zeros(len(ranks), np.bool_)
    after[1:], before[:-1] = tied, tied
    # A row and its deletion, most of what ties: compared directly, which needs no hash of theirs.
    alone = before & ~after
    alone[:-2] &= ~tied[1:]
    pairs = alone.nonzero()[0]
    if len(pairs):
        first, second = order[pairs], order[pairs + 1]
        same = same_rows(columns, first, columns, second)
        if times is not None:
            at_once = times[first] == times[second]
            same = at_once if same is None else same & at_once
        equal = pairs if same is None else pairs[same]
        sums[equal] += sums[equal + 1]
        sums[equal + 1] = 0
        before[pairs] = after[pairs + 1] = False
    places = (before | after).nonzero()[0]
    if len(places) == 0:
        return
    rows = order[places]
    tied_columns = taken_rows(columns, rows)
    high, low = hash_rows(tied_columns, len(rows))
    identity = [*part_words(tied_columns, len(rows)), high, low, ranks[places]]
    if times is not None:
        identity.insert(0, times[rows])
    inner = np.lexsort(identity)
    order[places] = rows[inner]
    starts = np.zeros(len(rows), np.bool_)
    starts[0] = True
    for word in identity:
        ordered = word[inner]
        starts[1:] |= ordered[1:] != ordered[:-1]
    heads = np.flatnonzero(starts)
    sums[places] = 0
    sums[places[heads]] = np.add.reduceat(diffs[rows[inner]], heads)
