"""When a dataflow may start on a replica.

A replica fills only a few dataflows at once, so that the first ones finish early. A dataflow starts
when its inputs are past its as_of; on a connection it is told so exactly once. Transient work does
not wait: somebody does.
"""

from __future__ import annotations

from antiphon.controller.instance.ready import Outbox, scheduling
from antiphon.controller.instance.replicas import bases
from antiphon.controller.instance.state import Installed, Replica, State
from antiphon.protocol.command import BaseSource, Sent
from antiphon.protocol.ids import CollectionId


def schedule(state: State, replica: Replica, out: Outbox) -> None:
    """Start what may start now, oldest first."""
    out.send(replica.id, *due(state, replica))


def due(state: State, replica: Replica) -> list[Sent]:
    """The `Schedule`s that a replica shall get now; marks them as sent.

    O(those that are being filled and those that start), and what waits for an input before them.
    """
    starting: list[tuple[CollectionId, tuple[BaseSource, ...]]]
    starting = [(collection, ()) for collection in _take_kept(replica)]
    for collection in list(replica.filling):
        filling = replica.installed.get(collection)
        if filling is None or filling.hydrated or filling.dropping:
            del replica.filling[collection]
    for collection in sorted(replica.waiting):
        if len(replica.filling) >= state.config.hydration_limit:
            break
        installed = replica.installed.get(collection)
        if installed is None or installed.scheduled or installed.dropping:
            del replica.waiting[collection]
        elif _inputs_are_past(state, replica, installed):
            installed.scheduled = True
            del replica.waiting[collection]
            replica.filling[collection] = None
            starting.append((collection, bases.sources(state, replica, collection, installed)))
    return scheduling(starting)


def _take_kept(replica: Replica) -> list[CollectionId]:
    """What is there from an earlier session fills nothing, and takes no slot."""
    kept, replica.kept = sorted(replica.kept), []
    found = []
    for collection in kept:
        installed = replica.installed.get(collection)
        if installed is not None and not (installed.scheduled or installed.dropping):
            installed.scheduled = True
            found.append(collection)
    return found


def _inputs_are_past(state: State, replica: Replica, installed: Installed) -> bool:
    """Inputs of the same replica count there: one that is still filling must not be waited for in
    a slot that it could use itself."""
    as_of = installed.as_of.time
    assert as_of is not None, "a closed dataflow is not installed"
    if installed.stored_inputs and state.timeline_upper <= as_of:
        return False
    return all(_is_past(replica, needed, as_of) for needed in installed.local_inputs)


def _is_past(replica: Replica, needed: CollectionId, as_of: int) -> bool:
    # An input that was dropped since is inside the replica only as far as its readers keep it.
    found = replica.installed.get(needed)
    return found is None or found.output_frontier.passes(as_of)
