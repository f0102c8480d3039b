"""Where the changes of inputs come from: a table or feed of the store.

A `Source` is its tail, shared by all dataflows that read it, so that a feed's rows by key are there
once and each tick is decoded once. The first reader's snapshot is the source's base;
a reader that comes later brings a snapshot of its own and takes the differences from the source,
as long as the source still remembers those since the reader's as_of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.frontier import Frontier
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.arrangements import Arrangements
from antiphon.replica.importing.deltas import Ticks
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.newest import Newest
from antiphon.replica.importing.routing import Router
from antiphon.replica.installing.guard import Guard
from antiphon.replica.rebuilding.chunks import Content

# Differences a source remembers for dataflows that start a little in the past. Beyond it they
# start from a source of their own, which costs memory but is right.
RECENT_ROWS_MAX: Final = 1 << 17


class Source:
    """A table or feed as this replica sees it, from `base_time` on."""

    def __init__(self, imported: Import, base_time: int) -> None:
        self.imported = imported
        self.base_time = base_time
        self.live = False  # the base is complete; only then the tail is of use
        self.frontier = Frontier(base_time + 1)
        self.arrangements = Arrangements(len(imported.schema))
        self._readers: dict[Input, None] = {}
        self._awake: dict[Input, None] = {}  # of those, who is told of every tick
        self._router = Router()  # the others
        # Until it is complete, the parts that have come; then kept for who has yet to start.
        self._base: list[Zset] = []
        self._base_at = base_time
        self._recent: deque[tuple[int, Zset]] = deque()
        self._recent_rows = 0
        self._forgotten = base_time  # differences up to this time are not remembered
        self._newest: Newest | None = None  # a feed's
        if imported.kind is CollectionKind.FEED:
            self._newest = Newest(imported, base_time, self.arrangements.untidied)
            self.arrangements.keep(self._newest)

    @property
    def reader_count(self) -> int:
        return len(self._readers)

    @property
    def is_read(self) -> bool:
        return bool(self._readers)

    def fills(self, reader: Input) -> bool:
        return reader in self._readers

    def serves(self, as_of: int) -> bool:
        """Whether a reader that starts at `as_of` can have its differences from here."""
        return as_of >= (self._forgotten if self.live else self.base_time)

    def attach(self, reader: Input) -> bool:
        """Fills `reader` from now on. True: it needs a snapshot of its own at its as_of, because
        the base has gone by."""
        assert self.serves(reader.as_of), "the source does not reach back so far"
        self._readers[reader] = self._awake[reader] = None
        reader.source = self
        if reader.looks_up:
            self._follow(reader)
            return False
        if not self.live:
            for content in self._base:  # parts that came before it
                reader.load(content)
            return False
        if self._base and self.follows(self._base_at, reader.as_of):
            self._load(reader)
            return False
        reader.has_own_snapshot = True
        reader.deliver(self.changes(reader.as_of), self.frontier)
        return True

    def _follow(self, reader: Input) -> None:
        """Gives it changes alone."""
        if self.live:
            reader.loaded = True
            reader.deliver(self.changes(reader.as_of), self.frontier)

    def changes(self, after: int, through: int | None = None) -> Ticks:
        """Those remembered after one time, up to another or all."""
        return [
            (time, change)
            for time, change in self._recent
            if time > after and (through is None or time <= through)
        ]

    def follows(self, time: int, as_of: int) -> bool:
        """Whether the content at `time` and what is remembered here lead to that at `as_of`."""
        return self._forgotten <= time <= as_of

    def _load(self, reader: Input) -> None:
        for content in self._base:
            reader.load(content)
        reader.rows_total = reader.rows_received
        reader.loaded = True
        reader.deliver(self.changes(self._base_at), self.frontier)

    def keep_base(self, content: Zset, time: int) -> None:
        """Later readers start from this content at `time`, rather than read it again."""
        self._base, self._base_at = [content], time

    def forget_base(self) -> None:
        """Nobody is left to start from it; while it still comes, its parts are needed."""
        if self.live:
            self._base = []

    def detach(self, reader: Input) -> None:
        if reader not in self._readers:
            return
        del self._readers[reader]
        reader.source = None
        if reader in self._router:
            self._router.remove(reader)
        else:
            del self._awake[reader]

    def rest(self, reader: Input, guard: Guard | None) -> None:
        """Nothing is delivered to it before something comes that concerns it."""
        del self._awake[reader]
        self._router.add(reader, guard)
        reader.is_at_rest = True

    def wake(self, reader: Input) -> None:
        """From here on everything is."""
        self._router.remove(reader)
        self._awake[reader] = None
        reader.go_on(self.frontier)

    def base_part(self, content: Zset, rows_total: int) -> None:
        """A part of the content at `base_time`; a feed's is one upsert for each key."""
        assert not self.live, "a base part after the last"
        rows = content if self._newest is None else self._newest.differences(content)
        self._base.append(rows)
        for reader in self._filled:
            reader.rows_total = rows_total
            reader.load(rows)

    def restart_base(self) -> None:
        """The base comes again, from its first part on."""
        assert not self.live, "a base part after the last"
        self._base = []
        for reader in self._filled:
            reader.restart()

    def base_refused(self, peer: str, why: str) -> None:
        """Its readers say so."""
        for reader in self._filled:
            reader.refusal = (peer, why)

    def base_complete(self, *, keep: bool = False) -> None:
        """`keep`: others will start from the base."""
        self.live = True
        content = self._base
        self._base = []
        if keep:  # in one piece, for each reader takes it whole
            self.keep_base(Zset.concat(self.imported.schema, content), self.base_time)
        for reader in self._filled:
            reader.loaded = True
            reader.deliver((), self.frontier)

    @property
    def _filled(self) -> Iterable[Input]:
        """Its readers, and what it keeps itself."""
        return self._readers if self._newest is None else (self._newest, *self._readers)

    def advance(self, ticks: Ticks, upper: Frontier) -> None:
        """Takes differences (a feed's: overwrites) in [its frontier, `upper`); trims the rest."""
        assert self.live, "differences before their base"
        assert self.frontier.less_equal(upper), f"{self.frontier} moves back to {upper}"
        fresh = [
            (time, change if self._newest is None else self._newest.overwrite(time, change))
            for time, change in ticks
            if not self.frontier.passes(time) and upper.passes(time)
        ]
        for reader in self._router.concerned(change for _, change in fresh):
            reader.wake()  # where it is: what comes now is not behind it
        self.frontier = upper
        for time, change in fresh:
            self._recent.append((time, change))
            self._recent_rows += change.row_count
        while self._recent_rows > RECENT_ROWS_MAX:
            self._forgotten, forgotten = self._recent.popleft()
            self._recent_rows -= forgotten.row_count
        for reader in list(self._awake):
            reader.deliver(fresh, upper)
            if reader.guard is not None and reader.loaded:
                self.rest(reader, reader.guard)
        for arranging in self.arrangements.settled():
            self.detach(arranging)

    def keyed_state(self, time: int) -> Content | None:
        """A feed's rows: at `time`, where what changed since is remembered, else the latest. None:
        no feed, or not whole, or not so late. O(rows that changed since)."""
        newest = self._newest
        if newest is None or not self.live or self.frontier.time is None:
            return None
        latest = self.frontier.time - 1
        if latest < time:
            return None
        at = time if self._forgotten <= time else latest
        batches = newest.held(at, self.changes(at, newest.arrangement.since))
        return Content(schema=self.imported.schema, time=at, batches=batches)

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more."""
        return self.arrangements.maintain(fuel_rows)
