"""A standby takes up what the live controller made durable, as if it had done so itself.

The live one's commands are in the history before anybody hears of them, so what a standby tells its
own replicas is as durable as what the live one tells its. A standby only has no say: it neither
chooses an as_of nor writes anything down.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from antiphon.controller.instance import on_request, on_response
from antiphon.controller.instance.event import Followed
from antiphon.controller.instance.on_request import add_stored, inputs_of, take_up
from antiphon.controller.instance.ready import Outbox
from antiphon.controller.instance.state import State
from antiphon.history.journal import record_of, sent_of
from antiphon.history.shard import FIRST_UPPER
from antiphon.protocol.command import AllowCompaction, CreateDataflow, Sent, UpdateConfiguration
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId

if TYPE_CHECKING:
    from antiphon.history.store import StoredCommand


def on_followed(state: State, event: Followed, out: Outbox) -> None:
    """In the order in which it became durable, as far as that matters: times, then what is new,
    then the commands that may import it, then what is gone."""
    assert state.config.standby, "who writes the history does not follow it"
    state.timeline_upper = event.upper
    for collection in state.collections.values():
        if collection.is_stored:
            collection.write_frontier = Frontier(event.upper)
    for stored in event.stored:
        add_stored(state, stored)
    for command in event.commands:
        _take_up(state, command, event, out)
    for dropped in event.gone:
        on_request.drop(state, dropped, state.head, out)
    for view, upper in event.shard_uppers.items():
        on_response.on_shard_advanced(state, view, upper)
    state.moved = True


def _take_up(state: State, stored: StoredCommand, event: Followed, out: Outbox) -> None:
    state.log.follow(stored)
    state.head, state.head_digest = stored.position, stored.digest
    sent: Sent = sent_of(record_of(stored))
    match sent.command:
        case CreateDataflow(dataflow=dataflow):
            as_of = dataflow.as_of
            for needed in inputs_of(dataflow):
                as_of = as_of.join(state.collections[needed].since)
            dataflow = replace(dataflow, as_of=as_of)
            upper = event.shard_uppers.get(dataflow.exports[0].collection, Frontier(FIRST_UPPER))
            take_up(state, dataflow, sent.position, shard_upper=upper)
            on_request.install_everywhere(state, dataflow, sent.position, out)
        case AllowCompaction(collection=dropped, frontier=frontier):
            assert frontier.is_closed, "only a drop is numbered"
            on_request.drop(state, dropped, sent.position, out)
        case UpdateConfiguration(values=values):
            on_request.configure(state, values, sent.position, out)
        case _:
            raise AssertionError(f"{type(sent.command).__name__} in a history")


def unknown_imports(state: State, event: Followed) -> tuple[CollectionId, ...]:
    """What commands of the event import though nobody has heard of it: it came and went between two
    looks. A standby that missed so much begins anew."""
    known = set(state.collections) | {stored.collection for stored in event.stored}
    missing: list[CollectionId] = []
    for stored in event.commands:
        command = sent_of(record_of(stored)).command
        if isinstance(command, CreateDataflow):
            missing += [need for need in inputs_of(command.dataflow) if need not in known]
            known.update(export.collection for export in command.dataflow.exports)
    return tuple(missing)
