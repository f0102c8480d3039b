"""Performs what the front decides, over ports. What is simulated is what runs.

The order is that of `FrontReady`: what must be remembered is durable before the old stream ends,
which ends before the worker hears of the new one, and requests to the store leave before the
responses that were made beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from antiphon.protocol.command import Sent
from antiphon.protocol.errors import AntiphonError, ComputeError
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import CollectionId, Incarnation, PeekId, ReplicaId
from antiphon.replica.front import Front, FrontReady
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    CancelSnapshot,
    CollectionsPort,
    DigestsAsked,
    DigestsTold,
    Event,
    FencePort,
    OpenTail,
    ReadSnapshot,
    Request,
    StateAsked,
    StateEnded,
    StatePart,
    StateTold,
    StateWanted,
    StreamPort,
    WorkerPort,
    WorkerReady,
)
from antiphon.replica.serving.stash import Fetch


class ReplicaDriver:
    """One replica's front, between controllers, its worker and the store."""

    def __init__(
        self,
        *,
        replica: ReplicaId,
        incarnation: Incarnation,
        fences: FencePort,
        streams: StreamPort,
        worker: WorkerPort,
        collections: CollectionsPort,
    ) -> None:
        self._fences = fences
        self._streams = streams
        self._worker = worker
        self._collections = collections
        self._asks = 0
        self._digests_told: dict[int, Callable[[Mapping[CollectionId, bytes]], None]] = {}
        self._state_told: dict[int, Callable[[StatePart | ComputeError], None]] = {}
        self.front = Front(replica=replica, incarnation=incarnation, fence=fences.load())

    def stream_opened(self, stream: int, now_ms: int) -> None:
        self._perform(self.front.opened(stream, now_ms))

    def commands_received(
        self, stream: int, commands: tuple[Sent, ...], now_ms: int, encoded: bytes = b""
    ) -> None:
        """A batch of commands; `encoded`: the same on the wire, if it is at hand."""
        self._perform(self.front.received(stream, commands, now_ms, encoded))

    def stream_broken(self, stream: int, error: AntiphonError, now_ms: int) -> None:
        """A batch that cannot be decoded."""
        self._perform(self.front.broken(stream, error, now_ms))

    def stream_closed(self, stream: int, now_ms: int) -> None:
        self._perform(self.front.closed(stream, now_ms))

    def store_answered(self, event: Event, now_ms: int) -> None:
        """A tail batch, a snapshot's part, the outcome of an append."""
        self._perform(self.front.delivered(event, now_ms))

    def worker_handled(self, count: int) -> None:
        """The worker has handled so many more of the events it was posted."""
        self.front.worker_handled(count)

    def worker_ready(self, ready: WorkerReady, now_ms: int) -> None:
        self._perform(self.front.worker_ready(ready, now_ms))

    def tick(self, now_ms: int) -> int | None:
        """Heartbeats and deadlines; when to come again."""
        self._perform(self.front.tick(now_ms))
        return self.front.wake_at_ms()

    def drain(self, reason: str) -> None:
        self._perform(self.front.drain(reason))

    def facts(self) -> ReplicaFacts:
        return self.front.facts()

    def ask_digests(
        self,
        collections: tuple[CollectionId, ...],
        time: int,
        told: Callable[[Mapping[CollectionId, bytes]], None],
        now_ms: int,
    ) -> None:
        """`told` is called once the worker knows, with those that can be told."""
        self._asks += 1
        self._digests_told[self._asks] = told
        event = DigestsAsked(ask=self._asks, collections=collections, time=time)
        self._perform(self.front.delivered(event, now_ms))

    def ask_state(
        self,
        collection: CollectionId,
        time: int,
        first_chunk: int,
        told: Callable[[StatePart | ComputeError], None],
        now_ms: int,
    ) -> int:
        """`told` is called with the first chunk, and with the next one after each `more_state`.
        The number under which to ask for more."""
        self._asks += 1
        self._state_told[self._asks] = told
        event = StateAsked(
            ask=self._asks, collection=collection, time=time, first_chunk=first_chunk
        )
        self._perform(self.front.delivered(event, now_ms))
        return self._asks

    def more_state(self, ask: int, now_ms: int) -> None:
        self._perform(self.front.delivered(StateWanted(ask=ask), now_ms))

    def end_state(self, ask: int, now_ms: int) -> None:
        """Nobody waits for more; all of it may have come."""
        if self._state_told.pop(ask, None) is not None:
            self._perform(self.front.delivered(StateEnded(ask=ask), now_ms))

    def take_result(self, peek_id: PeekId, now_ms: int) -> Fetch | None:
        """A stashed result, once."""
        return self.front.take_result(peek_id, now_ms)

    def _perform(self, ready: FrontReady) -> None:
        if ready.remember is not None:
            self._fences.store(ready.remember)
        for stream, error in ready.ends:
            self._streams.end(stream, error)
        for event in ready.events:
            self._worker.post(event)
        for request in ready.requests:
            self._request(request)
        for stream, connection_id, responses in ready.sends:
            self._streams.send(stream, connection_id, responses)

    def _request(self, request: Request) -> None:
        match request:
            case OpenTail():
                self._collections.open_tail(request)
            case ReadSnapshot():
                self._collections.read_snapshot(request)
            case CancelSnapshot():
                self._collections.cancel_snapshot(request)
            case AppendShard():
                self._collections.append_shard(request)
            case AppendPiece():
                self._collections.append_piece(request)
            case CancelAppend():
                self._collections.cancel_append(request)
            case DigestsTold(ask=ask, digests=digests):
                self._digests_told.pop(ask)(digests)
            case StateTold(ask=ask, answer=answer):
                if (told := self._state_told.get(ask)) is not None:
                    told(answer)
            case _:
                raise AssertionError(f"{type(request).__name__} is the front's own")
