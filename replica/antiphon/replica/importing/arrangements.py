"""What this replica keeps of one collection by key, once for all dataflows that look it up.

A table, a feed or an export has at most one arrangement for the same key: the first dataflow has it
made with the columns that it reads; one that reads others has it made anew with all columns, and
whoever read the narrow one moves over. It lives as long as somebody reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.dataflow.arrangements.arrangement import Arrangement, Ticks
from antiphon.replica.dataflow.arrangements.reading import Reader, Reading
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.input import Input


class Arranging(Input):
    """An input that goes into an arrangement."""

    def __init__(
        self, collection: CollectionId, as_of: int, columns: Sequence[int], key: Sequence[int]
    ) -> None:
        super().__init__(collection, as_of)
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
        self.arrangement.load(content)

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
        for time, change in ticks:
            if change.is_empty:
                continue
            if time <= self.as_of:
                if not self.has_own_snapshot:
                    self.arrangement.load(change)
                continue
            if not folded and self.readings:
                # Who begins in the future holds nothing before.
                held = min(reading.hold for reading in self.readings)
                self.arrangement.fold(min(held, time - 1))
                folded = True
            self.arrangement.insert(time, change)
        self._delivered = self._delivered.join(upper)
        self.stir()

    def read(self, reader: Reader, as_of: int, later: Ticks) -> Reading:
        """One more reader; `later` as of `Reading`."""
        reading = Reading(self, reader, as_of, later)
        self.readings.append(reading)
        return reading

    def _announce(self) -> None:
        if self.loaded and not self.arrangement.is_complete:
            self.arrangement.is_complete = True
            for reading in self.readings:
                reading.stir()


class Arrangements:
    """Those of one collection, of `width` columns."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._all: list[Arranging] = []

    def __iter__(self) -> Iterator[Arranging]:
        return iter(self._all)

    def find(
        self, key: Sequence[int], columns: Sequence[int], as_of: int, upper: Frontier
    ) -> Arranging | None:
        """One by this key with these columns, for a reader from `as_of` on. `upper`: how far
        changes after `as_of` are known, so that they can be taken back."""
        for arranging in self._all:
            found = arranging.arrangement
            fits = found.key == tuple(key) and set(columns) <= set(found.columns)
            if fits and (found.since <= as_of or upper.passes(found.since)):
                return arranging
        return None

    def made(
        self, collection: CollectionId, key: Sequence[int], columns: Sequence[int], as_of: int
    ) -> Arranging:
        """A new one, with all columns if there is one by this key that lacks some."""
        known = any(other.arrangement.key == tuple(key) for other in self._all)
        whole = tuple(range(self._width)) if known else tuple(columns)
        arranging = Arranging(collection, as_of, whole, key)
        self._all.append(arranging)
        return arranging

    def release(self, reading: Reading) -> Arranging | None:
        """The dataflow looks no more; the input of an arrangement that nobody reads any longer."""
        for arranging in self._all:
            arranging.readings = [other for other in arranging.readings if other is not reading]
        return next(iter(self._let_go()), None)

    def settled(self) -> list[Arranging]:
        """Readers of an arrangement move to a wider one by the same key, once they can; the inputs
        of those that nobody reads any longer."""
        if len(self._all) < 2:
            return []
        for narrow in self._all:
            for wide in self._all:
                if _is_wider(wide.arrangement, narrow.arrangement):
                    _move(narrow, wide)
        return self._let_go()

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more."""
        more = False
        for arranging in self._all:
            more = arranging.arrangement.maintain(fuel_rows) or more
        return more

    @property
    def byte_count(self) -> int:
        return sum(arranging.arrangement.byte_count for arranging in self._all)

    def _let_go(self) -> list[Arranging]:
        free = [arranging for arranging in self._all if not arranging.readings]
        if free:
            self._all = [arranging for arranging in self._all if arranging.readings]
        return free


def _is_wider(wide: Arrangement, narrow: Arrangement) -> bool:
    return (
        wide.is_complete
        and wide.key == narrow.key
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
