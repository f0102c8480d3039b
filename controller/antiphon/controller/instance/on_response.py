"""What replicas report: progress, answers, acknowledgements, heartbeats.

A report about something unknown, or one that goes back, is ignored: it was on its way when the
world moved. Something that no replica may ever say ends the session.
"""

from __future__ import annotations

from typing import assert_never

from antiphon.controller.instance import copies, holds, peeks, subscribes
from antiphon.controller.instance.content import repairing
from antiphon.controller.instance.event import ResponsesReceived
from antiphon.controller.instance.on_request import forget_if_done
from antiphon.controller.instance.ready import Outbox
from antiphon.controller.instance.replicas import hydration
from antiphon.controller.instance.state import Holder, HoldKind, Installed, Replica, State
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import (
    CopyToResponse,
    Draining,
    Dropped,
    Frontiers,
    PeekResponse,
    RebuildResult,
    Response,
    Status,
    SubscribeResponse,
)


def on_responses(state: State, event: ResponsesReceived, out: Outbox) -> None:
    """
    Raises:
        RemoteProtocolError: the replica broke the protocol; what came before in the batch counts.
    """
    replica = state.replicas.get(event.replica)
    if replica is None or not replica.is_open or replica.connection_id != event.connection_id:
        return  # of an earlier connection
    moved = False
    for response in event.responses:
        moved = _on_response(state, replica, response, out) or moved
    # Once for all of them: with many dataflows a batch brings a report of each.
    if moved:
        hydration.schedule(state, replica, out)


def _on_response(state: State, replica: Replica, response: Response, out: Outbox) -> bool:
    """True: what is filled moved, and others may start now."""
    match response:
        case Frontiers():
            return on_frontiers(state, replica, response)
        case PeekResponse():
            peeks.on_response(state, replica, response, out)
        case SubscribeResponse():
            subscribes.on_response(state, replica, response, out)
        case Dropped():
            _on_dropped(state, replica, response, out)
        case Status():
            replica.status = response
        case Draining(reason=reason):
            replica.draining = reason
        case CopyToResponse():
            copies.on_response(state, replica, response, out)
        case RebuildResult():
            if not repairing.on_result(state, replica, response, out):
                message = f"{type(response).__name__} answers a command that was never sent"
                raise RemoteProtocolError(message)
        case _:
            assert_never(response)
    return False


def on_frontiers(state: State, replica: Replica, report: Frontiers) -> bool:
    """Progress of collections there. True: others may start now."""
    moved = False
    for reported in report.collections:
        moved = _progress(state, replica, reported, report) or moved
    if report.input_frontier is not None:
        _follow_inputs(state, replica, report.collections)
    return moved


def _progress(state: State, replica: Replica, reported: CollectionId, report: Frontiers) -> bool:
    """Of one collection. The furthest write frontier of all replicas is the collection's. True:
    what it has put out moved."""
    installed = replica.installed.get(reported)
    if installed is None:
        return False
    replica.reported = True
    output_before = installed.output_frontier
    _move_forward(installed, report)
    collection = state.collections.get(reported)
    if collection is not None and collection.write_frontier.less_than(installed.write_frontier):
        collection.write_frontier = installed.write_frontier
        state.moved = True
    if output_before == installed.output_frontier:
        return False
    if not installed.scheduled:  # a full set let it stay as it was, as is only now known
        replica.kept.append(reported)
    return True


def _move_forward(installed: Installed, report: Frontiers) -> None:
    if report.write_frontier is not None:
        installed.write_frontier = installed.write_frontier.join(report.write_frontier)
    if report.input_frontier is not None:
        installed.input_frontier = installed.input_frontier.join(report.input_frontier)
    if report.output_frontier is not None:
        installed.output_frontier = installed.output_frontier.join(report.output_frontier)


def _follow_inputs(state: State, replica: Replica, collections: tuple[CollectionId, ...]) -> None:
    """The holds on their inputs follow what they have consumed: most of them the same."""
    consumed = needed = START
    for reported in collections:
        installed = replica.installed.get(reported)
        if installed is None:
            continue
        holder = Holder(HoldKind.INPUT, reported, replica.id)
        if installed.input_frontier.is_closed:
            holds.release_all(state, installed.stored_inputs, holder)
            continue
        if installed.input_frontier is not consumed:
            consumed = installed.input_frontier
            needed = consumed.step_back()
        for collection in installed.stored_inputs:
            holds.move(state, collection, holder, needed)


def _on_dropped(state: State, replica: Replica, response: Dropped, out: Outbox) -> None:
    installed = replica.installed.get(response.collection)
    if installed is None or not installed.dropping:
        return
    del replica.installed[response.collection]
    holder = Holder(HoldKind.INPUT, response.collection, replica.id)
    holds.release_all(state, installed.stored_inputs, holder)
    forget_if_done(state, response.collection)
    if response.collection in state.subscribes:  # it was withdrawn, and may begin again
        subscribes.ask_waiting(state, out)
    hydration.schedule(state, replica, out)


def on_shard_advanced(state: State, collection: CollectionId, upper: Frontier) -> None:
    """A materialized view was written: what it must still compute begins at its shard's upper."""
    found = state.collections.get(collection)
    if found is None or found.shard_upper is None or found.dropped_at is not None:
        return
    if found.shard_upper.less_than(upper):
        holds.hold_output(state, found, upper)
        state.moved = True
