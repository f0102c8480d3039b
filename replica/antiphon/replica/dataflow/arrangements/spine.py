"""A spine: an arrangement as a short ladder of sorted batches.

New batches go to the end. When a stretch at the end holds three times as much as the batch before
it (a third as much, where somebody looks at every tick), that stretch and the batch become one; so
there are O(log state) batches, each update is moved O(log state) times, and the moving is done by
`maintain`, in slices of bounded size, beside reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import FORGOTTEN, KEY_MASK, ROW_MASK, Batch
from antiphon.replica.dataflow.arrangements.intake import Change, Intake
from antiphon.replica.dataflow.arrangements.merge import Merge
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.columns.zset import Zset

# How many times what comes behind it a batch may be to be merged with it: with 3 a lookup meets
# half as many batches as with 1, with a third two thirds as much is moved. What is deleted is
# mostly in the first: as much as that must not gather behind it, nor stay there in a pause once it
# is half of the first.
_RATIO: Final = 1 / 3
_FIRST_RATIO: Final = 1
_PAUSE_RATIO: Final = 1
_GONE_RATIO: Final = 2
_LOOKED_RATIO: Final = 3
_UNSORTED_SHARE: Final = 8  # unsorted rows beyond this share of the others are not left so
# A row is merged about as often as the ladder has rungs: so many rows of merging for each that
# comes in keep up with it, in slices that leave most ticks without any. Smaller ones cost more a
# row; larger ones would stand out from what the tick costs anyway.
_MERGED_EACH: Final = 12
_SLICE_ROWS_MIN: Final = 2_048
_LOOKED_SLICE_ROWS_MIN: Final = 1_024  # each tick brings a batch, so there are more to merge
_SORTED_AS: Final = 2  # rows merged in the time in which one is sorted
_BATCHES_MAX: Final = 24  # beyond it an insert merges by itself: a reader never meets more
_WITHIN_KEY: Final = ROW_MASK
_WITHIN_RANK: Final = np.array(0, np.uint64)
_ONE: Final = np.array(1, np.uint64)
_SIDE_BY_SIDE_MAX: Final = 16  # rows of which Python tells sooner than it would copy them
_TEXT_BYTES_MAX: Final = 2**31 - 1  # what one Arrow text column can hold


@dataclass(slots=True, eq=False)  # not frozen: as a Zset
class Matches:
    """Of one batch: which probe found which row. The keys' hashes agree; the keys may not."""

    batch: Batch
    probes: Rows
    rows: Rows
    whole: bool = False  # each probe found one row: `probes` counts from 0 up

    def taken(self) -> Zset:
        """The rows; those of one key lie side by side, and are not copied."""
        rows, batch = self.rows, self.batch
        count = len(rows)
        whole = Zset(batch.columns, batch.diffs)
        if count <= _SIDE_BY_SIDE_MAX and rows.tolist() == list(range(rows[0], rows[0] + count)):
            return whole.slice(int(rows[0]), count)
        return whole.take(rows)


class Spine:
    """Updates sorted by key. Not a collection by itself: its owner knows what the key is.

    `key_indices`: needed for `take_in` alone.
    """

    def __init__(self, key_indices: Sequence[int] = ()) -> None:
        self._keys = tuple(key_indices)
        self._batches: list[Batch] = []
        self._intake = Intake()
        self._idle = True  # nothing to merge since last looked at
        self._unsorted_max = 0  # beyond it there is something to do
        self.moved_rows = 0  # sorted and merged so far: what ticks cost here beside their steps
        self._came_rows = 0  # taken in since `maintain` was last called
        self._sorted_rows = 0  # of the intake, since then
        self._looked = False  # whether anybody looked since then
        self._ratio = _RATIO
        self._slice_rows_min = _SLICE_ROWS_MIN
        self._pauses = False  # whether nothing came in since `maintain` was last called
        self._gone: dict[Batch, int] = {}  # rows taken back by batches after the first
        # Under way: (where its inputs begin, the merge), by place. The last is worked on first:
        # while a long merge goes on, what comes in behind it is put together too.
        self._merges: list[tuple[int, Merge]] = []
        self._since: int | None = None
        self._may_forget = False  # whether since moved and nobody has looked yet

    @property
    def batches(self) -> list[Batch]:
        """All there is, sorted."""
        self._looked = True
        if self._intake.row_count:
            self._settle(self._intake.taken())
        return self._batches

    @property
    def row_count(self) -> int:
        """Updates held; those that cancel count until a merge meets them."""
        return sum(len(batch) for batch in self._batches) + self._intake.row_count

    @property
    def byte_count(self) -> int:
        return sum(batch.byte_count for batch in self._batches) + self._intake.byte_count

    def insert(self, batch: Batch) -> None:
        if len(batch) == 0:
            return
        self._idle = False
        self._came_rows += len(batch)
        self._batches.append(batch)
        while len(self._batches) > _BATCHES_MAX:
            self._merge_tail()

    def take_in(self, change: Change) -> None:
        """Take rows in as they are: they are sorted when someone looks, or when they are many.

        Where nobody looks at every tick, small ticks share one sort, and merges meet fewer batches.
        """
        self._intake.add(change)
        self._came_rows += len(change)
        if self._intake.is_full:
            self._settle(self._intake.due())
        elif self._intake.row_count > self._unsorted_max:
            self._idle = False

    def _settle(self, change: Change) -> None:
        batch = change.batch(self._keys)
        self.moved_rows += len(change)
        self._came_rows -= len(batch)  # they were counted when they came
        self._sorted_rows += len(batch)
        self.insert(batch)

    def set_since(self, since: int) -> None:
        """Times at or before it may be forgotten by merges that start from now on."""
        assert self._since is None or self._since <= since, "since moves back"
        self._since = since
        dated = any(batch.times is not None for batch in self._batches)
        if dated or self._merges or self._intake.row_count:  # else there is nothing to forget
            self._may_forget = True
            self._idle = False

    @property
    def is_idle(self) -> bool:
        """Whether `maintain` would find nothing to do."""
        return self._idle

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on merges. True: there is more to do.

        Called between changes, it spends no more than is in proportion to what came in since the
        last call, so that no tick pays for what many have left: a tick that has sorted what many
        brought merges nothing. Called again, as in a pause, it spends all.
        """
        came, self._came_rows = self._came_rows, 0
        sorted_rows, self._sorted_rows = self._sorted_rows, 0
        if came:
            self._ratio = _LOOKED_RATIO if self._looked else _RATIO
            self._slice_rows_min = _LOOKED_SLICE_ROWS_MIN if self._looked else _SLICE_ROWS_MIN
        elif not self._idle:
            self._ratio = max(self._ratio, _PAUSE_RATIO)
        self._looked, self._pauses = False, not came
        if self._idle:
            return False
        fuel = fuel_rows
        if came:
            in_proportion = _MERGED_EACH * came
            if sorted_rows > came:
                in_proportion -= _SORTED_AS * (sorted_rows - came)
            else:
                in_proportion = max(in_proportion, self._slice_rows_min)
            fuel = min(fuel_rows, in_proportion)
        # What is merged is seldom just as much as it should be; little more costs as much again.
        enough = fuel // 2
        while fuel > enough:
            self._start()
            if not self._merges:
                sizes = list(map(len, self._batches))
                some = len(sizes) > 1 and sizes[0] <= _GONE_RATIO * sum(sizes[1:])
                self._idle = self._pauses or not some
                self._unsorted_max = sum(sizes) // _UNSORTED_SHARE
                return not self._idle
            merge = self._merges[-1][1]
            left = merge.rows_left
            fuel -= merge.work(fuel)
            self.moved_rows += left - merge.rows_left
            if merge.result is not None:
                self._replace()
        return bool(self._merges) or self._next_merge() is not None

    def _start(self) -> None:
        chosen = self._next_merge()
        if chosen is not None:
            self._merges.append((chosen.start, Merge(self._batches[chosen], self._since)))

    @property
    def _free(self) -> int:
        """From here on no batch is being merged."""
        if not self._merges:
            return 0
        at, merge = self._merges[-1]
        return at + len(merge.inputs)

    def _next_merge(self) -> slice | None:
        """What is to be merged next.

        All from the first free batch on that what comes after it has grown up to; else a batch that
        would forget half of its times.
        """
        if _UNSORTED_SHARE * self._intake.row_count > sum(map(len, self._batches)):
            self._settle(self._intake.taken())
        free = self._free
        after = sum(map(len, self._batches[free:]))
        for index in range(free, len(self._batches) - 1):
            size = len(self._batches[index])
            after -= size
            ratio = self._ratio if index else max(self._ratio, _FIRST_RATIO)
            is_grown = size <= ratio * after or (index == 0 and self._is_half_gone(size, after))
            if is_grown and self._fits(index):
                return slice(index, len(self._batches))
        if self._may_forget:
            for index in range(free, len(self._batches)):
                if self._forgets(self._batches[index]):
                    return slice(index, index + 1)
            self._may_forget = free > 0
        return None

    def _is_half_gone(self, first: int, after: int) -> bool:
        """Whether what comes after the first batch takes half of it back, which keeps the memory of
        what has gone in proportion to what is there; asked in pauses, because it counts."""
        if not self._pauses or first > _GONE_RATIO * after:
            return False
        for batch in self._batches[1:]:
            if batch not in self._gone:
                self._gone[batch] = int(np.count_nonzero(batch.diffs < 0))
        return first <= _GONE_RATIO * sum(self._gone.values())

    def _forgets(self, batch: Batch) -> bool:
        times = batch.times
        if times is None or self._since is None:
            return False
        forgettable = (times <= np.uint64(self._since)) & (times != FORGOTTEN)
        return 2 * int(forgettable.sum()) >= len(batch)

    def _fits(self, index: int) -> bool:
        merged = self._batches[index:]
        return all(
            sum(batch.columns[i].nbytes for batch in merged) <= _TEXT_BYTES_MAX
            for i, column in enumerate(merged[0].columns)
            if column.type in (pa.string(), pa.binary())
        )

    def _replace(self) -> None:
        at, merge = self._merges.pop()
        self._gone.clear()
        assert merge.result is not None, "the merge is not done"
        count = len(merge.inputs)
        assert tuple(self._batches[at : at + count]) == merge.inputs, "the spine moved"
        self._batches[at : at + count] = [merge.result] if len(merge.result) else []

    def _merge_tail(self) -> None:
        """Make the spine shorter now: merge the smaller half of the ladder, or finish what runs."""
        start = max(self._free, len(self._batches) - _BATCHES_MAX // 2)
        if len(self._batches) - start < _BATCHES_MAX // 2:
            assert self._merges, "a long spine without a merge has free batches"
            self._finish()
            return
        self._merges.append((start, Merge(self._batches[start:], self._since)))
        self._finish()

    def _finish(self) -> None:
        """All that is left of the last merge, at once."""
        merge = self._merges[-1][1]
        while merge.result is None:
            self.moved_rows += merge.rows_left
            merge.work(2 * merge.rows_left)
        self._replace()


def probe_keys(batches: Sequence[Batch], words: Words) -> Iterator[Matches]:
    """The rows whose key may have one of these words (or ranks), batch by batch. Sorted words are
    faster, once they are many.

    O(probes · log state) and what is found.
    """
    return _probe(batches, words & KEY_MASK, _WITHIN_KEY)


def probe_ranks(batches: Sequence[Batch], ranks: Words) -> Iterator[Matches]:
    """The rows whose whole rank is one of these."""
    return _probe(batches, ranks, _WITHIN_RANK)


def _probe(batches: Sequence[Batch], first: Words, width: Words) -> Iterator[Matches]:
    """The rows of ranks in [first, first + width]."""
    count = len(first)
    if count == 0:
        return
    for batch in batches:
        ranks = batch.ranks
        starts = batch.seek(first)
        # Most probes of most batches find nothing, so look at one rank before seeking the end. A
        # rank before `first`, which is what stands at the end of the batch, wraps to a large one.
        hits = ranks.take(starts, mode="clip") - first <= width
        found = hits.nonzero()[0]
        if len(found) == 0:
            continue
        begins, lower = (starts, first) if len(found) == count else (starts[found], first[found])
        more = (ranks.take(begins + 1, mode="clip") - lower <= width).nonzero()[0]
        if len(more):
            more = more[begins[more] + 1 < len(ranks)]
        if len(more) == 0:  # one row each
            match = Matches(batch, found, begins, whole=len(found) == count)
        else:
            sizes = np.ones(len(found), np.int64)
            after = lower[more] + width + _ONE
            sizes[more] = batch.seek(after, wraps=True) - begins[more]
            runs, rows = expand(begins, sizes)
            match = Matches(batch, found[runs], rows)
        yield match if batch.until is None else _seen(match)


def _seen(match: Matches) -> Matches:
    """Without the rows that are not there for whoever looks."""
    batch = match.batch
    assert batch.times is not None, "without times all is seen"
    assert batch.until is not None, "nothing is left out"
    seen = batch.times[match.rows] <= batch.until
    return Matches(batch, match.probes[seen], match.rows[seen])


def expand(
    starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(which range, which row) of the ranges [start, start + size), laid end to end."""
    total = int(sizes.sum())
    count = len(sizes)
    if total == count and bool((sizes == 1).all()):
        return np.arange(count), starts
    ends = np.cumsum(sizes)
    rows = np.arange(total) + np.repeat(starts - (ends - sizes), sizes)
    return np.repeat(np.arange(count), sizes), rows
