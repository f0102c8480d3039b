"""From what a store holds to a controller that can go on: catalog, history, as_ofs, timeline.

Nothing of the live table comes back: reads and subscribes of a controller that died are its
clients' to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from antiphon.controller.catalog import Catalog, restore
from antiphon.controller.catalog_codec import item_from_bytes, replica_from_bytes
from antiphon.controller.engine.as_of import Candidate, Selection, select
from antiphon.controller.instance.event import StoredInput
from antiphon.controller.instance.log import CommandLog
from antiphon.controller.instance.on_request import add_stored, inputs_of, take_up
from antiphon.controller.instance.settings import in_force
from antiphon.controller.instance.state import STORED_KINDS, InstanceConfig, State
from antiphon.controller.instance.step import Instance
from antiphon.controller.membership import is_replica
from antiphon.controller.oracle import Oracle
from antiphon.history.journal import record_of, sent_of
from antiphon.history.reduction import reduce
from antiphon.history.store import Opened, StoredCommand
from antiphon.protocol.command import CreateDataflow, Sent, UpdateConfiguration
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Ready to be driven. `conflicts`: what could not be kept, for people to read."""

    instance: Instance
    catalog: Catalog
    oracle: Oracle
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
    rows = sorted(opened.catalog.items())
    items = [item_from_bytes(content) for row, content in rows if not is_replica(row)]
    replicas = [replica_from_bytes(row, content) for row, content in rows if is_replica(row)]
    for shard in sorted(opened.shards.values(), key=lambda found: found.collection):
        if shard.kind in STORED_KINDS:
            stored = StoredInput(collection=shard.collection, kind=shard.kind, schema=shard.schema)
            add_stored(state, stored, since=shard.since)
    records = reduce((record_of(stored) for stored in stored_commands), opened.compaction)
    selection = _take_up(state, opened, [sent_of(record) for record in records])
    return Recovered(
        instance=Instance(state),
        catalog=restore(items, next_id=opened.next_id, replicas=replicas),
        oracle=Oracle(upper=opened.timeline_upper, allow_clock_jump=allow_clock_jump),
        conflicts=selection.conflicts,
    )


def _take_up(state: State, opened: Opened, history: list[Sent]) -> Selection:
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
