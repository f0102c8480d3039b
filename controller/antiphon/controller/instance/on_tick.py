"""What happens because time passes: compaction beats, reads that waited too long, lost replicas.

Compaction is coalesced: however often frontiers move, it is decided, persisted and sent at most
once a beat, and not at all while nothing moved.
"""

from __future__ import annotations

from antiphon.controller.instance import copies, holds, on_link, peeks, subscribes
from antiphon.controller.instance.content import comparing
from antiphon.controller.instance.event import CompactionDurable
from antiphon.controller.instance.ready import CompactionEntry, Outbox, allowing
from antiphon.controller.instance.replicas import retaining
from antiphon.controller.instance.state import State
from antiphon.protocol.ids import CollectionId


def on_tick(state: State, out: Outbox, now_ms: int) -> None:
    peeks.expire(state, out, now_ms)
    subscribes.expire(state, out, now_ms)
    copies.expire(state, out, now_ms)
    _release_gone_replicas(state, now_ms)
    on_link.on_time(state, out, now_ms)
    comparing.on_tick(state, out, now_ms)
    beat_due = now_ms >= state.last_beat_ms + state.config.beat_ms
    if state.moved and beat_due and not state.compaction_in_flight:
        _beat(state, out, now_ms)


def _release_gone_replicas(state: State, now_ms: int) -> None:
    for replica in state.replicas.values():
        lost_at_ms = replica.lost_at_ms
        if lost_at_ms is None or now_ms < lost_at_ms + state.config.replica_gone_ms:
            continue
        if replica.installed:
            replica.uninstall_all()
            holds.release_replica(state, replica.id)


def _beat(state: State, out: Outbox, now_ms: int) -> None:
    state.last_beat_ms = now_ms
    state.moved = awaits_facts = state.awaits_facts(now_ms)
    retaining.fold(state, out)
    moved = holds.advance(state, awaits_facts=awaits_facts)
    if not moved:
        return
    compaction = {c.id: c.since for c in moved if not c.is_stored}
    since: dict[CollectionId, int] = {}
    for collection in moved:
        time = collection.since.time
        assert time is not None, "only a drop closes a since"
        if collection.is_in_store:
            since[collection.id] = time
    state.compaction_in_flight = True
    out.entries.append(CompactionEntry(compaction=compaction, since=since))


def on_compaction_durable(state: State, event: CompactionDurable, out: Outbox) -> None:
    """Tell the replicas that are connected. One that connects later starts at the since anyway."""
    state.compaction_in_flight = False
    for replica in state.open_replicas():
        moved = []
        for collection, frontier in event.compaction.items():
            installed = replica.installed.get(collection)
            if installed is None or installed.dropping:
                continue
            if installed.compacted.less_than(frontier):
                installed.compacted = frontier
                moved.append((collection, frontier))
        out.send(replica.id, *allowing(moved))


def on_compaction_refused(state: State) -> None:
    """Nothing was let go of; the next beat moves on from here."""
    state.compaction_in_flight = False
    state.moved = True


def wake_at_ms(state: State) -> int | None:
    """The next moment at which something may be due, or None."""
    deadlines = [] if state.sync_wake_at_ms is None else [state.sync_wake_at_ms]
    if state.moved and not state.compaction_in_flight:
        deadlines.append(state.last_beat_ms + state.config.beat_ms)
    compare_at_ms = comparing.wake_at_ms(state)
    if compare_at_ms is not None:
        deadlines.append(compare_at_ms)
    for waiting in (peeks, subscribes, copies):
        next_ms = waiting.next_deadline_ms(state)
        if next_ms is not None:
            deadlines.append(next_ms)
    deadlines += [
        replica.lost_at_ms + state.config.replica_gone_ms
        for replica in state.replicas.values()
        if replica.lost_at_ms is not None and replica.installed
    ]
    return min(deadlines, default=None)
