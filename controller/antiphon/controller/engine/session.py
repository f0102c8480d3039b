"""A sync session: one contract between controller and replica, from its issue to its one end.

The target is frozen when the session is issued; what is commanded later follows on the same stream
and is no part of the contract. Ids grow strictly, so that a delayed start never replaces a newer
one. States are a table: the two terminal ones have no way out, so that nothing that comes late, or
twice, changes what has been declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from antiphon.controller.engine.policy import Budget
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import Epoch, Incarnation, Position, SessionId


class SessionState(Enum):
    ISSUED = "issued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


TRANSITIONS: Final[Mapping[SessionState, tuple[SessionState, ...]]] = MappingProxyType(
    {
        SessionState.ISSUED: (
            SessionState.RUNNING,
            SessionState.COMPLETED,
            SessionState.FAILED,
        ),
        SessionState.RUNNING: (
            SessionState.RUNNING,
            SessionState.COMPLETED,
            SessionState.FAILED,
        ),
        SessionState.COMPLETED: (),
        SessionState.FAILED: (),
    }
)
assert set(TRANSITIONS) == set(SessionState), "every state has a row"


class Rejection(Enum):
    """Why an event changed nothing; its value is what people read."""

    UNKNOWN_INSTANCE = "it names another instance"
    UNKNOWN_REPLICA = "no such replica is assigned"
    STALE_EPOCH = "its epoch is not the current one"
    STALE_CLAIM = "another claim of the epoch speaks"
    STALE_REQUEST = "a later report was seen already"
    STALE_SESSION = "it is not about the replica's current session"
    NOT_ACTIVE = "the session has ended"
    NO_PROGRESS = "it is not beyond what was seen already"
    BEYOND_TARGET = "it is beyond the session's frozen target"
    BELOW_TARGET = "the session's target is not reached"
    BASE_INCOMPLETE = "the base state is not complete"


# Ends that say nothing of what the replica holds: however often they happen, they are no reason to
# send it more. Slowness and distance are cured by waiting.
CIRCUMSTANCES: Final = frozenset(
    {
        "transport_lost",
        "progress_stalled",
        "deadline_exceeded",
        "pin_lost",
        "endpoint_changed",
        "incarnation_changed",
        "canceled",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRef:
    """Which session a report is about. All of it must match, or the report is of the past."""

    session_id: SessionId
    kind: SyncDecision
    epoch: Epoch
    incarnation: Incarnation


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    ref: SessionRef
    state: SessionState = SessionState.ISSUED
    start: Position
    target: Position  # frozen
    pin: Position  # the log is needed after it
    progress: Position
    work: int = 0  # the most that was filled
    issued_at_ms: int
    progressed_at_ms: int
    reason: str = ""  # of its failure

    @property
    def is_active(self) -> bool:
        return bool(TRANSITIONS[self.state])

    def mismatch(self, ref: SessionRef) -> Rejection | None:
        """Why a report about `ref` may not change this session."""
        if ref.epoch != self.ref.epoch:
            return Rejection.STALE_EPOCH
        if ref != self.ref:
            return Rejection.STALE_SESSION
        return None if self.is_active else Rejection.NOT_ACTIVE


def issue(
    ref: SessionRef,
    *,
    start: Position,
    target: Position,
    now_ms: int,
) -> Session:
    assert start <= target, f"a session from {start} back to {target}"
    return Session(
        ref=ref,
        start=start,
        target=target,
        pin=start,
        progress=start,
        issued_at_ms=now_ms,
        progressed_at_ms=now_ms,
    )


def progressed(
    session: Session, position: Position, now_ms: int, work: int = 0
) -> Session | Rejection:
    """Reports within the contract only: whoever observes the replica caps what it says. Commands
    that were applied are progress, and so is work on what they install."""
    assert session.is_active, f"progress of a session that is {session.state.value}"
    if position > session.target:
        return Rejection.BEYOND_TARGET
    if position < session.progress:
        return Rejection.NO_PROGRESS
    stands = position == session.progress and work <= session.work
    if stands and session.state is SessionState.RUNNING:
        return Rejection.NO_PROGRESS
    return replace(
        session,
        state=SessionState.RUNNING,
        progress=position,
        work=max(work, session.work),
        progressed_at_ms=now_ms,
    )


def completed(session: Session, achieved: Position, *, base_complete: bool) -> Session | Rejection:
    """Both lanes are needed: all commands up to the target, and all state that they start from."""
    assert session.is_active, f"completion of a session that is {session.state.value}"
    if not base_complete:
        return Rejection.BASE_INCOMPLETE
    if achieved < session.target:
        return Rejection.BELOW_TARGET
    return replace(session, state=SessionState.COMPLETED, progress=session.target)


def failed(session: Session, reason: str) -> Session:
    """Kind, start, target and pin stay, for whoever asks what it was."""
    assert session.is_active, f"failure of a session that is {session.state.value}"
    return replace(session, state=SessionState.FAILED, reason=reason)


def overrun(session: Session, budget: Budget, now_ms: int) -> str | None:
    """The reason for which the session has failed by now, if it has."""
    if not session.is_active:
        return None
    if 0 < budget.duration_ms_max < now_ms - session.issued_at_ms:
        return "deadline_exceeded"
    if 0 < budget.progress_ms_max < now_ms - session.progressed_at_ms:
        return "progress_stalled"
    return None


def overrun_at_ms(session: Session, budget: Budget) -> int | None:
    """When `overrun` has to be asked again; None: never."""
    if not session.is_active:
        return None
    deadlines = []
    if budget.duration_ms_max:
        deadlines.append(session.issued_at_ms + budget.duration_ms_max + 1)
    if budget.progress_ms_max:
        deadlines.append(session.progressed_at_ms + budget.progress_ms_max + 1)
    return min(deadlines, default=None)
