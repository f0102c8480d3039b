"""How an instance is doing, as one value: what status calls, SHOW and the console all say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from antiphon.controller.catalog import Catalog
from antiphon.controller.engine.decision import Sync
from antiphon.controller.instance.replicas import retaining, syncing
from antiphon.controller.instance.state import DecisionRecord, Installed, Replica, State
from antiphon.controller.rebuild_status import RebuildStatus, rebuild_status
from antiphon.history.retention import Pin
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, HistoryId, ReplicaId, show
from antiphon.protocol.limits import STATE_BYTES_MAX, WORKER_SILENCE_MS
from antiphon.protocol.response import HydrationProgress, Status
from antiphon.protocol.stage import Stage

BY_ORCHESTRATOR: Final = "local"  # the address of what the orchestrator runs


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStatus:
    collection: CollectionId
    name: str
    write_frontier: Frontier
    hydrated: bool
    lag_ms: int  # behind the timeline's upper; 0: up to date
    progress: HydrationProgress | None
    failed: bool = False  # its dataflow cannot run there; reads say why


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaStatus:
    name: str
    address: str
    read_only: bool
    stage: Stage
    link: str  # connected, connecting, refused
    decision: SyncDecision | None
    reason: str
    applied_position: int
    lag_ms: int
    resident_bytes: int
    state_bytes: int  # what its dataflows hold
    state_bytes_max: int | None  # with as many it is full; None: there is no limit
    worker_silence_ms: int  # how long it has left unanswered what it was given
    session: str  # how far the latest is: issued, running, completed, failed; empty: none needed
    accepted: bool  # strict reads use it
    pin: Pin | None  # what of the log is kept for it
    pin_state: str  # reserved, extended, lost; empty without one
    base: str  # where what it rebuilt took its content from, and why; empty: it rebuilt nothing
    content: str  # what its content was compared with before it counted
    rebuild: RebuildStatus | None
    collections: tuple[CollectionStatus, ...]

    @property
    def is_full(self) -> bool:
        """Whether it refuses new dataflows for want of memory. Those that it has go on."""
        limit = self.state_bytes_max
        return self.link == "connected" and limit is not None and self.state_bytes >= limit

    @property
    def is_ready(self) -> bool:
        """Whether it can answer reads of everything."""
        is_alive = self.link == "connected" and self.worker_silence_ms < WORKER_SILENCE_MS
        return is_alive and all(c.hydrated for c in self.collections)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceStatus:
    name: str
    epoch: int
    head: int
    timeline_upper: int
    mode: str
    mode_reason: str
    base: int  # up to it the history is folded
    log_commands: int  # those after it
    log_bytes: int
    history_id: HistoryId
    replicas: tuple[ReplicaStatus, ...]
    peeks_pending: int
    subscribes_active: int


def instance_status(state: State, catalog: Catalog) -> InstanceStatus:
    """O(replicas and their dataflows)."""
    replicas = tuple(replica_status(state, r, catalog) for r in state.replicas.values())
    mode = syncing.projection(state)
    return InstanceStatus(
        name=state.config.name,
        epoch=state.config.epoch,
        head=state.head,
        timeline_upper=state.timeline_upper,
        mode=mode.mode.value,
        mode_reason=mode.because + _warmth(state, replicas) + _full(replicas),
        base=state.retention.base,
        log_commands=state.retention.entry_count,
        log_bytes=state.retention.byte_count,
        history_id=state.config.history_id,
        replicas=replicas,
        peeks_pending=len(state.peeks),
        subscribes_active=len(state.subscribes),
    )


def _warmth(state: State, replicas: tuple[ReplicaStatus, ...]) -> str:
    """What somebody waits for who is about to promote a standby."""
    if not state.config.standby:
        return ""
    warm = sum(replica.is_ready for replica in replicas)
    return f"; {warm} of {len(replicas)} replicas are warm"


def _full(replicas: tuple[ReplicaStatus, ...]) -> str:
    """What is no trouble yet, and ends in a replica that dies unless somebody looks."""
    return "".join(f"; {one.name} is full" for one in replicas if one.is_full)


def _limit(status: Status | None) -> int | None:
    """Of what its dataflows may hold."""
    if status is None or status.state_bytes_max == STATE_BYTES_MAX:
        return None
    return status.state_bytes_max


def decisions(state: State) -> Iterator[tuple[ReplicaId, DecisionRecord]]:
    """What was decided about each replica and why, the oldest first of each: the words that status,
    `explain replica` and `antiphon.decisions` say."""
    for replica in state.replicas.values():
        for record in replica.decisions:
            yield replica.id, record


def replica_status(state: State, replica: Replica, catalog: Catalog) -> ReplicaStatus:
    record = replica.decisions[-1] if replica.decisions else None
    latest = None if record is None else record.decision
    collections = tuple(
        _collection_status(state, replica, collection, installed, catalog)
        for collection, installed in sorted(replica.installed.items())
        if not installed.dropping
    )
    status = replica.status
    view = state.sync.view(replica.id)
    session = None if view is None else view.session
    pinned = retaining.pin_of(state, replica.id)
    waiting = replica.last_loss or "not reached yet"
    silence_ms = status.backlog_age_ms if status is not None and replica.is_open else 0
    reason = latest.reason if latest is not None and replica.is_open else waiting
    if silence_ms >= WORKER_SILENCE_MS:
        reason = f"its worker has been silent for {silence_ms // 1000} s"
    elif status is not None and replica.is_open and status.is_full:
        reason = (
            f"it is full: its dataflows hold {status.state_bytes} bytes, and state_bytes_max is"
            f" {status.state_bytes_max}. It refuses new ones; drop an index or a view, or raise it"
            " with ALTER SYSTEM SET state_bytes_max"
        )
    lag_ms = max((c.lag_ms for c in collections), default=0) if replica.is_open else 0
    return ReplicaStatus(
        name=replica.id,
        address=replica.address or BY_ORCHESTRATOR,
        read_only=replica.read_only,
        stage=Stage.CLOSED if status is None else status.stage,
        link=replica.link.value,
        decision=latest.sync if isinstance(latest, Sync) else None,
        reason=reason,
        applied_position=0 if status is None else status.applied_position,
        lag_ms=lag_ms,
        resident_bytes=0 if status is None else status.resident_bytes,
        state_bytes=0 if status is None else status.state_bytes,
        state_bytes_max=_limit(status),
        worker_silence_ms=silence_ms,
        session="" if session is None else session.state.value,
        accepted=replica.accepted and replica.is_open,
        pin=None if pinned is None else pinned[0],
        pin_state="" if pinned is None else pinned[1].value,
        base=record.base if record is not None else "",
        content=record.content if record is not None else "",
        rebuild=rebuild_status(state, replica, lag_ms),
        collections=collections if replica.is_open else (),
    )


def _collection_status(
    state: State,
    replica: Replica,
    collection: CollectionId,
    installed: Installed,
    catalog: Catalog,
) -> CollectionStatus:
    item = catalog.items.get(collection)
    status = replica.status
    progress = status.hydration if status is not None else ()
    reached = installed.output_frontier.time
    return CollectionStatus(
        collection=collection,
        name=show(collection) if item is None else item.name,
        write_frontier=installed.write_frontier,
        hydrated=installed.hydrated,
        lag_ms=0 if reached is None else max(state.timeline_upper - reached, 0),
        progress=next((p for p in progress if p.collection == collection), None),
        failed=status is not None and collection in status.failed,
    )
