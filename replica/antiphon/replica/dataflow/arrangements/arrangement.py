"""Arrangements that several dataflows read, each at times of its own.

    since                        what every reader has behind it is one sum, sorted, without times
    since < time < upper         later changes wait as they came, sorted once somebody looks there

Readers in step with each other find the sum and at most the tick that they are at, so a shared
lookup costs what one in an arrangement of one's own does. While some reader stays behind, waiting
changes are put together in sorted runs that keep their times, and lookups leave out what is later
than they ask for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch, sorted_batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.spine import Spine
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Diffs, Zset, concat_rows

Ticks = Sequence[tuple[int, Zset]]

# Ticks that wait apart; a lookup meets each. More of them become a run.
_WAITING_MAX: Final = 8
# A larger run is put together with no other: whoever brings a tick waits for it.
_RUN_ROWS_MAX: Final = 1 << 16
_LAST: Final = 2**64 - 1


@dataclass(slots=True)
class _Tick:
    time: int
    change: Change
    batch: Batch | None = None  # once somebody looked

    def sorted(self, keys: Sequence[int]) -> Batch:
        if self.batch is None:
            self.batch = self.change.batch(keys)
        return self.batch


@dataclass(slots=True)
class _Run:
    """Ticks of [first, last], sorted by key, with their times."""

    first: int
    last: int
    batch: Batch


class Arrangement:
    """A collection by a key, at every time after `since`, up to which everything is folded.

    `columns`: which of the collection's it has, ascending; `key`: of the collection's, in order.
    """

    def __init__(self, columns: Sequence[int], key: Sequence[int], since: int) -> None:
        self.columns = tuple(columns)
        self.key = tuple(key)
        self.since = since
        self.is_complete = False  # whether all of the content has come
        self._keys = tuple(self.columns.index(column) for column in self.key)
        self._spine = Spine(self._keys)
        self._content: deque[Zset] = deque()  # that came, and is not sorted
        self._runs: list[_Run] = []
        self._waiting: deque[_Tick] = deque()
        self._errors: list[tuple[int, Zset]] = []

    # What comes.

    def load(self, content: Zset) -> None:
        """A part of the content at `since`. `sort` puts it where it is found."""
        self._keep_errors(self.since, content)
        if content.row_count:
            columns = tuple(content.columns[column] for column in self.columns)
            self._content.append(Zset(columns, content.diffs))

    def sort(self, rows_max: int) -> int:
        """Sorts at most so many rows of the content; how many that were."""
        done = 0
        while self._content and done < rows_max:
            part = self._content.popleft()
            if part.row_count > rows_max - done:
                room = rows_max - done
                self._content.appendleft(part.slice(room, part.row_count - room))
                part = part.slice(0, room)
            self._spine.take_in(self._by_key(part.columns, part.diffs))
            done += part.row_count
        return done

    @property
    def unsorted_rows(self) -> int:
        """Of the content, that has come."""
        return sum(part.row_count for part in self._content)

    def restart(self) -> None:
        """The content comes again, from its first part on."""
        self._spine = Spine(self._keys)
        self._content.clear()
        self._errors = [(time, errors) for time, errors in self._errors if time > self.since]

    def insert(self, time: int, change: Zset) -> None:
        """What changed at `time`; times ascend."""
        assert time > self.since, f"{time} is folded already: since is {self.since}"
        assert not self._waiting or time > self._waiting[-1].time, "times out of order"
        self._keep_errors(time, change)
        if change.row_count == 0:
            return
        self._waiting.append(_Tick(time, self._change(change)))
        if len(self._waiting) > _WAITING_MAX:
            self._put_together()

    def fold(self, since: int) -> None:
        """Nobody reads before `since` any more."""
        if since <= self.since:
            return
        self.since = since
        while self._runs and self._runs[0].last <= since:
            batch = self._runs.pop(0).batch
            self._spine.insert(
                sorted_batch(batch.ranks, batch.columns, batch.diffs, None, runs=True)
            )
        while self._waiting and self._waiting[0].time <= since:
            tick = self._waiting.popleft()
            if tick.batch is None:
                self._spine.take_in(tick.change)
            else:
                self._spine.insert(tick.batch)
        if len(self._errors) > _WAITING_MAX:
            self._fold_errors()

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do."""
        return self._spine.maintain(fuel_rows)

    # What is read.

    def until(self, time: int) -> list[Batch]:
        """Batches whose rows, those that `Batch.until` leaves, add up to the content at `time`."""
        assert time >= self.since, f"{time} is before since {self.since}"
        if self._content:
            self.sort(self.unsorted_rows)
        found = self._spine.batches
        if not self._runs and not self._waiting:
            return found
        found = list(found)
        for run in self._runs:
            if run.last <= time:
                found.append(run.batch)
            elif run.first <= time:
                found.append(replace(run.batch, until=np.uint64(time)))
        found += [tick.sorted(self._keys) for tick in self._waiting if tick.time <= time]
        return [batch for batch in found if len(batch)]

    def words(self, time: int) -> Words | None:
        """Of the keys of what changed at `time`, in the order in which it came; None: they are
        not known any more."""
        for tick in reversed(self._waiting):
            if tick.time <= time:
                return tick.change.words if tick.time == time else None
        return None

    def parts(self, time: int) -> list[Zset]:
        """The content at `time` as a sum, with this arrangement's columns; older parts first, not
        copied where that can be."""
        return [part for batch in self.until(time) if (part := _seen(batch)).row_count]

    def errors(self, time: int) -> Zset | None:
        """The errors at `time`."""
        found = concat_rows([errors for when, errors in self._errors if when <= time])
        if found is None:
            return None
        found = found.consolidated()
        return found if found.row_count else None

    def undone(self, ticks: Ticks) -> Batch:
        """The opposite of these changes, sorted. Its rows have their times turned round, so that
        `Batch.until` of `before(time)` leaves those after `time`."""
        changes = [self._change(change) for _, change in ticks]
        times = [np.full(len(change), _LAST - time, np.uint64) for change, (time, _) in
                 zip(changes, ticks, strict=True)]  # fmt: skip
        return Change(
            tuple(
                pa.concat_arrays([change.columns[i] for change in changes])
                for i in range(len(self.columns))
            ),
            -np.concatenate([change.diffs for change in changes]),
            None,
            np.concatenate(times),
        ).batch(self._keys)

    @property
    def row_count(self) -> int:
        """Updates held; those that cancel count until a merge meets them."""
        waiting = sum(len(tick.change) for tick in self._waiting)
        waiting += self.unsorted_rows + sum(len(run.batch) for run in self._runs)
        return self._spine.row_count + waiting

    @property
    def byte_count(self) -> int:
        waiting = sum(tick.change.byte_count for tick in self._waiting)
        waiting += sum(run.batch.byte_count for run in self._runs)
        waiting += sum(int(column.nbytes) for part in self._content for column in part.columns)
        return self._spine.byte_count + waiting

    def _change(self, change: Zset) -> Change:
        columns = tuple(change.columns[column] for column in self.columns)
        whole = len(columns) == len(change.columns)
        low = change.hashes[1] if whole and change.hashes is not None else None
        return self._by_key(columns, change.diffs, low)

    def _by_key(
        self, columns: tuple[pa.Array, ...], diffs: Diffs, low: Words | None = None
    ) -> Change:
        words = key_words([columns[key] for key in self._keys], len(diffs))
        return Change(columns, diffs, words, None, low)

    def _put_together(self) -> None:
        """The ticks that wait become one run, and runs of about its size one with it."""
        ticks = list(self._waiting)
        self._waiting.clear()
        timed = [
            replace(tick.change, times=np.full(
                len(tick.change), tick.time, np.uint64)) for tick in ticks
        ]  # fmt: skip
        batch = _concatenated([change.batch(self._keys) for change in timed])
        self._runs.append(_Run(ticks[0].time, ticks[-1].time, batch))
        while len(self._runs) > 1 and self._fit(*self._runs[-2:]):
            after, before = self._runs.pop(), self._runs.pop()
            batch = _concatenated([before.batch, after.batch])
            self._runs.append(_Run(before.first, after.last, batch))

    def _fit(self, before: _Run, after: _Run) -> bool:
        """One that is partly behind all readers is about to be folded, and stays as it is."""
        total = len(before.batch) + len(after.batch)
        near = len(before.batch) <= 2 * len(after.batch)
        return near and total <= _RUN_ROWS_MAX and before.first > self.since

    def _keep_errors(self, time: int, change: Zset) -> None:
        if change.errors is not None and change.errors.row_count:
            self._errors.append((time, change.errors))

    def _fold_errors(self) -> None:
        later = [(time, errors) for time, errors in self._errors if time > self.since]
        folded = self.errors(self.since)
        self._errors = later if folded is None else [(self.since, folded), *later]


def before(time: int) -> np.uint64:
    """The `Batch.until` that leaves of `Arrangement.undone` the changes after `time`."""
    return np.uint64(_LAST - time - 1)


def _seen(batch: Batch) -> Zset:
    whole = Zset(batch.columns, batch.diffs)
    if batch.until is None or batch.times is None:
        return whole
    return whole.take(np.flatnonzero(batch.times <= batch.until))


def _concatenated(batches: Sequence[Batch]) -> Batch:
    """Batches with times as one."""
    return sorted_batch(
        np.concatenate([batch.ranks for batch in batches]),
        tuple(
            pa.concat_arrays([batch.columns[i] for batch in batches])
            for i in range(len(batches[0].columns))
        ),
        np.concatenate([batch.diffs for batch in batches]),
        np.concatenate([batch.times for batch in batches if batch.times is not None]),
        runs=True,
    )
