"""Replicas come and go: what each is told when it connects, and what its loss means."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.engine.decision import Observation, Refusal, decide
from antiphon.controller.instance import holds, hydration, peeks, subscribes
from antiphon.controller.instance.event import (
    LinkLost,
    ReplicaAdded,
    ReplicaProbed,
    ReplicaRemoved,
)
from antiphon.controller.instance.on_request import forget_if_done
from antiphon.controller.instance.ready import (
    CloseSession,
    ConnectLink,
    DisconnectLink,
    OpenSession,
    Outbox,
    live,
)
from antiphon.controller.instance.state import (
    Collection,
    DecisionRecord,
    LinkState,
    Replica,
    State,
)
from antiphon.protocol.command import (
    AllowWrites,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    InitializationComplete,
    Sent,
    SyncDecision,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import ConnectionId, ReplicaId, SessionId


def on_replica_added(state: State, event: ReplicaAdded, out: Outbox) -> None:
    assert event.replica not in state.replicas, f"{event.replica} exists already"
    state.replicas[event.replica] = Replica(id=event.replica, address=event.address)
    out.sends.append(ConnectLink(replica=event.replica, address=event.address))


def on_replica_removed(state: State, event: ReplicaRemoved, out: Outbox) -> None:
    replica = state.replicas[event.replica]
    _lose(state, replica, out)
    del state.replicas[event.replica]
    holds.release_replica(state, replica.id)
    _forget_dropped(state)
    out.sends.append(DisconnectLink(replica=event.replica))


def on_replica_probed(state: State, event: ReplicaProbed, out: Outbox, now_ms: int) -> None:
    """Decide from the facts what the replica needs, record why, and say it all at once."""
    replica = state.replicas.get(event.replica)
    if replica is None:
        return  # removed while the probe was on its way
    if replica.is_open:
        _lose(state, replica, out)
    facts = event.facts
    replica.facts = facts
    config = state.config
    decision = decide(
        Observation(
            facts=facts,
            instance_id=config.instance_id,
            history_id=config.history_id,
            epoch=config.epoch,
            head=state.head,
            head_digest=state.head_digest,
        )
    )
    session_id = SessionId(max(replica.session_id, facts.session_id) + 1)
    record = DecisionRecord(at_ms=now_ms, session_id=session_id, decision=decision)
    replica.decisions.append(record)
    if isinstance(decision, Refusal):
        replica.link = LinkState.REFUSED
        replica.last_loss = decision.reason
        out.sends.append(CloseSession(replica=replica.id, reason=decision.reason))
        return
    replica.session_id = session_id
    hello = Hello(
        epoch=config.epoch,
        claim_id=config.claim_id,
        connection_id=event.connection_id,
        protocol_version=decision.protocol_version,
        instance_id=config.instance_id,
        history_id=config.history_id,
        replica=replica.id,
        decision=decision.sync,
        command_set=_command_set(decision.sync),
        session_id=session_id,
        expected_incarnation=facts.incarnation,
        expected_position=facts.applied_position,
    )
    _open(state, replica, hello, facts, event.connection_id, out)


def _command_set(sync: SyncDecision) -> CommandSet:
    suffix = (SyncDecision.KEEP_UP, SyncDecision.CATCH_UP)
    return CommandSet.SUFFIX if sync in suffix else CommandSet.FULL


def _open(
    state: State,
    replica: Replica,
    hello: Hello,
    facts: ReplicaFacts,
    connection_id: ConnectionId,
    out: Outbox,
) -> None:
    """The full set: framing, the reduced history, live state, the head that it stands for."""
    config = state.config
    replica.installed.clear()
    holds.release_replica(state, replica.id)
    replica.link = LinkState.OPEN
    replica.connection_id = connection_id
    replica.connections += 1
    replica.lost_at_ms = None
    replica.draining = None
    replica.status = None
    create = CreateInstance(
        instance_id=config.instance_id, name=config.name, configuration=config.configuration
    )
    commands: list[Sent] = [live(hello), live(create)]
    if state.configuration is not None:
        position, update = state.configuration
        commands.append(Sent(position, update))
    for collection in state.live_dataflows():
        commands.append(_installation(state, replica, collection))
    commands += subscribes.replay(state, replica)
    commands += hydration.due(state, replica)
    commands += peeks.replay(state, replica, out)
    complete = InitializationComplete(head_position=state.head, head_digest=state.head_digest)
    commands.append(live(complete))
    if not config.read_only:
        commands.append(live(AllowWrites()))
    _forget_dropped(state)
    out.sends.append(OpenSession(replica=replica.id, commands=tuple(commands)))


def _installation(state: State, replica: Replica, collection: Collection) -> Sent:
    """A dataflow as it stands: it starts where its readers are now, not where it once started."""
    dataflow = collection.dataflow
    assert dataflow is not None, "tables and feeds are not installed"
    as_of = dataflow.as_of.join(collection.since)
    dataflow = replace(dataflow, as_of=as_of)
    installed = subscribes.installed_on(dataflow, collection.id)
    replica.installed[collection.id] = installed
    subscribes.hold_inputs(state, replica, collection.id, installed)
    return Sent(collection.position, CreateDataflow(dataflow=dataflow))


def on_link_lost(state: State, event: LinkLost, out: Outbox, now_ms: int) -> None:
    """The session ended, or never began. What the replica has yet to read stays held for a while,
    for it may be back at once."""
    replica = state.replicas.get(event.replica)
    if replica is None:
        return
    if event.connection_id is not None and event.connection_id != replica.connection_id:
        return  # an earlier connection, lost and replaced before
    replica.last_loss = event.reason
    if replica.lost_at_ms is None:
        replica.lost_at_ms = now_ms
    _lose(state, replica, out)
    _forget_dropped(state)


def _lose(state: State, replica: Replica, out: Outbox) -> None:
    was_open = replica.is_open
    replica.link = LinkState.CONNECTING
    replica.status = None
    if was_open:
        peeks.on_replica_lost(state, replica, out)
        subscribes.on_replica_lost(state, replica, out)


def _forget_dropped(state: State) -> None:
    """A replica that is away acknowledges no drop: what it is told on return is all it has."""
    for collection in list(state.collections):
        forget_if_done(state, collection)


def close_broken(state: State, broken: ReplicaId, reason: str, out: Outbox) -> None:
    """The replica broke the protocol: end its session. It may come back."""
    replica = state.replicas.get(broken)
    if replica is None or not replica.is_open:
        return
    _lose(state, replica, out)
    _forget_dropped(state)
    replica.last_loss = reason
    out.sends.append(CloseSession(replica=replica.id, reason=reason))
