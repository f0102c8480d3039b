"""What a replica's worker asks of the world, as values. The front performs the requests over gRPC;
the simulator over virtual links. Answers come back as the events below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.protocol.command import Sent
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, Epoch, ClaimId
from antiphon.protocol.response import Response


# Requests: worker to world.


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTail:
    """Replace the tail: deltas of exactly these collections, each from its frontier on. None: close."""

    tail: int  # number of this tail; batches of older ones are late, not wrong
    collections: Mapping[CollectionId, Frontier]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSnapshot:
    """The content of a collection exactly at a time. Answered by `SnapshotPart`s."""

    snapshot: int
    collection: CollectionId
    as_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSnapshot:
    snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendShard:
    """Write a materialized view's delta, if the shard's upper is as expected."""

    collection: CollectionId
    expected_upper: Frontier
    new_upper: Frontier
    delta: Delta
    epoch: Epoch
    claim_id: ClaimId


@dataclass(frozen=True, slots=True, kw_only=True)
class Stash:
    """A large result, kept by the front until fetched, canceled or expired."""

    peek_id: bytes
    batches: tuple[bytes, ...]
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropStash:
    peek_id: bytes


Request = OpenTail | ReadSnapshot | CancelSnapshot | AppendShard | Stash | DropStash


# Events: world to worker.


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A new session began: greeting passed, fencing checked."""

    connection_id: ConnectionId
    epoch: Epoch
    claim_id: ClaimId


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    connection_id: ConnectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandsReceived:
    connection_id: ConnectionId
    commands: tuple[Sent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TailReceived:
    """Deltas in [lower, upper) of the tail's collections. Maybe late, doubled, with a gap."""

    tail: int
    lower: Frontier
    upper: Frontier
    deltas: Mapping[CollectionId, Delta]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPart:
    snapshot: int
    delta: Delta
    rows_total: int
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFailed:
    snapshot: int
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppended:
    collection: CollectionId
    applied: bool
    upper: Frontier  # the shard's, after the call


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppendFailed:
    collection: CollectionId
    error: ComputeError


Event = (
    Connected | Disconnected | CommandsReceived | TailReceived | SnapshotPart | SnapshotFailed
    | ShardAppended | ShardAppendFailed
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady:
    """What the replica owes: requests first, then responses. `wake_at_ms` None: no deadline;
    `busy`: call `work` again at once."""

    requests: tuple[Request, ...] = ()
    responses: tuple[Response, ...] = ()
    wake_at_ms: int | None = None
    busy: bool = False
