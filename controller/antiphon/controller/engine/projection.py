"""How an instance is doing: one mode, with the reason for which it is not a better one.

A function of the state and of nothing else, worked out anew after every event and never read back.
The rows are in order of precedence: what is worst is shown, and of replicas that are equally badly
off the one with the lowest id. Keeping up is no trouble, so it never lowers the mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple

from antiphon.controller.engine.decision import Refusal
from antiphon.controller.engine.event import Role
from antiphon.controller.engine.view import EngineState, View
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import ReplicaId


class Mode(Enum):
    ALLOCATED_ONLY = "allocated_only"
    BOOTSTRAP_PENDING = "bootstrap_pending"
    REPLICA_READY = "replica_ready"
    PUBLISH_HEALTHY = "publish_healthy"
    DEGRADED = "degraded"
    NEEDS_REBUILD = "needs_rebuild"


# What the codes say. A failed session brings its own code, which says itself.
WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "replica_needs_rebuild": "its state is being rebuilt",
        "session_failed": "its session failed",
        "replica_disconnected": "it is not connected",
        "replica_troubled": "its process is in trouble",
        "transport_lost": "its connection was lost before it was up to date",
        "incarnation_changed": "it was started anew before it was up to date",
        "digest_mismatch": "what it holds is not what another replica holds",
        "pin_lost": "the log that it needs grew too long to be kept",
        "deadline_exceeded": "it took too long to bring it up to date",
        "progress_stalled": "bringing it up to date does not get on",
        "recovery_in_progress": "it is being brought up to date",
        "replica_not_primary": "nothing is written in this role",
        "allocated_only": "no replica belongs to the instance",
        "awaiting_role_apply": "the claim is not durable yet",
        "awaiting_history": "the history is not open yet",
        "awaiting_links_configured": "the links are not configured yet",
        "awaiting_links_connected": "no replica is connected",
        "awaiting_sync": "no replica is up to date yet",
        "awaiting_report": "it has not reported yet",
        "awaiting_barrier_durability": "the store has confirmed nothing yet",
        "bootstrap_pending": "it is starting",
        "": "all is well",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    mode: Mode
    reason: str  # a code
    words: str  # what it says
    replica: ReplicaId | None = None  # whom it is about
    serving: int = 0  # replicas that strict reads may use, whatever the mode

    @property
    def healthy(self) -> bool:
        return self.mode is Mode.PUBLISH_HEALTHY

    def __str__(self) -> str:
        """As every surface says it."""
        return f"{self.mode.value} because {self.because}"

    @property
    def because(self) -> str:
        return self.words if self.replica is None else f"{self.replica}: {self.words}"


class Finding(NamedTuple):
    code: str
    replica: ReplicaId | None = None
    words: str = ""  # if they are not those of the code


def project(state: EngineState) -> Projection:
    for mode, find in TABLE:
        found = find(state)
        if found is not None:
            return Projection(
                mode=mode,
                reason=found.code,
                words=found.words or WORDS.get(found.code, found.code.replace("_", " ")),
                replica=found.replica,
                serving=sum(1 for view in state.views if view.serves),
            )
    raise AssertionError("the last row applies to every state")


def _rebuilding(state: EngineState) -> Finding | None:
    return _first(
        state,
        lambda view: view.active is not None and view.active.ref.kind is SyncDecision.REBUILD,
        "replica_needs_rebuild",
    )


def _failed(state: EngineState) -> Finding | None:
    for view in state.views:
        if view.has_failed:
            assert view.session is not None, "a failure without a session"
            return Finding(view.session.reason or "session_failed", view.replica)
        if isinstance(view.decision, Refusal):
            return Finding(view.decision.code, view.replica, view.decision.reason)
    return None


def _troubled(state: EngineState) -> Finding | None:
    for view in state.views:
        if view.connected and view.trouble:
            return Finding("replica_troubled", view.replica, view.trouble)
    return None


def _recovering(state: EngineState) -> Finding | None:
    return _first(state, lambda view: view.active is not None, "recovery_in_progress")


def _ready_to_take_over(state: EngineState) -> Finding | None:
    if state.role in {None, Role.PRIMARY} or not state.readiness.history_open:
        return None
    return Finding("replica_not_primary") if _all_serve(state) else None


def _without_replicas(state: EngineState) -> Finding | None:
    if state.role is Role.PRIMARY and not state.views:
        return Finding("allocated_only")
    return None


def _healthy(state: EngineState) -> Finding | None:
    is_healthy = state.role is Role.PRIMARY and _missing(state) is None and _all_serve(state)
    return Finding("") if is_healthy else None


def _partly(state: EngineState) -> Finding | None:
    if not any(view.serves for view in state.views):
        return None
    return _first(state, lambda view: not view.connected, "replica_disconnected")


def _starting(state: EngineState) -> Finding | None:
    if state.role is None:
        return None
    waiting = _first(state, lambda view: not view.is_synced, "awaiting_report")
    return _missing(state) or waiting or Finding("bootstrap_pending")


def _missing(state: EngineState) -> Finding | None:
    """The first of the conditions that have nothing to do with a particular replica."""
    readiness = state.readiness
    conditions = (
        (readiness.role_applied, "awaiting_role_apply"),
        (readiness.history_open, "awaiting_history"),
        (readiness.links_configured, "awaiting_links_configured"),
        (any(view.connected for view in state.views), "awaiting_links_connected"),
        (any(view.is_synced for view in state.views), "awaiting_sync"),
        (
            state.barrier is not None or state.role is not Role.PRIMARY,
            "awaiting_barrier_durability",
        ),
    )
    return next((Finding(code) for holds, code in conditions if not holds), None)


def _all_serve(state: EngineState) -> bool:
    return all(view.serves for view in state.views)


def _first(state: EngineState, when: Callable[[View], bool], code: str) -> Finding | None:
    return next((Finding(code, view.replica) for view in state.views if when(view)), None)


TABLE: Final[tuple[tuple[Mode, Callable[[EngineState], Finding | None]], ...]] = (
    (Mode.NEEDS_REBUILD, _rebuilding),
    (Mode.DEGRADED, _failed),
    (Mode.DEGRADED, _troubled),
    (Mode.BOOTSTRAP_PENDING, _recovering),
    (Mode.REPLICA_READY, _ready_to_take_over),
    (Mode.ALLOCATED_ONLY, _without_replicas),
    (Mode.PUBLISH_HEALTHY, _healthy),
    (Mode.DEGRADED, _partly),
    (Mode.BOOTSTRAP_PENDING, _starting),
    (Mode.ALLOCATED_ONLY, lambda _: Finding("allocated_only")),
)
