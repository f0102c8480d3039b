"""What the sync engine is told, and what it asks for. Two closed sets of values.

Events are facts. None of them says what should be done about it, and the order in which facts of
different replicas arrive makes no difference. Commands are carried out in their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from antiphon.controller.engine.decision import Decision, Refusal, Sync
from antiphon.controller.engine.observation import Observation
from antiphon.controller.engine.session import SessionRef
from antiphon.protocol.ids import (
    ClaimId,
    ConnectionId,
    Epoch,
    InstanceId,
    Position,
    ReplicaId,
    SessionId,
)


class Role(Enum):
    """What the controller is to the instance."""

    PRIMARY = "primary"  # speaks under its own claim; its replicas may write
    STANDBY = "standby"  # brings replicas of its own up to date, read-only
    FOLLOWER = "follower"  # only follows the history: it decides for nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignee:
    replica: ReplicaId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Who speaks, in which role, for which replicas. Repeating it is harmless."""

    instance_id: InstanceId
    epoch: Epoch
    claim_id: ClaimId
    role: Role
    replicas: tuple[Assignee, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessObserved:
    """None: unchanged. `connected`, `troubled`: of replicas of which there is news. `differed`:
    those that hold something else than the others, which could not be mended while they serve."""

    instance_id: InstanceId
    role_applied: bool | None = None  # the claim is durable
    history_open: bool | None = None  # the history and its collections were recovered
    links_configured: bool | None = None
    connected: tuple[tuple[ReplicaId, bool], ...] = ()
    troubled: tuple[tuple[ReplicaId, str], ...] = ()  # what is wrong with a process; "": nothing
    differed: tuple[ReplicaId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncAcked:
    """A replica answered a probe. The pin at its position was reserved before this was made.

    `request` grows with every probe of a replica, so that a late answer is told from a new one. A
    `connection_id` that is new means that the connection before it is gone.
    """

    instance_id: InstanceId
    request: int
    connection_id: ConnectionId
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionProgressed:
    instance_id: InstanceId
    replica: ReplicaId
    ref: SessionRef
    position: Position
    work: int = 0  # a measure of what was filled; that it grows is all that is asked of it


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCompleted:
    """The executor has closed, and this is what it left. `digest`: the replica's at `achieved`;
    `expected_digest`: ours there."""

    instance_id: InstanceId
    replica: ReplicaId
    ref: SessionRef
    achieved: Position
    durable: Position
    digest: bytes
    expected_digest: bytes
    base_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailed:
    instance_id: InstanceId
    replica: ReplicaId
    ref: SessionRef
    reason: str  # a code: one of `session.CIRCUMSTANCES`, or what was found


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierConfirmed:
    """The store holds everything up to `position` under this epoch."""

    instance_id: InstanceId
    epoch: Epoch
    position: Position


Event = (
    Assigned | ReadinessObserved | SyncAcked | SessionProgressed | SessionCompleted
    | SessionFailed | BarrierConfirmed
)  # fmt: skip
EVENTS: Final[tuple[type[Event], ...]] = (
    Assigned, ReadinessObserved, SyncAcked, SessionProgressed, SessionCompleted, SessionFailed,
    BarrierConfirmed,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRole:
    epoch: Epoch
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Idempotent: a link to that address is left alone, one to another is replaced."""

    replica: ReplicaId
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect:
    """The replica is no longer ours: its link ends, and its pin is released."""

    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    replica: ReplicaId
    connection_id: ConnectionId
    session_id: SessionId
    decision: Sync


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseSession:
    replica: ReplicaId
    connection_id: ConnectionId
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    """Whatever the replica still says of it changes nothing."""

    replica: ReplicaId
    session_id: SessionId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptSession:
    """What the session brought counts from now on: strict reads, durability."""

    replica: ReplicaId
    session_id: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowWrites:
    """Afresh on every connection, never before its session was accepted."""

    replica: ReplicaId


EngineCommand = (
    ApplyRole | Connect | Disconnect | OpenSession | RefuseSession | CloseSession
    | AcceptSession | AllowWrites
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision, as it is recorded: its reason is worded once, and said everywhere so."""

    at_ms: int
    replica: ReplicaId
    session_id: SessionId
    decision: Decision

    def __str__(self) -> str:
        return f"{self.replica}: {self.decision.reason}"
