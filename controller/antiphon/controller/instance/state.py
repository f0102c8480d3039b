"""What an instance knows: collections, replicas, pending work. Changed only within a step.

A collection's `since` and `holds` are written by `holds.py` alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final, NamedTuple

import pyarrow as pa

from antiphon.controller.engine.decision import Decision
from antiphon.controller.engine.policy import DEFAULT, Policy
from antiphon.controller.engine.session import SessionRef
from antiphon.controller.engine.view import EngineState
from antiphon.controller.instance.event import StoredInput
from antiphon.controller.instance.replicas.log import CommandLog
from antiphon.history.retention import RetentionState
from antiphon.protocol.command import Peek, UpdateConfiguration
from antiphon.protocol.dataflow import CollectionKind, DataflowDescription
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    InstanceId,
    PeekId,
    Position,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.limits import (
    COMPACTION_INTERVAL_MS,
    COMPARE_INTERVAL_MS,
    REPLICA_HOLD_MS,
    RETAIN_MS,
)
from antiphon.protocol.response import Failure, RebuildProgress, Status
from antiphon.protocol.schema import Schema
from antiphon.protocol.version import SPOKEN, VersionRange

DECISIONS_KEPT_MAX: Final = 64  # for each replica: enough to see a crash loop
NO_SESSION: Final = SessionId(0)
STORED_KINDS: Final = (CollectionKind.TABLE, CollectionKind.FEED)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceConfig:
    """What a controller is started with, and, of some of it, what was configured since."""

    instance_id: InstanceId
    name: str
    history_id: HistoryId
    epoch: Epoch
    claim_id: ClaimId
    read_only: bool = False
    standby: bool = False  # another controller writes the history; ours follow it read-only
    retain_ms: int = RETAIN_MS  # how far reads may lie behind the latest completed write
    hydration_limit: int = 4  # dataflows that a replica fills at once
    peek_wait_ms: int = 30_000  # how long a read waits for any replica at all
    replica_gone_ms: int = REPLICA_HOLD_MS  # afterwards a lost replica holds nothing back
    rebuild_from_peers: int = 1  # 0: never, 1: if the store gives nothing, 2: first
    compare_ms: int = COMPARE_INTERVAL_MS  # between two comparisons of the replicas' content
    beat_ms: int = COMPACTION_INTERVAL_MS  # compaction is sent and persisted at most that often
    configuration: Mapping[str, str] = field(default_factory=dict)
    versions: VersionRange = SPOKEN  # of the protocol, that this controller speaks
    version_floor: int = 1  # the lowest that the history still permits
    policy: Policy = DEFAULT  # budgets of sync sessions, and what the history keeps


class HoldKind(IntEnum):
    """Why a time must stay readable."""

    PEEK = 1
    SUBSCRIBE = 2
    DEPENDANT = 3  # a maintained dataflow that imports it
    INPUT = 4  # a replica that has yet to read it
    INSTALL = 5  # a statement that is not durable yet
    SINK = 6  # a materialized view's own next output
    COPY = 7
    NAMED = 8  # a subscriber that may be away
    REPAIR = 9  # the base of a rebuild
    BASE = 10  # what another replica reads from an index there
    CHECK = 11  # what is compared before a rebuild is accepted


class Holder(NamedTuple):
    kind: HoldKind
    owner: int | bytes
    replica: str = ""


@dataclass(slots=True, kw_only=True)
class Collection:
    """A table, a feed, or what a maintained dataflow exports."""

    id: CollectionId
    kind: CollectionKind
    schema: Schema
    since: Frontier
    write_frontier: Frontier  # the furthest that anyone reported; tables and feeds: the timeline's
    holds: dict[Holder, Frontier] = field(default_factory=dict)
    dataflow: DataflowDescription | None = None  # None: a table or a feed
    position: Position = NO_POSITION
    fingerprint: bytes = b""  # of the dataflow
    shard_upper: Frontier | None = None  # materialized views only
    dropped_at: Position | None = None  # the position of its drop
    inputs: tuple[CollectionId, ...] = field(init=False, default=())
    stored_inputs: tuple[CollectionId, ...] = field(init=False, default=())
    local_inputs: tuple[CollectionId, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        if self.dataflow is not None:
            imports = self.dataflow.imports
            self.inputs = tuple(i.collection for i in imports)
            self.stored_inputs = tuple(i.collection for i in imports if i.kind in STORED_KINDS)
            self.local_inputs = tuple(i.collection for i in imports if i.kind not in STORED_KINDS)

    @property
    def is_stored(self) -> bool:
        """Clients write it."""
        return self.dataflow is None

    @property
    def is_in_store(self) -> bool:
        """Whoever writes it, others read it from the store."""
        return self.is_stored or self.kind is CollectionKind.MATERIALIZED_VIEW


class LinkState(Enum):
    CONNECTING = "connecting"
    OPEN = "connected"
    REFUSED = "refused"


@dataclass(slots=True, kw_only=True)
class Installed:
    """One dataflow on one replica, as of this connection."""

    as_of: Frontier
    write_frontier: Frontier
    input_frontier: Frontier
    output_frontier: Frontier
    stored_inputs: tuple[CollectionId, ...]
    local_inputs: tuple[CollectionId, ...]
    is_transient: bool
    scheduled: bool = False
    dropping: bool = False  # the drop was sent, `Dropped` has yet to come
    compacted: Frontier  # what the replica was last told

    @property
    def hydrated(self) -> bool:
        return self.as_of.less_than(self.output_frontier)


@dataclass(slots=True, kw_only=True)
class Owed:
    """What a sync session has to see filled before it is over."""

    session: SessionRef
    unfilled: dict[CollectionId, None]
    filled_count: int


@dataclass(slots=True, kw_only=True)
class DecisionRecord:
    """`outcome`: how far its session is, or what became of it; empty: it opened none. `bases`: from
    where it took the content that it began with and why, one after the other. `content`: what its
    content was compared with before it counted, and what came of it."""

    at_ms: int
    session_id: SessionId
    decision: Decision
    outcome: str = ""
    bases: list[str] = field(default_factory=list)
    content: str = ""

    @property
    def base(self) -> str:
        return "; then ".join(self.bases)


@dataclass(slots=True, kw_only=True)
class Base:
    """Where what a replica rebuilds takes its content from; changed by `bases` alone."""

    doubt: str  # why no other replica is believed; empty: they are
    peer: ReplicaId | None = None  # None: the store
    held: dict[CollectionId, CollectionId] = field(default_factory=dict)  # inputs: what it has
    failed: dict[str, str] = field(default_factory=dict)  # who was tried before, and why not
    holding: dict[CollectionId, set[CollectionId]] = field(default_factory=dict)  # by reader
    seen: tuple[int, int] | None = None  # dataflows filled, rows: as last moved
    moved_at_ms: int = 0


class Finding(NamedTuple):
    """`words` say what was compared, or why nothing; `differing`: what is not the same there;
    `is_due`: as soon as there is somebody, it is to be compared."""

    words: str
    other: ReplicaId | None = None
    differing: tuple[CollectionId, ...] = ()
    own_digest: bytes = b""
    other_digest: bytes = b""
    is_due: bool = False


@dataclass(slots=True, kw_only=True)
class Check:
    """The content digests of a rebuild and of a replica that is up to date, as far as they were
    told; changed by `verifying` alone."""

    other: ReplicaId
    time: int
    collections: tuple[CollectionId, ...]
    told: dict[ReplicaId, dict[CollectionId, bytes]]  # its own first
    deadline_ms: int
    ask_at_ms: dict[ReplicaId, int] = field(default_factory=dict)  # again; each sums all it holds
    passed_over: list[ReplicaId]


@dataclass(slots=True, kw_only=True)
class Replica:
    id: ReplicaId
    address: str
    read_only: bool = False  # it is not allowed to write until it is promoted
    link: LinkState = LinkState.CONNECTING
    connection_id: ConnectionId | None = None
    protocol_version: int = 0  # of the last session; 0: there was none
    accepted: bool = False  # strict reads use it, and it may write: what the engine says
    troubled: bool = False  # its front answers, and its worker does not
    repairing: SessionId | None = None  # a rebuild of what differs there: no reads until it is over
    wrong: bool = False  # found to hold something else than the others, and not yet found right
    repair_failures: list[str] = field(default_factory=list)  # since it was last right
    anew: bool = False  # it holds what was built anew, so what its session comes to is compared
    uncompared: bool = False  # and was accepted while there was nobody to compare it with
    base: Base | None = None  # None: it rebuilds nothing, or reads the store as always
    check: Check | None = None
    differences: list[Finding] = field(default_factory=list)  # of sessions since it was accepted
    distrusted: str = ""  # why its session has to end: its content is wrong, and not to be mended
    reached_at: str = ""  # the address at which its link reaches it
    reported: bool = False  # it has said something that follows its initialization
    installed: dict[CollectionId, Installed] = field(default_factory=dict)
    # Of those, so that nobody walks all of them; whoever looks crosses off what is over.
    waiting: dict[CollectionId, None] = field(default_factory=dict)  # not scheduled
    kept: list[CollectionId] = field(default_factory=list)  # not scheduled, but filled
    filling: dict[CollectionId, None] = field(default_factory=dict)  # scheduled, not filled
    owed: Owed | None = None  # what the session that is active waits for; None: nobody has asked
    lost_at_ms: int | None = None  # None: connected, or never was
    connections: int = 0
    facts: ReplicaFacts | None = None
    status: Status | None = None
    draining: str | None = None
    last_loss: str = ""
    decisions: deque[DecisionRecord] = field(
        default_factory=lambda: deque(maxlen=DECISIONS_KEPT_MAX)
    )

    @property
    def is_open(self) -> bool:
        return self.link is LinkState.OPEN

    @property
    def is_awaited(self) -> bool:
        """Nothing was heard of it yet, not even that it cannot be reached."""
        is_new = not self.connections and self.lost_at_ms is None
        return is_new and self.link is LinkState.CONNECTING

    @property
    def is_unproven(self) -> bool:
        """It holds what was built anew and was not yet compared with anybody's."""
        return self.uncompared or (self.anew and not self.accepted)

    def install(self, collection: CollectionId, installed: Installed) -> None:
        """A dataflow that waits to be scheduled."""
        self.installed[collection] = installed
        if installed.hydrated:
            self.kept.append(collection)
        else:
            self.waiting[collection] = None

    def uninstall_all(self) -> None:
        self.installed.clear()
        self.waiting.clear()
        self.kept.clear()
        self.filling.clear()
        self.owed = None


@dataclass(slots=True, kw_only=True)
class PendingPeek:
    request: int
    command: Peek
    imports: tuple[CollectionId, ...]
    replica: ReplicaId | None
    asked: set[ReplicaId] = field(default_factory=set)  # who has been sent it, and may answer
    # Who was told to stop, and has not answered to that: what it still says is nothing.
    withdrawn: set[ReplicaId] = field(default_factory=set)
    failures: dict[ReplicaId, Failure] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Subscribe:
    request: int
    collection: CollectionId
    dataflow: DataflowDescription
    imports: tuple[CollectionId, ...]
    frontier: Frontier  # everything before it was delivered
    replica: ReplicaId | None
    arrow: pa.Schema  # of its batches
    hold: str = ""  # the named hold that it runs under
    deadline_ms: int | None = None  # for the first word of any replica; None: it has begun
    failures: dict[ReplicaId, Failure] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CopyTo:
    request: int
    collection: CollectionId
    dataflow: DataflowDescription
    imports: tuple[CollectionId, ...]
    replica: ReplicaId | None  # the only one that may be asked
    deadline_ms: int  # while nobody is asked
    asked: ReplicaId | None = None  # who is writing it
    failures: dict[ReplicaId, Failure] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PendingInstall:
    """A statement on its way into the store; its `as_of`s are held until it is there."""

    request: int
    stored: tuple[StoredInput, ...]
    dataflows: tuple[DataflowDescription, ...]
    drops: tuple[CollectionId, ...]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Comparison:
    """The content digests of all replicas at one time, as far as they were told."""

    time: int
    deadline_ms: int
    waiting: set[ReplicaId]
    told: dict[ReplicaId, Mapping[CollectionId, bytes]]


@dataclass(slots=True, kw_only=True)
class Repair:
    """A rebuild session of what differs on one replica."""

    session_id: SessionId
    replica: ReplicaId
    collections: tuple[CollectionId, ...]
    held: tuple[CollectionId, ...]  # at its base: what it reads, and what it is compared with
    record: DecisionRecord
    peer: ReplicaId | None = None  # None: the store gives its base
    told: tuple[int, dict[CollectionId, bytes]] | None = None  # its result: time, and digests
    seen: RebuildProgress | None = None
    moved_at_ms: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    config: InstanceConfig  # what is in force
    given: InstanceConfig = field(init=False)  # what the controller was started with
    timeline_upper: int
    head: Position
    head_digest: bytes
    log: CommandLog = field(default_factory=CommandLog)
    collections: dict[CollectionId, Collection] = field(default_factory=dict)
    replicas: dict[ReplicaId, Replica] = field(default_factory=dict)
    peeks: dict[PeekId, PendingPeek] = field(default_factory=dict)
    peek_of_request: dict[int, PeekId] = field(default_factory=dict)
    peek_deadlines: list[tuple[int, bytes]] = field(default_factory=list)  # a heap
    subscribes: dict[CollectionId, Subscribe] = field(default_factory=dict)
    subscribe_of_request: dict[int, CollectionId] = field(default_factory=dict)
    copies: dict[CollectionId, CopyTo] = field(default_factory=dict)
    named_holds: dict[str, tuple[CollectionId, ...]] = field(default_factory=dict)  # their inputs
    installs: dict[int, PendingInstall] = field(default_factory=dict)
    # What is kept up to date and depends on the clock: while there is any, time moves by itself.
    clocked: set[CollectionId] = field(default_factory=set)
    # The latest merged configuration of the history, and where it stands.
    configuration: tuple[Position, UpdateConfiguration] | None = None
    moved: bool = True  # something may allow compaction since the last beat
    # So long replicas that were there before this controller began may come back to it.
    unheard_until_ms: int = 0
    last_beat_ms: int = 0
    compaction_in_flight: bool = False
    retention: RetentionState = field(init=False)
    sync: EngineState = field(init=False)  # changed by `syncing` alone
    sync_wake_at_ms: int | None = None  # when a session's budget runs out
    probes: int = 0  # that were answered
    comparison: Comparison | None = None  # changed by `comparing` alone, as what follows
    compare_at_ms: int | None = None
    repair: Repair | None = None
    repair_sessions: int = 0
    repaired: set[ReplicaId] = field(default_factory=set)  # since all were last found equal
    # Whose rebuild from the store was refused for what it came to; once it comes to that again, it
    # is the other one that is wrong.
    refused: set[ReplicaId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.given = self.config
        self.retention = RetentionState(
            base=self.log.base, head=self.log.base, bounds=self.config.policy.bounds
        )
        self.sync = EngineState(instance_id=self.config.instance_id, policy=self.config.policy)

    @property
    def read_time(self) -> int:
        return self.timeline_upper - 1

    def awaits_facts(self, now_ms: int) -> bool:
        """Whether a replica from before this controller may have yet to read what its inputs were:
        it, or none at all, has told what it holds."""
        told = self.replicas and all(r.facts is not None for r in self.replicas.values())
        return not told and now_ms < self.unheard_until_ms

    def open_replicas(self) -> Iterator[Replica]:
        return (replica for replica in self.replicas.values() if replica.is_open)

    def live_dataflows(self) -> Iterator[Collection]:
        """Maintained collections that are not dropped, in order of position."""
        found = [c for c in self.collections.values() if not c.is_stored and c.dropped_at is None]
        return iter(sorted(found, key=lambda collection: collection.position))
