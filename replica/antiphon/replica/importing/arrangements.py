"""What this replica keeps of one collection by key, once for all dataflows that look it up.

A table, a feed or an export has at most one arrangement for the same key and the same rows of it,
all or those that a filter lets through: the first dataflow has it made with the columns that it
reads; one that reads others has it made anew with all columns, and whoever read the narrow one
moves over. It lives as long as somebody reads it: that of a feed by its key as long as the feed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.selection import Selection
from antiphon.replica.dataflow.arrangements.arrangement import Arrangement, Ticks
from antiphon.replica.dataflow.arrangements.reading import Filling, Reader, Reading
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.expressions.selecting import selected
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.lookups import Sought, What
from antiphon.replica.installing.guard import guard_among
from antiphon.replica.reporting.footprint import Footprint


class Arranging(Input):
    """An input that goes into an arrangement: all of it, or what is selected. `is_kept`: also while
    no dataflow reads it."""

    is_kept = False

    def __init__(
        self,
        collection: CollectionId,
        as_of: int,
        columns: Sequence[int],
        key: Sequence[int],
        selection: Selection,
        untidied: Callable[[Arranging], None],
    ) -> None:
        """`untidied`: told when something has come."""
        super().__init__(collection, as_of)
        self.selection = selection
        self.guard = guard_among(selection)
        self.wake = self._go_on
        self._untidied = untidied
        self.arrangement = Arrangement(columns, key, as_of)
        self.readings: list[Reading] = []
        self.stir = self._announce

    @property
    def reader_count(self) -> int:
        """Dataflows that read it."""
        return len(self.readings)

    def load(self, content: Zset) -> None:
        assert not self.loaded, "content after the last part"
        self.rows_received += content.row_count
        self.arrangement.load(self._selected(content))
        self._untidied(self)

    def restart(self) -> None:
        assert not self.loaded, "content after the last part"
        self.rows_received = 0
        self.arrangement.restart()
        self.refusal = None

    def deliver(self, ticks: Iterable[tuple[int, Zset]], upper: Frontier) -> None:
        """What all readers have behind them is folded first: of readers in step, each finds the
        sum and the tick that it is at."""
        assert self._delivered.less_equal(upper), f"{self._delivered} moves back to {upper}"
        folded = False
        for time, change in ((time, self._selected(change)) for time, change in ticks):
            if change.is_empty:
                continue
            if time <= self.as_of:
                if not self.has_own_snapshot:
                    self.arrangement.load(change)
                continue
            if not folded and (self.readings or self.is_kept):
                # Who begins in the future holds nothing before.
                held = (reading.hold for reading in self.readings)
                self.arrangement.fold(min([time - 1, *held]))
                folded = True
            self.arrangement.insert(time, change)
            self._untidied(self)
        self._delivered = self._delivered.join(upper)
        self.stir()

    def read(self, reader: Reader, as_of: int, later: Ticks) -> Reading:
        """One more reader; `later` as of `Reading`, but of the whole collection."""
        found = [(time, self._selected(change)) for time, change in later]
        reading = Reading(self, reader, as_of, found)
        self.readings.append(reading)
        return reading

    @property
    def what(self) -> What:
        """By which key it is, and of which rows."""
        return self.arrangement.key, self.selection

    @property
    def state_bytes(self) -> int:
        return self.arrangement.byte_count

    def _go_on(self) -> None:
        """Something comes that may be selected."""
        if self.source is not None:
            self.source.wake(self)

    def _selected(self, change: Zset) -> Zset:
        return selected(change, self.selection, self.arrangement.columns)

    def _announce(self) -> None:
        if self.loaded and not self.arrangement.is_complete:
            self.arrangement.is_complete = True
            for reading in self.readings:
                reading.stir()


class Arrangements:
    """Those of one collection, of `width` columns."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._all: dict[What, list[Arranging]] = {}
        self._several: dict[What, None] = {}  # of which there is a narrower and a wider one
        self._untidy: dict[Arranging, None] = {}  # to which something came
        self._footprint: Footprint[Arranging] = Footprint()

    def __iter__(self) -> Iterator[Arranging]:
        return (each for alike in self._all.values() for each in alike)

    def find(self, sought: Sought, as_of: int, upper: Frontier) -> Arranging | None:
        """One that has what is sought, for a reader from `as_of` on. `upper`: how far changes after
        `as_of` are known, so that they can be taken back."""
        for arranging in self._all.get(sought.what, ()):
            found = arranging.arrangement
            fits = set(sought.columns) <= set(found.columns)
            if fits and (found.since <= as_of or upper.passes(found.since)):
                return arranging
        return None

    def keep(self, arranging: Arranging) -> None:
        """One that stays; nobody needs another one of the same."""
        assert arranging.what not in self._all, "there is one already"
        self._all[arranging.what] = [arranging]
        self.untidied(arranging)

    def made(self, collection: CollectionId, sought: Sought, as_of: int) -> Arranging:
        """A new one, with all columns if there is one of the same that lacks some."""
        alike = self._all.setdefault(sought.what, [])
        columns = tuple(range(self._width)) if alike else sought.columns
        arranging = Arranging(
            collection, as_of, columns, sought.key, sought.selection, self.untidied
        )
        alike.append(arranging)
        if len(alike) > 1:
            self._several[sought.what] = None
        self.untidied(arranging)
        return arranging

    def release(self, reading: Reading) -> Arranging | None:
        """The dataflow looks no more; the input of an arrangement that nobody reads any longer."""
        for arranging in self._all.get(_what(reading.filling), ()):
            if arranging is reading.filling:
                arranging.readings = [other for other in arranging.readings if other is not reading]
                return next(iter(self._let_go(arranging.what)), None)
        return None

    def settled(self) -> list[Arranging]:
        """Readers of an arrangement move to a wider one of the same, once they can; the inputs of
        those that nobody reads any longer."""
        free = []
        for what in list(self._several):
            for narrow in self._all[what]:
                for wide in self._all[what]:
                    if _is_wider(wide.arrangement, narrow.arrangement):
                        _move(narrow, wide)
            free += self._let_go(what)
        return free

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more. Only of those to which something came."""
        more = False
        for arranging in list(self._untidy):
            if arranging.arrangement.maintain(fuel_rows):
                more = True
            elif not arranging.arrangement.unsorted_rows:
                self._footprint.changed(arranging)
                del self._untidy[arranging]
        return more

    @property
    def byte_count(self) -> int:
        """O(those to which something came)."""
        for arranging in self._untidy:
            self._footprint.changed(arranging)
        return self._footprint.byte_count

    def untidied(self, arranging: Arranging) -> None:
        """Something came to it."""
        self._untidy[arranging] = None

    def _let_go(self, what: What) -> list[Arranging]:
        alike = self._all[what]
        free = [each for each in alike if not (each.readings or each.is_kept)]
        for arranging in free:
            self._untidy.pop(arranging, None)
            self._footprint.forget(arranging)
        kept = [each for each in alike if each.readings or each.is_kept]
        self._all[what] = kept
        if len(kept) < 2:
            self._several.pop(what, None)
        if not kept:
            del self._all[what]
        return free


def _what(filling: Filling) -> What:
    return filling.arrangement.key, filling.selection


def _is_wider(wide: Arrangement, narrow: Arrangement) -> bool:
    return (
        wide.is_complete
        and len(wide.columns) > len(narrow.columns)
        and set(narrow.columns) <= set(wide.columns)
    )


def _move(narrow: Arranging, wide: Arranging) -> None:
    moved = [
        reading
        for reading in narrow.readings
        if reading.is_level and reading.hold >= wide.arrangement.since
    ]
    for reading in moved:
        reading.move(wide)
    if moved:
        wide.readings += moved
        narrow.readings = [
            reading for reading in narrow.readings if all(reading is not other for other in moved)
        ]
