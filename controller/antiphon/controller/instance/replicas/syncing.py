"""The sync engine within the instance: what happens to replicas becomes its events.

The engine decides, this module tells it what it has to know, and whoever asked does what it says.
It is fed with facts alone: that a replica answered a probe, that a link was made or lost, how far a
session is, that a budget ran out. What it says comes back as `Replica.accepted`, which reads look
at, as the outcome of the decision that is on record, and as the mode.

A session is over once the replica has all commands up to the target, and everything is filled that
it should have had there: of a full set that is all of it, of a suffix what was installed before it.
What a suffix adds is filled like any dataflow that is made while the replica is connected. A
dataflow that cannot run is not waited for: reads of it are answered with the reason.
"""

from __future__ import annotations

from typing import Final

from antiphon.controller.engine import engine
from antiphon.controller.engine.engine import Stepped
from antiphon.controller.engine.event import (
    Assigned,
    Assignee,
    BarrierConfirmed,
    EngineCommand,
    Event,
    ReadinessObserved,
    Role,
    SessionCompleted,
    SessionFailed,
    SessionProgressed,
    SyncAcked,
)
from antiphon.controller.engine.observation import Observation
from antiphon.controller.engine.projection import Projection, project
from antiphon.controller.engine.session import Session, SessionState
from antiphon.controller.engine.view import View
from antiphon.controller.instance.content import verifying
from antiphon.controller.instance.ready import Outbox
from antiphon.controller.instance.state import (
    DecisionRecord,
    Finding,
    Installed,
    Owed,
    Replica,
    State,
)
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import (
    NO_POSITION,
    CollectionId,
    ConnectionId,
    Position,
    ReplicaId,
)
from antiphon.protocol.limits import WORKER_SILENCE_MS
from antiphon.protocol.stage import Stage

PROTOCOL_BROKEN: Final = "protocol_broken"
TRANSPORT_LOST: Final = "transport_lost"
_FILLED: Final = 1 << 48  # a dataflow that is filled outweighs all rows of those that are not
_SUFFIX: Final = (SyncDecision.KEEP_UP, SyncDecision.CATCH_UP)


def begin(state: State) -> None:
    """The claim is durable and the history is open, or there would be no instance."""
    assign(state, 0)
    instance_id = state.config.instance_id
    ready = ReadinessObserved(
        instance_id=instance_id, role_applied=True, history_open=True, links_configured=True
    )
    _feed(state, ready, 0)
    _feed(
        state,
        BarrierConfirmed(
            instance_id=instance_id, epoch=state.config.epoch, position=state.head
        ),
        0,
    )  # fmt: skip


def assign(state: State, now_ms: int) -> None:
    """Replicas came or went. Links are made and ended by whoever says so."""
    config = state.config
    _feed(
        state,
        Assigned(
            instance_id=config.instance_id,
            epoch=config.epoch,
            claim_id=config.claim_id,
            role=Role.STANDBY if config.read_only else Role.PRIMARY,
            replicas=tuple(
                Assignee(replica=replica.id, address=replica.address)
                for replica in state.replicas.values()
            ),
        ),
        now_ms,
    )


def probed(
    state: State, connection_id: ConnectionId, observation: Observation, now_ms: int
) -> tuple[EngineCommand, ...]:
    """The replica answered: what is to be done. Its decision is on record."""
    assert state.sync.epoch == state.config.epoch, "an instance has one epoch"
    state.probes += 1
    stepped = _feed(
        state,
        SyncAcked(
            instance_id=state.config.instance_id,
            request=state.probes,
            connection_id=connection_id,
            observation=observation,
        ),
        now_ms,
    )
    return stepped.commands


def connected(state: State, replica: Replica, *, is_so: bool) -> None:
    _observe(state, connected=((replica.id, is_so),))
    if not is_so:
        _observe(state, troubled=((replica.id, ""),))


def failed(state: State, replica: ReplicaId, reason: str) -> None:
    """The session, if there is one, is over. `reason`: of `session.CIRCUMSTANCES`, or what was
    found."""
    view = state.sync.view(replica)
    if view is None or view.active is None:
        return
    event = SessionFailed(
        instance_id=state.config.instance_id,
        replica=replica,
        ref=view.active.ref,
        reason=reason,
    )
    _feed(state, event, 0)


def heard(state: State, replica: Replica, out: Outbox, now_ms: int) -> tuple[EngineCommand, ...]:
    """After responses of a replica: how far its session is. O(1) while there is none."""
    _look_at_process(state, replica)
    session = active_session(state, replica.id)
    if session is None:
        return ()
    reached = _reached(replica, session)
    work, is_filled = _filling(state, replica, session)
    instance_id = state.config.instance_id
    _feed(
        state,
        SessionProgressed(
            instance_id=instance_id,
            replica=replica.id,
            ref=session.ref,
            position=reached,
            work=work,
        ),
        now_ms,
    )
    if reached < session.target or not is_filled:
        return ()
    # A suffix that leads elsewhere is refused by the replica, whose chain it extends; a full set
    # ends with the head's digest, which the replica takes over. So at the target they agree.
    digest = state.log.digest_at(session.target) or state.head_digest
    found = _content(state, replica, session, out, now_ms)
    if found is None:
        return ()
    completed = SessionCompleted(
        instance_id=instance_id,
        replica=replica.id,
        ref=session.ref,
        achieved=session.target,
        durable=NO_POSITION if replica.status is None else replica.status.durable_position,
        digest=digest + found.own_digest,
        expected_digest=digest + found.other_digest,
    )
    return _feed(state, completed, now_ms).commands


def _content(
    state: State, replica: Replica, session: Session, out: Outbox, now_ms: int
) -> Finding | None:
    """Whether what was built anew is what the others hold; None: not known yet."""
    if not replica.anew:
        return Finding("")
    cannot = () if replica.status is None else replica.status.failed
    filled = tuple(c for c in due(state, replica, session) if c not in cannot)
    found = verifying.look(state, replica, out, now_ms, collections=filled)
    if found is None:
        return None
    replica.decisions[-1].content = found.words
    if found.differing:
        replica.differences.append(found)
    else:
        replica.differences.clear()
        replica.anew = False
        verifying.settle(state, replica, found, is_empty=not filled)
    return found


def differed(state: State, replica: ReplicaId) -> None:
    """What it holds is wrong, and could not be mended."""
    _feed(
        state,
        ReadinessObserved(instance_id=state.config.instance_id, differed=(replica,)),
        0,
    )


def expired(state: State, now_ms: int) -> tuple[EngineCommand, ...]:
    """Sessions whose budgets have run out by now."""
    if state.sync_wake_at_ms is None or now_ms < state.sync_wake_at_ms:
        return ()
    return _keep(state, engine.expire(state.sync, now_ms)).commands


def active_session(state: State, replica: ReplicaId) -> Session | None:
    view = state.sync.view(replica)
    return None if view is None else view.active


def projection(state: State) -> Projection:
    return project(state.sync)


def _observe(
    state: State,
    *,
    connected: tuple[tuple[ReplicaId, bool], ...] = (),
    troubled: tuple[tuple[ReplicaId, str], ...] = (),
) -> None:
    instance_id = state.config.instance_id
    observed = ReadinessObserved(instance_id=instance_id, connected=connected, troubled=troubled)
    _feed(state, observed, 0)


def _look_at_process(state: State, replica: Replica) -> None:
    """The front answers for a worker that does not."""
    view, status = state.sync.view(replica.id), replica.status
    if view is None or status is None:
        return
    silence_ms = status.backlog_age_ms
    is_silent = silence_ms >= WORKER_SILENCE_MS
    if is_silent or view.trouble:
        words = f"its worker has been silent for {silence_ms // 1000} s" if is_silent else ""
        _observe(state, troubled=((replica.id, words),))


def _reached(replica: Replica, session: Session) -> Position:
    """How far it has come in this session, of what the session is about."""
    if replica.reported:
        return session.target
    status = replica.status
    if status is None or status.stage < Stage.READ_ONLY:
        return session.progress
    return max(session.progress, min(status.applied_position, session.target))


def _filling(state: State, replica: Replica, session: Session) -> tuple[int, bool]:
    """(a measure that grows with what is filled, whether all of the session's is). O(what is not
    filled yet), but for the first time."""
    owed = replica.owed
    if owed is None or owed.session != session.ref:
        owed = replica.owed = _owed(state, replica, session)
    for collection in list(owed.unfilled):
        installed = _maintained(state, replica, collection)
        if installed is None or installed.hydrated:
            del owed.unfilled[collection]
            owed.filled_count += installed is not None
    status = replica.status
    if status is None:
        return owed.filled_count * _FILLED, not owed.unfilled
    rows = sum(progress.rows_done + progress.rows_received for progress in status.hydration)
    cannot = sum(1 for each in status.failed if each in owed.unfilled)
    is_filled = cannot == len(owed.unfilled)
    return owed.filled_count * _FILLED + min(rows, _FILLED - 1), is_filled


def _owed(state: State, replica: Replica, session: Session) -> Owed:
    """What has to be filled before the session is over, as if none of it were yet."""
    unfilled = dict.fromkeys(due(state, replica, session))
    return Owed(session=session.ref, unfilled=unfilled, filled_count=0)


def due(state: State, replica: Replica, session: Session) -> dict[CollectionId, Installed]:
    """What has to be filled before the session is over. O(what is installed)."""
    last = session.start if session.ref.kind in _SUFFIX else session.target
    wanted: dict[CollectionId, Installed] = {}
    for collection in replica.installed:
        installed = _maintained(state, replica, collection)
        if installed is not None and state.collections[collection].position <= last:
            wanted[collection] = installed
    return wanted


def _maintained(state: State, replica: Replica, collection: CollectionId) -> Installed | None:
    """None: it is going, or nobody's business but its reader's."""
    installed = replica.installed.get(collection)
    if installed is None or installed.is_transient or installed.dropping:
        return None
    return installed if collection in state.collections else None


def _feed(state: State, event: Event, now_ms: int) -> Stepped:
    return _keep(state, engine.step(state.sync, event, now_ms))


def _keep(state: State, stepped: Stepped) -> Stepped:
    """What the engine knows now, and what of it others look at."""
    before, state.sync = state.sync, stepped.state
    for decided in stepped.decided:
        record = DecisionRecord(
            at_ms=decided.at_ms, session_id=decided.session_id, decision=decided.decision
        )
        state.replicas[decided.replica].decisions.append(record)
    if before.views is not stepped.state.views:
        state.sync_wake_at_ms = engine.wake_at_ms(stepped.state)
        for view in stepped.state.views:
            _note(state, view)
    return stepped


def _note(state: State, view: View) -> None:
    replica = state.replicas.get(view.replica)
    if replica is None:
        return
    replica.accepted = view.is_synced
    replica.troubled = bool(view.trouble)
    session = view.session
    if session is None or not replica.decisions:
        return
    latest = replica.decisions[-1]
    if latest.session_id == session.ref.session_id:
        has_failed = session.state is SessionState.FAILED
        latest.outcome = f"failed: {session.reason}" if has_failed else session.state.value
