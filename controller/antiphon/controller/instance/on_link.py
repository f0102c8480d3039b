"""Replicas come and go: what each is told when it connects, and what its loss means."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.engine import event as engine
from antiphon.controller.engine.observation import Observation, Wanted, needed_from
from antiphon.controller.instance import copies, holds, peeks, reading, subscribes
from antiphon.controller.instance.content import comparing, repairing, verifying
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
    allowing,
    live,
)
from antiphon.controller.instance.replicas import bases, hydration, retaining, syncing
from antiphon.controller.instance.state import (
    Collection,
    Holder,
    HoldKind,
    Installed,
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
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.greeting import COMMAND_SETS
from antiphon.protocol.ids import CollectionId, ConnectionId, ReplicaId


def on_replica_added(state: State, event: ReplicaAdded, out: Outbox, now_ms: int) -> None:
    assert event.replica not in state.replicas, f"{event.replica} exists already"
    state.replicas[event.replica] = Replica(
        id=event.replica, address=event.address, read_only=event.read_only
    )
    syncing.assign(state, now_ms)
    out.sends.append(ConnectLink(replica=event.replica, address=event.address))


def on_replica_removed(state: State, event: ReplicaRemoved, out: Outbox, now_ms: int) -> None:
    replica = state.replicas[event.replica]
    _lose(state, replica, out, "canceled")
    del state.replicas[event.replica]
    syncing.assign(state, now_ms)
    state.retention.release(replica.id)
    holds.release_replica(state, replica.id)
    comparing.on_replica_removed(state, replica.id)
    _forget_dropped(state)
    out.sends.append(DisconnectLink(replica=event.replica))
    _heard_of(state, out)


def on_writes_allowed(state: State, promoted: ReplicaId, out: Outbox) -> None:
    """It is told now if it is up to date, and else as soon as it is."""
    replica = state.replicas.get(promoted)
    if replica is None:
        return
    was_read_only, replica.read_only = replica.read_only, False
    if was_read_only and replica.is_open and replica.accepted and not state.config.read_only:
        out.send(replica.id, live(AllowWrites()))


def on_replica_probed(state: State, event: ReplicaProbed, out: Outbox, now_ms: int) -> None:
    """Have decided from the facts what the replica needs, and say it all at once."""
    replica = state.replicas.get(event.replica)
    if replica is None:
        return  # removed while the probe was on its way
    if replica.is_open:
        _lose(state, replica, out, syncing.TRANSPORT_LOST)
    facts = event.facts
    known = replica.facts is not None and replica.facts.incarnation == facts.incarnation
    if not known:
        replica.anew, replica.uncompared = facts.unaccepted, False
    replica.facts = facts
    replica.reached_at = event.address or replica.address
    retaining.reserve(state, facts, now_ms)
    commands = syncing.probed(state, event.connection_id, _observe(state, facts), now_ms)
    for command in commands:
        match command:
            case engine.OpenSession():
                hello = _hello(state, facts, event.connection_id, command)
                replica.protocol_version = command.decision.protocol_version
                may_write = any(isinstance(each, engine.AllowWrites) for each in commands)
                _open(state, replica, hello, facts, out, may_write=may_write)
            case engine.RefuseSession(refusal=refusal):
                replica.link = LinkState.REFUSED
                replica.last_loss = refusal.reason
                state.retention.release(replica.id)
                out.sends.append(CloseSession(replica=replica.id, reason=refusal.reason))
                _heard_of(state, out)
            case _:
                pass  # what was before the connection that is gone


def _hello(
    state: State, facts: ReplicaFacts, connection_id: ConnectionId, opened: engine.OpenSession
) -> Hello:
    config, decision = state.config, opened.decision
    # What would have to be proven is built anew: equal content shows nothing of the rows that a
    # dataflow keeps behind it. And a history that the replica has never heard of begins with a full
    # set, even an empty one.
    anew = decision.verify_content or facts.history_id != config.history_id
    sync = SyncDecision.REBUILD if anew else decision.sync
    return Hello(
        epoch=config.epoch,
        claim_id=config.claim_id,
        connection_id=connection_id,
        protocol_version=decision.protocol_version,
        instance_id=config.instance_id,
        history_id=config.history_id,
        replica=facts.replica,
        decision=sync,
        command_set=COMMAND_SETS[sync],
        session_id=opened.session_id,
        expected_incarnation=facts.incarnation,
        expected_position=facts.applied_position,
    )


def on_heard(state: State, heard: ReplicaId, out: Outbox, now_ms: int) -> None:
    """Whatever it said may have completed its session."""
    replica = state.replicas.get(heard)
    if replica is None or not replica.is_open:
        return
    retaining.acknowledged(state, replica, now_ms)
    was_troubled = replica.troubled
    bases.heard(state, replica, out, now_ms)
    repairing.heard(state, replica, out, now_ms)
    if replica.distrusted:
        close(state, replica.id, "content_differs", replica.distrusted, out)
        return
    for command in syncing.heard(state, replica, out, now_ms):
        match command:
            case engine.AcceptSession():
                bases.end(state, replica)
                reading.readers_changed(state, out)
            case engine.AllowWrites():
                if not replica.read_only:
                    out.send(replica.id, live(AllowWrites()))
            case engine.CloseSession(reason=reason):
                close(state, replica.id, reason, f"its session failed: {reason}", out)
                comparing.suspect(state, replica, out, now_ms)
            case _:
                raise AssertionError(f"a completion leads to {type(command).__name__}")
    if replica.troubled != was_troubled:
        reading.readers_changed(state, out)


def on_time(state: State, out: Outbox, now_ms: int) -> None:
    """Sessions that have used up their budgets, and those whose pins are lost."""
    for command in syncing.expired(state, now_ms):
        if isinstance(command, engine.CloseSession):
            why = f"its session failed: {command.reason}"
            close(state, command.replica, command.reason, why, out)
    for owner in retaining.lost_pins(state, now_ms):
        if syncing.active_session(state, owner) is not None:
            close(state, owner, "pin_lost", "its session failed: pin_lost", out)


def _observe(state: State, facts: ReplicaFacts) -> Observation:
    config = state.config
    return Observation(
        facts=facts,
        instance_id=config.instance_id,
        history_id=config.history_id,
        epoch=config.epoch,
        head=state.head,
        head_digest=state.head_digest,
        base=state.log.base,
        digest_at_position=state.log.digest_at(facts.applied_position),
        versions=config.versions,
        version_floor=config.version_floor,
        wanted=tuple(_wanted(state, collection) for collection in state.live_dataflows()),
    )


def _wanted(state: State, collection: Collection) -> Wanted:
    readable_from = START
    for needed in collection.stored_inputs:
        readable_from = readable_from.join(state.collections[needed].since)
    return Wanted(
        exports=(collection.id,),
        fingerprint=collection.fingerprint,
        as_of=_starts_at(collection),
        local_imports=collection.local_inputs,
        position=collection.position,
        readable_from=readable_from,
    )


def _open(
    state: State,
    replica: Replica,
    hello: Hello,
    facts: ReplicaFacts,
    out: Outbox,
    *,
    may_write: bool,
) -> None:
    """Framing, the numbered commands that the replica lacks, all live state, the head that this
    leads to."""
    config = state.config
    replica.uninstall_all()
    holds.release_replica(state, replica.id)
    replica.link = LinkState.OPEN
    replica.connection_id = hello.connection_id
    replica.connections += 1
    replica.lost_at_ms = None
    replica.draining = None
    replica.status = None
    replica.reported = False
    replica.distrusted = ""
    replica.wrong = False
    syncing.connected(state, replica, is_so=True)
    create = CreateInstance(
        instance_id=config.instance_id, name=config.name, configuration=config.configuration
    )
    commands: list[Sent] = [live(hello), live(create)]
    if hello.command_set is CommandSet.FULL:
        commands += _full_set(state, replica)
    else:
        commands += _suffix(state, replica, facts)
    commands += subscribes.replay(state, replica)
    commands += copies.replay(state, replica)
    if hello.decision is SyncDecision.REBUILD:
        replica.anew, replica.uncompared = True, False
        bases.begin(state, replica, _doubt(replica))
    commands += hydration.due(state, replica)
    commands += peeks.replay(state, replica, out)
    complete = InitializationComplete(head_position=state.head, head_digest=state.head_digest)
    commands.append(live(complete))
    if may_write and not replica.read_only:
        commands.append(live(AllowWrites()))
    _forget_dropped(state)
    out.sends.append(OpenSession(replica=replica.id, commands=tuple(commands)))
    reading.withdraw_unproven(state, out)


def _doubt(replica: Replica) -> str:
    """Why no other replica is to give it anything."""
    found = replica.differences[-1:]
    return found[0].words if found else ""


def _full_set(state: State, replica: Replica) -> list[Sent]:
    """The reduced history: a dataflow starts where its readers are now."""
    commands: list[Sent] = []
    if state.configuration is not None:
        position, update = state.configuration
        commands.append(Sent(position, update))
    for collection in state.live_dataflows():
        dataflow = _as_it_stands(collection)
        _start(state, replica, collection, dataflow.as_of)
        commands.append(Sent(collection.position, CreateDataflow(dataflow=dataflow)))
    return sorted(commands, key=lambda sent: sent.position)


def _suffix(state: State, replica: Replica, facts: ReplicaFacts) -> list[Sent]:
    """What was missed, unedited, and the whole compaction map, from which new dataflows know where
    to start. What the replica has goes on where it is."""
    commands = state.log.suffix(facts.applied_position)
    held = {each.exports: each for each in facts.dataflows}
    needed: dict[tuple[int | None, int | None, bool], Frontier] = {}  # by those who ask the same
    allowed: list[tuple[CollectionId, Frontier]] = []
    for collection in state.live_dataflows():
        as_of = _starts_at(collection)
        if collection.position > facts.applied_position:
            _start(state, replica, collection, as_of)
        else:
            found = held[(collection.id,)]
            standing = (found.since.time, found.upper.time, found.hydrated)
            if standing not in needed:
                needed[standing] = needed_from(found)
            _go_on(state, replica, collection, as_of, found, needed[standing])
        allowed.append((collection.id, as_of))
    return commands + allowing(allowed)


def _starts_at(collection: Collection) -> Frontier:
    """A dataflow starts where its readers are now, not where it once started."""
    dataflow = collection.dataflow
    assert dataflow is not None, "tables and feeds are not installed"
    return dataflow.as_of.join(collection.since)


def _as_it_stands(collection: Collection) -> DataflowDescription:
    dataflow, as_of = collection.dataflow, _starts_at(collection)
    assert dataflow is not None, "tables and feeds are not installed"
    return dataflow if as_of == dataflow.as_of else replace(dataflow, as_of=as_of)


def _installed(collection: Collection, as_of: Frontier) -> Installed:
    return Installed(
        as_of=as_of,
        write_frontier=as_of,
        input_frontier=as_of,
        output_frontier=as_of,
        stored_inputs=collection.stored_inputs,
        local_inputs=collection.local_inputs,
        is_transient=False,
        compacted=as_of,
    )


def _start(state: State, replica: Replica, collection: Collection, as_of: Frontier) -> None:
    installed = _installed(collection, as_of)
    replica.install(collection.id, installed)
    subscribes.hold_inputs(state, replica, collection.id, installed)


def _go_on(
    state: State,
    replica: Replica,
    collection: Collection,
    as_of: Frontier,
    found: DataflowFacts,
    needed: Frontier,
) -> None:
    """What the replica says of a dataflow is what it will report at least; until it has, the store
    keeps what it may still ask for."""
    installed = _installed(collection, as_of)
    if found.hydrated:
        installed.output_frontier = as_of.join(found.upper)
    installed.input_frontier = found.upper
    replica.install(collection.id, installed)
    if not needed.is_closed:
        holder = Holder(HoldKind.INPUT, collection.id, replica.id)
        holds.acquire_from(state, installed.stored_inputs, holder, needed)


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
    _lose(state, replica, out, event.found or syncing.TRANSPORT_LOST)
    _forget_dropped(state)
    _heard_of(state, out)


def _heard_of(state: State, out: Outbox) -> None:
    """There is word of a replica. Reads may have waited for it."""
    if any(replica.is_unproven for replica in state.open_replicas()):
        reading.readers_changed(state, out)


def _lose(state: State, replica: Replica, out: Outbox, code: str) -> None:
    was_open = replica.is_open
    replica.link = LinkState.CONNECTING
    replica.status = None
    syncing.failed(state, replica.id, code)
    syncing.connected(state, replica, is_so=False)
    if was_open:
        peeks.on_replica_lost(state, replica, out)
        subscribes.on_replica_lost(state, replica, out)
        copies.on_replica_lost(state, replica, out)
        comparing.on_replica_lost(state, replica)
        verifying.end(state, replica)
        bases.on_replica_lost(state, replica, out)
        reading.readers_changed(state, out)


def _forget_dropped(state: State) -> None:
    """A replica that is away acknowledges no drop: what it is told on return is all it has."""
    for collection in list(state.collections):
        forget_if_done(state, collection)


def enforce_floor(state: State, out: Outbox) -> None:
    """Sessions of versions that the history no longer permits end. A replica that speaks a later
    one as well comes back with that; any other is refused, and says so in the status."""
    floor = state.config.version_floor
    for replica in list(state.open_replicas()):
        if replica.protocol_version < floor:
            spoken = f"it spoke version {replica.protocol_version}, the floor is {floor}"
            close(state, replica.id, "canceled", spoken, out)


def close_broken(state: State, broken: ReplicaId, reason: str, out: Outbox) -> None:
    """The replica broke the protocol: end its session. It may come back."""
    close(state, broken, syncing.PROTOCOL_BROKEN, reason, out)


def close(state: State, closed: ReplicaId, code: str, reason: str, out: Outbox) -> None:
    """End the stream, and with it the session, for `code`. The next facts say what is needed."""
    replica = state.replicas.get(closed)
    if replica is None or not replica.is_open:
        return
    _lose(state, replica, out, code)
    _forget_dropped(state)
    replica.last_loss = reason
    out.sends.append(CloseSession(replica=replica.id, reason=reason))
