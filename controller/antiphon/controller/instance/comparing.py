"""Whether replicas that hold the same views hold the same content, and what is done if not.

Every so often, where at least two replicas are up to date, each is asked for the content digests of
what it keeps, at one time that all of them have reached. Equal inputs and equal plans give equal
content, so a difference is corruption: a bug, bad memory, a replica of another making. It is on
record as a decision, and the replica that differs is repaired by a rebuild session while it goes
on; reads do not use it until the rebuilt state is in force.

Whom to believe: the larger part of the replicas; of two equal parts the one with a replica that has
just been repaired, for that one was built from the store; else the one with the first name. If the
wrong one was repaired, the next comparison finds the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.controller.engine.decision import Sync
from antiphon.controller.instance import holds, peeks
from antiphon.controller.instance.event import DigestsTold
from antiphon.controller.instance.ready import AskDigests, Outbox, live
from antiphon.controller.instance.state import (
    Comparison,
    DecisionRecord,
    Holder,
    HoldKind,
    Repair,
    Replica,
    State,
)
from antiphon.protocol.command import AcceptRebuild, StartRebuild, SyncDecision
from antiphon.protocol.ids import CollectionId, ReplicaId, SessionId, show
from antiphon.protocol.response import RebuildCompleted, RebuildResult

# Sync sessions count from 1; what is on record of a repair must not be taken for one of them.
REPAIRS_FROM: Final = 1 << 32
ANSWER_MS: Final = 20_000  # who has not told its digests by then is left out
REPAIR_MS: Final = 600_000  # of one rebuild; past it the replica gives up, and is compared again


def on_tick(state: State, out: Outbox, now_ms: int) -> None:
    comparison = state.comparison
    if comparison is not None and comparison.deadline_ms <= now_ms:
        _judge(state, comparison, out, now_ms)
    if state.comparison is not None or state.repair is not None:
        return
    if state.compare_at_ms is None:
        state.compare_at_ms = now_ms + state.config.compare_ms
    if state.compare_at_ms <= now_ms:
        state.compare_at_ms = now_ms + state.config.compare_ms
        _begin(state, out, now_ms)


def wake_at_ms(state: State) -> int | None:
    """When a comparison is due. One that waits for its answers wakes at its deadline."""
    if state.comparison is not None:
        return state.comparison.deadline_ms
    is_due = state.repair is None and len(_comparable(state)) > 1
    return state.compare_at_ms if is_due else None


def on_told(state: State, event: DigestsTold, out: Outbox, now_ms: int) -> None:
    comparison = state.comparison
    if comparison is None or event.time != comparison.time:
        return
    if event.replica in comparison.waiting:
        comparison.waiting.discard(event.replica)
        comparison.told[event.replica] = event.digests
        if not comparison.waiting:
            _judge(state, comparison, out, now_ms)


def on_result(state: State, replica: Replica, response: RebuildResult, out: Outbox) -> bool:
    """The end of a repair; False: of none that was begun here."""
    repair = state.repair
    if repair is None or repair.replica != replica.id or repair.session_id != response.session_id:
        return False
    match response.result:
        case RebuildCompleted():
            out.send(replica.id, live(AcceptRebuild(session_id=repair.session_id)))
            state.repaired.add(replica.id)
            _end(state, repair, "repaired")
        case failure:
            _end(state, repair, f"failed: {failure.message}")
    state.compare_at_ms = 0  # soon: whether it is right now
    peeks.ask_waiting(state, out)  # those that name it have waited for the end
    return True


def on_replica_lost(state: State, replica: Replica) -> None:
    if state.repair is not None and state.repair.replica == replica.id:
        _end(state, state.repair, "its connection was lost")
    if state.comparison is not None:
        state.comparison.told.pop(replica.id, None)
        state.comparison.waiting.discard(replica.id)
        if not state.comparison.waiting:
            state.comparison = None


def _comparable(state: State) -> list[Replica]:
    return [r for r in state.open_replicas() if r.accepted and r.repairing is None]


def _begin(state: State, out: Outbox, now_ms: int) -> None:
    replicas = _comparable(state)
    held: dict[ReplicaId, list[CollectionId]] = {replica.id: [] for replica in replicas}
    time: int | None = None
    since = 0
    for collection in state.live_dataflows():
        holders = [r for r in replicas if _keeps(r, collection.id)]
        if len(holders) < 2 or collection.since.time is None:
            continue
        since = max(since, collection.since.time)
        for replica in holders:
            reached = replica.installed[collection.id].output_frontier.time
            assert reached is not None, "who keeps it has a frontier"
            time = reached - 1 if time is None else min(time, reached - 1)
            held[replica.id].append(collection.id)
    if time is None or time < since:
        return
    asked = {name: collections for name, collections in held.items() if collections}
    state.comparison = Comparison(
        time=time, deadline_ms=now_ms + ANSWER_MS, waiting=set(asked), told={}
    )
    for name, collections in asked.items():
        out.sends.append(AskDigests(replica=name, collections=tuple(collections), time=time))


def _keeps(replica: Replica, collection: CollectionId) -> bool:
    found = replica.installed.get(collection)
    if found is None or found.dropping or found.is_transient or not found.hydrated:
        return False
    return found.output_frontier.time is not None


def _judge(state: State, comparison: Comparison, out: Outbox, now_ms: int) -> None:
    """Compares what was told. At most one replica is repaired at a time."""
    state.comparison = None
    wrong: dict[ReplicaId, list[CollectionId]] = {}
    believed: dict[ReplicaId, ReplicaId] = {}
    for collection in state.live_dataflows():
        votes = _votes(comparison.told, collection.id)
        if len(votes) < 2:
            continue
        trusted = max(votes, key=lambda group: (len(group), *_trust(state, group)))
        for group in votes:
            for name in group:
                if group is not trusted:
                    wrong.setdefault(name, []).append(collection.id)
                    believed[name] = trusted[0]
    if not wrong:
        state.repaired.clear()
        return
    name = min(wrong)
    replica = state.replicas.get(name)
    if replica is not None and replica.is_open:
        _repair(state, replica, wrong[name], believed[name], comparison.time, out, now_ms)


def _votes(
    told: Mapping[ReplicaId, Mapping[CollectionId, bytes]], collection: CollectionId
) -> list[list[ReplicaId]]:
    """The replicas by what they said of it."""
    groups: dict[bytes, list[ReplicaId]] = {}
    for name in sorted(told):
        digest = told[name].get(collection)
        if digest is not None:
            groups.setdefault(digest, []).append(name)
    return list(groups.values())


def _trust(state: State, group: list[ReplicaId]) -> tuple[bool, bool]:
    everybody = sorted(replica.id for replica in state.open_replicas())
    return any(name in state.repaired for name in group), everybody[:1] == group[:1]


def _repair(
    state: State,
    replica: Replica,
    differing: list[CollectionId],
    other: ReplicaId,
    time: int,
    out: Outbox,
    now_ms: int,
) -> None:
    collections = _with_readers(state, replica, differing)
    imports = {wanted for each in collections for wanted in replica.installed[each].stored_inputs}
    state.repair_sessions += 1
    repair = Repair(
        session_id=SessionId(REPAIRS_FROM + state.repair_sessions),
        replica=replica.id,
        imports=tuple(sorted(imports)),
    )
    base = state.read_time
    holds.acquire_all(state, repair.imports, _holder(repair), base)
    state.repair = repair
    replica.repairing = repair.session_id
    names = ", ".join(show(each) for each in differing)
    reason = f"its content of {names} at {time} is not that of {other}"
    decision = Sync(
        sync=SyncDecision.REBUILD,
        protocol_version=replica.protocol_version,
        code="content_differs",
        reason=reason,
    )
    record = DecisionRecord(
        at_ms=now_ms, session_id=repair.session_id, decision=decision, outcome="repairing"
    )
    repair.record = record
    replica.decisions.append(record)
    peeks.withdraw(state, replica, out)
    command = StartRebuild(
        session_id=repair.session_id,
        collections=collections,
        base_time=base,
        target_time=base,
        deadline_ms=REPAIR_MS,
    )
    out.send(replica.id, live(command))


def _with_readers(
    state: State, replica: Replica, differing: list[CollectionId]
) -> tuple[CollectionId, ...]:
    """And what is built from them there; inputs come before those who read them."""
    found = set(differing)
    for collection in state.live_dataflows():
        installed = replica.installed.get(collection.id)
        if installed is not None and found.intersection(installed.local_inputs):
            found.add(collection.id)
    return tuple(sorted(found))


def _end(state: State, repair: Repair, outcome: str) -> None:
    state.repair = None
    holds.release_all(state, repair.imports, _holder(repair))
    if repair.record is not None:
        repair.record.outcome = outcome
    replica = state.replicas.get(repair.replica)
    if replica is not None:
        replica.repairing = None


def _holder(repair: Repair) -> Holder:
    return Holder(HoldKind.REPAIR, repair.session_id)
