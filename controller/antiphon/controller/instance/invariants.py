"""What is true of an instance after every step, whatever happened. Tests and the simulator check
it; each fact is asserted where it is made true as well."""

from __future__ import annotations

from antiphon.controller.instance.state import Holder, HoldKind, State
from antiphon.protocol.ids import show


def check(state: State) -> None:
    """Raises AssertionError, naming what is broken. O(everything)."""
    _check_holds(state)
    _check_dependants(state)
    _check_pending_work(state)
    _check_replicas(state)
    _check_sync(state)


def _check_holds(state: State) -> None:
    for collection in state.collections.values():
        assert not collection.since.is_closed, f"{show(collection.id)} lost its since"
        for holder, frontier in collection.holds.items():
            assert collection.since.less_equal(frontier), (
                f"{show(collection.id)}: since {collection.since} passed {holder} at {frontier}"
            )
        if collection.is_stored:
            latest = collection.since.time
            assert latest is not None, "checked above"
            assert latest < state.timeline_upper, f"{show(collection.id)} is readable nowhere"


def _check_dependants(state: State) -> None:
    """A dataflow can always be built where its readers are: its inputs are readable there."""
    for collection in state.collections.values():
        if collection.dropped_at is not None:
            continue
        for needed in collection.inputs:
            found = state.collections.get(needed)
            assert found is not None, f"{show(collection.id)} lost its input {show(needed)}"
            assert found.dropped_at is None, f"{show(collection.id)} reads a dropped collection"
            assert found.since.less_equal(collection.since), (
                f"{show(needed)} is readable from {found.since} on, but {show(collection.id)} "
                f"starts at {collection.since}"
            )
            holder = Holder(HoldKind.DEPENDANT, collection.id)
            assert found.holds.get(holder) == collection.since, f"{holder} does not follow"


def _check_pending_work(state: State) -> None:
    assert {p.request: i for i, p in state.peeks.items()} == state.peek_of_request, "peeks differ"
    for peek_id, peek in state.peeks.items():
        holder = Holder(HoldKind.PEEK, peek_id.value)
        for needed in peek.imports:
            found = state.collections.get(needed)
            if found is not None and found.dropped_at is None:
                assert holder in found.holds, f"peek {peek_id} does not hold {show(needed)}"
    requests = {s.request: c for c, s in state.subscribes.items()}
    assert requests == state.subscribe_of_request, "subscribes differ"
    for collection, subscribe in state.subscribes.items():
        holder = Holder(HoldKind.SUBSCRIBE, collection)
        for needed in subscribe.imports:
            assert holder in state.collections[needed].holds, (
                f"subscribe {show(collection)} does not hold {show(needed)}"
            )

    for collection, copy in state.copies.items():
        holder = Holder(HoldKind.COPY, collection)
        for needed in copy.imports:
            assert holder in state.collections[needed].holds, (
                f"copy {show(collection)} does not hold {show(needed)}"
            )

    for name, imports in state.named_holds.items():
        holder = Holder(HoldKind.NAMED, name.encode())
        for needed in imports:
            found = state.collections.get(needed)
            assert found is None or holder in found.holds, f"{name} does not hold {show(needed)}"


def _check_replicas(state: State) -> None:
    for replica in state.replicas.values():
        if not replica.is_open:
            continue
        assert replica.connection_id is not None, f"{replica.id} is open without a connection"
        for collection in state.live_dataflows():
            assert collection.id in replica.installed, (
                f"{show(collection.id)} is missing on {replica.id}"
            )
        running = [
            installed
            for installed in replica.installed.values()
            if installed.scheduled
            and not (installed.hydrated or installed.is_transient or installed.dropping)
        ]
        for found, installed in replica.installed.items():
            named = found in replica.waiting or found in replica.kept
            assert installed.scheduled or installed.dropping or named, f"{show(found)} is forgotten"
        assert len(replica.filling) >= len(running), f"{replica.id} fills more than it counts"
        if state.configuration is None:  # a limit that was lowered stops nothing that runs
            limit = state.config.hydration_limit
            assert len(running) <= limit, f"{replica.id} fills too many at once"


def _check_sync(state: State) -> None:
    """The engine, the replicas and the log agree; nothing is left of who is gone."""
    names = sorted(state.replicas)
    assert [view.replica for view in state.sync.views] == names, "the engine knows others"
    assert set(state.retention.pins) <= set(names), "a pin of nobody"
    assert state.retention.base == state.log.base, "the log was folded elsewhere"
    for view in state.sync.views:
        replica = state.replicas[view.replica]
        assert view.connected == replica.is_open, f"{replica.id} is connected, or is not"
        assert replica.accepted == view.is_synced, f"{replica.id} is accepted, or is not"
        if not replica.is_open:
            assert view.active is None, f"{replica.id} has a session and no connection"
    for peek in state.peeks.values():
        for asked in peek.asked:
            assert state.replicas[asked].is_open, f"{asked} is asked, and is gone"
    lowest = [pin.position for pin in state.retention.pins.values() if not pin.is_lost]
    assert min(lowest, default=state.log.base) >= state.log.base, "a fold passed a pin"
