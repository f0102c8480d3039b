"""From whom a replica that is rebuilt reads what its dataflows start with.

One source at a time for all of a session, chosen by `engine.base_source`: the store, or another
replica for the inputs that it holds and the store for the others. A dataflow is told in its
`Schedule`. What the other replica keeps of a table is an index, so that is held at the time until
it was read. If the source fails, says nothing for too long, or is lost, the next one is chosen, and
every dataflow that is still filling is told; each choice is on record with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from antiphon.controller.engine.base_source import (
    STORE,
    BaseCase,
    FromPeers,
    Giver,
    choose_base,
)
from antiphon.controller.instance import holds
from antiphon.controller.instance.content import verifying
from antiphon.controller.instance.ready import Outbox, scheduling
from antiphon.controller.instance.state import Base, Holder, HoldKind, Installed, Replica, State
from antiphon.protocol.command import BaseSource
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.verbatim import copy_of


def begin(state: State, replica: Replica, doubt: str) -> None:
    """Its session has just been opened, and fills everything anew. `doubt`: why no other replica
    is believed."""
    replica.base = Base(doubt=doubt)
    _choose(state, replica, replica.base)


def end(state: State, replica: Replica) -> None:
    """The session is over: whatever it still reads it reads on."""
    base, replica.base = replica.base, None
    if base is not None:
        _let_go(state, replica, base)


def sources(
    state: State, replica: Replica, collection: CollectionId, installed: Installed
) -> tuple[BaseSource, ...]:
    """What a `Schedule` says of the dataflow's inputs. Holds what they are read from."""
    base = replica.base
    if base is None or base.peer is None or installed.is_transient:
        return ()
    peer = state.replicas[base.peer]
    found: list[BaseSource] = []
    for needed in installed.stored_inputs:
        held = base.held.get(needed)
        if held is not None and _hold(state, replica, collection, installed, peer, held):
            found.append(BaseSource(collection=needed, peer=peer.reached_at))
    return tuple(found)


def heard(state: State, replica: Replica, out: Outbox, now_ms: int) -> None:
    """After responses of a replica that is being rebuilt. O(1) for others."""
    base, status = replica.base, replica.status
    if base is None:
        return
    for collection in list(base.holding):
        installed = replica.installed.get(collection)
        if installed is None or installed.hydrated:
            _let_go(state, replica, base, collection)
    if status is None:
        return
    address = "" if base.peer is None else state.replicas[base.peer].reached_at
    for progress in status.hydration:
        if address and progress.peer_failed == address:
            _next(state, replica, base, progress.peer_failure, out)
            return
    filled = 0 if replica.owed is None else replica.owed.filled_count
    rows = sum(each.rows_received + each.rows_done for each in status.hydration)
    if (filled, rows) != base.seen:
        base.seen, base.moved_at_ms = (filled, rows), now_ms
        return
    started = [each for each in status.hydration if each.collection in replica.filling]
    waits = any(p.rows_received < p.rows_total or not p.rows_total for p in started)
    limit_ms = state.config.policy.base_stall_ms
    if waits and now_ms - base.moved_at_ms > limit_ms:
        why = f"it gave nothing for {limit_ms // 1000} s"
        _next(state, replica, base, why, out)


def on_replica_lost(state: State, lost: Replica, out: Outbox) -> None:
    """Who reads from it reads elsewhere, and what it read itself is its next session's business."""
    end(state, lost)
    for replica in state.open_replicas():
        if replica.base is not None and replica.base.peer == lost.id:
            _next(state, replica, replica.base, "its connection was lost", out)


def _next(state: State, replica: Replica, base: Base, why: str, out: Outbox) -> None:
    if base.peer is None and STORE in base.failed:
        return  # nobody is left, and it is waited for as long as the session's budget lasts
    base.failed[base.peer or STORE] = why
    _let_go(state, replica, base)
    _choose(state, replica, base)
    again = [
        (collection, sources(state, replica, collection, installed))
        for collection, installed in _filling(replica)
    ]
    out.send(replica.id, *scheduling(again))


def _filling(replica: Replica) -> Iterator[tuple[CollectionId, Installed]]:
    for collection in sorted(replica.filling):
        installed = replica.installed.get(collection)
        if installed is not None and not (installed.hydrated or installed.dropping):
            yield collection, installed


def _choose(state: State, replica: Replica, base: Base) -> None:
    needed = {
        wanted
        for installed in replica.installed.values()
        if not (installed.is_transient or installed.hydrated or installed.dropping)
        for wanted in installed.stored_inputs
    }
    base.peer, base.held = None, {}
    if not needed:
        return
    held = {peer.id: _held(state, peer, needed) for peer in _ready(state, replica)}
    chosen = choose_base(
        BaseCase(
            input_count=len(needed),
            givers=[Giver(replica=name, input_count=len(what)) for name, what in held.items()],
            failed=base.failed,
            from_peers=FromPeers(state.config.rebuild_from_peers),
            doubt=base.doubt,
        )
    )
    if chosen.peer is not None:
        base.peer, base.held = chosen.peer, held[chosen.peer]
    base.seen = None
    is_as_before = chosen.peer is None and next(reversed(base.failed), "") == STORE
    if replica.decisions and not is_as_before:
        replica.decisions[-1].bases.append(chosen.reason)


def _ready(state: State, replica: Replica) -> Iterator[Replica]:
    for other in state.open_replicas():
        if other is replica or other.draining is not None or not other.reached_at:
            continue
        if verifying.is_up_to_date(other):
            yield other


def _held(
    state: State, peer: Replica, needed: set[CollectionId]
) -> dict[CollectionId, CollectionId]:
    """Which of the inputs the replica can give, and by which of its collections: a feed's rows are
    kept for every dataflow that reads it, a table's by an index of the table as it is."""
    found: dict[CollectionId, CollectionId] = {}
    for collection in state.live_dataflows():
        installed = peer.installed.get(collection.id)
        if installed is None or not installed.hydrated or installed.dropping:
            continue
        for wanted in needed.intersection(installed.stored_inputs):
            if state.collections[wanted].kind is CollectionKind.FEED:
                found.setdefault(wanted, wanted)
        if len(installed.stored_inputs) == 1 and needed.issuperset(installed.stored_inputs):
            assert collection.dataflow is not None, "tables and feeds are not installed"
            whole = copy_of(collection.dataflow)
            if whole is not None:
                found.setdefault(whole, collection.id)
    return found


def _hold(
    state: State,
    replica: Replica,
    collection: CollectionId,
    installed: Installed,
    peer: Replica,
    held: CollectionId,
) -> bool:
    """Keep what gives a table readable there at the dataflow's as_of; False: it is not."""
    found, as_of = state.collections.get(held), installed.as_of.time
    assert as_of is not None, "a closed dataflow is not installed"
    if found is None or found.dropped_at is not None:
        return False
    if found.is_stored:
        return True  # a feed: the peer says whether it still knows that time
    kept = peer.installed.get(held)
    if kept is None or not kept.compacted.less_equal(Frontier(as_of)):
        return False
    if not found.since.less_equal(Frontier(as_of)) or not kept.output_frontier.passes(as_of):
        return False
    assert replica.base is not None, "a session without a base holds nothing"
    holds.acquire(state, held, _holder(replica, collection), as_of)
    replica.base.holding.setdefault(collection, set()).add(held)
    return True


def _let_go(
    state: State, replica: Replica, base: Base, collection: CollectionId | None = None
) -> None:
    """Of what one dataflow is read from, or all of them."""
    for reader in [collection] if collection is not None else list(base.holding):
        for held in sorted(base.holding.pop(reader, set())):
            holds.release(state, held, _holder(replica, reader))


def _holder(replica: Replica, reader: CollectionId) -> Holder:
    return Holder(HoldKind.BASE, reader, replica.id)
