"""One import of one dataflow: what arrived and is not consumed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.installing.guard import Guard


class Fills(Protocol):
    """Where an input's changes come from."""

    @property
    def frontier(self) -> Frontier: ...

    def rest(self, reader: Input, guard: Guard | None) -> None: ...

    def wake(self, reader: Input) -> None: ...


class Input:
    """One import of one dataflow, from the content at `as_of` on."""

    def __init__(self, collection: CollectionId, as_of: int) -> None:
        self.collection = collection
        self.as_of = as_of
        self.wanted = True  # whether the content may be fetched already
        self.loaded = False  # whether the content at or before as_of has arrived whole
        self.has_own_snapshot = False  # of exactly as_of; else a source's base and what follows it
        self.looks_up = False  # the content is where it is arranged, and need not come
        self.rows_received = 0
        self.rows_total = 0  # an estimate from above, until it is loaded
        # A peer that was to give the content and does not, and why; until another source is named.
        self.refusal: tuple[str, str] | None = None
        # Called when something has arrived; whoever reads this sets it.
        self.stir: Callable[[], None] = _nobody_reads
        self.source: Fills | None = None  # that fills it, if one does
        # At rest nothing is delivered: it has all that concerns it, as far as its source is.
        self.is_at_rest = False
        self.guard: Guard | None = None  # by which it rests of itself, whenever nothing comes
        self.wake: Callable[[], None] = _nobody_reads  # before something comes that concerns it
        self._delivered = START
        self._initial: deque[Zset] = deque()
        self._waiting_rows = 0  # in `_initial`
        self._pending: deque[tuple[int, Zset]] = deque()

    @property
    def frontier(self) -> Frontier:
        """Everything before it has arrived. Never before as_of."""
        start = Frontier(self.as_of)
        if not self.loaded:
            return start
        if self.is_at_rest and self.source is not None:
            return self.source.frontier.join(start)
        return self._delivered.join(start)

    def go_on(self, frontier: Frontier) -> None:
        """It was at rest until its source was there."""
        self.is_at_rest = False
        self._delivered = self._delivered.join(frontier)

    @property
    def next_time(self) -> int | None:
        """The earliest time after as_of with changes that were not taken."""
        return self._pending[0][0] if self._pending else None

    @property
    def pending_count(self) -> int:
        return len(self._pending)

    def load(self, content: Zset) -> None:
        """A part of the content at or before as_of."""
        assert not self.loaded, "content after the last part"
        if not self.looks_up:
            self.bring(content)

    def bring(self, content: Zset) -> None:
        """A part of the content at as_of, from where it is arranged."""
        self.rows_received += content.row_count
        self._keep(content)

    def restart(self) -> None:
        """The content comes again, from its first part on."""
        assert not self.loaded, "content after the last part"
        self._initial.clear()
        self._waiting_rows = 0
        self.rows_received = 0
        self.refusal = None

    def deliver(self, ticks: Iterable[tuple[int, Zset]], upper: Frontier) -> None:
        """Differences, in order of time, that complete everything before `upper`."""
        assert self._delivered.less_equal(upper), f"{self._delivered} moves back to {upper}"
        for time, change in ticks:
            if change.is_empty:
                continue
            if time <= self.as_of:
                # A snapshot of its own holds these already: taken again, they would count twice.
                if not self.has_own_snapshot and not self.looks_up:
                    self.bring(change)
            else:
                self._pending.append((time, change))
        self._delivered = self._delivered.join(upper)
        self.stir()

    def _keep(self, content: Zset) -> None:
        if not content.is_empty:
            self._initial.append(content)
            self._waiting_rows += content.row_count

    @property
    def has_content(self) -> bool:
        """Whether some of the content at as_of was not taken yet."""
        return bool(self._initial)

    @property
    def rows_taken(self) -> int:
        """Of those that were received."""
        return self.rows_received - self._waiting_rows

    def take_content(self, rows_max: int) -> list[Zset]:
        """Some of the content at as_of, as a sum of at most so many rows; each of it once.

        What was taken so far is at every point a content that the collection could have: nothing
        is taken away before it was there.
        """
        taken: list[Zset] = []
        room = rows_max
        while self._initial and room > 0:
            part = self._initial.popleft()
            if part.row_count > room:
                self._initial.appendleft(part.slice(room, part.row_count - room))
                first = part.slice(0, room)
                part = Zset(first.columns, first.diffs, part.errors)
            taken.append(part)
            room -= part.row_count
            self._waiting_rows -= part.row_count
        return taken

    def forget_content(self) -> None:
        """Nobody is going to take it."""
        self._initial.clear()
        self._waiting_rows = 0

    def take(self, time: int) -> Zset | None:
        """The change at `time`, if there is one; it is then gone from here."""
        if self._pending and self._pending[0][0] == time:
            return self._pending.popleft()[1]
        return None


def _nobody_reads() -> None:
    """What arrives before anybody reads is found by whoever begins to."""
