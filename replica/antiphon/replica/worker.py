"""The worker: events in, requests and responses out. It computes, and never waits.

`handle` takes in what happened; `work` spends a bounded amount of computation on what that made
ready. Both are deterministic: the clock comes in as an argument and serves deadlines only.

The commands of a connection are collected until `InitializationComplete` and then take effect
together: with a full set, what was there before is gone and everything is built anew. A connection
that dies before that point has changed nothing. Dataflows outlive their connection; peeks,
subscribes and the permission to write do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, assert_never

from antiphon.protocol.command import InitializationComplete, Peek, Sent
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    RemoteProtocolError,
    SchemaMismatch,
)
from antiphon.protocol.failure import failure_of
from antiphon.protocol.ids import NO_POSITION, ClaimId, ConnectionId, Epoch, Position
from antiphon.protocol.response import Response
from antiphon.replica.apply import apply
from antiphon.replica.held import Held
from antiphon.replica.installed import InstalledDataflow
from antiphon.replica.ports import (
    CommandsReceived,
    Connected,
    Disconnected,
    EndSession,
    Event,
    Request,
    ShardAppended,
    ShardAppendFailed,
    SnapshotFailed,
    SnapshotPart,
    TailFailed,
    TailReceived,
    WorkerProgress,
    WorkerReady,
)
from antiphon.replica.sink import Sink

PROGRESS_INTERVAL_MS: Final = 250  # heartbeats are four times rarer
# Merging the few rows of one tick costs as much as merging those of several together; more
# unmerged ones would make lookups dear.
MAINTAIN_SLICES: Final = 4
MAINTAIN_IDLE_MS: Final = 20  # without work for so long: merge what there is


@dataclass(slots=True, kw_only=True)
class _Connection:
    id: ConnectionId
    writer: tuple[Epoch, ClaimId]
    collected: list[Sent] = field(default_factory=list)
    initialized: bool = False
    broken: bool = False  # its end was asked for: nothing it still says counts


class Worker:
    """One worker's state and how it moves."""

    def __init__(self) -> None:
        self._held = Held()
        self._connection: _Connection | None = None
        self._applied: Position = NO_POSITION
        self._busy = False
        self._unmaintained = 0  # slices of work since the last maintenance
        self._maintain_at_ms: int | None = None
        self._turn = 0  # whose dataflow ran last
        self._progress: WorkerProgress | None = None  # as last told
        self._progress_due = True
        self._progress_at_ms: int | None = None

    def handle(self, event: Event, now_ms: int) -> WorkerReady:
        """Takes in one event. Peeks whose data is there are answered at once."""
        self._progress_due = True
        try:
            self._dispatch(event, now_ms)
        except SchemaMismatch as error:
            # The store and this replica disagree on a collection: only fresh commands can mend it.
            self._end_session(error)
        return self._ready(now_ms)

    def work(self, fuel_rows: int, now_ms: int) -> WorkerReady:
        """Computes on: one time of each dataflow in turn, so that views keep abreast. Stops after
        about `fuel_rows` rows; a single time is never cut in two."""
        used = self._run(fuel_rows)
        self._held.peeks.answer_ready(self._held.configuration)
        self._busy = any(one.is_ready for one in self._held.installed.dataflows)
        if used > 0:
            self._progress_due = True
            self._unmaintained += 1
            self._maintain_at_ms = now_ms + MAINTAIN_IDLE_MS
        if self._unmaintained >= MAINTAIN_SLICES or not (self._busy or used):
            self._unmaintained = 0
            self._maintain_at_ms = None
            self._busy = self._maintain(fuel_rows) or self._busy
        return self._ready(now_ms)

    def _run(self, fuel_rows: int) -> int:
        """Runs what is ready, each dataflow in turn; the rows that took. The next call goes on
        where this one stopped, so that none starves behind another's backlog."""
        used, idle = 0, 0
        dataflows = self._held.installed.dataflows
        while used < fuel_rows and idle < len(dataflows):
            self._turn = (self._turn + 1) % len(dataflows)
            dataflow = dataflows[self._turn]
            if dataflow.is_ready:
                used += self._advance(dataflow)
                idle = 0
            else:
                idle += 1
        return used

    def _maintain(self, fuel_rows: int) -> bool:
        """One slice of background work, of whoever has some; True: there is more."""
        if self._held.inputs.maintain(fuel_rows):
            return True
        return any(one.maintain(fuel_rows) for one in self._held.installed.dataflows)

    # Events.

    def _dispatch(self, event: Event, now_ms: int) -> None:
        match event:
            case Connected():
                self._disconnect()
                self._connection = _Connection(
                    id=event.connection_id, writer=(event.epoch, event.claim_id)
                )
            case Disconnected(connection_id=connection_id):
                if self._connection is not None and self._connection.id == connection_id:
                    self._disconnect()
            case CommandsReceived():
                self._commands(event)
            case TailReceived():
                self._held.inputs.tail_received(event)
                self._busy = True
            case TailFailed(tail=tail, error=error):
                if self._held.inputs.is_tail(tail):
                    self._end_session(error)
            case SnapshotPart():
                self._snapshot_part(event)
            case SnapshotFailed():
                self._snapshot_failed(event, now_ms)
            case ShardAppended(append=number):
                for sink in self._held.sinks.values():
                    if sink.owns(number):
                        sink.appended(event)
                        self._note_written(sink)
            case ShardAppendFailed(append=number):
                for sink in self._held.sinks.values():
                    if sink.owns(number):
                        sink.append_failed(event, now_ms)
            case _:
                assert_never(event)

    def _commands(self, event: CommandsReceived) -> None:
        connection = self._connection
        if connection is None or connection.id != event.connection_id:
            return
        for sent in event.commands:
            if connection.broken:
                return
            try:
                self._command(connection, sent)
            except RemoteProtocolError as error:
                self._end_session(error)

    def _command(self, connection: _Connection, sent: Sent) -> None:
        if not connection.initialized:
            if isinstance(sent.command, InitializationComplete):
                self._initialize(connection, sent.command)
            else:
                connection.collected.append(sent)
            return
        apply(self._held, sent.command, connection.writer)
        self._applied = sent.position or self._applied
        if not isinstance(sent.command, Peek):
            self._busy = True

    def _initialize(self, connection: _Connection, command: InitializationComplete) -> None:
        """Everything collected takes effect, in place of everything there was."""
        collected, connection.collected = connection.collected, []
        self._held.clear()
        connection.initialized = True
        for sent in collected:
            apply(self._held, sent.command, connection.writer)
        self._applied = command.head_position
        self._held.begin_connection()
        self._busy = True
        self._progress_at_ms = None

    def _disconnect(self) -> None:
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
        else:
            for sink in held.sinks.values():
                if sink.owns(part.snapshot):
                    sink.snapshot_part(part)

    def _snapshot_failed(self, event: SnapshotFailed, now_ms: int) -> None:
        held = self._held
        if held.inputs.owns(event.snapshot):
            error = held.inputs.snapshot_failed(event, now_ms)
            if error is not None:
                self._end_session(error)
        elif held.peeks.owns(event.snapshot):
            held.peeks.snapshot_failed(event)
        else:
            for sink in held.sinks.values():
                if sink.owns(event.snapshot):
                    sink.snapshot_failed(now_ms)

    def _end_session(self, error: AntiphonError) -> None:
        """Only a new set of commands can mend this. Without a connection one is on its way."""
        connection = self._connection
        if connection is None or connection.broken:
            return
        connection.broken = True
        self._held.requests.append(EndSession(connection_id=connection.id, error=error))

    # Computation.

    def _advance(self, dataflow: InstalledDataflow) -> int:
        """One time of one dataflow. What it cannot compute, it says for good; a bug crashes."""
        try:
            used = dataflow.advance()
        except ComputeError as error:
            failure = failure_of(error)
            dataflow.fail(failure)
            for export in dataflow.exports:
                if export.subscription is not None:
                    export.subscription.fail(failure)
            used = 1
        for export in dataflow.exports:
            export.load_dependents()
            self._held.moved[export.collection] = export
        if dataflow.frontier.is_closed or dataflow.failure is not None:
            self._held.stop_reading(dataflow)
        return used

    def _note_written(self, sink: Sink) -> None:
        """Its shard's upper is news to the controller, and what it held may go."""
        export = self._held.installed.find(sink.collection)
        assert export is not None, "a sink without its export"
        self._held.moved[sink.collection] = export
        self._held.compaction_due = True

    # What is due.

    def _ready(self, now_ms: int) -> WorkerReady:
        held = self._held
        connection = self._connection
        held.settle_drops()
        if connection is not None and connection.initialized:
            held.report()
        wakes = [self._maintain_at_ms, *(sink.work(now_ms) for sink in held.sinks.values())]
        held.compact()
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
        return WorkerReady(
            requests=requests,
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
        self._progress_due = False
        self._progress_at_ms = now_ms
        dataflows = self._held.installed.dataflows
        progress = WorkerProgress(
            applied_position=self._applied,
            hydration=tuple(one.progress() for one in dataflows if not one.hydrated),
            dataflows=tuple(one.facts() for one in dataflows),
            backlog_ticks=max((one.pending_ticks for one in dataflows), default=0),
        )
        if progress == self._progress:
            return None
        self._progress = progress
        return progress
