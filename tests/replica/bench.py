"""A worker between a scripted controller and a small honest store, all in one thread.

The store answers the worker's requests from a list of changes. Tests choose what it delivers when,
so that pushes can be held back, doubled or lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from antiphon.protocol.command import (
    AllowCompaction,
    AllowWrites,
    Command,
    Schedule,
    Sent,
    SyncDecision,
    is_numbered,
)
from antiphon.protocol.content_digest import digest_bytes
from antiphon.protocol.errors import EpochFenced, SinceViolation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Epoch, HistoryId, PeekId, Position, transient
from antiphon.protocol.plan import Plan
from antiphon.protocol.response import (
    Dropped,
    Frontiers,
    PeekResponse,
    PeekRows,
    Response,
    SubscribeBatch,
    SubscribeResponse,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.held import REPORT_WAIT_MS
from antiphon.replica.importing.deltas import decode
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    CancelSnapshot,
    CommandsReceived,
    Connected,
    Disconnected,
    EncodedDelta,
    Event,
    FileRequest,
    OpenTail,
    ReadSnapshot,
    Request,
    ShardAppended,
    ShardAppendFailed,
    ShardPieceWanted,
    SnapshotFailed,
    SnapshotPart,
    TailReceived,
    WorkerReady,
)
from antiphon.replica.readers.sink import PIECE_BYTES_MAX
from antiphon.replica.rebuilding.chunks import CHUNK_ROWS
from antiphon.replica.reporting.digest import digest_of
from antiphon.replica.reporting.news import Told
from antiphon.replica.worker import Worker
from tests.replica.scripted import (
    CLAIM,
    HISTORY,
    PAIRS,
    TABLE,
    Change,
    Row,
    at,
    changes_of,
    complete,
    connection,
    create_instance,
    delta,
    index,
    rows_of,
    sent,
)
from tests.replica.stored import Shard, Store

FUEL = 1_000
# The collections of most tests: two indexes and a subscribe.
X = CollectionId(7)
J = CollectionId(8)
S = transient(1)


class Bench:
    """Drives one worker. `responses` is everything it said on the connections so far."""

    def __init__(
        self,
        store: Store | None = None,
        chunk_rows: int = CHUNK_ROWS,
        piece_bytes: int = PIECE_BYTES_MAX,
    ) -> None:
        self.worker = Worker(chunk_rows=chunk_rows, piece_bytes=piece_bytes)
        self.store = store or Store()
        self.now_ms = 0
        self.fuel = FUEL
        self.responses: list[Response] = []
        self.requests: list[Request] = []  # all of them
        self.files: list[FileRequest] = []  # all of them; a test answers
        self.tail: OpenTail | None = None
        self.tail_reached = 0
        self.held_back: list[ReadSnapshot] = []
        self.holds_snapshots = False
        self.last = WorkerReady()
        self.told = Told()
        self._position = 0
        self._connection = 0
        self._waiting: list[Request] = []
        self._drafts: dict[int, AppendShard] = {}  # appends whose last piece has not come

    # What the controller does.

    def connect(
        self,
        *commands: Command,
        writes: bool = False,
        decision: SyncDecision = SyncDecision.RECONCILE,
        history: HistoryId = HISTORY,
    ) -> None:
        """A new connection, up to InitializationComplete; with a full set unless `decision` says
        otherwise."""
        self.begin(*commands, decision=decision, history=history)
        self.say(complete(self._position))
        if writes:
            self.send(AllowWrites())

    def begin(
        self,
        *commands: Command,
        decision: SyncDecision = SyncDecision.RECONCILE,
        history: HistoryId = HISTORY,
    ) -> None:
        """A new connection, whose initialization is not complete yet."""
        self._connection += 1
        self.handle(
            Connected(
                connection_id=connection(self._connection),
                epoch=Epoch(1),
                claim_id=CLAIM,
                history_id=history,
                decision=decision,
            )
        )
        self.say(create_instance(), *map(self._numbered, commands))

    def disconnect(self) -> None:
        self.handle(Disconnected(connection_id=connection(self._connection)))

    def send(self, *commands: Command) -> None:
        self.say(*map(self._numbered, commands))

    def say(self, *commands: Sent) -> None:
        self.handle(
            CommandsReceived(connection_id=connection(self._connection), commands=tuple(commands))
        )

    def _numbered(self, command: Command) -> Sent:
        if not is_numbered(command):
            return sent(command)
        self._position += 1
        return Sent(Position(self._position), command)

    # What the store does.

    def tick(self, time: int, *rows: tuple[Row, int], collection: CollectionId = TABLE) -> None:
        """One durable tick, pushed to the tail."""
        self.store.append(time, collection, *rows)
        self.store.upper = time + 1
        self.push()
        self.run()

    def push(self, lower: int | None = None) -> None:
        """The open tail delivers up to the store's upper; from `lower`, if it is said."""
        if self.tail is None:
            return
        first = self.tail_reached if lower is None else lower
        deltas = {}
        for collection, start in self.tail.collections.items():
            assert start.time is not None
            changes = self.store.between(collection, max(first, start.time), self.store.upper)
            if changes:
                deltas[collection] = delta(*changes)
        self.handle(
            TailReceived(
                tail=self.tail.tail,
                lower=at(first),
                upper=at(self.store.upper),
                deltas=deltas,
            )
        )
        self.tail_reached = self.store.upper

    def peer_digest(self, changes: list[Change]) -> bytes:
        content = Zset.concat(PAIRS, [part for _, part in decode(delta(*changes), PAIRS)])
        return digest_bytes(digest_of(content))

    # The loop.

    def handle(self, event: Event) -> None:
        self._take(self.worker.handle(event, self.now_ms))

    def work(self) -> None:
        self._take(self.worker.work(self.fuel, self.now_ms))

    def run(self, steps: int | None = None) -> None:
        """So many steps, or until nothing moves any more, and what is to be written was."""
        for _ in range(10_000 if steps is None else steps):
            if self._waiting:
                self._perform(self._waiting.pop(0))
            elif self.last.busy:
                self.work()
            elif self.tail is not None and self.tail_reached < self.store.upper:
                self.push()
            elif due := [s.write_at_ms for s in self.worker._held.sinks.values() if s.write_at_ms]:
                self.now_ms = max(self.now_ms, min(due))
                self.work()
            else:
                return
        assert steps is not None, "it never comes to rest"

    def wait(self, milliseconds: int) -> None:
        """Time passes, and the worker wakes if it asked to."""
        self.now_ms += milliseconds
        if self.last.wake_at_ms is not None and self.last.wake_at_ms <= self.now_ms:
            self.work()
        self.run()

    def release(self) -> None:
        """Answers the snapshots that were held back."""
        self.holds_snapshots = False
        waiting, self.held_back = self.held_back, []
        for request in waiting:
            self._snapshot(request)
        self.run()

    def _take(self, ready: WorkerReady) -> None:
        self.last = ready
        if ready.progress is not None:
            self.told.take(ready.progress)
        self.requests += ready.requests
        self.files += ready.files
        self._waiting += ready.requests
        self.responses += ready.responses

    def _perform(self, request: Request) -> None:
        match request:
            case OpenTail():
                self.tail = request if request.collections else None
                lowers = [f.time for f in request.collections.values() if f.time is not None]
                self.tail_reached = min(lowers, default=0)
            case ReadSnapshot():
                if self.holds_snapshots:
                    self.held_back.append(request)
                else:
                    self._snapshot(request)
            case CancelSnapshot():
                self.held_back = [r for r in self.held_back if r.snapshot != request.snapshot]
            case AppendShard(last=True):
                self._append(request)
            case AppendShard(append=number):
                self._drafts[number] = request
                self.handle(ShardPieceWanted(append=number))
            case AppendPiece(append=number, last=False):
                self._draft(request)
                self.handle(ShardPieceWanted(append=number))
            case AppendPiece(append=number):
                self._draft(request)
                self._append(self._drafts.pop(number))
            case CancelAppend(append=number):
                self._drafts.pop(number, None)
            case _:
                pass

    def _snapshot(self, request: ReadSnapshot) -> None:
        if request.as_of < self.store.since:
            error = SinceViolation("gone")
            self.handle(SnapshotFailed(snapshot=request.snapshot, error=error))
            return
        if request.peer:
            self._peer_state(request)
            return
        changes = self.store.snapshot(request.collection, request.as_of)
        half = len(changes) // 2
        for part, last in ((changes[:half], False), (changes[half:], True)):
            self.handle(
                SnapshotPart(
                    snapshot=request.snapshot,
                    delta=delta(*part),
                    rows_total=len(changes),
                    last=last,
                )
            )

    def _peer_state(self, request: ReadSnapshot) -> None:
        """A feed as a peer has it now, the last part first and one of them twice."""
        time = self.store.upper - 1
        changes = self.store.snapshot(request.collection, time)
        half = len(changes) // 2
        for place, part in ((1, changes[half:]), (1, changes[half:]), (0, changes[:half])):
            said = self.peer_digest(changes) if place == 1 else b""
            event = SnapshotPart(
                snapshot=request.snapshot, delta=delta(*part), rows_total=len(changes),
                last=place == 1, index=place, time=time, digest=said,
            )  # fmt: skip
            if self.worker._held.inputs.owns(request.snapshot):
                self.handle(event)

    def _draft(self, piece: AppendPiece) -> None:
        begun = self._drafts[piece.append]
        rows, errors = begun.delta.rows + piece.delta.rows, begun.delta.errors + piece.delta.errors
        delta = EncodedDelta(rows=rows, errors=errors)
        self._drafts[piece.append] = replace(begun, delta=delta)

    def _append(self, request: AppendShard) -> None:
        if self.store.fenced:
            self.handle(
                ShardAppendFailed(
                    append=request.append,
                    collection=request.collection,
                    error=EpochFenced("over"),
                )
            )
            return
        shard = self.store.shards.setdefault(request.collection, Shard())
        applied = shard.upper == request.expected_upper
        if applied:
            changes = changes_of(request.delta.rows)
            for _, time, _ in changes:
                assert not request.expected_upper.passes(time), "before the interval"
                assert request.new_upper.passes(time), "after the interval"
            shard.changes += changes
            shard.upper = request.new_upper
        self.handle(
            ShardAppended(
                append=request.append,
                collection=request.collection,
                applied=applied,
                upper=shard.upper,
            )
        )

    # What was said.

    def take(self) -> list[Response]:
        """The responses since the last call."""
        taken, self.responses = self.responses, []
        return taken

    def answers(self) -> dict[PeekId, object]:
        found: dict[PeekId, object] = {}
        for response in self.responses:
            if isinstance(response, PeekResponse):
                assert response.peek_id not in found, "answered twice"
                found[response.peek_id] = response.result
        return found

    def frontiers(self, collection: int) -> dict[str, list[Frontier]]:
        """All reports about a collection, by kind, once those that wait for others have left."""
        self.wait(REPORT_WAIT_MS)
        told = [r for r in self.responses if isinstance(r, Frontiers)]
        about = [report for report in told if collection in report.collections]
        return {
            kind: [f for r in about if (f := getattr(r, f"{kind}_frontier")) is not None]
            for kind in ("write", "input", "output")
        }

    def dropped(self) -> list[int]:
        return [r.collection for r in self.responses if isinstance(r, Dropped)]

    def batches(self, collection: int) -> list[SubscribeBatch]:
        told = [r for r in self.responses if isinstance(r, SubscribeResponse)]
        results = [r.result for r in told if r.collection == collection]
        return [result for result in results if isinstance(result, SubscribeBatch)]

    def snapshots(self) -> list[ReadSnapshot]:
        return [request for request in self.requests if isinstance(request, ReadSnapshot)]

    def opened(self) -> list[OpenTail]:
        return [request for request in self.requests if isinstance(request, OpenTail)]


def counted(result: object, schema: Schema = PAIRS) -> Counter[Row]:
    """The rows of a peek's answer."""
    assert isinstance(result, PeekRows), f"not rows: {result}"
    rows = rows_of(result.batches, schema)
    assert len(rows) == result.row_count
    return Counter(rows)


def rows(*pairs: Row) -> Sequence[tuple[Row, int]]:
    """Insertions."""
    return [(pair, 1) for pair in pairs]


def total(batches: Iterable[SubscribeBatch], time: int, schema: Schema = PAIRS) -> Counter[Row]:
    """What a subscriber has who added everything up to `time`."""
    found: Counter[Row] = Counter()
    for batch in batches:
        for row, when, diff in changes_of(batch.batches, schema):
            if when <= time:
                found[row] += diff
    return Counter({row: count for row, count in found.items() if count})


def schedule(collection: int) -> Schedule:
    return Schedule(collection=CollectionId(collection))


def compact(collection: int, time: int | None) -> AllowCompaction:
    """Allows compaction up to `time`; None drops the collection."""
    return AllowCompaction(collection=CollectionId(collection), frontier=Frontier(time))


def filled(plan: Plan | None = None) -> Bench:
    """A table with three rows at 5, an index X of it, or of a plan, from 10 on, upper 20."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b"), (3, "c")))
    store.upper = 20
    bench = Bench(store)
    bench.connect(index(X, plan=plan), schedule(X))
    bench.run()
    return bench
