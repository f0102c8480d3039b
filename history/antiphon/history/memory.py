"""A store in memory: the contract without a disk, able to lose what was not committed.

The object stands for the disk: it outlives its controllers. `submit` only queues; `commit_next`
makes the oldest queued submission durable and returns its completion; `crash` loses the queue.
Deterministic: nothing happens but in these calls. Rows live in Arrow batches as on a disk; unique
keys in a dictionary, which is per-row work that the durable store leaves to SQLite.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from antiphon.history import shard as shards
from antiphon.history.appends import Hashes, KeyConflict, KeyedRows
from antiphon.history.digest import EMPTY_DIGEST, ChainBroken, extend
from antiphon.history.envelope import payload_of
from antiphon.history.folding import base_check
from antiphon.history.limits import PRODUCER_SEQUENCES_MAX
from antiphon.history.revision import (
    Run,
    Side,
    Source,
    lane_of,
    listened,
    merge,
    rows_until,
    runs_to_fold,
)
from antiphon.history.store import (
    CatalogChange,
    Committed,
    Completion,
    Fence,
    Lease,
    NewShard,
    Opened,
    Refused,
    StoredCommand,
    Submission,
)
from antiphon.history.tables import ProducerEntry
from antiphon.history.transaction import State, perform, prepare
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    Epoch,
    HistoryId,
    InstanceId,
    Position,
    ProducerId,
)

_Hash = tuple[int, int]
_NOBODY = Fence(epoch=Epoch(0), claim_id=ClaimId(bytes(16)))


@dataclass(slots=True)
class _Content:
    """A shard's runs by side, oldest first, and the row of each unique key."""

    runs: dict[Side, list[tuple[Run, tuple[pa.RecordBatch, ...]]]] = field(
        default_factory=lambda: {side: [] for side in Side}
    )
    keys: dict[_Hash, _Hash] = field(default_factory=dict)


@dataclass(slots=True)
class _Drafted:
    """A run that nobody reads yet."""

    collection: CollectionId
    side: Side
    times: tuple[int, int]
    batches: tuple[pa.RecordBatch, ...]


class MemoryStore:
    """Writer and Reader of `antiphon.history.store`, and what a simulator does to them."""

    def __init__(self, *, instance_id: InstanceId, history_id: HistoryId) -> None:
        self._instance_id = instance_id
        self._history_id = history_id
        self._state = State(_NOBODY)
        self._tables = _MemoryTables()
        self._queue: deque[Submission] = deque()

    def claim(self, claim_id: ClaimId) -> Opened:
        """Take the next epoch, as a controller does when it starts; all older claims are fenced."""
        epoch = Epoch(self._state.fence.epoch + 1)
        self._forget_drafts()
        self._state.fence = Fence(epoch=epoch, claim_id=claim_id)
        return self.opened()

    def opened(self) -> Opened:
        """What a controller finds that opens the store now; claims nothing."""
        return self._state.opened(self._instance_id, self._history_id, self._tables.catalog)

    def owner(self) -> Fence:
        """Whose claim is the latest."""
        return self._state.fence

    def keep(self, lease: Lease) -> None:
        """Reserve what a standby has yet to read; the last word of a holder counts."""
        self._tables.leases[lease.holder] = lease

    def submit(self, submission: Submission) -> None:
        self._queue.append(submission)

    @property
    def queued_count(self) -> int:
        return len(self._queue)

    def commit_next(self) -> Completion | None:
        """Make the oldest queued submission durable, or refuse it; None: nothing is queued."""
        if not self._queue:
            return None
        submission = self._queue.popleft()
        try:
            prepared = prepare(self._state, submission)
        except ComputeError as error:
            return Refused(token=submission.token, error=error)
        committed: Committed = perform(self._state, self._tables, prepared)
        for shard in self._state.shards.values():
            self._tables.fold(shard)
        return committed

    def crash(self) -> None:
        """The controller's process is gone: what it had not committed is lost, unanswered."""
        self._queue.clear()
        self._forget_drafts()

    def _forget_drafts(self) -> None:
        self._state.drafts.clear()
        self._tables.drafts.clear()

    def commands(self, start: Position, stop: Position | None = None) -> Iterator[StoredCommand]:
        base = self._state.base
        end = self._state.head if stop is None else max(stop - 1, base)
        return iter(self._tables.commands[max(start - 1 - base, 0) : end - base])

    def history(self) -> Iterator[StoredCommand]:
        return iter((*self._tables.base_commands, *self._tables.commands))

    def digest_at(self, position: Position) -> bytes | None:
        if position == NO_POSITION:
            return EMPTY_DIGEST
        base = self._state.base
        if position == base:
            return self._state.base_digest
        if not base < position <= self._state.head:
            return None
        return self._tables.commands[position - base - 1].digest

    def snapshot(self, collection: CollectionId, as_of: int) -> Iterator[Delta]:
        shard = self._shard(collection)
        shards.check_snapshot(shard.state(self._state.timeline_upper), as_of)
        sides = self._tables.contents[collection].runs
        sources = {
            side: [
                Source(iter(batches), run.is_sorted)
                for run, batches in runs
                if run.time_first <= as_of
            ]
            for side, runs in sides.items()
        }
        return (
            Delta(rows=(batch,)) if side is Side.ROWS else Delta(errors=(batch,))
            for side in Side
            for batch in merge(sources[side], lane_of(shard, side), as_of, keep_deletes=False)
        )

    def snapshot_rows(self, collection: CollectionId, as_of: int) -> int:
        shard = self._shard(collection)
        shards.check_snapshot(shard.state(self._state.timeline_upper), as_of)
        runs = self._tables.contents[collection].runs[Side.ROWS]
        return rows_until((run for run, _ in runs), as_of)

    def listen(self, collection: CollectionId, lower: int, upper: int) -> Iterator[Delta]:
        shard = self._shard(collection)
        shards.check_listen(shard.state(self._state.timeline_upper), lower)
        runs = [
            (run.time_first, side, run.number, batches)
            for side, side_runs in self._tables.contents[collection].runs.items()
            for run, batches in side_runs
            if run.time_last >= lower and run.time_first < upper
        ]
        runs.sort(key=lambda entry: entry[:3])
        return (
            Delta(rows=(batch,)) if side is Side.ROWS else Delta(errors=(batch,))
            for _, side, _, batches in runs
            for batch in listened(batches, lower, upper)
        )

    def verify(self) -> Position:
        """The head, after every digest was computed again from the stored payloads.

        Raises:
            ChainBroken
        """
        if base_check(self._tables.base_commands) != self._tables.base_check:
            raise ChainBroken(self._state.base, "the base is another")
        digest = self._state.base_digest
        for command in self._tables.commands:
            payload = payload_of(command.envelope)
            digest = extend(digest, command.position, command.kind, payload)
            if digest != command.digest:
                raise ChainBroken(command.position, "the digest is another")
        return self._state.head

    def _shard(self, collection: CollectionId) -> shards.Shard:
        shard = self._state.shards.get(collection)
        if shard is None:
            raise shards.missing(collection)
        return shard


class _MemoryTables:
    """`antiphon.history.tables.Tables` over dictionaries."""

    def __init__(self) -> None:
        self.commands: list[StoredCommand] = []  # of the log
        self.base_commands: tuple[StoredCommand, ...] = ()
        self.base_check = EMPTY_DIGEST
        self.catalog: dict[CollectionId, bytes] = {}
        self.contents: dict[CollectionId, _Content] = {}
        self._producers: dict[ProducerId, list[ProducerEntry]] = {}
        self._runs = 0
        self.drafts: dict[int, list[_Drafted]] = {}
        self.leases: dict[bytes, Lease] = {}

    def leased(self, now_ms: int) -> int | None:
        live = [lease.since for lease in self.leases.values() if lease.expires_at_ms > now_ms]
        return min(live, default=None)

    def add_command(self, command: StoredCommand) -> None:
        self.commands.append(command)

    def base(self) -> tuple[StoredCommand, ...]:
        return self.base_commands

    def log(self, to: Position) -> tuple[StoredCommand, ...]:
        return tuple(command for command in self.commands if command.position <= to)

    def put_base(self, to: Position, digest: bytes, base: tuple[StoredCommand, ...]) -> None:
        self.commands = [command for command in self.commands if command.position > to]
        self.base_commands, self.base_check = base, base_check(base)

    def add_shard(self, shard: NewShard) -> None:
        self.contents[shard.collection] = _Content()

    def drop_shard(self, collection: CollectionId) -> None:
        del self.contents[collection]

    def put_catalog(self, change: CatalogChange) -> None:
        if change.content is None:
            self.catalog.pop(change.collection, None)
        else:
            self.catalog[change.collection] = change.content

    def put_shard_upper(self, collection: CollectionId, upper: Frontier) -> None:
        """The state itself is what is durable here; so for the next two."""

    def put_since(self, collection: CollectionId, since: int) -> None: ...

    def put_compaction(self, collection: CollectionId, frontier: Frontier) -> None: ...

    def add_run(
        self, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...], is_folded: bool = False,
    ) -> None:  # fmt: skip
        self._runs += 1
        run = Run(
            number=self._runs,
            time_first=times[0],
            time_last=times[1],
            row_count=sum(batch.num_rows for batch in batches),
            is_folded=is_folded,
        )
        self.contents[collection].runs[side].append((run, batches))

    def draft_run(
        self, draft: int, collection: CollectionId, side: Side, times: tuple[int, int],
        batches: tuple[pa.RecordBatch, ...], *, extends: bool,
    ) -> None:  # fmt: skip
        drafted = self.drafts.setdefault(draft, [])
        if extends:
            one = next(one for one in reversed(drafted) if one.side is side)
            one.batches += batches
        else:
            drafted.append(_Drafted(collection, side, times, batches))

    def publish(self, draft: int) -> None:
        for one in sorted(self.drafts.pop(draft, []), key=lambda one: one.times[1]):
            self.add_run(one.collection, one.side, one.times, one.batches)

    def discard(self, draft: int) -> None:
        self.drafts.pop(draft, None)

    def producer_entry(self, producer: ProducerId, sequence: int) -> ProducerEntry | None:
        known = self._producers.get(producer, [])
        return next((entry for entry in known if entry.sequence >= sequence), None)

    def remember(self, producer: ProducerId, entry: ProducerEntry) -> None:
        floor = entry.sequence - PRODUCER_SEQUENCES_MAX
        known = [old for old in self._producers.get(producer, []) if old.sequence > floor]
        self._producers[producer] = [*known, entry]

    def change_keys(
        self, collection: CollectionId, removed: KeyedRows, added: KeyedRows
    ) -> KeyConflict | None:
        keys = self.contents[collection].keys
        gone: dict[_Hash, _Hash] = {}
        for index, (key, row) in enumerate(_pairs(removed)):
            if key in gone or keys.get(key) != row:
                return KeyConflict(False, index)
            gone[key] = row
        come: dict[_Hash, _Hash] = {}
        for index, (key, row) in enumerate(_pairs(added)):
            if key in come or (key in keys and key not in gone):
                return KeyConflict(True, index)
            come[key] = row
        for key in gone:
            del keys[key]
        keys.update(come)
        return None

    def fold(self, shard: shards.Shard) -> None:
        """Merge runs while that is worth it; readers that are under way keep the old ones."""
        for side, runs in self.contents[shard.collection].runs.items():
            while chosen := runs_to_fold([run for run, _ in runs], shard.since):
                start = next(at for at, (run, _) in enumerate(runs) if run is chosen[0])
                stop = start + len(chosen)
                sources = [Source(iter(b), run.is_sorted) for run, b in runs[start:stop]]
                lane = lane_of(shard, side)
                merged = tuple(merge(sources, lane, shard.since, keep_deletes=start > 0))
                after = runs[stop:]
                del runs[start:]
                if merged:
                    times = (chosen[0].time_first, shard.since)
                    self.add_run(shard.collection, side, times, merged, True)
                runs.extend(after)


def _pairs(rows: KeyedRows) -> Iterator[tuple[_Hash, _Hash]]:
    def hashes(given: Hashes) -> Iterator[_Hash]:
        return zip(given.high.tolist(), given.low.tolist(), strict=True)

    return zip(hashes(rows.keys), hashes(rows.rows), strict=True)
