"""Traces: a collection at every time in [since, upper), arranged by key.

    since ≤ read time < upper      since: detail before it is gone; upper: not yet final

Rows live in a spine with their times. Merges that start after a compaction forget times at or
before since, so what cancelled by then disappears. Recent changes are kept once more as they came,
for those who follow the trace.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.errors import NotComplete, SinceViolation
from antiphon.protocol.frontier import START, TIME_MAX, Frontier
from antiphon.protocol.row_hash import Words
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.arrangements.arrangement import Arrangement
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.arrangements.shared_rows import SharedRows
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows, sum_of_few
from antiphon.replica.dataflow.columns.gather import taken_rows
from antiphon.replica.dataflow.columns.groups import group_rows
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import ERRORS, Zset, concat_rows


class Trace:
    """The rows and errors of one collection. Empty and complete below `upper`, first [0]."""

    def __init__(
        self, schema: Schema, key_columns: Sequence[int] = (), since: Frontier = START
    ) -> None:
        self.schema = schema
        self.key_columns = tuple(key_columns)
        self._keys = self.key_columns or tuple(range(len(schema)))
        self._since = since
        self._upper = START
        self._rows: _TimedSpine | SharedRows = _TimedSpine(self._keys)
        self._errors = _TimedSpine(tuple(range(len(ERRORS))))
        self._recent: list[tuple[int, Zset]] = []
        self._tell_spines()

    @property
    def since(self) -> Frontier:
        return self._since

    @property
    def upper(self) -> Frontier:
        return self._upper

    @property
    def row_count(self) -> int:
        """Updates held, errors included; those that cancel count until a merge meets them."""
        return self._rows.row_count + self._errors.row_count

    @property
    def byte_count(self) -> int:
        """Of the arrangement, if it is the trace's own; the changes of recent times, kept once
        more, come on top."""
        return self._rows.byte_count + self._errors.byte_count

    @property
    def shared(self) -> Arrangement | None:
        """Where its rows are, if others read them there too."""
        return self._rows.reading.arrangement if isinstance(self._rows, SharedRows) else None

    def handed_over(self, first: int) -> tuple[int, list[Zset], list[tuple[int, Zset]]]:
        """(a time, the rows then as a sum, what changed after it), for an arrangement that others
        read too; `look_up` follows. `first`: the time of the content that is loaded. It is that
        one until the content is whole, and since may be further."""
        assert self._since.time is not None, "what is closed is not shared"
        assert self._upper.time is not None, "what is closed is not shared"
        time = max(first, min(self._since.time, self._upper.time - 1))
        return time, self._rows.at(time), self._remembered(time, TIME_MAX)

    def look_up(self, reading: Reading) -> None:
        """Its rows are arranged by its key; from now on it has none of its own."""
        self._rows = SharedRows(self._keys, reading, self._remembered)

    def _remembered(self, after: int, through: int) -> list[tuple[int, Zset]]:
        return [(time, change) for time, change in self._recent if after < time <= through]

    def load(self, time: int, content: Zset) -> None:
        """A part of what the collection holds at its upper, before it is complete there. The parts
        add up, and show once `insert` has moved upper past it."""
        assert self._upper == Frontier(time), f"a part for {time} at upper {self._upper}"
        assert self._forgotten(time), "the time of the content is where the trace begins"
        self._rows.add(time, content)
        if content.errors is not None:
            self._errors.add(time, content.errors)

    def parts(self, time: int) -> list[Zset]:
        """The content at `time` as a sum, older parts first, not copied where that can be."""
        self.check_readable(time)
        parts = self._rows.at(time)
        errors = concat_rows(self._errors.at(time))
        if errors is not None:
            parts.append(Zset(Zset.empty(self.schema).columns, errors.diffs[:0], errors))
        return parts

    def insert(self, lower: Frontier, upper: Frontier, changes: Sequence[tuple[int, Zset]]) -> None:
        """The updates of [lower, upper), by ascending time; `lower` must be the trace's upper."""
        assert lower == self._upper, f"a gap or an overlap: {lower} after {self._upper}"
        assert lower.less_equal(upper), f"upper moves back: {lower} -> {upper}"
        last: int | None = None
        for time, change in changes:
            assert last is None or time > last, f"times out of order: {last}, {time}"
            assert lower.less_equal(Frontier(time)), f"time {time} is before {lower}"
            assert upper.passes(time), f"time {time} is not before {upper}"
            last = time
            self._rows.add(time, change)
            if change.errors is not None:
                self._errors.add(time, change.errors)
            if not change.is_empty and not self._forgotten(time):
                self._recent.append((time, change))
        self._upper = upper

    def allow_compaction(self, since: Frontier) -> None:
        """Reads before `since` are refused from now on. An earlier frontier changes nothing."""
        if since.less_equal(self._since):
            return
        self._since = since
        kept = 0
        while kept < len(self._recent) and self._forgotten(self._recent[kept][0]):
            kept += 1
        del self._recent[:kept]
        self._tell_spines()

    def _tell_spines(self) -> None:
        """Merges may forget times from the first on: a trace is born with a since."""
        if self._since.time is not None:
            self._rows.set_since(self._since.time)
            self._errors.set_since(self._since.time)

    def _forgotten(self, time: int) -> bool:
        """Whether no reader can tell that time from earlier ones."""
        return self._since.time is None or time <= self._since.time

    def check_readable(self, time: int) -> None:
        """
        Raises:
            SinceViolation: the time is before since.
            NotComplete: the time is not before upper.
        """
        if not self._since.less_equal(Frontier(time)):
            raise SinceViolation(
                f"time {time} is before since {self._since}", time=time, since=str(self._since)
            )
        if not self._upper.passes(time):
            raise NotComplete(
                f"time {time} is not before upper {self._upper}", time=time, upper=str(self._upper)
            )

    def held(self, time: int) -> tuple[list[Batch], Zset | None]:
        """What holds the content at `time`, beside later updates: batches that never change, and
        the errors then, consolidated. For who looks at them bit by bit. O(errors)."""
        errors = self.errors(time)
        return self._rows.held(time), errors

    def snapshot(self, time: int) -> Zset:
        """The content at `time`, consolidated, with errors. O(updates held)."""
        self.check_readable(time)
        rows = concat_rows(self._rows.at(time))
        return self._result(rows, time)

    def lookup(self, key_columns: Sequence[pa.Array], time: int) -> Zset:
        """The rows at `time` whose key equals one of those given (nulls equal nulls), with errors.

        `key_columns`: a column for each of the trace's. O(keys · log state + what is found).
        """
        self.check_readable(time)
        assert len(key_columns) == len(self._keys), "one column for each key column"
        count = len(key_columns[0]) if key_columns else 1
        wanted = tuple(key_columns)
        if count > 1:  # a key that is named twice is found once
            wanted = taken_rows(key_columns, group_rows(key_columns, count).first_rows)
        return self._result(concat_rows(self._rows.found(wanted, time)), time)

    def _result(self, rows: Zset | None, time: int) -> Zset:
        errors = concat_rows(self._errors.at(time))
        if rows is None:
            rows = Zset.empty(self.schema)
        if errors is None:
            few = sum_of_few(rows.columns, rows.diffs)
            if few is not None and len(few[0]) == 1:  # what a key finds, mostly
                found = rows.slice(few[0][0], 1)
                return Zset(found.columns, np.array(few[1]), is_distinct=True)
        return Zset(rows.columns, rows.diffs, errors).consolidated()

    def errors(self, time: int) -> Zset | None:
        """The errors at `time`; None if there are none. A read at a time with errors fails."""
        self.check_readable(time)
        errors = concat_rows(self._errors.at(time))
        if errors is None:
            return None
        errors = errors.consolidated()
        return errors if errors.row_count else None

    def updates(self, lower: int, upper: int) -> list[tuple[int, Zset]]:
        """The changes at times in [lower, upper), ascending, as they were inserted.

        Raises:
            SinceViolation: `lower` is not after since: what happened until then is one sum.
            NotComplete: the trace's upper has not reached `upper`.
        """
        if lower >= upper:
            return []
        self.check_readable(lower - 1)
        self.check_readable(upper - 1)
        times = [time for time, _ in self._recent]
        return self._recent[bisect_left(times, lower) : bisect_left(times, upper)]

    @property
    def is_idle(self) -> bool:
        """Whether `maintain` would find nothing to do."""
        return self._rows.is_idle and self._errors.is_idle

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do."""
        more = self._rows.maintain(fuel_rows)
        return self._errors.maintain(fuel_rows) or more


class _TimedSpine:
    """One side of a trace: a spine whose rows have times."""

    def __init__(self, keys: tuple[int, ...]) -> None:
        self.spine = Spine(keys)
        self._keys = keys

    @property
    def row_count(self) -> int:
        return self.spine.row_count

    @property
    def byte_count(self) -> int:
        return self.spine.byte_count

    def set_since(self, since: int) -> None:
        self.spine.set_since(since)

    @property
    def is_idle(self) -> bool:
        return self.spine.is_idle

    def maintain(self, fuel_rows: int) -> bool:
        return self.spine.maintain(fuel_rows)

    def held(self, time: int) -> list[Batch]:
        """Batches that hold the rows at or before `time`, and later ones."""
        return list(self.spine.batches)

    def add(self, time: int, change: Zset) -> None:
        if change.row_count == 0:
            return
        times = np.full(change.row_count, time, np.uint64)
        low = None if change.hashes is None else change.hashes[1]
        self.spine.take_in(Change(change.columns, change.diffs, None, times, low))

    def at(self, time: int) -> list[Zset]:
        """All rows at or before `time`."""
        return [
            part for batch in self.spine.batches if (part := _until(batch, None, time)).row_count
        ]

    def found(self, wanted: Sequence[pa.Array], time: int) -> list[Zset]:
        """The rows at or before `time` with one of these distinct keys."""
        words: Words = key_words(wanted, len(wanted[0]) if wanted else 1)
        parts = []
        for match in probe_keys(self.spine.batches, words):
            others = [match.batch.columns[i] for i in self._keys]
            same = equal_rows(wanted, match.probes, others, match.rows)
            rows = match.rows if same is None else match.rows[same]
            part = _until(match.batch, rows, time)
            if part.row_count:
                parts.append(part)
        return parts


def _until(
    batch: Batch, rows: np.ndarray[tuple[int], np.dtype[np.int64]] | None, time: int
) -> Zset:
    """The given rows of a batch, or all, at or before `time`."""
    whole = Zset(batch.columns, batch.diffs)
    times = batch.times
    if rows is None:
        if times is None or bool((times <= np.uint64(time)).all()):
            return whole
        return whole.take(np.flatnonzero(times <= np.uint64(time)))
    if times is not None:
        rows = rows[times[rows] <= np.uint64(time)]
    return whole.take(rows)
