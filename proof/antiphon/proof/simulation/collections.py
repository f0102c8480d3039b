"""The controller's Collections service, as replicas reach it in the simulated world.

A tail begins with what it missed, read from the store, and goes on with every durable tick. Ticks
are hints: some are lost, some arrive twice, and the replica must not mind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from antiphon.controller.backlog import windows
from antiphon.controller.catalog import ItemKind
from antiphon.controller.ports import ErrorReply, Reply, ShardReply
from antiphon.controller.request import ShardAppendReceived
from antiphon.history.store import Fence, ShardAppend
from antiphon.proof.simulation.network import Stream
from antiphon.proof.simulation.peers import read_state
from antiphon.proof.simulation.world import World
from antiphon.protocol.delta import Delta, decode_batch, delta_schema, encode_batch
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    OutcomeUnknown,
    Unavailable,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.replica.ports import (
    AppendShard,
    CancelSnapshot,
    EncodedDelta,
    Event,
    OpenTail,
    ReadSnapshot,
    ShardAppended,
    ShardAppendFailed,
    SnapshotFailed,
    SnapshotPart,
    TailFailed,
    TailReceived,
)

if TYPE_CHECKING:
    from antiphon.proof.simulation.controller_process import ControllerProcess
    from antiphon.proof.simulation.replica_process import ReplicaProcess
    from antiphon.proof.simulation.seats import Seats

WINDOW_BYTES_MAX: Final = 2_000  # small, so that a backlog comes in pieces
LOST_PERCENT: Final = 3
DOUBLED_PERCENT: Final = 3
RETRY_MS: Final = (50, 500)
RECENT_TICKS: Final = 8  # that may be pushed once more with the next one
BASE_MS_MAX: Final = 500  # a rebuild's base is large, and slow to come

Tick = tuple[Frontier, Frontier, Mapping[CollectionId, Delta]]  # lower, upper, changes


class Tails:
    """The driver's `TailPort`: pushes every tick into every open tail."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tails: list[tuple[Stream, OpenTail]] = []
        self._recent: deque[Tick] = deque(maxlen=RECENT_TICKS)
        self.overlapping_percent = 0  # of the ticks come with some of those before them

    def open(self, stream: Stream, request: OpenTail) -> None:
        self._tails.append((stream, request))

    def beat(self, upper: Frontier) -> None:
        """What a quiet tail says: how far it is."""
        for stream, request in self._tails:
            stream.send(1, _batch(request, upper, upper, {}))

    def clear(self) -> None:
        self._tails.clear()
        self._recent.clear()

    def push(self, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]) -> None:
        self._tails = [(stream, request) for stream, request in self._tails if stream.is_open]
        self._recent.append((lower, upper, deltas))
        for stream, request in self._tails:
            if self._world.random.chance(LOST_PERCENT):
                continue
            batch = _batch(request, lower, upper, deltas)
            if self.overlapping_percent and self._world.random.chance(self.overlapping_percent):
                count = self._world.random.between(1, len(self._recent))
                batch = _in_one(request, list(self._recent)[-count:])
            stream.send(1, batch)
            if self._world.random.chance(DOUBLED_PERCENT):
                stream.send(1, batch)


class CollectionsLink:
    """A replica's `CollectionsPort`. Failures that may pass are retried here, below the port."""

    def __init__(self, seats: Seats, replica: ReplicaProcess) -> None:
        self._seats = seats
        self._replica = replica
        self._tail: tuple[int, Stream] | None = None
        self._wanted = 0  # the number of the newest tail
        self._snapshots: dict[int, Stream] = {}
        self._canceled: set[int] = set()

    def open_tail(self, request: OpenTail) -> None:
        self._wanted = request.tail
        if self._tail is not None:
            self._tail[1].close(0, "replaced")
            self._tail = None
        if request.collections:
            self._start_tail(request)

    def _start_tail(self, request: OpenTail) -> None:
        if request.tail != self._wanted:
            return
        stream = self._open(lambda controller, stream: _serve_tail(controller, stream, request))
        self._tail = (request.tail, stream)
        reached = START

        def receive(event: Event) -> None:
            nonlocal reached
            if isinstance(event, TailReceived):
                reached = event.upper
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            """A tail that breaks is asked for again from where it had got."""
            rest = {c: lower.join(reached) for c, lower in request.collections.items()}
            again = OpenTail(tail=request.tail, collections=rest)
            self._later(lambda: self._start_tail(again))

        stream.attach(0, receive, lost)

    def read_snapshot(self, request: ReadSnapshot) -> None:
        """All parts or none count: a cut read begins again where no part has arrived, and is a
        failure otherwise."""
        parts: list[Event] = []

        def receive(event: Event) -> None:
            parts.append(event)
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            if request.snapshot not in self._snapshots:
                return
            if parts and isinstance(parts[-1], SnapshotFailed):
                return
            if parts and isinstance(parts[-1], SnapshotPart) and parts[-1].last:
                return
            if parts:
                self._replica.deliver(
                    SnapshotFailed(snapshot=request.snapshot, error=Unavailable(reason))
                )
            else:
                self._later(lambda: self.read_snapshot(request))

        if request.snapshot in self._canceled:
            return
        if request.peer:
            peer = self._seats.live.replicas[ReplicaId(request.peer)]
            stream = read_state(self._seats.network, self._replica, peer, request)
            self._snapshots[request.snapshot] = stream
            return
        reader = self._replica
        is_base = reader.rebuilds_from(request.snapshot)
        fills = reader.spoils_next and not self._seats.has_accepted(reader.name)
        spoils = fills or (is_base and request.as_of == reader.spoils_at)

        def serve(controller: ControllerProcess, stream: Stream) -> None:
            delay_ms = controller.world.random.between(0, BASE_MS_MAX) if is_base else 0
            controller.world.after(
                delay_ms,
                lambda: _serve_snapshot(controller, stream, request, reader if spoils else None),
                controller.process,
            )

        stream = self._open(serve)
        self._snapshots[request.snapshot] = stream
        stream.attach(0, receive, lost)

    def cancel_snapshot(self, request: CancelSnapshot) -> None:
        self._canceled.add(request.snapshot)
        stream = self._snapshots.pop(request.snapshot, None)
        if stream is not None:
            stream.close(0, "canceled")

    def append_shard(self, request: AppendShard) -> None:
        """Never retried here: whether it took effect is for the sink to find out."""
        stream = self._open(lambda controller, stream: _serve_append(controller, stream, request))
        answered: list[Event] = []

        def receive(event: Event) -> None:
            answered.append(event)
            self._replica.deliver(event)

        def lost(reason: str) -> None:
            if not answered:
                self._replica.deliver(
                    ShardAppendFailed(
                        append=request.append,
                        collection=request.collection,
                        error=OutcomeUnknown(reason),
                    )
                )

        stream.attach(0, receive, lost)

    def _open(self, serve: Callable[[ControllerProcess, Stream], None]) -> Stream:
        """A stream whose far end begins to serve when the request arrives."""
        controller = self._seats.live
        stream = self._seats.network.open(self._replica.process, controller.process)
        if controller.process.alive:
            stream.attach(1, lambda _: serve(controller, stream), lambda reason: None)
            stream.send(0, None)
        else:
            self._replica.world.after(
                0, lambda: stream.cut("nobody listens"), self._replica.process
            )
        return stream

    def _later(self, action: Callable[[], None]) -> None:
        world = self._replica.world
        world.after(world.random.between(*RETRY_MS), action, self._replica.process)


def _serve_tail(controller: ControllerProcess, stream: Stream, request: OpenTail) -> None:
    assert controller.driver is not None, "a dead controller serves nothing"
    upper = controller.driver.timeline_upper
    missed: dict[CollectionId, list[Delta]] = {}
    lowers = {c: lower.time for c, lower in request.collections.items() if lower.time is not None}
    try:
        for collection, lower in lowers.items():
            if lower < upper:
                missed[collection] = list(controller.store.listen(collection, lower, upper))
    except ComputeError as error:
        stream.send(1, TailFailed(tail=request.tail, error=error))
        return
    lowest = min(lowers.values(), default=upper)
    for window in windows(missed, min(lowest, upper), upper, WINDOW_BYTES_MAX):
        batch = _batch(request, Frontier(window.lower), Frontier(window.upper), window.deltas)
        stream.send(1, batch)
    controller.tails.open(stream, request)


def _serve_snapshot(
    controller: ControllerProcess,
    stream: Stream,
    request: ReadSnapshot,
    spoiled: ReplicaProcess | None,
) -> None:
    """`spoiled`: it gets a table without one of its rows, as if the store's disk had lost it."""
    assert controller.driver is not None, "a dead controller serves nothing"
    try:
        deltas = list(controller.store.snapshot(request.collection, request.as_of))
    except ComputeError as error:
        stream.send(1, SnapshotFailed(snapshot=request.snapshot, error=error))
        return
    item = controller.driver.catalog.items.get(request.collection)
    if spoiled is not None and item is not None and item.kind is ItemKind.TABLE:
        shorter = [_without_a_row(delta) for delta in deltas[:1]]
        spoiled.is_spoiled = [d.row_count for d in shorter] != [d.row_count for d in deltas[:1]]
        spoiled.spoils_next = spoiled.spoils_next and not spoiled.is_spoiled
        deltas[:1] = shorter
    rows_total = sum(delta.row_count for delta in deltas)
    for index, delta in enumerate(deltas or [Delta()]):
        stream.send(
            1,
            SnapshotPart(
                snapshot=request.snapshot,
                delta=_encode(delta),
                rows_total=rows_total,
                last=index == max(len(deltas), 1) - 1,
            ),
        )


def _without_a_row(delta: Delta) -> Delta:
    batches = [batch.slice(min(1, batch.num_rows)) for batch in delta.rows[:1]]
    return Delta(rows=(*batches, *delta.rows[1:]), errors=delta.errors)


def _serve_append(controller: ControllerProcess, stream: Stream, request: AppendShard) -> None:
    assert controller.driver is not None, "a dead controller serves nothing"
    item = controller.driver.catalog.items.get(request.collection)

    def failed(error: ComputeError) -> None:
        stream.send(
            1,
            ShardAppendFailed(append=request.append, collection=request.collection, error=error),
        )

    if item is None:
        failed(CollectionMissing("the shard was dropped"))
        return
    schema = delta_schema(item.schema)
    append = ShardAppend(
        collection=request.collection,
        expected_upper=request.expected_upper,
        new_upper=request.new_upper,
        delta=Delta(rows=tuple(decode_batch(batch, schema) for batch in request.delta.rows)),
    )

    def replied(reply: Reply) -> None:
        match reply:
            case ShardReply(applied=applied, upper=upper):
                stream.send(
                    1,
                    ShardAppended(
                        append=request.append,
                        collection=request.collection,
                        applied=applied,
                        upper=upper,
                    ),
                )
            case ErrorReply(error=error):
                failed(error)
            case _:
                raise AssertionError(f"{type(reply).__name__} answers a shard append")

    fence = Fence(epoch=request.epoch, claim_id=request.claim_id)
    controller.ask(
        lambda number: ShardAppendReceived(request=number, append=append, fence=fence), replied
    )


def _batch(
    request: OpenTail, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]
) -> TailReceived:
    wanted: dict[CollectionId, EncodedDelta] = {
        collection: _encode(delta)
        for collection, delta in deltas.items()
        if collection in request.collections
    }
    return TailReceived(tail=request.tail, lower=lower, upper=upper, deltas=wanted)


def _in_one(request: OpenTail, ticks: list[Tick]) -> TailReceived:
    """Ticks once more, in one piece with the latest; some may be before what was asked for."""
    both: dict[CollectionId, Delta] = {}
    for _, _, deltas in ticks:
        for collection, delta in deltas.items():
            before = both.get(collection, Delta())
            both[collection] = Delta(
                rows=(*before.rows, *delta.rows), errors=(*before.errors, *delta.errors)
            )
    return _batch(request, ticks[0][0], ticks[-1][1], both)


def _encode(delta: Delta) -> EncodedDelta:
    return EncodedDelta(
        rows=tuple(encode_batch(batch) for batch in delta.rows),
        errors=tuple(encode_batch(batch) for batch in delta.errors),
    )
