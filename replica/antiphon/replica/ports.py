"""What a replica's worker and front ask of the world: values, and the ports that perform them.

The worker's requests go to the driver, which performs them over gRPC or, in the simulator, over
virtual links; answers come back to the worker as the events below. The driver's own ports stand at
the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.command import Sent, SyncDecision
from antiphon.protocol.errors import AntiphonError, ComputeError
from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_EPOCH,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    InstanceId,
    PeekId,
    Position,
)
from antiphon.protocol.limits import STATE_BYTES_MAX
from antiphon.protocol.response import (
    ArrangementState,
    HydrationProgress,
    RebuildProgress,
    Response,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.installing.reconcile import Key, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedDelta:
    """A delta as it travels: Arrow record batch messages without schema. Only the worker, which
    knows the schemas, opens them; everybody else passes bytes on."""

    rows: tuple[bytes, ...] = ()
    errors: tuple[bytes, ...] = ()


# Requests: worker to world.


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTail:
    """Replace the tail: deltas of exactly these collections, each from its frontier on. No
    collections: close it."""

    tail: int  # number of this tail; batches of older ones are late, not wrong
    collections: Mapping[CollectionId, Frontier]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSnapshot:
    """The content of a collection exactly at a time. Answered by `SnapshotPart`s. `peer`: the
    address of a replica that is asked instead of the store; it may give a feed's newer rows."""

    snapshot: int
    collection: CollectionId
    as_of: int
    peer: str = ""
    epoch: Epoch = NO_EPOCH  # of the controller that named the peer
    history_id: HistoryId | None = None  # whose collections a peer has to hold


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSnapshot:
    snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendShard:
    """Write a materialized view's delta, if the shard's upper is as expected. Not the `last`: it is
    the first piece, and `ShardPieceWanted` asks for the next."""

    append: int  # number of this append; its answer carries it
    collection: CollectionId
    expected_upper: Frontier
    new_upper: Frontier
    delta: EncodedDelta
    epoch: Epoch
    claim_id: ClaimId
    last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendPiece:
    """What follows the piece that was taken."""

    append: int
    delta: EncodedDelta
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAppend:
    """No more pieces come: nothing of it is appended. If it is over, there is nothing to do."""

    append: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stash:
    """A large result, kept by the front until fetched, canceled or expired."""

    peek_id: PeekId
    batches: tuple[bytes, ...]
    row_counts: tuple[int, ...]  # of each batch


@dataclass(frozen=True, slots=True, kw_only=True)
class DropStash:
    peek_id: PeekId


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSession:
    """The session cannot go on: the controller broke the protocol, or this replica needs a full
    set of commands to mend itself. The front ends the stream with `error`. `void`: what took effect
    so far is not known any more; otherwise the commands of the session still do."""

    connection_id: ConnectionId
    error: AntiphonError
    void: bool = False


# Requests to the worker's own process, which writes files beside the computation.


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile:
    """Write these rows to one file; complete under its name, or absent. Answered by `FileWritten`
    or `FileFailed`."""

    file: int
    uri: str
    format: str
    schema: Schema
    columns: tuple[pa.Array, ...]
    diffs: npt.NDArray[np.int64]  # how often each row is there


@dataclass(frozen=True, slots=True, kw_only=True)
class AbandonFile:
    """Nobody wants it any more; nothing is heard of it."""

    file: int


FileRequest = WriteFile | AbandonFile


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestsTold:
    """The content digests that were asked for; those that cannot be told then are absent."""

    ask: int
    digests: Mapping[CollectionId, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatePart:
    """A chunk of state for a peer. `digest`: of all chunks, with the last one."""

    index: int
    delta: EncodedDelta
    time: int
    rows_total: int
    last: bool
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTold:
    """The answer to `StateAsked` and to each `StateWanted`, until the last part or an error."""

    ask: int
    answer: StatePart | ComputeError


Request = (
    OpenTail | ReadSnapshot | CancelSnapshot | AppendShard | AppendPiece | CancelAppend
    | Stash | DropStash | EndSession | DigestsTold | StateTold
)  # fmt: skip


# Events: world to worker.


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A new session began: greeting passed, fencing checked. `decision` says what its commands are
    to those that took effect before."""

    connection_id: ConnectionId
    epoch: Epoch
    claim_id: ClaimId
    history_id: HistoryId
    decision: SyncDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    connection_id: ConnectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsReceived:
    connection_id: ConnectionId
    commands: tuple[Sent, ...]
    # The same as they came, a batch on the wire; empty: not at hand.
    encoded: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailReceived:
    """Deltas in [lower, upper) of the tail's collections. Maybe late, doubled, with a gap."""

    tail: int
    lower: Frontier
    upper: Frontier
    deltas: Mapping[CollectionId, EncodedDelta]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailFailed:
    """The tail cannot be served from where it was asked; what may pass by itself never comes
    here, it is retried below."""

    tail: int
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPart:
    """Rows of the content, times all at the snapshot's; `last` ends it. Of a peer: `index` counts
    its parts, and `time` is that of the rows."""

    snapshot: int
    delta: EncodedDelta
    rows_total: int
    last: bool
    index: int | None = None
    time: int | None = None
    digest: bytes = b""  # of all parts, with the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFailed:
    snapshot: int
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPieceWanted:
    """The piece before is on its way: there is room for the next."""

    append: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppended:
    append: int
    collection: CollectionId
    applied: bool
    upper: Frontier  # the shard's, after the call


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppendFailed:
    append: int
    collection: CollectionId
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWritten:
    file: int
    row_count: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFailed:
    file: int
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestsAsked:
    """Answered by `DigestsTold`, once what there is was summed."""

    ask: int
    collections: tuple[CollectionId, ...]
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateAsked:
    """A peer wants the content of a collection: at exactly `time`, or, of a feed, no older."""

    ask: int
    collection: CollectionId
    time: int
    first_chunk: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateWanted:
    """The peer has taken a chunk: the next one."""

    ask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StateEnded:
    """Nobody waits for the rest."""

    ask: int


Event = (
    DigestsAsked | StateAsked | StateWanted | StateEnded |
    Connected | Disconnected | CommandsReceived | TailReceived | TailFailed | SnapshotPart
    | SnapshotFailed | ShardPieceWanted | ShardAppended | ShardAppendFailed
    | FileWritten | FileFailed
)  # fmt: skip


# Frontiers, each with the dataflows that are there.
Reached = tuple[tuple[Frontier, tuple[Key, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProgress:
    """What a heartbeat tells of the worker, beyond that it lives. Of the dataflows that a later
    session could use only what changed since it was last told: first the keys go that are `gone`,
    then `dataflows` replace those of their keys."""

    applied_position: Position
    hydration: tuple[HydrationProgress, ...] = ()
    dataflows: tuple[DataflowFacts, ...] = ()
    gone: tuple[Key, ...] = ()
    # Of some, only how far they are by now, or from where on they can be read.
    passed: Reached = ()
    compacted: Reached = ()
    spoiled: bool = False  # a later session could use none at all
    backlog_ticks: int = 0
    failed: tuple[CollectionId, ...] = ()  # exports of dataflows that cannot run
    rebuild: RebuildProgress | None = None
    arrangements: tuple[ArrangementState, ...] = ()
    state_bytes: int = 0  # of all dataflows, as last measured
    state_bytes_max: int = STATE_BYTES_MAX
    # The connection whose full set is in force; what is said here is of it and of what followed.
    full_set: ConnectionId | None = None
    # What that full set meant for what there was; told once.
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady:
    """What the replica owes: requests first, then responses. `wake_at_ms` None: no deadline;
    `busy`: call `work` again at once. `files` stay within the worker's process."""

    requests: tuple[Request, ...] = ()
    files: tuple[FileRequest, ...] = ()
    responses: tuple[Response, ...] = ()
    connection_id: ConnectionId | None = None  # whose the responses are; None: there are none
    progress: WorkerProgress | None = None  # None: unchanged
    wake_at_ms: int | None = None
    busy: bool = False


# Ports of the driver. All calls return at once.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The newest controller this replica has obeyed, and the instance it thereby belongs to."""

    instance_id: InstanceId
    epoch: Epoch
    claim_id: ClaimId


class FencePort(Protocol):
    """The replica's memory of whom it obeyed; survives its process."""

    def load(self) -> Fence | None: ...

    def store(self, fence: Fence) -> None:
        """Durable when it returns: an older controller must stay fenced after a crash."""
        ...


class WorkerPort(Protocol):
    def post(self, event: Event) -> None:
        """In order; answered by `WorkerReady`s given to the driver."""
        ...


class CollectionsPort(Protocol):
    """The controller's Collections service. Failures that may pass are retried below the port."""

    def open_tail(self, request: OpenTail) -> None: ...

    def read_snapshot(self, request: ReadSnapshot) -> None: ...

    def cancel_snapshot(self, request: CancelSnapshot) -> None: ...

    def append_shard(self, request: AppendShard) -> None: ...

    def append_piece(self, request: AppendPiece) -> None: ...

    def cancel_append(self, request: CancelAppend) -> None: ...


class StreamPort(Protocol):
    """The session streams that controllers opened, by the numbers they were accepted under."""

    def send(
        self, stream: int, connection_id: ConnectionId, responses: tuple[Response, ...]
    ) -> None: ...

    def end(self, stream: int, error: AntiphonError) -> None:
        """The controller sees `error`; later sends to the stream are dropped."""
        ...
