"""Read holds, and the only writer of `since`.

A collection's since may go as far as the latest time that its policy allows and no hold forbids; it
never moves back. A hold is taken at a time that is still readable, and moves only forward. When a
since moves, the holds that the collection has on its own inputs follow it, so that a maintained
dataflow can always be built again where its readers are.
"""

from __future__ import annotations

from antiphon.controller.instance.state import (
    Collection,
    Holder,
    HoldKind,
    State,
)
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import CollectionMissing, SinceViolation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show


def check_readable(state: State, collection: CollectionId, time: int) -> None:
    """
    Raises:
        CollectionMissing: it does not exist, or was dropped.
        SinceViolation: `time` is before its since.
    """
    found = state.collections.get(collection)
    if found is None or found.dropped_at is not None:
        raise CollectionMissing(f"{show(collection)} does not exist", collection=show(collection))
    if found.since.passes(time):
        raise SinceViolation(
            f"{show(collection)} is readable from time {found.since.time} on, not at {time}",
            collection=show(collection),
            since=str(found.since.time),
            time=time,
        )


def acquire(state: State, collection: CollectionId, holder: Holder, time: int) -> None:
    """Keep `time` and later readable until released. The caller has checked that it is."""
    acquire_from(state, (collection,), holder, Frontier(time))


def acquire_from(
    state: State, collections: tuple[CollectionId, ...], holder: Holder, start: Frontier
) -> None:
    """`acquire` of several, at a frontier that its caller has at hand."""
    for collection in collections:
        found = state.collections[collection]
        assert found.since.less_equal(start), f"{holder} wants {start}, before {found.since}"
        found.holds[holder] = start


def move(state: State, collection: CollectionId, holder: Holder, frontier: Frontier) -> None:
    """Let a hold follow its owner; it never moves back. Nothing to do if it is gone."""
    found = state.collections.get(collection)
    if found is None or holder not in found.holds:
        return
    current = found.holds[holder]
    if current.less_than(frontier):
        found.holds[holder] = frontier
        state.moved = True


def release(state: State, collection: CollectionId, holder: Holder) -> None:
    found = state.collections.get(collection)
    if found is not None and found.holds.pop(holder, None) is not None:
        state.moved = True


def release_all(state: State, collections: tuple[CollectionId, ...], holder: Holder) -> None:
    for collection in collections:
        release(state, collection, holder)


def acquire_all(
    state: State, collections: tuple[CollectionId, ...], holder: Holder, time: int
) -> None:
    acquire_from(state, collections, holder, Frontier(time))


def release_replica(state: State, replica: str) -> None:
    """A replica is gone for good, or starts anew: it holds nothing back any more."""
    for collection in state.collections.values():
        gone = [holder for holder in collection.holds if holder.replica == replica]
        for holder in gone:
            del collection.holds[holder]
            state.moved = True


def take_named(state: State, name: str, imports: tuple[CollectionId, ...], time: int) -> None:
    """For a subscriber that may go away and come back."""
    assert name not in state.named_holds, f"the hold {name} is taken"
    state.named_holds[name] = imports
    acquire_all(state, imports, _named(name), time)


def move_named(state: State, name: str, time: int) -> None:
    for collection in state.named_holds.get(name, ()):
        move(state, collection, _named(name), Frontier(time))


def release_named(state: State, name: str) -> None:
    release_all(state, state.named_holds.pop(name, ()), _named(name))


def _named(name: str) -> Holder:
    return Holder(HoldKind.NAMED, name.encode())


def advance(state: State, *, awaits_facts: bool = False) -> list[Collection]:
    """Move every since as far as policy and holds allow. Returns what moved, dependants first.
    `awaits_facts`: what replicas have yet to read from the store is not known; all of it stays.

    O(collections and holds), a few comparisons for each; a beat calls it, not a tick.
    """
    moved: list[Collection] = []
    reached: dict[int, Frontier] = {}  # mostly one, for all of them
    unwatched = all(
        not replica.is_open and not replica.installed for replica in state.replicas.values()
    )
    # Dependants have larger ids than what they need, so each sees its dependants' new since.
    for _, collection in sorted(state.collections.items(), reverse=True):
        if collection.dropped_at is not None or (awaits_facts and collection.is_in_store):
            continue
        since = collection.since.time
        assert since is not None, "only a drop closes a since, and it removes the collection"
        target = _target(state, collection, unwatched=unwatched)
        if since < target:
            frontier = reached.get(target) or reached.setdefault(target, Frontier(target))
            _set_since(collection, frontier)
            moved.append(collection)
            holder = Holder(HoldKind.DEPENDANT, collection.id)
            for needed in collection.inputs:
                move(state, needed, holder, frontier)
    return moved


def _target(state: State, collection: Collection, *, unwatched: bool) -> int:
    """How far a since may go. `unwatched`: there is no replica at all. Then there is no report to
    wait for, and a paused instance must not pin its history; but a sink would skip outputs."""
    latest = state.timeline_upper
    may_forward = unwatched and collection.kind is CollectionKind.INDEX
    reported = collection.write_frontier.time
    if not collection.is_stored and not may_forward and reported is not None:
        latest = min(latest, reported)
    target = max(latest - 1 - state.config.retain_ms, 0)
    earliest = _earliest_held(collection)
    return target if earliest is None else min(target, earliest)


def _earliest_held(collection: Collection) -> int | None:
    if not collection.holds:  # as of most
        return None
    held = [frontier.time for frontier in collection.holds.values()]
    return min([time for time in held if time is not None], default=None)


def _set_since(collection: Collection, since: Frontier) -> None:
    assert collection.since.less_equal(since), f"since moves back: {collection.since} -> {since}"
    collection.since = since
    held = _earliest_held(collection)
    assert held is None or not since.passes(held), f"{since} passed a hold at {held}"


def open_collection(state: State, collection: Collection) -> None:
    """Take up a collection whose since is its as_of: hold its inputs there, and its own output."""
    assert collection.id not in state.collections, f"{show(collection.id)} exists already"
    state.collections[collection.id] = collection
    since = collection.since.time
    assert since is not None, "a closed collection is not opened"
    acquire_all(state, collection.inputs, Holder(HoldKind.DEPENDANT, collection.id), since)
    if collection.shard_upper is not None:
        hold_output(state, collection, collection.shard_upper)


def hold_output(state: State, collection: Collection, shard_upper: Frontier) -> None:
    """A materialized view must still compute its next output after a restart, so it keeps the time
    just before its shard's upper."""
    assert collection.kind is CollectionKind.MATERIALIZED_VIEW, "only a sink has outputs"
    previous = collection.shard_upper
    assert previous is None or previous.less_equal(shard_upper), "a shard's upper moved back"
    collection.shard_upper = shard_upper
    holder = Holder(HoldKind.SINK, collection.id)
    if shard_upper.is_closed:
        release(state, collection.id, holder)
        return
    wanted = shard_upper.step_back().join(collection.since)
    assert wanted.time is not None, "an open shard has a last time"
    if holder in collection.holds:
        move(state, collection.id, holder, wanted)
    else:
        acquire(state, collection.id, holder, wanted.time)


def close_collection(state: State, collection: Collection) -> None:
    """A dropped collection needs its inputs no more; replicas that still read them have holds of
    their own."""
    release_all(state, collection.inputs, Holder(HoldKind.DEPENDANT, collection.id))
    release(state, collection.id, Holder(HoldKind.SINK, collection.id))
