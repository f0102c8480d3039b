"""The front of a replica: who may speak to it, and what it says of itself.

Streams come in, each with a session of its own. A newcomer is checked whole by its session before
the incumbent is touched; the moment its Hello passes, its epoch is made durable, the incumbent's
stream ends, and the worker learns of the change of connections, in this order. From then on what
the worker still says to the old connection goes nowhere.

The heartbeat is the front's own: it does not wait for the worker, but tells how long the worker
has been silent on what it was given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from antiphon.protocol.command import CommandSet, Hello, Peek, Sent
from antiphon.protocol.errors import (
    AntiphonError,
    EpochFenced,
    LimitExceeded,
    RemoteProtocolError,
    Unavailable,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.failure import failure_of
from antiphon.protocol.greeting import NOBODY, Incumbent
from antiphon.protocol.ids import (
    NO_EPOCH,
    NO_POSITION,
    ConnectionId,
    Incarnation,
    PeekId,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.limits import (
    GREETING_DEADLINE_MS,
    HEARTBEAT_INTERVAL_MS,
    STASH_BYTES_MAX,
)
from antiphon.protocol.response import Draining, PeekResponse, Response, Status
from antiphon.protocol.session import ReplicaSession
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import may_respond
from antiphon.protocol.version import SPOKEN, VersionRange
from antiphon.replica.installing.reconcile import Verdict
from antiphon.replica.ports import (
    CommandsReceived,
    Connected,
    Disconnected,
    DropStash,
    EndSession,
    Event,
    Fence,
    Request,
    Stash,
    WorkerReady,
)
from antiphon.replica.reporting.news import Told
from antiphon.replica.serving.claims import Claims
from antiphon.replica.serving.stash import Fetch, Stashes


@dataclass(slots=True, kw_only=True)
class FrontReady:
    """What the driver owes the front, in the order of the fields."""

    remember: Fence | None = None  # durable before anything below happens
    ends: list[tuple[int, AntiphonError]] = field(default_factory=list)  # streams
    events: list[Event] = field(default_factory=list)  # to the worker
    requests: list[Request] = field(default_factory=list)  # to the store
    sends: list[tuple[int, ConnectionId, tuple[Response, ...]]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Stream:
    opened_at_ms: int
    session: ReplicaSession | None = None  # made from the facts at its first message


class Front:
    """Decides; the driver acts. Times are the driver's clock, for deadlines only."""

    def __init__(
        self,
        *,
        replica: ReplicaId,
        incarnation: Incarnation,
        fence: Fence | None,
        stash_bytes_max: int = STASH_BYTES_MAX,
        versions: VersionRange = SPOKEN,
    ) -> None:
        self._replica = replica
        self._versions = versions
        self._incarnation = incarnation
        self._fence = fence
        self._connection_id: ConnectionId | None = None  # the last one accepted
        self._session_id = SessionId(0)
        self._claims = Claims()
        self._streams: dict[int, _Stream] = {}
        self._current: int | None = None
        self._told = Told()
        self._resident_bytes = 0
        self._unhandled: deque[int] = deque()  # when each event went to the worker
        self._next_beat_ms: int | None = None
        self._draining: str | None = None
        self._stashes = Stashes(stash_bytes_max)

    # What others ask.

    def facts(self) -> ReplicaFacts:
        """The answer to a probe."""
        fence = self._fence
        session = self._session
        return ReplicaFacts(
            replica=self._replica,
            incarnation=self._incarnation,
            versions=self._versions,
            instance_id=None if fence is None else fence.instance_id,
            history_id=self._claims.history_id,
            highest_epoch=NO_EPOCH if fence is None else fence.epoch,
            applied_position=self._claims.position,
            command_digest=self._claims.digest,
            stage=Stage.CLOSED if session is None else session.stage,
            session_id=self._session_id,
            dataflows=self._claims.dataflows(self._told),
            unaccepted=self._claims.unaccepted,
        )

    def reconciled(self) -> tuple[ConnectionId | None, tuple[Verdict, ...]]:
        """Whose full set is in force, and what it meant for what there was, as the worker tells."""
        return self._told.full_set, self._told.verdicts

    @property
    def stashed_bytes(self) -> int:
        """Of large results that wait, or are being fetched."""
        return self._stashes.byte_count

    def take_result(self, peek_id: PeekId, now_ms: int) -> Fetch | None:
        result = self._stashes.take(peek_id, now_ms)
        return None if result is None else Fetch(self._stashes, result)

    # Streams.

    def opened(self, stream: int, now_ms: int) -> FrontReady:
        ready = FrontReady()
        if self._draining is None:
            self._streams[stream] = _Stream(opened_at_ms=now_ms)
        else:
            ready.ends.append((stream, Unavailable(f"the replica goes away: {self._draining}")))
        return ready

    def received(
        self, stream: int, commands: tuple[Sent, ...], now_ms: int, encoded: bytes = b""
    ) -> FrontReady:
        """Commands of one batch. Those before an illegal one count, it and the rest do not.
        `encoded`: the same on the wire, for the way to the worker; empty: encode them for it."""
        ready = FrontReady()
        found = self._streams.get(stream)
        if found is None:
            return ready  # it was ended, and this was on its way
        passed: list[Sent] = []
        try:
            for sent in commands:
                if found.session is None:
                    found.session = ReplicaSession(self.facts(), self._incumbent())
                session = found.session
                initialized = session.stage >= Stage.READ_ONLY
                session.receive(sent)
                if sent.kind is not Peek:  # which makes no claim, and is passed on unopened
                    if isinstance(sent.command, Hello):
                        self._take_over(stream, sent.command, ready, now_ms)
                        continue
                    self._claims.note(sent, initialized=initialized)
                passed.append(sent)
        except AntiphonError as error:
            self._forward(passed, b"", ready)
            self._end(stream, error, ready)
        else:
            is_whole = len(passed) == len(commands)
            self._forward(passed, encoded if is_whole else b"", ready)
        self._post(ready, now_ms)
        return ready

    def closed(self, stream: int, now_ms: int) -> FrontReady:
        """The controller is gone. Half-sent commands have no effect: the worker drops them."""
        ready = FrontReady()
        self._forget(stream, ready)
        self._post(ready, now_ms)
        return ready

    def broken(self, stream: int, error: AntiphonError, now_ms: int) -> FrontReady:
        """What came in cannot be read."""
        ready = FrontReady()
        if stream in self._streams:
            self._end(stream, error, ready)
        self._post(ready, now_ms)
        return ready

    # The worker.

    def worker_ready(self, output: WorkerReady, now_ms: int) -> FrontReady:
        ready = FrontReady()
        refused: dict[PeekId, LimitExceeded] = {}
        news = False
        if output.progress is not None:
            news = output.progress.applied_position != self._told.latest.applied_position
            self._told.take(output.progress)
        for request in output.requests:
            match request:
                case Stash():
                    if not self._stashes.put(
                        request.peek_id, request.batches, request.row_counts, now_ms
                    ):
                        refused[request.peek_id] = LimitExceeded(
                            "too many large results wait to be fetched", limit="stash_bytes_max"
                        )
                case DropStash():
                    self._stashes.drop(request.peek_id)
                case EndSession():
                    self._end_session(request, ready)
                case _:
                    ready.requests.append(request)
        self._respond(output, refused, ready)
        if news:
            self._beat(ready, now_ms)  # a controller that waits for it need not wait a second
        self._post(ready, now_ms)
        return ready

    def worker_handled(self, count: int) -> None:
        """The worker has handled so many more events."""
        for _ in range(count):
            self._unhandled.popleft()

    def worker_silence_ms(self, now_ms: int) -> int:
        """How long the worker has left unanswered what it was given."""
        return max(0, now_ms - self._unhandled[0]) if self._unhandled else 0

    def delivered(self, event: Event, now_ms: int) -> FrontReady:
        """An answer of the store for the worker."""
        ready = FrontReady(events=[event])
        self._post(ready, now_ms)
        return ready

    # Time.

    @property
    def state(self) -> tuple[int, int]:
        """(the bytes that dataflows hold, those that they may hold), as last heard."""
        progress = self._told.latest
        return progress.state_bytes, progress.state_bytes_max

    def tick(self, now_ms: int) -> FrontReady:
        """Heartbeats and deadlines. Call it at `wake_at_ms` or earlier."""
        ready = FrontReady()
        self._stashes.expire(now_ms)
        for stream, found in list(self._streams.items()):
            if found.session is None and now_ms - found.opened_at_ms >= GREETING_DEADLINE_MS:
                self._end(stream, RemoteProtocolError("no Hello came"), ready)
        if self._next_beat_ms is not None and self._next_beat_ms <= now_ms:
            self._next_beat_ms = now_ms + HEARTBEAT_INTERVAL_MS
            self._beat(ready, now_ms)
        self._post(ready, now_ms)
        return ready

    def wake_at_ms(self) -> int | None:
        """When `tick` has something to do."""
        deadlines = [
            found.opened_at_ms + GREETING_DEADLINE_MS
            for found in self._streams.values()
            if found.session is None
        ]
        if self._next_beat_ms is not None:
            deadlines.append(self._next_beat_ms)
        return min(deadlines, default=None)

    def resident(self, byte_count: int) -> None:
        """The memory of the replica's processes, for the heartbeat."""
        self._resident_bytes = byte_count

    def drain(self, reason: str) -> FrontReady:
        """Tells the controller; no stream is accepted from here on."""
        self._draining = reason
        ready = FrontReady()
        self._say(Draining(reason=reason), ready)
        return ready

    # Within.

    @property
    def _session(self) -> ReplicaSession | None:
        return None if self._current is None else self._streams[self._current].session

    def _incumbent(self) -> Incumbent:
        if self._fence is None:
            return NOBODY
        return Incumbent(
            epoch=self._fence.epoch,
            claim_id=self._fence.claim_id,
            connection_id=self._connection_id,
        )

    def _take_over(self, stream: int, hello: Hello, ready: FrontReady, now_ms: int) -> None:
        fence = Fence(instance_id=hello.instance_id, epoch=hello.epoch, claim_id=hello.claim_id)
        if fence != self._fence:
            ready.remember = fence
        if self._current is not None:
            self._end(self._current, _evicted(self._fence, fence), ready)
        self._fence = fence
        self._connection_id = hello.connection_id
        self._session_id = hello.session_id
        self._current = stream
        self._next_beat_ms = now_ms + HEARTBEAT_INTERVAL_MS
        ready.events.append(
            Connected(
                connection_id=hello.connection_id,
                epoch=hello.epoch,
                claim_id=hello.claim_id,
                history_id=hello.history_id,
                decision=hello.decision,
            )
        )
        self._claims.begin(hello)

    def _end_session(self, request: EndSession, ready: FrontReady) -> None:
        session = self._session
        builds_on_it = False
        if request.void:
            self._claims.void()
            if session is not None and session.hello is not None:
                builds_on_it = session.hello.command_set is CommandSet.SUFFIX
        if self._current is not None and (
            builds_on_it or request.connection_id == self._connection_id
        ):
            self._end(self._current, request.error, ready)

    def _forward(self, commands: list[Sent], encoded: bytes, ready: FrontReady) -> None:
        if commands:
            assert self._connection_id is not None, "commands before Hello"
            ready.events.append(
                CommandsReceived(
                    connection_id=self._connection_id, commands=tuple(commands), encoded=encoded
                )
            )

    def _respond(
        self, output: WorkerReady, refused: dict[PeekId, LimitExceeded], ready: FrontReady
    ) -> None:
        stream, session = self._current, self._session
        if stream is None or session is None or output.connection_id != self._connection_id:
            return  # nobody listens any more
        responses: list[Response] = []
        for response in output.responses:
            answer = response
            if refused and isinstance(response, PeekResponse) and response.peek_id in refused:
                error = refused[response.peek_id]
                answer = PeekResponse(peek_id=response.peek_id, result=failure_of(error))
            session.send(answer)
            responses.append(answer)
        if responses and self._connection_id is not None:
            ready.sends.append((stream, self._connection_id, tuple(responses)))

    def _beat(self, ready: FrontReady, now_ms: int) -> None:
        session = self._session
        if session is None:
            return
        progress = self._told.latest
        self._say(
            Status(
                stage=session.stage,
                applied_position=progress.applied_position,
                durable_position=NO_POSITION,
                hydration=progress.hydration,
                resident_bytes=self._resident_bytes,
                dataflow_count=self._told.count,
                backlog_ticks=progress.backlog_ticks,
                backlog_age_ms=self.worker_silence_ms(now_ms),
                failed=progress.failed,
                rebuild=progress.rebuild,
                arrangements=progress.arrangements,
                state_bytes=progress.state_bytes,
                state_bytes_max=progress.state_bytes_max,
            ),
            ready,
        )

    def _say(self, response: Response, ready: FrontReady) -> None:
        session = self._session
        if session is None or not may_respond(session.stage, type(response)):
            return
        assert self._current is not None, "a session without a stream"
        assert self._connection_id is not None, "a stage past Hello without a connection"
        session.send(response)
        ready.sends.append((self._current, self._connection_id, (response,)))

    def _end(self, stream: int, error: AntiphonError, ready: FrontReady) -> None:
        ready.ends.append((stream, error))
        self._forget(stream, ready)

    def _forget(self, stream: int, ready: FrontReady) -> None:
        found = self._streams.pop(stream, None)
        if found is not None and found.session is not None:
            found.session.close()
        if stream == self._current:
            assert self._connection_id is not None, "a current stream without a connection"
            self._current = None
            self._next_beat_ms = None
            ready.events.append(Disconnected(connection_id=self._connection_id))

    def _post(self, ready: FrontReady, now_ms: int) -> None:
        self._unhandled.extend(now_ms for _ in ready.events)


def _evicted(incumbent: Fence | None, newcomer: Fence) -> AntiphonError:
    if incumbent is not None and incumbent.epoch < newcomer.epoch:
        return EpochFenced(
            f"epoch {newcomer.epoch} has taken over",
            epoch=incumbent.epoch,
            highest=newcomer.epoch,
        )
    return Unavailable("a newer connection of the same controller has taken over")
