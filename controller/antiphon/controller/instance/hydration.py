"""When a dataflow may start on a replica.

A replica fills only a few dataflows at once, so that the first ones finish early. A dataflow starts
when its inputs are past its as_of; on a connection it is told so exactly once. Transient work does
not wait: somebody does.
"""

from __future__ import annotations

from antiphon.controller.instance.ready import Outbox, scheduling
from antiphon.controller.instance.state import Installed, Replica, State
from antiphon.protocol.command import Sent
from antiphon.protocol.ids import CollectionId


def schedule(state: State, replica: Replica, out: Outbox) -> None:
    """Start what may start now, oldest first."""
    out.send(replica.id, *due(state, replica))


def due(state: State, replica: Replica) -> list[Sent]:
    """The `Schedule`s that a replica shall get now; marks them as sent."""
    running = 0
    waiting: list[CollectionId] = []
    for collection, installed in replica.installed.items():
        if installed.dropping:
            continue
        if not installed.scheduled:
            waiting.append(collection)
        elif not (installed.is_transient or installed.hydrated):
            running += 1
    starting: list[CollectionId] = []
    for collection in sorted(waiting):
        installed = replica.installed[collection]
        if installed.hydrated:  # kept from an earlier session: it fills nothing
            installed.scheduled = True
            starting.append(collection)
            continue
        if running < state.config.hydration_limit and _inputs_are_past(state, replica, installed):
            installed.scheduled = True
            running += 1
            starting.append(collection)
    return scheduling(starting)


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
