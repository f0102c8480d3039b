"""The worker: events in, requests and responses out. It computes, and never waits.

`handle` takes in what happened; `work` spends a bounded amount of computation on what that made
ready. Both are deterministic: the clock comes in as an argument and serves deadlines only.

The commands of a connection are collected until `InitializationComplete` and then take effect
together: a full set is reconciled with what is there, a suffix extends it. A connection that dies
before that point has changed nothing. Dataflows outlive their connection; peeks, subscribes and the
permission to write do not, so that what a new connection repeats of them replaces what was.

Two kinds of trouble end a session. The store may refuse what a dataflow has yet to read: all
commands still count, and the next session may mend it. A controller that broke the protocol leaves
a state that nobody can name, which `void` says: the next session begins with a full set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeGuard, assert_never

from antiphon.protocol.command import (
    AcceptRebuild,
    CancelPeek,
    CancelRebuild,
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    InitializationComplete,
    Peek,
    Sent,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.errors import (
    AntiphonError,
    RemoteProtocolError,
    SchemaMismatch,
    Unavailable,
)
from antiphon.protocol.greeting import COMMAND_SETS
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    ConnectionId,
    Epoch,
    HistoryId,
    Position,
)
from antiphon.protocol.response import Response
from antiphon.replica.dataflow.graph import stopped
from antiphon.replica.held import STORED, Held
from antiphon.replica.installing.apply import apply
from antiphon.replica.installing.reconcile import (
    Bar,
    Key,
    Outcome,
    Verdict,
    advanced,
    key_of,
    reconcile,
)
from antiphon.replica.ports import (
    CommandsReceived,
    Connected,
    DigestsAsked,
    Disconnected,
    EndSession,
    Event,
    FileFailed,
    FileWritten,
    Request,
    ShardAppended,
    ShardAppendFailed,
    ShardPieceWanted,
    SnapshotFailed,
    SnapshotPart,
    StateAsked,
    StateEnded,
    StateWanted,
    TailFailed,
    TailReceived,
    WorkerProgress,
    WorkerReady,
)
from antiphon.replica.readers.sink import PIECE_BYTES_MAX, Sink
from antiphon.replica.rebuilding.asked import Asks
from antiphon.replica.rebuilding.chunks import CHUNK_ROWS
from antiphon.replica.rebuilding.rebuild import Rebuilds
from antiphon.replica.reporting.measures import Measures
from antiphon.replica.scheduling.computation import Computation

PROGRESS_INTERVAL_MS: Final = 250  # heartbeats are four times rarer
TROUBLES_MAX: Final = 1  # sessions in a row that the store's refusals may end


@dataclass(slots=True, kw_only=True)
class _Connection:
    id: ConnectionId
    writer: tuple[Epoch, ClaimId]
    history_id: HistoryId
    decision: SyncDecision
    collected: list[Sent] = field(default_factory=list)
    initialized: bool = False
    ended: bool = False  # its end was asked for
    void: bool = False  # nothing that it still says counts


class Worker:
    """One worker's state and how it moves."""

    def __init__(
        self,
        clock: Callable[[], int] = stopped,
        *,
        chunk_rows: int = CHUNK_ROWS,
        piece_bytes: int = PIECE_BYTES_MAX,
    ) -> None:
        """`clock`: nanoseconds, from anywhere on; only what operators are said to take.
        `chunk_rows`: of a part of state that a peer is given. `piece_bytes`: of a write of a view
        that one message shall not hold."""
        self._held = Held(clock, piece_bytes=piece_bytes)
        self._connection: _Connection | None = None
        self._applied: Position = NO_POSITION
        self._history_id: HistoryId | None = None  # of what is installed
        self._full_set: ConnectionId | None = None  # whose full set is in force
        self._verdicts: tuple[Verdict, ...] = ()
        self._troubles = 0  # with the store, since it last delivered
        self._spoiled = False  # what is installed cannot go on: only a full set replaces it
        self._busy = False
        self._computation = Computation(self._held)
        self._rebuilds = Rebuilds(self._held)
        held = self._held
        installed = held.installed
        self._asks = Asks(
            installed.readable, installed.copies, held.inputs, held.requests, chunk_rows
        )
        # As last told, without what was news of the dataflows.
        self._measures = Measures(held)
        self._progress: WorkerProgress | None = None
        self._progress_due = True
        self._progress_at_ms: int | None = None

    def handle(self, event: Event, now_ms: int) -> WorkerReady:
        """Takes in one event. Peeks whose data is there are answered at once."""
        self._progress_due = True
        try:
            self._dispatch(event, now_ms)
        except SchemaMismatch as error:
            # The store and this replica disagree on a collection: what was read may lack parts.
            self._spoiled = True
            self._end_session(error)
        return self._ready(now_ms)

    def work(self, fuel_rows: int, now_ms: int) -> WorkerReady:
        """Computes on: one time of each dataflow in turn, so that views keep abreast. Stops after
        about `fuel_rows` rows; a single time is never cut in two."""
        used, self._busy = self._computation.work(fuel_rows, now_ms)
        self._asks.work(fuel_rows, now_ms)
        self._held.peeks.answer_ready(self._held.configuration)
        self._progress_due = self._progress_due or used > 0
        return self._ready(now_ms)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What was begun for others and is not over; nothing, once all is quiet."""
        return (*self._rebuilds.unfinished, *self._asks.unfinished, *self._held.inputs.unread)

    # Events.

    def _dispatch(self, event: Event, now_ms: int) -> None:
        match event:
            case Connected():
                self._disconnect()
                self._connection = _Connection(
                    id=event.connection_id,
                    writer=(event.epoch, event.claim_id),
                    history_id=event.history_id,
                    decision=event.decision,
                )
            case Disconnected(connection_id=connection_id):
                if self._connection is not None and self._connection.id == connection_id:
                    self._disconnect()
            case CommandsReceived():
                self._commands(event, now_ms)
            case DigestsAsked() | StateAsked() | StateWanted() | StateEnded():
                self._asks.handle(event, now_ms)
            case TailReceived():
                self._held.inputs.tail_received(event)
                self._troubles = 0
                self._busy = True
            case TailFailed(tail=tail, error=error):
                if self._held.inputs.is_tail(tail) and self._rebuilds.tail_failed(error):
                    self._held.inputs.reopen_tail()  # the others can be served as before
                elif self._held.inputs.is_tail(tail):
                    self._held.inputs.tail_failed()
                    self._trouble(error)
            case SnapshotPart():
                self._snapshot_part(event)
            case SnapshotFailed():
                self._snapshot_failed(event, now_ms)
            case ShardPieceWanted() | ShardAppended() | ShardAppendFailed():
                sink = self._held.sink_of(event.append)
                if sink is not None:
                    sink.handle(event, now_ms)
                    self._note_written(sink)
            case FileWritten() | FileFailed():
                self._held.file_ended(event)
            case _:
                assert_never(event)

    def _commands(self, event: CommandsReceived, now_ms: int) -> None:
        connection = self._connection
        if connection is None or connection.id != event.connection_id:
            return
        for sent in event.commands:
            if connection.void:
                return
            try:
                self._command(connection, sent, now_ms)
            except RemoteProtocolError as error:
                self._void(connection, error)

    def _command(self, connection: _Connection, sent: Sent, now_ms: int) -> None:
        if not connection.initialized:
            if isinstance(sent.command, InitializationComplete):
                self._initialize(connection, sent.command, now_ms)
            else:
                connection.collected.append(sent)
            return
        if isinstance(sent.command, StartRebuild | CancelRebuild | AcceptRebuild):
            self._rebuilds.handle(sent.command, connection.writer[0], now_ms)
        else:
            apply(self._held, sent.command, connection.writer)
        self._applied = sent.position or self._applied
        if not isinstance(sent.command, Peek | CancelPeek):
            self._busy = True

    def _initialize(
        self, connection: _Connection, command: InitializationComplete, now_ms: int
    ) -> None:
        """Everything collected takes effect at once."""
        collected, connection.collected = connection.collected, []
        connection.initialized = True
        self._held.inputs.history_id = connection.history_id
        try:
            if COMMAND_SETS[connection.decision] is CommandSet.FULL:
                self._replace(connection, collected)
            else:
                self._extend(connection, collected)
        except RemoteProtocolError:
            self._held.end_connection()
            self._held.retain(())  # half of a set is nothing that anybody asked for
            raise
        self._applied = command.head_position
        self._held.begin_connection(now_ms)
        self._busy = True
        self._progress_at_ms = None

    def _replace(self, connection: _Connection, collected: list[Sent]) -> None:
        """A full set: what it leaves out goes, what it keeps goes on where it is."""
        wanted = [sent.command.dataflow for sent in collected if _creates(sent.command)]
        verdicts = reconcile(
            [one.standing() for one in self._held.installed.dataflows if not one.is_dropped],
            wanted,
            local_imports=[_local_imports(dataflow) for dataflow in wanted],
            bar=self._bar(connection),
        )
        kept = {verdict.key for verdict in verdicts if verdict.outcome is Outcome.KEPT}
        self._held.retain(kept)
        self._verdicts = verdicts
        self._history_id = connection.history_id
        self._full_set = connection.id
        self._spoiled = False
        self._troubles = 0
        for sent in collected:
            if _creates(sent.command) and key_of(sent.command.dataflow) in kept:
                self._held.resume(sent.command.dataflow)
            else:
                apply(self._held, sent.command, connection.writer)

    def _bar(self, connection: _Connection) -> Bar | None:
        """What speaks against keeping anything."""
        if connection.decision is SyncDecision.REBUILD:
            return Bar.DISCARDED
        if self._spoiled:
            return Bar.SPOILED
        return Bar.FOREIGN if connection.history_id != self._history_id else None

    def _extend(self, connection: _Connection, collected: list[Sent]) -> None:
        """A suffix: everything stays, and goes on with what it adds."""
        if self._history_id != connection.history_id:
            raise RemoteProtocolError("a suffix of another history")
        self._held.mute_drops()
        for sent in advanced(collected):
            # The instance was checked, and is configured: only its history changes that.
            if not isinstance(sent.command, CreateInstance):
                apply(self._held, sent.command, connection.writer)
        if self._spoiled:
            self._end_session(Unavailable("what is installed here cannot go on"))

    def _disconnect(self) -> None:
        self._rebuilds.abandon()
        if self._connection is not None and self._connection.initialized:
            self._held.end_connection()
        self._connection = None
        self._busy = True

    def _snapshot_part(self, part: SnapshotPart) -> None:
        held = self._held
        if held.inputs.owns(part.snapshot):
            held.inputs.snapshot_part(part)
            self._busy = True
        elif held.peeks.owns(part.snapshot):
            held.peeks.snapshot_part(part, held.configuration)
        elif (sink := held.sink_of(part.snapshot)) is not None:
            sink.snapshot_part(part)

    def _snapshot_failed(self, event: SnapshotFailed, now_ms: int) -> None:
        held = self._held
        if held.inputs.owns(event.snapshot):
            error = held.inputs.snapshot_failed(event, now_ms)
            if error is not None:
                self._trouble(error)
        elif held.peeks.owns(event.snapshot):
            held.peeks.snapshot_failed(event)
        elif (sink := held.sink_of(event.snapshot)) is not None:
            sink.snapshot_failed(now_ms)

    def _trouble(self, error: AntiphonError) -> None:
        """The store refuses what the dataflows have yet to read. Another session may start them
        where it does not; if that one fails as well, nothing here can go on."""
        self._troubles += 1
        self._spoiled = self._spoiled or self._troubles > TROUBLES_MAX
        self._end_session(error)

    def _end_session(self, error: AntiphonError) -> None:
        """Only a new session can mend this. Without a connection one is on its way."""
        connection = self._connection
        self._progress_at_ms = None  # what can still be kept is news, at once
        if connection is None or connection.ended:
            return
        connection.ended = True
        self._held.requests.append(EndSession(connection_id=connection.id, error=error))

    def _void(self, connection: _Connection, error: AntiphonError) -> None:
        """What follows does not count, so nobody may go on from what the session said so far."""
        connection.void = True
        self._applied = NO_POSITION
        self._history_id = None
        self._full_set = None
        self._progress_at_ms = None
        self._held.requests.append(EndSession(connection_id=connection.id, error=error, void=True))

    def _note_written(self, sink: Sink) -> None:
        """Its shard's upper is news to the controller, and what it held may go."""
        export = self._held.installed.find(sink.collection)
        assert export is not None, "a sink without its export"
        self._held.note_moved(export)
        self._held.compact_soon(export)

    # What is due.

    def _ready(self, now_ms: int) -> WorkerReady:
        held = self._held
        connection = self._connection
        held.settle_drops()
        self._busy = self._rebuilds.settle(now_ms) or self._asks.is_busy or self._busy
        wakes = [
            self._computation.maintain_at_ms,
            self._rebuilds.wake_at_ms,
            self._asks.wake_at_ms,
            *(sink.work(now_ms) for sink in held.sinks.values()),
        ]
        if connection is not None and connection.initialized:
            wakes.append(held.report(now_ms))
        self._busy = held.compact() or self._busy
        wakes.append(held.inputs.settle(now_ms))
        progress = self._progress_news(now_ms)
        if self._progress_due and self._progress_at_ms is not None:
            wakes.append(self._progress_at_ms + PROGRESS_INTERVAL_MS)
        responses: tuple[Response, ...] = ()
        if connection is not None and connection.initialized:
            responses = tuple(held.responses)
        held.responses.clear()
        requests: tuple[Request, ...] = tuple(held.requests)
        held.requests.clear()
        files = tuple(held.files)
        held.files.clear()
        return WorkerReady(
            requests=requests,
            files=files,
            responses=responses,
            connection_id=None if connection is None else connection.id,
            progress=progress,
            wake_at_ms=min((at_ms for at_ms in wakes if at_ms is not None), default=None),
            busy=self._busy,
        )

    def _progress_news(self, now_ms: int) -> WorkerProgress | None:
        """At most every so often, and only if something changed."""
        if not self._progress_due:
            return None
        last = self._progress_at_ms
        if last is not None and now_ms - last < PROGRESS_INTERVAL_MS:
            return None
        arrangements, is_measured = self._measures.arrangements(now_ms)
        self._progress_due = not is_measured
        self._progress_at_ms = now_ms
        before, news = self._progress, self._held.installed.news
        dataflows, gone, compacted = news.take()
        progress = WorkerProgress(
            applied_position=self._applied,
            hydration=news.hydration(now_ms),
            spoiled=self._spoiled,
            backlog_ticks=self._held.agenda.backlog_ticks,
            full_set=self._full_set,
            failed=news.failed,
            rebuild=self._rebuilds.progress,
            arrangements=arrangements,
            state_bytes=self._measures.state_bytes,
            state_bytes_max=self._held.configuration.state_bytes_max,
        )
        self._progress = progress
        passed = tuple(rest.note() for rest in self._held.rests if rest.noted != rest.frontier)
        if progress == before and not (dataflows or gone or passed or compacted):
            return None
        is_told = before is not None and before.full_set == self._full_set
        verdicts = () if is_told else self._verdicts
        return replace(
            progress,
            dataflows=dataflows,
            gone=gone,
            passed=passed,
            compacted=compacted,
            verdicts=verdicts,
        )


def _creates(command: Command) -> TypeGuard[CreateDataflow]:
    return isinstance(command, CreateDataflow)


def _local_imports(dataflow: DataflowDescription) -> Key:
    return tuple(each.collection for each in dataflow.imports if each.kind not in STORED)
