"""From what a store holds to a controller that can go on: catalog, history, as_ofs, timeline.

Nothing of the live table comes back: reads and subscribes of a controller that died are its
clients' to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from antiphon.controller.catalog import Catalog, restore
from antiphon.controller.catalog_codec import hold_from_bytes, item_from_bytes, replica_from_bytes
from antiphon.controller.engine.as_of import Candidate, Selection, select
from antiphon.controller.instance.event import StoredInput
from antiphon.controller.instance.holds import check_readable, take_named
from antiphon.controller.instance.on_request import add_stored, inputs_of, take_up
from antiphon.controller.instance.replicas.log import CommandLog
from antiphon.controller.instance.settings import in_force
from antiphon.controller.instance.state import STORED_KINDS, InstanceConfig, State
from antiphon.controller.instance.step import Instance
from antiphon.controller.membership import is_replica
from antiphon.controller.named_holds import CatalogHold, is_hold
from antiphon.controller.oracle import Oracle
from antiphon.history.journal import record_of, sent_of
from antiphon.history.reduction import reduce
from antiphon.history.retention import restored
from antiphon.history.store import Opened, StoredCommand
from antiphon.protocol.command import CreateDataflow, Sent, UpdateConfiguration
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Ready to be driven. `conflicts`: what could not be kept, for people to read."""

    instance: Instance
    catalog: Catalog
    oracle: Oracle
    holds: tuple[CatalogHold, ...]
    conflicts: tuple[str, ...]


def recover(
    opened: Opened,
    commands: Iterable[StoredCommand],
    config: InstanceConfig,
    *,
    allow_clock_jump: bool = False,
) -> Recovered:
    """`commands`: the base of the history and then its log, in order.

    Raises:
        MalformedEnvelope, RemoteProtocolError: the store holds what this version cannot read; a
            controller that guessed would tell its replicas something else than what is durable.
    """
    stored_commands = list(commands)
    state = State(
        config=config,
        timeline_upper=opened.timeline_upper,
        head=opened.head,
        head_digest=opened.head_digest,
        log=CommandLog(
            (stored for stored in stored_commands if stored.position > opened.base),
            base=opened.base,
            base_digest=opened.base_digest,
        ),
    )
    unedited = [stored for stored in stored_commands if stored.position > opened.base]
    state.retention = restored(
        opened.base,
        ((state.log.byte_count(each.position), each.appended_at_ms) for each in unedited),
        config.policy.bounds,
    )
    found = holds_of(opened)
    for shard in sorted(opened.shards.values(), key=lambda found: found.collection):
        if shard.kind in STORED_KINDS:
            stored = StoredInput(collection=shard.collection, kind=shard.kind, schema=shard.schema)
            add_stored(state, stored, since=shard.since)
    records = reduce((record_of(stored) for stored in stored_commands), opened.compaction)
    selection = _take_up(state, opened, [sent_of(record) for record in records], _held(found))
    kept, lost = _take_holds(state, found)
    return Recovered(
        instance=Instance(state),
        catalog=catalog_of(opened),
        oracle=Oracle(upper=opened.timeline_upper, allow_clock_jump=allow_clock_jump),
        holds=kept,
        conflicts=selection.conflicts + lost,
    )


def catalog_of(opened: Opened) -> Catalog:
    """Raises MalformedMessage: a row is not what this version knows."""
    rows = sorted(opened.catalog.items())
    items = [
        item_from_bytes(content)
        for row, content in rows
        if not is_replica(row) and not is_hold(row)
    ]
    replicas = [replica_from_bytes(row, content) for row, content in rows if is_replica(row)]
    return restore(items, next_id=opened.next_id, replicas=replicas)


def holds_of(opened: Opened) -> list[CatalogHold]:
    """Raises MalformedMessage: a row is not what this version knows."""
    rows = sorted(opened.catalog.items())
    return [hold_from_bytes(row, content) for row, content in rows if is_hold(row)]


def _held(holds: Iterable[CatalogHold]) -> dict[CollectionId, int]:
    """From when named holds still read each collection."""
    held: dict[CollectionId, int] = {}
    for hold in holds:
        for collection in () if hold.lost else hold.imports:
            held[collection] = min(held.get(collection, hold.time), hold.time)
    return held


def _take_holds(
    state: State, holds: Iterable[CatalogHold]
) -> tuple[tuple[CatalogHold, ...], tuple[str, ...]]:
    """The holds as they are from here on, and what could not be kept. Their rows say the latter
    only once they are written again; until then every start finds the same."""
    kept: list[CatalogHold] = []
    conflicts: list[str] = []
    for hold in holds:
        if not hold.lost:
            try:
                for collection in hold.imports:
                    check_readable(state, collection, hold.time)
                take_named(state, hold.name, hold.imports, hold.time)
            except ComputeError as error:
                conflicts.append(f"the hold {hold.name} is lost: {error.message}")
                kept.append(replace(hold, lost=error.message))
                continue
        kept.append(hold)
    return tuple(kept), tuple(conflicts)


def _take_up(
    state: State, opened: Opened, history: list[Sent], held: Mapping[CollectionId, int]
) -> Selection:
    """Every live dataflow of the history, each from the as_of that is selected for it."""
    candidates: list[Candidate] = []
    for sent in history:
        match sent.command:
            case CreateDataflow():
                candidates.append(_candidate(opened, sent.command))
            case UpdateConfiguration():
                state.configuration = (sent.position, sent.command)
                state.config = in_force(state.given, sent.command)
            case _:
                raise AssertionError(f"a reduced history holds {type(sent.command).__name__}")
    selection = select(
        candidates,
        {c.id: c.since.time or 0 for c in state.collections.values()},
        timeline_upper=state.timeline_upper,
        retain_ms=state.config.retain_ms,
        held=held,
    )
    for sent in history:
        if isinstance(sent.command, CreateDataflow):
            dataflow = sent.command.dataflow
            collection = dataflow.exports[0].collection
            as_of = Frontier(selection.as_of[collection])
            take_up(
                state,
                replace(dataflow, as_of=as_of),
                sent.position,
                shard_upper=_shard_upper(opened, collection) or as_of,
            )
    return selection


def _candidate(opened: Opened, command: CreateDataflow) -> Candidate:
    dataflow = command.dataflow
    collection = dataflow.exports[0].collection
    as_of = dataflow.as_of.time
    assert as_of is not None, "a reduced history holds open dataflows alone"
    return Candidate(
        collection=collection,
        inputs=inputs_of(dataflow),
        as_of=as_of,
        shard_upper=_shard_upper(opened, collection),
    )


def _shard_upper(opened: Opened, collection: CollectionId) -> Frontier | None:
    shard = opened.shards.get(collection)
    return None if shard is None else shard.upper
