"""What the sync engine knows of an instance: one value, equal where the same facts were seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from antiphon.controller.engine.decision import Decision, Sync
from antiphon.controller.engine.event import Role
from antiphon.controller.engine.policy import DEFAULT, Policy
from antiphon.controller.engine.session import Session, SessionState
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import (
    NO_EPOCH,
    NO_POSITION,
    NO_SESSION,
    ClaimId,
    ConnectionId,
    Epoch,
    InstanceId,
    Position,
    ReplicaId,
    SessionId,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What has to be so before the instance can be healthy; void with every epoch and role."""

    role_applied: bool = False
    history_open: bool = False
    links_configured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One assigned replica, under the current epoch."""

    replica: ReplicaId
    address: str
    connected: bool = False
    trouble: str = ""  # what is wrong with its process, in words
    request: int = 0  # the latest probe that was answered
    connection_id: ConnectionId | None = None
    facts: ReplicaFacts | None = None
    durable: Position = NO_POSITION  # acknowledged; never moves back within an epoch
    decision: Decision | None = None
    session: Session | None = None
    failures: int = 0  # in a row, by what was found
    owed: bool = (
        False  # this process has begun a session, here or elsewhere; none was accepted since
    )
    unproven: bool = False  # and in it, its content was to be compared
    differed: bool = False  # and it was found to hold something else than the others

    @property
    def active(self) -> Session | None:
        return self.session if self.session is not None and self.session.is_active else None

    @property
    def has_failed(self) -> bool:
        return self.session is not None and self.session.state is SessionState.FAILED

    @property
    def serves(self) -> bool:
        """Whether strict reads may use it now."""
        return self.connected and self.is_synced and not self.trouble

    @property
    def is_synced(self) -> bool:
        """Whether it has all that its last decision asked for: only then may it be read from
        strictly, count as durable, and write."""
        if not isinstance(self.decision, Sync):
            return False
        if self.session is None:
            return self.decision.sync is SyncDecision.KEEP_UP
        return self.session.state is SessionState.COMPLETED


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """`views` and `sessions` are sorted by replica."""

    instance_id: InstanceId
    policy: Policy = DEFAULT
    epoch: Epoch = NO_EPOCH
    claim_id: ClaimId | None = None
    role: Role | None = None  # None: nothing was assigned yet
    readiness: Readiness = field(default_factory=Readiness)
    barrier: Position | None = None  # None: the store has confirmed nothing under this epoch
    base: Position = NO_POSITION
    head: Position = NO_POSITION
    views: tuple[View, ...] = ()
    sessions: tuple[tuple[ReplicaId, SessionId], ...] = ()  # the last id of each; outlives epochs

    def view(self, replica: ReplicaId) -> View | None:
        return next((view for view in self.views if view.replica == replica), None)

    def last_session(self, replica: ReplicaId) -> SessionId:
        return dict(self.sessions).get(replica, NO_SESSION)

    @property
    def durable(self) -> Position:
        """What a quorum of replicas has acknowledged as durable. One that is still being brought
        up to date does not count: what it acknowledges it may lose with its session."""
        counted = sorted((view.durable for view in self.views if view.is_synced), reverse=True)
        quorum = self.policy.durable_quorum
        return counted[quorum - 1] if len(counted) >= quorum else NO_POSITION


def with_view(state: EngineState, view: View) -> EngineState:
    """The state with the view in the place of that replica's."""
    return replace(
        state,
        views=tuple(view if each.replica == view.replica else each for each in state.views),
    )
