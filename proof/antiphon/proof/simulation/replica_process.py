"""A replica in the simulated world: the real front and worker over virtual ports.

The worker takes a while for each event, so that heartbeats, cancels and the end of a connection
overtake work as they do between two real processes. What survives a kill is the fence alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from antiphon.proof.simulation.checkers import check_obeyed
from antiphon.proof.simulation.network import Stream
from antiphon.proof.simulation.world import Process, World
from antiphon.protocol.codec import commands_to_batch, commands_to_pass
from antiphon.protocol.command import Sent, StartRebuild
from antiphon.protocol.errors import AntiphonError, ComputeError
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import (
    NO_EPOCH,
    CollectionId,
    ConnectionId,
    Incarnation,
    PeekId,
    ReplicaId,
)
from antiphon.protocol.response import Response
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.ports import (
    CollectionsPort,
    CommandsReceived,
    Connected,
    Event,
    Fence,
    ReadSnapshot,
    StatePart,
    WorkerReady,
)
from antiphon.replica.worker import Worker

STEP_MS_MAX: Final = 4
FUEL_ROWS: Final = 40  # small, so that work is cut in many places
CHUNK_ROWS: Final = 4  # of the state that it gives to a peer; small for the same reason
PIECE_BYTES: Final = 200  # of what it writes of a view: some rows


class CollectionsFactory(Protocol):
    def __call__(self, replica: ReplicaProcess) -> CollectionsPort: ...


class ReplicaProcess:
    """One replica, over all its lives."""

    def __init__(self, world: World, name: ReplicaId, collections: CollectionsFactory) -> None:
        self.world = world
        self.name = name
        self.process = Process(name)
        self.fence: Fence | None = None  # its disk
        self.driver: ReplicaDriver | None = None
        self._make_collections = collections
        self._worker = Worker(chunk_rows=CHUNK_ROWS, piece_bytes=PIECE_BYTES)
        self._inbox: deque[Event] = deque()
        self._obeyed = NO_EPOCH  # over all lives: its fence is durable
        self.spoils_at: int | None = None  # the base of a rebuild at this time lacks a row
        self.is_spoiled = False  # it did
        self.spoils_next = False  # the next table with which it fills itself lacks a row
        self._bases: set[int] = set()  # reads that a rebuild began with
        self._scheduled = False
        self._sessions: dict[int, Session] = {}
        self._session_count = 0
        self._tick_at_ms: int | None = None

    def start(self) -> None:
        self.process.start()
        self._worker = Worker(chunk_rows=CHUNK_ROWS, piece_bytes=PIECE_BYTES)
        self._inbox.clear()
        self._bases.clear()
        self._scheduled = False
        self._sessions.clear()
        self._tick_at_ms = None
        self.driver = ReplicaDriver(
            replica=self.name,
            incarnation=Incarnation(self.world.random.random_id()),
            fences=self,
            streams=self,
            worker=self,
            collections=self._make_collections(self),
        )
        self.world.note(f"= {self.name} starts")

    def kill(self) -> None:
        self.world.note(f"x {self.name}")
        self.process.kill()
        self.driver = None

    def facts(self) -> ReplicaFacts:
        assert self.driver is not None, "a dead replica is not asked"
        return self.driver.facts()

    def ask_digests(
        self,
        collections: tuple[CollectionId, ...],
        time: int,
        told: Callable[[Mapping[CollectionId, bytes]], None],
    ) -> None:
        assert self.driver is not None, "a dead replica is not asked"
        self.driver.ask_digests(collections, time, told, self.world.now_ms)

    def ask_state(
        self, collection: CollectionId, time: int, told: Callable[[StatePart | ComputeError], None]
    ) -> int:
        assert self.driver is not None, "a dead replica is not asked"
        return self.driver.ask_state(collection, time, 0, told, self.world.now_ms)

    def more_state(self, ask: int) -> None:
        assert self.driver is not None, "a dead replica is not asked"
        self.driver.more_state(ask, self.world.now_ms)

    def end_state(self, ask: int) -> None:
        assert self.driver is not None, "a dead replica is not asked"
        self.driver.end_state(ask, self.world.now_ms)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What its worker has begun for others and not ended."""
        return self._worker.unfinished

    def rebuilds_from(self, snapshot: int) -> bool:
        """Whether a read is of a rebuild's base."""
        return snapshot in self._bases

    def take_result(self, peek_id: PeekId) -> tuple[bytes, ...] | None:
        assert self.driver is not None, "a dead replica is not asked"
        fetch = self.driver.take_result(peek_id, self.world.now_ms)
        if fetch is None:
            return None
        batches: list[bytes] = []
        while (chunk := fetch.next_chunk(self.world.now_ms)) is not None:
            batches.append(chunk[0])
        fetch.close()
        return tuple(batches)

    def deliver(self, event: Event) -> None:
        """An answer of the store."""
        assert self.driver is not None, "a dead replica hears nothing"
        self.driver.store_answered(event, self.world.now_ms)
        self._tick()

    # FencePort.

    def load(self) -> Fence | None:
        return self.fence

    def store(self, fence: Fence) -> None:
        self.fence = fence

    # StreamPort.

    def send(
        self, stream: int, connection_id: ConnectionId, responses: tuple[Response, ...]
    ) -> None:
        session = self._sessions.get(stream)
        if session is not None:
            session.stream.send(1, (connection_id, responses))

    def end(self, stream: int, error: AntiphonError) -> None:
        session = self._sessions.pop(stream, None)
        if session is not None:
            session.stream.close(1, str(error))

    # WorkerPort.

    def post(self, event: Event) -> None:
        if isinstance(event, Connected):
            check_obeyed(self.name, self._obeyed, event.epoch)
            self._obeyed = event.epoch
        self._inbox.append(event)
        self._schedule()

    # Within.

    def accept(self, session: Session) -> int:
        assert self.driver is not None, "a dead replica accepts nothing"
        self._session_count += 1
        self._sessions[self._session_count] = session
        self.driver.stream_opened(self._session_count, self.world.now_ms)
        self._tick()
        return self._session_count

    def heard(self, number: int, commands: tuple[Sent, ...]) -> None:
        assert self.driver is not None, "a dead replica hears nothing"
        # Through the wire's encoding, which a simulation must not spare.
        wired = commands_to_pass(commands_to_batch(commands))
        self.driver.commands_received(number, wired, self.world.now_ms)
        self._tick()

    def hung_up(self, number: int) -> None:
        assert self.driver is not None, "a dead replica hears nothing"
        self._sessions.pop(number, None)
        self.driver.stream_closed(number, self.world.now_ms)
        self._tick()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            delay = self.world.random.between(0, STEP_MS_MAX)
            self.world.after(delay, self._step, self.process)

    def _step(self) -> None:
        """One event, or one slice of work."""
        assert self.driver is not None, "a dead worker does not work"
        self._scheduled = False
        if self._inbox:
            event = self._inbox.popleft()
            ready = self._worker.handle(event, self.world.now_ms)
            if _begins_rebuild(event):
                reads = (r for r in ready.requests if isinstance(r, ReadSnapshot))
                self._bases.update(read.snapshot for read in reads)
            self.driver.worker_handled(1)
        else:
            ready = self._worker.work(FUEL_ROWS, self.world.now_ms)
        self._after_step(ready)

    def _after_step(self, ready: WorkerReady) -> None:
        assert self.driver is not None, "a dead worker does not work"
        self.driver.worker_ready(ready, self.world.now_ms)
        if self._inbox or ready.busy:
            self._schedule()
        elif ready.wake_at_ms is not None:
            delay = max(ready.wake_at_ms - self.world.now_ms, 0)
            self.world.after(delay, self._schedule, self.process)
        self._tick()

    def _tick(self) -> None:
        """Keep the front's next deadline planned."""
        assert self.driver is not None, "a dead front has no deadlines"
        wake = self.driver.tick(self.world.now_ms)
        if wake is not None and wake != self._tick_at_ms:
            self._tick_at_ms = wake
            self.world.after(max(wake - self.world.now_ms, 0), self._tick, self.process)


def _begins_rebuild(event: Event) -> bool:
    """And nothing else, that would read for other reasons."""
    if not isinstance(event, CommandsReceived):
        return False
    return all(sent.kind is StartRebuild for sent in event.commands)


class Session:
    """The replica's end of a session stream."""

    def __init__(self, owner: ReplicaProcess, stream: Stream) -> None:
        self.stream = stream
        self._owner = owner
        self._number: int | None = None
        stream.attach(1, self._receive, self._lose)

    def _receive(self, message: Any) -> None:
        if self._number is None:
            self._number = self._owner.accept(self)
        self._owner.heard(self._number, message)

    def _lose(self, reason: str) -> None:
        if self._number is not None:
            self._owner.hung_up(self._number)
