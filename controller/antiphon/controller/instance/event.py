"""What happens to an instance: requests, facts, responses, durable moments, the clock.

All random ids come with the event that needs them; all times are the caller's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from antiphon.history.store import StoredCommand
from antiphon.protocol.command import IndexTarget, PlanTarget
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription, Finishing
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, PeekId, Position, ReplicaId
from antiphon.protocol.response import Response
from antiphon.protocol.schema import Schema

# Requests. `request` is the caller's number: the answer carries it.


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInput:
    """A table or a feed that the statement creates."""

    collection: CollectionId
    kind: CollectionKind
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRequested:
    """A statement makes these collections and drops those. Answered by entries, which the driver
    makes durable together with the statement's catalog rows, and then says so with
    `InstallDurable` or `InstallRefused`; or by an error reply, and then nothing happened."""

    request: int
    stored: tuple[StoredInput, ...] = ()
    dataflows: tuple[DataflowDescription, ...] = ()  # their as_of is chosen here
    drops: tuple[CollectionId, ...] = ()  # dependants before what they need
    settings: Mapping[str, str] = field(default_factory=dict)  # checked; empty: none change


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallDurable:
    """`positions` of the request's numbered entries, in their order."""

    request: int
    positions: tuple[Position, ...]
    head: Position
    head_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRefused:
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekRequested:
    request: int
    peek_id: PeekId
    target: IndexTarget | PlanTarget
    schema: Schema
    finishing: Finishing
    imports: tuple[CollectionId, ...]  # what it reads, for the read holds
    time: int | None  # None: after the latest completed write
    replica: ReplicaId | None  # None: any
    rows_max: int
    bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeRequested:
    request: int
    collection: CollectionId  # transient
    dataflow: DataflowDescription  # its export and its as_of are chosen here
    imports: tuple[CollectionId, ...]
    with_snapshot: bool
    time: int | None  # of the snapshot; None: after the latest completed write
    resume_from: Frontier | None  # a frontier that the client has seen
    replica: ReplicaId | None
    hold: str = ""  # a named hold; its subscriber is there as long as this is


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTaken:
    """Keep `time` readable for a named hold. The caller has checked that it is."""

    name: str
    imports: tuple[CollectionId, ...]
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldMoved:
    name: str
    time: int


@dataclass(frozen=True, slots=True)
class HoldReleased:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequested:
    """Write the content of a query at one time to a file, at a replica."""

    request: int
    collection: CollectionId  # transient
    dataflow: DataflowDescription  # its export and its times are chosen here
    imports: tuple[CollectionId, ...]
    uri: str
    time: int | None  # None: after the latest completed write
    replica: ReplicaId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCanceled:
    """The caller of a peek, a subscribe or a copy is gone, or gave up."""

    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StashReleased:
    """A stashed result will not be fetched after all."""

    replica: ReplicaId
    peek_id: PeekId


# Durable moments.


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineAdvanced:
    """A tick is durable."""

    upper: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAdvanced:
    """A materialized view's shard was appended to."""

    collection: CollectionId
    upper: Frontier


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionDurable:
    """The entry of that content is durable."""

    compaction: Mapping[CollectionId, Frontier]


@dataclass(frozen=True, slots=True)
class CompactionRefused:
    """It is not; the next beat will try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A standby has read what the live controller made durable since it last looked."""

    upper: int  # of the timeline
    stored: tuple[StoredInput, ...]  # tables and feeds that are new
    commands: tuple[StoredCommand, ...]  # the next of the history
    gone: tuple[CollectionId, ...]  # tables and feeds that are not there any more
    shard_uppers: Mapping[CollectionId, Frontier]  # of materialized views


# Replicas and links.


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaAdded:
    replica: ReplicaId
    address: str  # empty: the orchestrator runs it
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WritesAllowed:
    """A replica that warmed up read-only may write from now on."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaRemoved:
    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaProbed:
    """The link reached the replica and waits for `open` or `close`."""

    replica: ReplicaId
    facts: ReplicaFacts
    connection_id: ConnectionId  # for the session that may follow
    address: str = ""  # where it was reached; empty: where it was said to be


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    """`connection_id` None: the probe failed, no session had begun."""

    replica: ReplicaId
    connection_id: ConnectionId | None
    reason: str
    found: str = ""  # a code, where the replica said that it cannot go on; else it was the way


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesReceived:
    replica: ReplicaId
    connection_id: ConnectionId
    responses: tuple[Response, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestsTold:
    """The answer to `AskDigests`; those that cannot be told are absent."""

    replica: ReplicaId
    time: int
    digests: Mapping[CollectionId, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolBroken:
    """What the replica said is illegal: its session must end."""

    replica: ReplicaId
    reason: str


@dataclass(frozen=True, slots=True)
class Ticked:
    """The clock reached `Ready.wake_at_ms`, or might have."""


Event = (
    InstallRequested | InstallDurable | InstallRefused | PeekRequested | SubscribeRequested
    | HoldTaken | HoldMoved | HoldReleased | CopyRequested
    | RequestCanceled | StashReleased | TimelineAdvanced | ShardAdvanced | CompactionDurable
    | CompactionRefused | ReplicaAdded | ReplicaRemoved | WritesAllowed | ReplicaProbed | LinkLost
    | ResponsesReceived | DigestsTold | ProtocolBroken | Followed | Ticked
)  # fmt: skip

EVENTS: Final[tuple[type[Event], ...]] = (
    InstallRequested, InstallDurable, InstallRefused, PeekRequested, SubscribeRequested,
    HoldTaken, HoldMoved, HoldReleased, CopyRequested,
    RequestCanceled, StashReleased, TimelineAdvanced, ShardAdvanced, CompactionDurable,
    CompactionRefused, ReplicaAdded, ReplicaRemoved, WritesAllowed, ReplicaProbed, LinkLost,
    ResponsesReceived, DigestsTold, ProtocolBroken, Followed, Ticked,
)  # fmt: skip
