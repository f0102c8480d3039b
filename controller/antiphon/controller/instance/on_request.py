"""Requests that change what the instance maintains: prepared, made durable, then taken up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from antiphon.controller.instance import copies, holds, subscribes
from antiphon.controller.instance.clocked import depends_on_clock
from antiphon.controller.instance.event import (
    InstallDurable,
    InstallRefused,
    InstallRequested,
    StoredInput,
)
from antiphon.controller.instance.ready import NumberedEntry, Outbox
from antiphon.controller.instance.replicas import hydration
from antiphon.controller.instance.settings import check_floor, in_force, merged
from antiphon.controller.instance.state import (
    Collection,
    Holder,
    HoldKind,
    PendingInstall,
    State,
)
from antiphon.controller.ports import ErrorReply
from antiphon.history.shard import FIRST_UPPER
from antiphon.protocol.command import (
    AllowCompaction,
    CreateDataflow,
    Sent,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    CollectionKind,
    DataflowDescription,
    MaterializedViewExport,
)
from antiphon.protocol.errors import ComputeError, LimitExceeded
from antiphon.protocol.fingerprint import fingerprint_of
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, Position
from antiphon.protocol.limits import DATAFLOWS_MAX


def on_install_requested(state: State, event: InstallRequested, out: Outbox) -> None:
    """Choose each as_of, hold the inputs there, and hand out the entries: creations, then drops."""
    assert event.request not in state.installs, f"request {event.request} is installing already"
    as_of = state.read_time
    try:
        _check(state, event, as_of)
    except ComputeError as error:
        out.reply(event.request, ErrorReply(error))
        return
    dataflows = tuple(replace(d, as_of=Frontier(as_of)) for d in event.dataflows)
    holder = Holder(HoldKind.INSTALL, event.request)
    for dataflow in dataflows:
        holds.acquire_all(state, inputs_of(dataflow), holder, as_of)
    state.installs[event.request] = PendingInstall(
        request=event.request,
        stored=event.stored,
        dataflows=dataflows,
        drops=event.drops,
        settings=event.settings,
    )
    if event.settings:
        out.entries.append(NumberedEntry(command=UpdateConfiguration(values=event.settings)))
    out.entries += [NumberedEntry(command=CreateDataflow(dataflow=d)) for d in dataflows]
    out.entries += [
        NumberedEntry(command=AllowCompaction(collection=dropped, frontier=CLOSED))
        for dropped in _maintained(state, event.drops)
    ]


def _check(state: State, event: InstallRequested, as_of: int) -> None:
    maintained = sum(1 for _ in state.live_dataflows())
    if event.dataflows and maintained + len(event.dataflows) > DATAFLOWS_MAX:
        raise LimitExceeded(
            f"{DATAFLOWS_MAX} indexes and materialized views exist already",
            limit="DATAFLOWS_MAX",
        )
    for dataflow in event.dataflows:
        assert len(dataflow.exports) == 1, "a maintained dataflow has exactly one export"
        for needed in inputs_of(dataflow):
            holds.check_readable(state, needed, as_of)
    for dropped in event.drops:
        holds.check_readable(state, dropped, as_of)
    check_floor(state.config, event.settings)


def inputs_of(dataflow: DataflowDescription) -> tuple[CollectionId, ...]:
    return tuple(wanted.collection for wanted in dataflow.imports)


def _maintained(state: State, drops: tuple[CollectionId, ...]) -> list[CollectionId]:
    return [dropped for dropped in drops if not state.collections[dropped].is_stored]


def on_install_refused(state: State, event: InstallRefused) -> None:
    """The store said no: let go of the inputs."""
    pending = state.installs.pop(event.request)
    holder = Holder(HoldKind.INSTALL, pending.request)
    for dataflow in pending.dataflows:
        holds.release_all(state, inputs_of(dataflow), holder)


def on_install_durable(state: State, event: InstallDurable, out: Outbox) -> None:
    """Take up what is durable now, and tell the replicas that are connected."""
    pending = state.installs.pop(event.request)
    maintained = _maintained(state, pending.drops)
    expected = bool(pending.settings) + len(pending.dataflows) + len(maintained)
    assert len(event.positions) == expected, f"{len(event.positions)} positions for {expected}"
    positions = list(event.positions)
    _extend_log(state, pending, maintained)
    assert state.log.head == event.head, f"the log ends at {state.log.head}, not at {event.head}"
    state.head, state.head_digest = event.head, event.head_digest
    state.moved = True
    if pending.settings:
        configure(state, pending.settings, positions.pop(0), out)
    for stored in pending.stored:
        add_stored(state, stored)
    for dataflow in pending.dataflows:
        position = positions.pop(0)
        take_up(state, dataflow, position, shard_upper=Frontier(FIRST_UPPER))
        install_everywhere(state, dataflow, position, out)
    holder = Holder(HoldKind.INSTALL, pending.request)
    for dataflow in pending.dataflows:
        holds.release_all(state, inputs_of(dataflow), holder)
    for dropped in pending.drops:
        position = positions.pop(0) if dropped in maintained else event.head
        drop(state, dropped, position, out)


def _extend_log(state: State, pending: PendingInstall, dropped: list[CollectionId]) -> None:
    """The entries of the statement, in the order in which they were handed out."""
    if pending.settings:
        state.log.append(UpdateConfiguration(values=pending.settings))
    for dataflow in pending.dataflows:
        state.log.append(CreateDataflow(dataflow=dataflow))
    for collection in dropped:
        state.log.append(AllowCompaction(collection=collection, frontier=CLOSED))


def configure(state: State, values: Mapping[str, str], position: Position, out: Outbox) -> None:
    """In force from here on, for us and for every replica. In a full set all of them stand where
    the first one does."""
    first, before = state.configuration or (position, None)
    state.configuration = (first, merged(before, values))
    state.config = in_force(state.given, state.configuration[1])
    for replica in list(state.open_replicas()):
        out.send(replica.id, Sent(position, UpdateConfiguration(values=values)))
        hydration.schedule(state, replica, out)


def add_stored(state: State, stored: StoredInput, *, since: int = 0) -> None:
    """A table or a feed, readable from `since` on; a new one is empty at all times before now."""
    holds.open_collection(
        state,
        Collection(
            id=stored.collection,
            kind=stored.kind,
            schema=stored.schema,
            since=Frontier(since),
            write_frontier=Frontier(state.timeline_upper),
        ),
    )


def take_up(
    state: State,
    dataflow: DataflowDescription,
    position: Position,
    *,
    shard_upper: Frontier,
) -> Collection:
    """A maintained dataflow, readable from its as_of on."""
    export = dataflow.exports[0]
    is_sink = isinstance(export.kind, MaterializedViewExport)
    collection = Collection(
        id=export.collection,
        kind=CollectionKind.MATERIALIZED_VIEW if is_sink else CollectionKind.INDEX,
        schema=dataflow.schema,
        since=dataflow.as_of,
        write_frontier=dataflow.as_of,
        dataflow=dataflow,
        position=position,
        fingerprint=fingerprint_of(dataflow),
        shard_upper=shard_upper if is_sink else None,
    )
    holds.open_collection(state, collection)
    if depends_on_clock(dataflow.plan):
        state.clocked.add(collection.id)
    return collection


def install_everywhere(
    state: State, dataflow: DataflowDescription, position: Position, out: Outbox
) -> None:
    collection = dataflow.exports[0].collection
    for replica in list(state.open_replicas()):
        installed = subscribes.installed_on(dataflow, collection)
        replica.install(collection, installed)
        subscribes.hold_inputs(state, replica, collection, installed)
        out.send(replica.id, Sent(position, CreateDataflow(dataflow=dataflow)))
        hydration.schedule(state, replica, out)


def drop(state: State, dropped: CollectionId, position: Position, out: Outbox) -> None:
    """Gone for readers at once; its state goes when every replica has stopped reading."""
    collection = state.collections[dropped]
    state.clocked.discard(dropped)
    subscribes.on_collection_dropped(state, dropped, out)
    copies.on_collection_dropped(state, dropped, out)
    holds.close_collection(state, collection)
    if collection.is_stored:
        del state.collections[dropped]
        return
    collection.dropped_at = position
    command = AllowCompaction(collection=dropped, frontier=CLOSED)
    for replica in list(state.open_replicas()):
        installed = replica.installed.get(dropped)
        if installed is not None:
            installed.dropping = True
            out.send(replica.id, Sent(position, command))
            hydration.schedule(state, replica, out)
    forget_if_done(state, dropped)


def forget_if_done(state: State, dropped: CollectionId) -> None:
    """Remove a dropped collection once no connected replica has it any more."""
    collection = state.collections.get(dropped)
    if collection is None or collection.dropped_at is None:
        return
    if any(dropped in replica.installed for replica in state.open_replicas()):
        return
    del state.collections[dropped]
