"""Where a dataflow's changes come from: its inputs, and the sources that fill them.

An `Input` is one import of one dataflow: what arrived and is not consumed. A `Source` is one table
or feed of the store: its tail, shared by all dataflows that read it, so that a feed's key -> row
state exists once and each tick is decoded once. The first reader's snapshot is the source's base;
a reader that comes later brings a snapshot of its own and takes the differences from the source,
as long as the source still remembers those since the reader's as_of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.chunks import Content
from antiphon.replica.dataflow.batch import build_batch
from antiphon.replica.dataflow.overwrites import Overwrites
from antiphon.replica.dataflow.zset import Zset, concat_rows
from antiphon.replica.deltas import Ticks

# Differences a source remembers for dataflows that start a little in the past. Beyond it they
# start from a source of their own, which costs memory but is right.
RECENT_ROWS_MAX: Final = 1 << 17


class Input:
    """One import of one dataflow, from the content at `as_of` on."""

    def __init__(self, collection: CollectionId, as_of: int) -> None:
        self.collection = collection
        self.as_of = as_of
        self.wanted = True  # whether the content may be fetched already
        self.loaded = False  # whether the content at or before as_of has arrived whole
        self.has_own_snapshot = False  # of exactly as_of; else a source's base and what follows it
        self.rows_received = 0
        self.rows_total = 0  # an estimate from above, until it is loaded
        # A peer that was to give the content and does not, and why; until another source is named.
        self.refusal: tuple[str, str] | None = None
        # Called when something has arrived; whoever reads this sets it.
        self.stir: Callable[[], None] = _nobody_reads
        self._delivered = START
        self._initial: deque[Zset] = deque()
        self._waiting_rows = 0  # in `_initial`
        self._pending: deque[tuple[int, Zset]] = deque()

    @property
    def frontier(self) -> Frontier:
        """Everything before it has arrived. Never before as_of."""
        start = Frontier(self.as_of)
        return self._delivered.join(start) if self.loaded else start

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
                if not self.has_own_snapshot:
                    self.rows_received += change.row_count
                    self._keep(change)
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


class Source:
    """A table or feed as this replica sees it, from `base_time` on."""

    def __init__(self, imported: Import, base_time: int) -> None:
        self.imported = imported
        self.base_time = base_time
        self.live = False  # the base is complete; only then the tail is of use
        self.frontier = Frontier(base_time + 1)
        self._readers: list[Input] = []
        # Until it is complete, the parts that have come; then kept for who has yet to start.
        self._base: list[Zset] = []
        self._base_at = base_time
        self._recent: deque[tuple[int, Zset]] = deque()
        self._recent_rows = 0
        self._forgotten = base_time  # differences up to this time are not remembered
        self._overwrites = self._fresh_overwrites()

    @property
    def is_read(self) -> bool:
        return bool(self._readers)

    def fills(self, reader: Input) -> bool:
        return any(other is reader for other in self._readers)

    def serves(self, as_of: int) -> bool:
        """Whether a reader that starts at `as_of` can have its differences from here."""
        return as_of >= (self._forgotten if self.live else self.base_time)

    def attach(self, reader: Input) -> bool:
        """Fills `reader` from now on. True: it needs a snapshot of its own at its as_of, because
        the base has gone by."""
        assert self.serves(reader.as_of), "the source does not reach back so far"
        self._readers.append(reader)
        if not self.live:
            for content in self._base:  # parts that came before it
                reader.load(content)
            return False
        if self._base and self.follows(self._base_at, reader.as_of):
            self._load(reader)
            return False
        reader.has_own_snapshot = True
        late = [(time, change) for time, change in self._recent if time > reader.as_of]
        reader.deliver(late, self.frontier)
        return True

    def follows(self, time: int, as_of: int) -> bool:
        """Whether the content at `time` and what is remembered here lead to that at `as_of`."""
        return self._forgotten <= time <= as_of

    def _load(self, reader: Input) -> None:
        for content in self._base:
            reader.load(content)
        reader.rows_total = reader.rows_received
        reader.loaded = True
        reader.deliver(
            [(time, change) for time, change in self._recent if time > self._base_at], self.frontier
        )

    def keep_base(self, content: Zset, time: int) -> None:
        """Later readers start from this content at `time`, rather than read it again."""
        self._base, self._base_at = [content], time

    def forget_base(self) -> None:
        """Nobody is left to start from it; while it still comes, its parts are needed."""
        if self.live:
            self._base = []

    def detach(self, reader: Input) -> None:
        self._readers = [other for other in self._readers if other is not reader]

    def base_part(self, content: Zset, rows_total: int) -> None:
        """A part of the content at `base_time`; a feed's is one upsert for each key."""
        assert not self.live, "a base part after the last"
        rows = content if self._overwrites is None else self._overwrites.apply(content)
        self._base.append(rows)
        for reader in self._readers:
            reader.rows_total = rows_total
            reader.load(rows)

    def restart_base(self) -> None:
        """The base comes again, from its first part on."""
        assert not self.live, "a base part after the last"
        self._overwrites = self._fresh_overwrites()
        self._base = []
        for reader in self._readers:
            reader.restart()

    def base_refused(self, peer: str, why: str) -> None:
        """Its readers say so."""
        for reader in self._readers:
            reader.refusal = (peer, why)

    def base_complete(self, *, keep: bool = False) -> None:
        """`keep`: others will start from the base."""
        self.live = True
        content = self._base
        self._base = []
        if keep:  # in one piece, for each reader takes it whole
            self.keep_base(Zset.concat(self.imported.schema, content), self.base_time)
        for reader in self._readers:
            reader.loaded = True
            reader.deliver((), self.frontier)

    def advance(self, ticks: Ticks, upper: Frontier) -> None:
        """Takes differences (a feed's: overwrites) in [its frontier, `upper`); trims the rest."""
        assert self.live, "differences before their base"
        assert self.frontier.less_equal(upper), f"{self.frontier} moves back to {upper}"
        fresh = [
            (time, change if self._overwrites is None else self._overwrites.apply(change))
            for time, change in ticks
            if not self.frontier.passes(time) and upper.passes(time)
        ]
        self.frontier = upper
        for time, change in fresh:
            self._recent.append((time, change))
            self._recent_rows += change.row_count
        while self._recent_rows > RECENT_ROWS_MAX:
            self._forgotten, forgotten = self._recent.popleft()
            self._recent_rows -= forgotten.row_count
        for reader in self._readers:
            reader.deliver(fresh, upper)

    def keyed_state(self, time: int) -> Content | None:
        """A feed's rows: at `time`, where what changed since is remembered, else the latest. None:
        no feed, or not whole, or not so late. O(rows that changed since)."""
        if self._overwrites is None or not self.live or self.frontier.time is None:
            return None
        latest = self.frontier.time - 1
        if latest < time:
            return None
        batches = list(self._overwrites.held())
        if self._forgotten <= time:
            later = concat_rows([change for at, change in self._recent if at > time])
            latest = time
            if later is not None:
                undone = later.negated()
                keys = self.imported.key_columns
                batches.append(build_batch(undone.columns, undone.diffs, keys))
        return Content(schema=self.imported.schema, time=latest, batches=batches)

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more."""
        return self._overwrites is not None and self._overwrites.maintain(fuel_rows)

    def _fresh_overwrites(self) -> Overwrites | None:
        if self.imported.kind is not CollectionKind.FEED:
            return None
        return Overwrites(self.imported.schema, self.imported.key_columns)
