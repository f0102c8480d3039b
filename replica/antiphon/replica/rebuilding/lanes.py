"""The two lanes of one table or feed that is rebuilt: its base, and what changed after it.

    base lane    chunks of the content at b, from the store or a peer, in any order, maybe doubled
    live lane    the deltas after b, as they come; in order, because a source trims and sees gaps

Both run at once, so that nothing has to wait for the whole base before it may be forgotten
elsewhere. Two kinds of state, two rules:

- *additive* (a table): base exactly at b, live strictly above b. Both are added up; the order
  between them is free. A base of any other time would count changes twice, or not at all.
- *keyed* (a feed): an overwrite stands for itself, so the base may be newer than b, chunk by chunk.
  A chunk's row yields to a key that the live lane has written: that key is marked when the write
  is *applied*. What a newer chunk anticipates the live lane repeats later, and until it has, the
  rows are those of no time; hence `is_whole` asks that it has passed every chunk.

Once both lanes are there the source is `settled` at the last complete time, gives its content to
the readers that start there, and is a source like any other.
"""

from __future__ import annotations

from antiphon.protocol.content_digest import EMPTY, added, digest_bytes
from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.errors import ComputeError, LimitExceeded, Unavailable
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.limits import REBUILD_LIVE_ROWS_MAX
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import Ticks
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.source import Source
from antiphon.replica.rebuilding.chunks import Content
from antiphon.replica.rebuilding.marks import Marks
from antiphon.replica.reporting.digest import digest_of


class Lanes(Source):
    """`failure`: why the session cannot go on; what was there before is untouched by it."""

    def __init__(
        self, imported: Import, base_time: int, live_rows_max: int = REBUILD_LIVE_ROWS_MAX
    ) -> None:
        super().__init__(imported, base_time)
        self.live = True  # the live lane is open from the first moment on
        self.failure: ComputeError | None = None
        self.rows_received = 0
        self.rows_total = 0
        self._live_rows_max = live_rows_max
        self._received: set[int] = set()  # chunks; asked for membership only
        self._last: int | None = None  # the number of the last chunk
        self._digest = b""  # of all chunks, as their source says
        self._sum = EMPTY
        self._chunks_until = base_time  # the latest time of a chunk
        self._parts: list[Zset] = []  # of the content: of additive state the base, as it comes
        self._later: list[Zset] = []  # additive: what the live lane brings
        self._live_rows = 0
        self._settled_at: int | None = None
        self._marks = self._fresh_marks()

    # The base lane.

    def chunk(
        self,
        index: int,
        content: Zset,
        *,
        time: int,
        last: bool,
        rows_total: int,
        digest: bytes = b"",
    ) -> None:
        """A chunk of the base, whose rows are those at `time`; one that came before is nothing.
        `digest`: of all chunks, if it is known; with the last one."""
        if index in self._received or self._settled_at is not None:
            return
        assert time == self.base_time or self._newest is not None, (
            f"a chunk at {time} of additive state whose base is at {self.base_time}"
        )
        self._received.add(index)
        self._last = index if last else self._last
        self._chunks_until = max(self._chunks_until, time)
        self._digest = digest or self._digest
        self._sum = added(self._sum, digest_of(content))
        self._verify()
        self.rows_received += content.row_count
        self.rows_total = max(rows_total, self.rows_received)
        if self._newest is None:
            self._parts.append(content)
            return
        assert self._marks is not None, "keyed state has marks"
        unmarked = content.take(self._marks.missing(content))
        self._newest.absorb(Zset(unmarked.columns, unmarked.diffs, content.errors))

    def _verify(self) -> None:
        """Once all chunks are there, they must be what the source says that it has."""
        if self.is_base_whole and self._digest and digest_bytes(self._sum) != self._digest:
            message = "the base is not what its source says that it is"
            self.base_failed(Unavailable(message, reason="snapshot_unavailable"))

    def base_failed(self, error: ComputeError) -> None:
        """The rest of the base does not come. Another one would be of another moment, so that what
        has come is of no use."""
        self.failure = self.failure or error

    # The live lane.

    def advance(self, ticks: Ticks, upper: Frontier) -> None:
        """Deltas of the tail; those at or before b, and before what was applied, are trimmed."""
        if self._settled_at is not None:
            super().advance(ticks, upper)
            return
        assert self.frontier.less_equal(upper), f"{self.frontier} moves back to {upper}"
        for time, change in ticks:
            if self.frontier.passes(time) or not upper.passes(time):
                continue
            self._live_rows += change.row_count
            if self._newest is None:
                self._later.append(change)
                continue
            assert self._marks is not None, "keyed state has marks"
            self._newest.absorb(change)
            self._marks.add(change)
        self.frontier = upper
        if self._live_rows > self._live_rows_max:
            self.failure = self.failure or LimitExceeded(
                f"more than {self._live_rows_max} rows changed before the base was there",
                limit="REBUILD_LIVE_ROWS_MAX",
                value=self._live_rows_max,
                found=self._live_rows,
            )

    # Both.

    @property
    def is_whole(self) -> bool:
        """Whether there is a time at which both lanes are complete: the last before `frontier`."""
        return self.is_base_whole and self.frontier.passes(self._chunks_until)

    @property
    def is_base_whole(self) -> bool:
        """Whether all chunks have come."""
        return self._last is not None and len(self._received) == self._last + 1

    def settle(self) -> int:
        """From here on a source like others, which begins at the time that is returned."""
        assert self.is_whole, "a lane is missing"
        assert self.frontier.time is not None, "tables and feeds do not end"
        self._settled_at = self._forgotten = self.frontier.time - 1
        if self._newest is not None:
            self._newest.complete(self._settled_at)
            self._parts = self._newest.parts(self._settled_at)
        # Readers take the content bit by bit: nothing may leave before the base has brought it.
        self._parts += self._later
        self._later = []
        if not self._parts:  # of a feed without rows; readers are given it like any other
            self._parts = [Zset.empty(self.imported.schema)]
        self._marks = None
        return self._settled_at

    def release(self) -> None:
        """All who begin with it have its content."""
        self._parts = []

    def keyed_state(self, time: int) -> Content | None:
        return None if self._settled_at is None else super().keyed_state(time)

    @property
    def chunk_count(self) -> int:
        """Chunks of the base that have come."""
        return len(self._received)

    @property
    def live_rows(self) -> int:
        """Rows that changed above the base before both lanes met."""
        return self._live_rows

    @property
    def is_read(self) -> bool:
        return self._settled_at is None or super().is_read

    def serves(self, as_of: int) -> bool:
        return self._settled_at is not None and super().serves(as_of)

    def attach(self, reader: Input) -> bool:
        if not self._parts or reader.as_of != self._settled_at:
            return super().attach(reader)
        reader.rows_total = sum(part.row_count for part in self._parts)
        for part in self._parts:
            reader.load(part)
        reader.loaded = True
        reader.deliver((), self.frontier)
        self._readers[reader] = self._awake[reader] = None
        reader.source = self
        return False

    def maintain(self, fuel_rows: int) -> bool:
        more = self._marks is not None and self._marks.maintain(fuel_rows)
        return super().maintain(fuel_rows) or more

    def _fresh_marks(self) -> Marks | None:
        is_keyed = self.imported.kind is CollectionKind.FEED
        return Marks(self.imported.key_columns) if is_keyed else None
