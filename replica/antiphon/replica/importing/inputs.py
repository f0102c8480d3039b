"""Everything a worker reads from the store: one tail, and the snapshots that start it.

The tail's pushes are hints. Each source has its own frontier and judges a batch by it: what it
already has is dropped or trimmed, what leaves a gap makes the tail reopen from where the source
stands. The tail also reopens when the set of collections changes, or when a source starts behind
the point the open tail has reached.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from antiphon.protocol.content_digest import added, digest_bytes
from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.errors import ComputeError, SchemaMismatch, SinceViolation
from antiphon.protocol.frontier import Frontier, meet_all
from antiphon.protocol.ids import NO_EPOCH, CollectionId, Epoch, HistoryId, show
from antiphon.replica.dataflow.arrangements.reading import Reader, Reading
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.arrangements import Arranging
from antiphon.replica.importing.deltas import Ticks, decode
from antiphon.replica.importing.input import Input
from antiphon.replica.importing.load import Load
from antiphon.replica.importing.lookups import Sought
from antiphon.replica.importing.source import Source
from antiphon.replica.ports import (
    CancelSnapshot,
    OpenTail,
    ReadSnapshot,
    Request,
    SnapshotFailed,
    SnapshotPart,
    TailReceived,
)
from antiphon.replica.rebuilding.chunks import Content
from antiphon.replica.rebuilding.lanes import Lanes
from antiphon.replica.reporting.digest import digest_of

SNAPSHOT_RETRY_MS: Final = 1_000  # what may pass by itself was retried below; this is the rest


class Inputs:
    """Sources by collection, the tail, and the snapshots under way.

    `number` draws the numbers of snapshots and tails. Requests are appended to `requests`.
    """

    def __init__(self, number: Callable[[], int], requests: list[Request]) -> None:
        self._number = number
        self._requests = requests
        self._sources: dict[CollectionId, list[Source]] = {}
        self._loads: dict[int, Load] = {}
        self._tail = 0
        # What the open tail covers, and from where on it still delivers each collection: a batch
        # may begin earlier, because of another collection, and then lacks this one's first deltas.
        self._reached: dict[CollectionId, Frontier] = {}
        self._gap = False
        self._failed = False
        self.history_id: HistoryId | None = None  # whose collections are read
        # Imports of dataflows that have yet to start: what is read of a collection for the first of
        # them is kept for the others.
        self._awaited: Counter[CollectionId] = Counter()

    def await_reader(self, collection: CollectionId) -> None:
        """A dataflow that has yet to start will read it."""
        self._awaited[collection] += 1

    def await_no_more(self, collection: CollectionId) -> None:
        """That dataflow has started, or is gone."""
        self._awaited[collection] -= 1
        if self._awaited[collection] <= 0:
            del self._awaited[collection]
            for source in self._sources.get(collection, ()):
                source.forget_base()

    def attach(
        self,
        imported: Import,
        as_of: int,
        *,
        peer: str = "",
        epoch: Epoch = NO_EPOCH,
        looks_up: bool = False,
    ) -> Input:
        """An input that fills itself: its content from a peer, if one is named, else from the
        store; what changes afterwards from the store. `looks_up`: with changes alone."""
        reader = Input(imported.collection, as_of)
        reader.looks_up = looks_up
        self._fill(self._source(imported, as_of, peer, epoch), reader, peer, epoch)
        return reader

    def look_up(
        self,
        imported: Import,
        sought: Sought,
        as_of: int,
        reader: Reader,
        *,
        peer: str = "",
        epoch: Epoch = NO_EPOCH,
    ) -> Reading:
        """Where the collection is arranged so; only if it is not, its content is read, as of
        `attach`."""
        source = self._source(imported, as_of, peer, epoch)
        upper = source.frontier if source.live else Frontier(source.base_time)
        found = source.arrangements.find(sought, as_of, upper)
        if found is None:
            found = source.arrangements.made(imported.collection, sought, as_of)
            self._fill(source, found, peer, epoch)
        return found.read(reader, as_of, source.changes(as_of, found.arrangement.since))

    def look_no_more(self, collection: CollectionId, reading: Reading) -> None:
        """The dataflow is gone; an arrangement for it alone goes too."""
        for source in self._sources.get(collection, ()):
            free = source.arrangements.release(reading)
            if free is not None:
                self.detach(free)
                return

    @property
    def arranged(self) -> list[tuple[CollectionId, Arranging]]:
        """All arrangements of tables and feeds."""
        return [
            (collection, arranging)
            for collection, sources in self._sources.items()
            for source in sources
            for arranging in source.arrangements
        ]

    @property
    def arranged_bytes(self) -> int:
        """That those hold."""
        every = (source for sources in self._sources.values() for source in sources)
        return sum(source.arrangements.byte_count for source in every)

    def _source(self, imported: Import, as_of: int, peer: str, epoch: Epoch) -> Source:
        """One that reaches back to `as_of`."""
        sources = self._sources.setdefault(imported.collection, [])
        source = next((source for source in sources if source.serves(as_of)), None)
        if source is None:
            source = Source(imported, as_of)
            sources.append(source)
            load = Load(imported=imported, as_of=as_of, source=source, reader=None)
            self._load_from(load, peer, epoch)
        return source

    def _fill(self, source: Source, reader: Input, peer: str, epoch: Epoch) -> None:
        if source.attach(reader):
            load = Load(imported=source.imported, as_of=reader.as_of, source=None, reader=reader)
            self._load_from(load, peer, epoch)

    def reroute(self, collection: CollectionId, peer: str, epoch: Epoch) -> None:
        """What has not arrived whole comes from elsewhere: from a peer, or from the store. The
        content is the same, so it just begins again."""
        moved = {
            number: load
            for number, load in self._loads.items()
            if load.imported.collection == collection
            and not isinstance(load.source, Lanes)
            and (load.has_failed or load.peer != peer)
        }
        for number, load in moved.items():
            del self._loads[number]
            if not load.has_failed:
                self._requests.append(CancelSnapshot(snapshot=number))
            load.restart()
            load.has_failed = False
            self._load_from(load, peer, epoch)

    def open_lanes(self, imported: Import, base_time: int, peer: str, epoch: Epoch) -> Lanes:
        """A source of its own beside those that there are, with both lanes open. A peer is asked
        for keyed state alone: what it has of additive state is of no time that it could name."""
        lanes = Lanes(imported, base_time)
        self._sources.setdefault(imported.collection, []).append(lanes)
        asked = peer if imported.kind is CollectionKind.FEED else ""
        load = Load(imported=imported, as_of=base_time, source=lanes, reader=None)
        self._load_from(load, asked, epoch)
        return lanes

    def close_lanes(self, lanes: Lanes) -> None:
        """They were given up: nothing flows into them any more."""
        collection = lanes.imported.collection
        self._cancel([n for n, load in self._loads.items() if load.source is lanes])
        left = [other for other in self._sources.get(collection, ()) if other is not lanes]
        if left:
            self._sources[collection] = left
        else:
            self._sources.pop(collection, None)

    def keyed_state(self, collection: CollectionId, time: int) -> Content | None:
        """The rows of a feed, at `time` if that is still known, else as they are now; None: not
        known, or not so late."""
        for source in self._sources.get(collection, ()):
            found = source.keyed_state(time)
            if found is not None:
                return found
        return None

    def detach(self, reader: Input) -> None:
        """The dataflow is gone; what only it needed stops."""
        remaining: list[Source] = []
        for source in self._sources.get(reader.collection, ()):
            source.detach(reader)
            if source.is_read:
                remaining.append(source)
            else:
                self._cancel([n for n, load in self._loads.items() if load.source is source])
        self._cancel([n for n, load in self._loads.items() if load.reader is reader])
        if remaining:
            self._sources[reader.collection] = remaining
        else:
            self._sources.pop(reader.collection, None)

    @property
    def unread(self) -> tuple[str, ...]:
        """What flows in for nobody, unless a rebuild gathers it."""
        return tuple(
            f"a source of {show(collection)}"
            for collection, sources in self._sources.items()
            for source in sources
            if source.reader_count == 0
        )

    def owns(self, snapshot: int) -> bool:
        return snapshot in self._loads

    def is_tail(self, tail: int) -> bool:
        """Whether it is the tail that is open, not one that was replaced."""
        return tail == self._tail

    def snapshot_part(self, part: SnapshotPart) -> None:
        """Raises SchemaMismatch if the part is not of the collection."""
        load = self._loads[part.snapshot]
        if load.has_failed:
            return  # of a read that was given up
        if load.peer and not isinstance(load.source, Lanes):
            self._peer_part(load, part)
            return
        ticks = decode(part.delta, load.imported.schema)
        content = Zset.concat(load.imported.schema, [change for _, change in ticks])
        if isinstance(load.source, Lanes):
            load.source.chunk(
                load.parts if part.index is None else part.index,
                content,
                time=load.as_of if part.time is None else part.time,
                last=part.last,
                rows_total=part.rows_total,
                digest=part.digest,
            )
            load.parts += 1
            # A peer's last part need not be the last to come.
            if load.source.is_base_whole:
                del self._loads[part.snapshot]
            return
        self._content(load, part, content)

    def _content(self, load: Load, part: SnapshotPart, content: Zset) -> None:
        if load.source is not None:
            load.source.base_part(content, part.rows_total)
            if part.last:
                load.source.base_complete(keep=load.imported.collection in self._awaited)
        if load.reader is not None:
            load.reader.rows_total = part.rows_total
            load.reader.load(content)
            load.brought.append(content)
            if part.last:
                load.reader.loaded = True
                load.reader.stir()
                self._keep(load, load.reader)
        if part.last:
            del self._loads[part.snapshot]

    def _peer_part(self, load: Load, part: SnapshotPart) -> None:
        """It counts only if it is what was asked for: of that time, in order, and in sum what the
        peer says that it has."""
        try:
            ticks = decode(part.delta, load.imported.schema)
        except SchemaMismatch as error:
            self._peer_failed(load, error.message, part.snapshot)
            return
        content = Zset.concat(load.imported.schema, [change for _, change in ticks])
        load.sum = added(load.sum, digest_of(content))
        why = ""
        if part.time != load.as_of or any(time != load.as_of for time, _ in ticks):
            why = f"it has it at {part.time}, not at {load.as_of} any more"
        elif part.index != load.parts:
            why = f"part {part.index} came after {load.parts} others"
        elif part.last and digest_bytes(load.sum) != part.digest:
            why = "what came is not what it says that it has"
        if why:
            self._peer_failed(load, why, part.snapshot)
            return
        load.parts += 1
        self._content(load, part, content)

    def _peer_failed(self, load: Load, why: str, read: int | None = None) -> None:
        """Waits for the controller to name another source. `read`: still on its way, of no use."""
        if read is not None:
            self._requests.append(CancelSnapshot(snapshot=read))
        load.restart()
        load.has_failed = True
        if load.source is not None:
            load.source.base_refused(load.peer, why)
        if load.reader is not None:
            load.reader.refusal = (load.peer, why)

    def snapshot_failed(self, event: SnapshotFailed, now_ms: int) -> ComputeError | None:
        """An error that only a new set of commands can mend; otherwise the read is repeated."""
        load = self._loads[event.snapshot]
        if isinstance(load.source, Lanes):
            load.source.base_failed(event.error)  # its session ends, and begins from scratch
            del self._loads[event.snapshot]
            return None
        if load.peer:
            if not load.has_failed:
                self._peer_failed(load, event.error.message)
            return None
        load.refused = isinstance(event.error, SinceViolation | SchemaMismatch)
        # What may pass by itself: the collection may just have been dropped, and the drop of its
        # reader be on its way here.
        load.retry_at_ms = None if load.refused else now_ms + SNAPSHOT_RETRY_MS
        # Parts may have arrived, and the repeat sends them again.
        load.restart()
        return event.error if load.refused else None

    def _keep(self, load: Load, reader: Input) -> None:
        """What one late reader has brought serves those who have yet to start."""
        collection = load.imported.collection
        if collection not in self._awaited:
            return
        for source in self._sources.get(collection, ()):
            if source.fills(reader):
                source.keep_base(Zset.concat(load.imported.schema, load.brought), load.as_of)

    def tail_failed(self) -> None:
        """The open tail gives no more; it is opened again with the next session."""
        self._failed = True

    def reopen_tail(self) -> None:
        """From where each source stands."""
        self._gap = True

    def resume(self, now_ms: int) -> None:
        """A new session has begun, and may have mended what the store refused: ask again."""
        self._gap = self._gap or self._failed
        self._failed = False
        for load in self._loads.values():
            if load.refused:
                load.refused = False
                load.retry_at_ms = now_ms

    def tail_received(self, batch: TailReceived) -> None:
        """Raises SchemaMismatch if a delta is not of its collection."""
        if batch.tail != self._tail:
            return  # of a tail that was replaced: it does not speak of all of today's sources
        for collection, sources in self._sources.items():
            reached = self._reached.get(collection)
            if reached is None:
                continue
            lower = batch.lower.join(reached)
            ticks: Ticks | None = None
            for source in sources:
                if not source.live or batch.upper.less_equal(source.frontier):
                    continue
                if source.frontier.less_than(lower):
                    self._gap = True
                    continue
                if ticks is None:
                    delta = batch.deltas.get(collection)
                    ticks = [] if delta is None else decode(delta, source.imported.schema)
                source.advance(ticks, batch.upper)
            self._reached[collection] = reached.join(batch.upper)

    def maintain(self, fuel_rows: int) -> bool:
        """Background work of what feeds keep; True: there is more."""
        more = False
        for sources in self._sources.values():
            for source in sources:
                more = source.maintain(fuel_rows) or more
        return more

    def settle(self, now_ms: int) -> int | None:
        """Reopens the tail and repeats reads where that is due; when to come again, if at all."""
        if self._failed:
            return self._retry(now_ms)
        wanted: dict[CollectionId, Frontier] = {}
        for collection, sources in self._sources.items():
            live = [source.frontier for source in sources if source.live]
            if live:
                wanted[collection] = meet_all(live)
        if self._gap or wanted.keys() != self._reached.keys() or self._is_behind(wanted):
            self._open_tail(wanted)
        return self._retry(now_ms)

    def _is_behind(self, wanted: dict[CollectionId, Frontier]) -> bool:
        """Whether a source has yet to read what the open tail has passed."""
        return any(lower.less_than(self._reached[c]) for c, lower in wanted.items())

    def _open_tail(self, wanted: dict[CollectionId, Frontier]) -> None:
        self._tail = self._number()
        self._reached = dict(wanted)
        self._gap = False
        self._requests.append(OpenTail(tail=self._tail, collections=wanted))

    def _retry(self, now_ms: int) -> int | None:
        due = [number for number, load in self._loads.items() if load.is_due(now_ms)]
        for number in due:
            load = self._loads.pop(number)
            load.retry_at_ms = None
            self._load(load)
        waiting = (load.retry_at_ms for load in self._loads.values())
        return min((at_ms for at_ms in waiting if at_ms is not None), default=None)

    def _load_from(self, load: Load, peer: str, epoch: Epoch) -> None:
        load.peer, load.epoch = peer, epoch
        self._load(load)

    def _load(self, load: Load) -> None:
        number = self._number()
        self._loads[number] = load
        self._requests.append(
            ReadSnapshot(
                snapshot=number,
                collection=load.imported.collection,
                as_of=load.as_of,
                peer=load.peer,
                epoch=load.epoch,
                history_id=self.history_id if load.peer else None,
            )
        )

    def _cancel(self, numbers: list[int]) -> None:
        for number in numbers:
            del self._loads[number]
            self._requests.append(CancelSnapshot(snapshot=number))
