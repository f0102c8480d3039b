"""One dataflow's look at an arrangement that others read as well.

A dataflow that begins at a time which the arrangement has folded already takes back what changed
since: it reads the arrangement as it is at the first time that can be read, beside the opposite of
those changes, until it has got there itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import pyarrow as pa

from antiphon.protocol.row_hash import Words
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.protocol.selection import Selection
from antiphon.replica.dataflow.arrangements.arrangement import Arrangement, Ticks, before
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows


class Reader(Protocol):
    """A dataflow, to what it reads."""

    @property
    def reads_from(self) -> int:
        """No time before it is read any more."""
        ...


class Filling(Protocol):
    """What fills an arrangement. `refusal`: who was to give the content and does not, and why."""

    arrangement: Arrangement
    selection: Selection  # which rows of the collection it lets in
    rows_received: int
    rows_total: int
    refusal: tuple[str, str] | None

    @property
    def reader_count(self) -> int: ...


class Reading:
    """`later`: of the changes after `as_of` that the arrangement lets in, all that are folded,
    ascending; none if `as_of` can be read."""

    def __init__(self, filling: Filling, reader: Reader, as_of: int, later: Ticks = ()) -> None:
        self.filling = filling
        self.stir: Callable[[], None] = _nobody_waits  # called when the content is complete
        self._reader = reader
        self._floor = max(as_of, self.arrangement.since)
        self._later = list(later)
        rows = [(time, change) for time, change in later if change.row_count]
        self._undone = self.arrangement.undone(rows) if rows else None

    @property
    def arrangement(self) -> Arrangement:
        return self.filling.arrangement

    @property
    def selection(self) -> Selection:
        return self.filling.selection

    @property
    def hold(self) -> int:
        """No time before it is looked at in the arrangement."""
        return max(self._floor, self._reader.reads_from)

    @property
    def is_level(self) -> bool:
        """Whether it has got to what the arrangement had when it began."""
        return self._reader.reads_from >= self._floor

    def move(self, filling: Filling) -> None:
        """Reads another arrangement of the same collection by the same key from now on."""
        assert self.is_level, "it still takes back what the other arrangement has folded"
        assert self.hold >= filling.arrangement.since, "it cannot read there"
        self.filling = filling
        self._later, self._undone = [], None

    def until(self, time: int) -> list[Batch]:
        """As of the arrangement."""
        if time >= self._floor:
            if time > self._floor:  # also before the step that is computed: it is level
                self._later, self._undone = [], None
            return self.arrangement.until(time)
        found = list(self.arrangement.until(self._floor))
        if self._undone is not None and len(self._undone):
            found.append(replace(self._undone, until=before(time)))
        return found

    def words(self, time: int) -> Words | None:
        """As of the arrangement: whoever needs them first has them made."""
        return self.arrangement.words(time) if time > self._floor else None

    def parts(self, time: int, schema: Schema) -> list[Zset]:
        """The content at `time`, with all columns; those that the arrangement lacks are null."""
        parts = self.arrangement.parts(max(time, self._floor))
        places = self.arrangement.columns
        whole = [_widened(part, places, schema) for part in parts]
        undone = [change for when, change in self._later if when > time]
        whole += [
            Zset(change.columns, -change.diffs) for change in reversed(undone) if change.row_count
        ]
        return whole

    def errors(self, time: int) -> Zset | None:
        """The errors at `time`; None: there are none."""
        found = self.arrangement.errors(max(time, self._floor))
        undone = [c.errors.negated() for when, c in self._later if when > time and c.errors]
        whole = concat_rows([*undone] if found is None else [found, *undone])
        whole = None if whole is None else whole.consolidated()
        return whole if whole is not None and whole.row_count else None


def _nobody_waits() -> None:
    """Whoever begins to wait finds by itself that the content is complete."""


def _widened(part: Zset, places: Sequence[int], schema: Schema) -> Zset:
    if len(places) == len(schema):
        return part
    columns = [pa.nulls(part.row_count, field.type) for field in arrow_schema(schema)]
    for place, column in zip(places, part.columns, strict=True):
        columns[place] = column
    return Zset(tuple(columns), part.diffs)
