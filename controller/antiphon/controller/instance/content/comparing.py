"""Whether replicas that hold the same views hold the same content, and what is done if not.

Every so often, where at least two replicas are up to date, each is asked for the content digests of
what it keeps, at one time that all of them have reached. Equal inputs and equal plans give equal
content, so a difference is corruption: a bug, bad memory, a replica of another making. It is on
record as a decision, and the replica that differs is repaired (`repairing`).

Whom to believe: the larger part of the replicas; of two equal parts the one with a replica that has
just been rebuilt from the store; else the one whose content was compared before; else the one with
the first name. If the wrong one was repaired, the next comparison finds the other. Who told alone
of what it holds, or nothing, is as it was.

Who was accepted while there was nobody to compare it with is compared as soon as there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from antiphon.controller.instance import reading
from antiphon.controller.instance.content import repairing
from antiphon.controller.instance.content.verifying import keeps
from antiphon.controller.instance.event import DigestsTold
from antiphon.controller.instance.ready import AskDigests, Outbox
from antiphon.controller.instance.state import Comparison, Replica, State
from antiphon.protocol.ids import CollectionId, ReplicaId, show

ANSWER_MS: Final = 20_000  # who has not told its digests by then is left out
AGAIN_MS: Final = 5_000  # from a comparison that left somebody out who waits for it to the next
DIFFERENCES_MAX: Final = 2  # rebuilds from the store that differ, then the other one is repaired


def on_tick(state: State, out: Outbox, now_ms: int) -> None:
    comparison = state.comparison
    if comparison is not None and comparison.deadline_ms <= now_ms:
        _judge(state, comparison, out, now_ms)
    if state.comparison is not None or state.repair is not None:
        return
    if state.compare_at_ms is None:
        state.compare_at_ms = now_ms + state.config.compare_ms
    if state.compare_at_ms <= now_ms and len(_comparable(state)) > 1:
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


def suspect(state: State, replica: Replica, out: Outbox, now_ms: int) -> None:
    """A rebuild was refused for what it came to. If the store has led there again and again, it is
    the replica that it was compared with that is wrong."""
    if state.repair is not None or len(replica.differences) < DIFFERENCES_MAX:
        return
    found = replica.differences[-1]
    other = None if found.other is None else state.replicas.get(found.other)
    if other is None or not other.is_open or not other.accepted:
        return
    reason = f"what {replica.id} rebuilt from the store differs from it each time"
    collections = [one for one in found.differing if keeps(other, one)]
    if collections:
        repairing.begin(state, other, collections, reason, None, out, now_ms)


def on_replica_lost(state: State, replica: Replica) -> None:
    repairing.on_replica_lost(state, replica)
    if state.comparison is not None:
        state.comparison.told.pop(replica.id, None)
        state.comparison.waiting.discard(replica.id)
        if not state.comparison.waiting:
            state.comparison = None


def on_replica_removed(state: State, removed: ReplicaId) -> None:
    """Nothing that was found of it is true of another one that is added under its name."""
    state.repaired.discard(removed)
    state.refused.discard(removed)


def _comparable(state: State) -> list[Replica]:
    """Also who was found wrong: it may be right by now."""
    return [r for r in state.open_replicas() if r.accepted and r.repairing is None]


def _begin(state: State, out: Outbox, now_ms: int) -> None:
    replicas = _comparable(state)
    held: dict[ReplicaId, list[CollectionId]] = {replica.id: [] for replica in replicas}
    time: int | None = None
    since = 0
    for collection in state.live_dataflows():
        holders = [r for r in replicas if keeps(r, collection.id)]
        if len(holders) < 2 or collection.since.time is None:
            continue
        since = max(since, collection.since.time)
        for replica in holders:
            reached = replica.installed[collection.id].output_frontier.time
            assert reached is not None, "who keeps it has a frontier"
            time = reached - 1 if time is None else min(time, reached - 1)
            held[replica.id].append(collection.id)
    if time is None:
        for replica in replicas:
            replica.uncompared = False  # no two of them hold the same: there is nothing to compare
        reading.readers_changed(state, out)
        return
    if time < since:
        _again_soon(state, now_ms)
        return
    asked = {name: collections for name, collections in held.items() if collections}
    state.comparison = Comparison(
        time=time, deadline_ms=now_ms + ANSWER_MS, waiting=set(asked), told={}
    )
    for name, collections in asked.items():
        out.sends.append(AskDigests(replica=name, collections=tuple(collections), time=time))


def _judge(state: State, comparison: Comparison, out: Outbox, now_ms: int) -> None:
    """Compares what was told. At most one replica is repaired at a time."""
    state.comparison = None
    if state.repair is not None:
        return  # one that began since, of whoever was suspected; what it comes to is compared again
    wrong: dict[ReplicaId, list[CollectionId]] = {}
    believed: dict[ReplicaId, ReplicaId] = {}
    compared: set[ReplicaId] = set()
    for collection in state.live_dataflows():
        votes = _votes(comparison.told, collection.id)
        if sum(map(len, votes)) < 2:
            continue
        trusted = max(votes, key=lambda group: (len(group), *_trust(state, group)))
        compared.update(name for group in votes for name in group)
        for group in votes:
            for name in group:
                if group is not trusted:
                    wrong.setdefault(name, []).append(collection.id)
                    believed[name] = trusted[0]
    _believe(
        state, [name for name in comparison.told if name in compared and name not in wrong], out
    )
    _again_soon(state, now_ms)
    if not compared:
        return
    if not wrong:
        state.repaired.clear()
        state.refused.clear()
        for each in state.replicas.values():
            each.repair_failures.clear()
        return
    name = min(wrong)
    replica = state.replicas.get(name)
    if replica is not None and replica.is_open:
        names = ", ".join(show(each) for each in wrong[name])
        reason = f"its content of {names} at {comparison.time} is not that of {believed[name]}"
        repairing.begin(state, replica, wrong[name], reason, believed[name], out, now_ms)


def _believe(state: State, right: list[ReplicaId], out: Outbox) -> None:
    """What they hold is not in doubt any more."""
    found = [state.replicas[name] for name in right if name in state.replicas]
    for replica in found:
        replica.wrong = replica.uncompared = False
    reading.readers_changed(state, out)


def _again_soon(state: State, now_ms: int) -> None:
    """If there is somebody who is yet to be compared, and could not be so far."""
    if any(replica.uncompared for replica in _comparable(state)):
        state.compare_at_ms = now_ms + AGAIN_MS


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


def _trust(state: State, group: list[ReplicaId]) -> tuple[bool, bool, bool]:
    found = [state.replicas[name] for name in group if name in state.replicas]
    everybody = sorted(replica.id for replica in state.open_replicas())
    return (
        any(name in state.repaired for name in group),
        not all(replica.uncompared for replica in found),
        everybody[:1] == group[:1],
    )
