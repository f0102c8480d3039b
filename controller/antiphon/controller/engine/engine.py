"""The sync engine: facts in, commands and a projection out.

Theory of operation
-------------------
`step` is a function of a state and an event. It has no clock: `now_ms` is only compared with what
was given before, and stamped on what is issued. Commands are for the driver, which reports back
what came of them, as events; the projection is for people, and is never an input.

Three authorities stay apart. *Assignment* says who speaks, in which role, for which replicas; a
lower epoch, or another claim of the same one, is refused. *Sessions* are contracts that the engine
issues to one replica each, from the table in `reconnect`; there is at most one active per replica.
*Replicas* report facts and carry contracts out. None of them chooses what it needs, and a report
changes something only if it is about the current session of the current epoch and process.

    an answer to a probe        decides, unless a session is at work on that connection
    progress, completion        of the current session only; completion is accepted here, once
    failure                     ends the contract, and decides nothing: the next answer does
    a lost connection           is no kind of trouble of the data: it ends the session, no more

Failures that say something of what the replica holds are counted, and the count is an input of the
next decision, beside the facts. So is what the same process still owes: position and digest are
adopted when a full set begins to apply, and would otherwise say, after a connection that was lost
too early, that nothing is left to do. What it owes to a controller that is gone, it says itself.

An event that changes nothing says why: `Stepped.rejection`. The state is then the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from antiphon.controller.engine import session as sessions
from antiphon.controller.engine.decision import Refusal, Sync
from antiphon.controller.engine.event import (
    AcceptSession,
    AllowWrites,
    ApplyRole,
    Assigned,
    Assignee,
    BarrierConfirmed,
    CloseSession,
    Connect,
    Decided,
    Disconnect,
    EngineCommand,
    Event,
    OpenSession,
    ReadinessObserved,
    RefuseSession,
    Role,
    SessionCompleted,
    SessionFailed,
    SessionProgressed,
    SyncAcked,
)
from antiphon.controller.engine.projection import Projection, project
from antiphon.controller.engine.reconnect import Case, decide
from antiphon.controller.engine.session import CIRCUMSTANCES, Rejection, SessionRef
from antiphon.controller.engine.view import EngineState, Readiness, View, with_view
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import ReplicaId, SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    state: EngineState
    projection: Projection
    commands: tuple[EngineCommand, ...] = ()
    decided: tuple[Decided, ...] = ()
    rejection: Rejection | None = None


# What a handler leaves: the state, and what is to be done; or why nothing is.
_Outcome = tuple[EngineState, tuple[EngineCommand, ...], tuple[Decided, ...]] | Rejection


def step(state: EngineState, event: Event, now_ms: int) -> Stepped:
    """O(replicas)."""
    outcome: _Outcome
    if event.instance_id != state.instance_id:
        outcome = Rejection.UNKNOWN_INSTANCE
    else:
        outcome = _handle(state, event, now_ms)
    if isinstance(outcome, Rejection):
        return Stepped(state=state, projection=project(state), rejection=outcome)
    found, commands, decided = outcome
    return Stepped(state=found, projection=project(found), commands=commands, decided=decided)


def expire(state: EngineState, now_ms: int) -> Stepped:
    """Fail the sessions that have used up their budgets. A timer decides nothing beyond that."""
    commands: list[EngineCommand] = []
    for view in state.views:
        if view.active is None:
            continue
        budget = state.policy.budgets[view.active.ref.kind]
        reason = sessions.overrun(view.active, budget, now_ms)
        if reason is not None:
            state = with_view(state, _failed(view, reason))
            commands.append(_close(view, reason))
    return Stepped(state=state, projection=project(state), commands=tuple(commands))


def wake_at_ms(state: EngineState) -> int | None:
    """When `expire` has something to do; None: never."""
    deadlines = [
        sessions.overrun_at_ms(view.active, state.policy.budgets[view.active.ref.kind])
        for view in state.views
        if view.active is not None
    ]
    return min((each for each in deadlines if each is not None), default=None)


def _handle(state: EngineState, event: Event, now_ms: int) -> _Outcome:
    match event:
        case Assigned():
            return _assigned(state, event)
        case ReadinessObserved():
            return _readiness(state, event)
        case SyncAcked():
            return _acked(state, event, now_ms)
        case SessionProgressed():
            return _progressed(state, event, now_ms)
        case SessionCompleted():
            return _completed(state, event)
        case SessionFailed():
            return _session_failed(state, event)
        case BarrierConfirmed():
            return _barrier(state, event)
        case _:
            assert_never(event)


# Assignment.


def _assigned(state: EngineState, event: Assigned) -> _Outcome:
    if event.epoch < state.epoch:
        return Rejection.STALE_EPOCH
    if event.epoch == state.epoch and event.claim_id != state.claim_id:
        return Rejection.STALE_CLAIM
    commands: list[EngineCommand] = [ApplyRole(epoch=event.epoch, role=event.role)]
    afresh = event.epoch != state.epoch or event.role is not state.role
    wanted = {assignee.replica: assignee for assignee in event.replicas}
    views: list[View] = []
    for view in state.views:
        kept = view.replica in wanted
        moved = kept and wanted[view.replica].address != view.address
        if view.active is not None and (afresh or moved or not kept):
            reason = "endpoint_changed" if kept and not afresh else "canceled"
            commands.append(_close(view, reason))
        if not kept:
            commands.append(Disconnect(replica=view.replica))
        elif not afresh:
            views.append(_moved(view, wanted[view.replica]) if moved else view)
    known = {view.replica for view in views}
    for _, assignee in sorted(wanted.items()):
        if assignee.replica not in known:
            views.append(View(replica=assignee.replica, address=assignee.address))
        commands.append(Connect(replica=assignee.replica, address=assignee.address))
    changed = replace(
        state,
        epoch=event.epoch,
        claim_id=event.claim_id,
        role=event.role,
        readiness=Readiness() if afresh else state.readiness,
        barrier=None if afresh else state.barrier,
        views=tuple(sorted(views, key=lambda view: view.replica)),
    )
    return changed, tuple(commands), ()


def _moved(view: View, assignee: Assignee) -> View:
    """Identity is the replica's, not its address's; but nobody there has been spoken to yet."""
    invalid = _failed(view, "endpoint_changed") if view.active is not None else view
    return replace(invalid, address=assignee.address, connected=False)


def _readiness(state: EngineState, event: ReadinessObserved) -> _Outcome:
    if state.role is None:
        return Rejection.UNKNOWN_INSTANCE
    now = state.readiness
    state = replace(
        state,
        readiness=Readiness(
            role_applied=_or(event.role_applied, now.role_applied),
            history_open=_or(event.history_open, now.history_open),
            links_configured=_or(event.links_configured, now.links_configured),
        ),
    )
    known = [(state.view(replica), connected) for replica, connected in event.connected]
    for view, connected in known:
        if view is not None:
            state = with_view(state, replace(view, connected=connected))
    for replica, trouble in event.troubled:
        view = state.view(replica)
        if view is not None:
            state = with_view(state, replace(view, trouble=trouble))
    for replica in event.differed:
        view = state.view(replica)
        if view is not None:
            state = with_view(state, replace(view, differed=True))
    return state, (), ()


def _or(observed: bool | None, before: bool) -> bool:
    return before if observed is None else observed


def _barrier(state: EngineState, event: BarrierConfirmed) -> _Outcome:
    if event.epoch != state.epoch or state.role is None:
        return Rejection.STALE_EPOCH
    barrier = event.position if state.barrier is None else max(state.barrier, event.position)
    return replace(state, barrier=barrier), (), ()


# The answer to a probe.


def _acked(state: EngineState, event: SyncAcked, now_ms: int) -> _Outcome:
    seen = event.observation
    view = state.view(seen.facts.replica)
    if view is None:
        return Rejection.UNKNOWN_REPLICA
    if seen.epoch != state.epoch:
        return Rejection.STALE_EPOCH
    if event.request <= view.request:
        return Rejection.STALE_REQUEST
    same_process = view.facts is not None and view.facts.incarnation == seen.facts.incarnation
    same_connection = view.connection_id == event.connection_id and same_process
    state = replace(state, base=max(state.base, seen.base), head=max(state.head, seen.head))
    commands: tuple[EngineCommand, ...] = ()
    if view.active is not None and not same_connection:
        reason = "transport_lost" if same_process else "incarnation_changed"
        commands = (_close(view, reason),)
        view = _failed(view, reason)
    view = replace(
        view,
        request=event.request,
        connection_id=event.connection_id,
        facts=seen.facts,
        durable=max(view.durable, seen.facts.durable_position),
        # A new process holds nothing of what was to be compared: its facts are all there is.
        unproven=same_process and view.unproven,
        differed=same_process and view.differed,
        # Of a process that we have never spoken to, only it can say what another controller left.
        owed=view.owed if same_process else seen.facts.unaccepted,
    )
    settled = same_connection and (view.active is not None or view.is_synced)
    if settled or state.role is Role.FOLLOWER:
        return with_view(state, view), commands, ()
    return _decide(with_view(state, view), view, event, commands, now_ms)


def _decide(
    state: EngineState,
    view: View,
    event: SyncAcked,
    commands: tuple[EngineCommand, ...],
    now_ms: int,
) -> _Outcome:
    seen = event.observation
    decision = decide(
        Case(
            observation=seen,
            policy=state.policy,
            failures=view.failures,
            unproven=view.unproven,
            differed=view.differed,
        )
    )
    last = max(state.last_session(view.replica), seen.facts.session_id)
    if isinstance(decision, Refusal):
        decided = Decided(at_ms=now_ms, replica=view.replica, session_id=last, decision=decision)
        refusal = RefuseSession(
            replica=view.replica, connection_id=event.connection_id, refusal=decision
        )
        state = with_view(state, replace(view, decision=decision, session=None))
        return state, (*commands, refusal), (decided,)
    session_id = SessionId(last + 1)
    state = replace(state, sessions=_with_session(state, view.replica, session_id))
    view = _issued(view, state, event, decision, session_id, now_ms)
    opened: tuple[EngineCommand, ...] = (
        OpenSession(
            replica=view.replica,
            connection_id=event.connection_id,
            session_id=session_id,
            decision=decision,
        ),
    )
    if view.is_synced and state.role is Role.PRIMARY:
        opened += (AllowWrites(replica=view.replica),)
    decided = Decided(at_ms=now_ms, replica=view.replica, session_id=session_id, decision=decision)
    return with_view(state, view), commands + opened, (decided,)


def _issued(
    view: View,
    state: EngineState,
    event: SyncAcked,
    decision: Sync,
    session_id: SessionId,
    now_ms: int,
) -> View:
    """Keeping up is no contract: there is nothing to wait for, and so nothing that could fail.
    Unless the same process has yet to finish an earlier one, whose commands it has adopted."""
    if decision.sync is SyncDecision.KEEP_UP and not view.owed:
        return replace(view, decision=decision, session=None, failures=0)
    issued = sessions.issue(
        SessionRef(
            session_id=session_id,
            kind=decision.sync,
            epoch=state.epoch,
            incarnation=event.observation.facts.incarnation,
        ),
        start=decision.start,
        target=decision.target,
        now_ms=now_ms,
    )
    unproven = view.unproven or decision.verify_content
    return replace(view, decision=decision, session=issued, owed=True, unproven=unproven)


def _with_session(
    state: EngineState, replica: ReplicaId, session_id: SessionId
) -> tuple[tuple[ReplicaId, SessionId], ...]:
    return tuple(sorted({**dict(state.sessions), replica: session_id}.items()))


# What becomes of a session.


def _current(state: EngineState, replica: ReplicaId, ref: SessionRef) -> View | Rejection:
    """The view, if the report is about its session and that is still at work."""
    view = state.view(replica)
    if view is None:
        return Rejection.UNKNOWN_REPLICA
    if view.session is None:
        return Rejection.STALE_SESSION
    return view.session.mismatch(ref) or view


def _progressed(state: EngineState, event: SessionProgressed, now_ms: int) -> _Outcome:
    view = _current(state, event.replica, event.ref)
    if isinstance(view, Rejection):
        return view
    assert view.session is not None, "a report about no session"
    moved = sessions.progressed(view.session, event.position, now_ms, event.work)
    if isinstance(moved, Rejection):
        return moved
    return with_view(state, replace(view, session=moved)), (), ()


def _completed(state: EngineState, event: SessionCompleted) -> _Outcome:
    view = _current(state, event.replica, event.ref)
    if isinstance(view, Rejection):
        return view
    assert view.session is not None, "a report about no session"
    done = sessions.completed(view.session, event.achieved, base_complete=event.base_complete)
    if isinstance(done, Rejection):
        return done
    if event.digest != event.expected_digest:
        failed = replace(_failed(view, "digest_mismatch"), differed=True)
        return with_view(state, failed), (_close(view, "digest_mismatch"),), ()
    accepted = replace(
        view,
        session=done,
        failures=0,
        owed=False,
        unproven=False,
        differed=False,
        durable=max(view.durable, event.durable),
    )
    commands: tuple[EngineCommand, ...] = (
        AcceptSession(replica=view.replica, session_id=event.ref.session_id),
    )
    if state.role is Role.PRIMARY:
        commands += (AllowWrites(replica=view.replica),)
    return with_view(state, accepted), commands, ()


def _session_failed(state: EngineState, event: SessionFailed) -> _Outcome:
    view = _current(state, event.replica, event.ref)
    if isinstance(view, Rejection):
        return view
    return with_view(state, _failed(view, event.reason)), (), ()


def _failed(view: View, reason: str) -> View:
    """The contract is over. What is done about it is for the next facts to say."""
    assert view.active is not None, f"{view.replica} has no session that could fail"
    counted = 0 if reason in CIRCUMSTANCES else 1
    return replace(
        view,
        session=sessions.failed(view.active, reason),
        failures=view.failures + counted,
    )


def _close(view: View, reason: str) -> CloseSession:
    assert view.active is not None, f"{view.replica} has no session to close"
    return CloseSession(replica=view.replica, session_id=view.active.ref.session_id, reason=reason)
