"""The rows of each introspection collection, as of now, in the words of status and history.

A time that is null is a closed frontier, or one that nobody has reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import pyarrow as pa

from antiphon.controller.catalog import KIND_NAMES, Catalog
from antiphon.controller.engine.decision import Decision, Sync
from antiphon.controller.instance.state import State
from antiphon.controller.introspection.system import SCHEMAS, SystemCollection
from antiphon.controller.named_holds import CatalogHold
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.explaining.explain_expressions import show_selection
from antiphon.controller.status import InstanceStatus, ReplicaStatus
from antiphon.history.journal import record_of, sent_of
from antiphon.history.store import StoredCommand
from antiphon.protocol.command import CreateDataflow
from antiphon.protocol.describe import describe, kebab
from antiphon.protocol.expression import Value
from antiphon.protocol.ids import CollectionId, ReplicaId, show
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.response import ArrangementState

Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A replica's process that this controller started."""

    process_id: int | None
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All that introspection collections are made of, at one moment."""

    state: State
    catalog: Catalog
    status: InstanceStatus
    links: Mapping[str, str] = field(default_factory=dict)  # replica -> what its link is doing
    processes: Mapping[str, Process] = field(default_factory=dict)
    holds: Sequence[CatalogHold] = ()
    commands: Sequence[StoredCommand] = ()  # the history; read only where it is asked for


def rows_of(which: SystemCollection, moment: Moment) -> pa.RecordBatch:
    """The whole content of one collection. O(its rows)."""
    match which:
        case SystemCollection.REPLICAS:
            rows = [_replica(one, moment) for one in moment.status.replicas]
        case SystemCollection.DATAFLOWS:
            rows = list(_dataflows(moment))
        case SystemCollection.FRONTIERS:
            rows = list(_frontiers(moment))
        case SystemCollection.HYDRATION:
            rows = list(_hydration(moment))
        case SystemCollection.PEEKS:
            rows = list(_peeks(moment))
        case SystemCollection.DECISIONS:
            rows = list(_decisions(moment))
        case SystemCollection.HOLDS:
            rows = list(_holds(moment))
        case SystemCollection.ARRANGEMENTS:
            rows = list(_arrangements(moment))
        case SystemCollection.HISTORY:
            rows = [_command(stored, moment.catalog) for stored in moment.commands]
        case _:
            assert_never(which)
    return batch_of(SCHEMAS[which], rows)


def link_of(replica: ReplicaStatus, links: Mapping[str, str]) -> str:
    """What a replica's link is doing, as status says it."""
    return replica.link if replica.link == "connected" else links.get(replica.name, replica.link)


def decision_word(decision: Decision) -> str:
    """`keep-up` and the like, as in logs; what was refused is `refused`."""
    return kebab(decision.sync.name) if isinstance(decision, Sync) else "refused"


def _replica(replica: ReplicaStatus, moment: Moment) -> Row:
    process = moment.processes.get(replica.name)
    return (
        replica.name,
        replica.address,
        link_of(replica, moment.links),
        kebab(replica.stage.name),
        replica.is_ready,
        None if replica.decision is None else kebab(replica.decision.name),
        replica.reason,
        replica.applied_position,
        replica.lag_ms,
        replica.resident_bytes,
        replica.state_bytes,
        replica.state_bytes_max,
        replica.worker_silence_ms,
        None if process is None else process.process_id,
        0 if process is None else process.restarts,
    )


def _dataflows(moment: Moment) -> Iterator[Row]:
    state, catalog = moment.state, moment.catalog
    for collection in state.live_dataflows():
        assert collection.dataflow is not None, "tables and feeds are no dataflows"
        yield (
            show(collection.id),
            _name(collection.id, catalog),
            _kind(collection.id, catalog),
            collection.position,
            collection.dataflow.as_of.time,
            _names(collection.inputs, catalog),
            describe(CreateDataflow(dataflow=collection.dataflow)),
        )
    for subscribe in state.subscribes.values():
        yield (
            show(subscribe.collection),
            subscribe.dataflow.name,
            "subscribe",
            None,
            subscribe.dataflow.as_of.time,
            _names(subscribe.imports, catalog),
            describe(CreateDataflow(dataflow=subscribe.dataflow)),
        )


def _frontiers(moment: Moment) -> Iterator[Row]:
    """What the instance holds of each collection, then what each replica has reported of it."""
    state, catalog = moment.state, moment.catalog
    for collection in state.collections.values():
        if collection.dropped_at is None:
            names = (show(collection.id), _name(collection.id, catalog))
            kind = _kind(collection.id, catalog)
            since, upper = collection.since.time, collection.write_frontier.time
            yield (*names, kind, None, since, upper, None, None)
    for replica in state.open_replicas():
        for found, installed in sorted(replica.installed.items()):
            yield (
                show(found),
                _name(found, catalog),
                "subscribe" if installed.is_transient else _kind(found, catalog),
                replica.id,
                installed.compacted.time,
                installed.write_frontier.time,
                installed.input_frontier.time,
                installed.output_frontier.time,
            )


def _hydration(moment: Moment) -> Iterator[Row]:
    for replica in moment.status.replicas:
        installed = moment.state.replicas[ReplicaId(replica.name)].installed
        for one in replica.collections:
            progress = one.progress
            yield (
                replica.name,
                show(one.collection),
                one.name,
                installed[one.collection].scheduled,
                one.hydrated,
                one.failed,
                None if progress is None else progress.rows_done,
                None if progress is None else progress.rows_total,
                one.lag_ms,
            )


def _peeks(moment: Moment) -> Iterator[Row]:
    for peek in moment.state.peeks.values():
        yield (
            str(peek.command.peek_id),
            peek.command.time,
            peek.replica,
            _names(peek.imports, moment.catalog),
            len(peek.failures),
            describe(peek.command),
        )


def _decisions(moment: Moment) -> Iterator[Row]:
    for replica in moment.state.replicas.values():
        for record in replica.decisions:
            yield (
                replica.id,
                record.at_ms * 1000,
                record.session_id,
                decision_word(record.decision),
                record.decision.reason,
                record.outcome or None,
                record.base or None,
                record.content or None,
            )


def _arrangements(moment: Moment) -> Iterator[Row]:
    """What dataflows look up in one place, as each replica has last told."""
    for replica in moment.state.open_replicas():
        status = replica.status
        for one in () if status is None else status.arrangements:
            yield (
                replica.id,
                show(one.collection),
                _name(one.collection, moment.catalog),
                _key(one, moment.catalog),
                _selection(one, moment.catalog),
                one.column_count,
                one.row_count,
                one.byte_count,
                one.reader_count,
            )


def _key(arrangement: ArrangementState, catalog: Catalog) -> str:
    names = _columns(arrangement, catalog)
    return ", ".join(names[index] for index in arrangement.key_columns)


def _selection(arrangement: ArrangementState, catalog: Catalog) -> str | None:
    """The conditions on its rows; None: all are there."""
    if not arrangement.selection:
        return None
    return show_selection(arrangement.selection, _columns(arrangement, catalog))


def _columns(arrangement: ArrangementState, catalog: Catalog) -> list[str]:
    """Of the collection's columns; those of what was dropped by place."""
    item = catalog.items.get(arrangement.collection)
    if item is None:
        return [f"#{index}" for index in range(COLUMNS_MAX)]
    return [column.name for column in item.schema.columns]


def _holds(moment: Moment) -> Iterator[Row]:
    """Named holds: what each keeps readable, and for whom."""
    active = {subscribe.hold for subscribe in moment.state.subscribes.values()}
    for hold in moment.holds:
        yield (
            hold.name,
            hold.target,
            hold.time,
            None if hold.acknowledged is None else hold.acknowledged.time,
            hold.name in active,
            hold.deadline_ms,
            hold.created_at_ms * 1000,
            hold.lost or None,
        )


def _command(stored: StoredCommand, catalog: Catalog) -> Row:
    subject = stored.subject or None
    item = catalog.items.get(stored.subject)
    return (
        stored.position,
        stored.kind,
        None if subject is None else show(subject),
        None if item is None else item.name,
        stored.appended_at_ms * 1000,
        stored.digest.hex(),
        describe(sent_of(record_of(stored)).command),
    )


def _name(collection: CollectionId, catalog: Catalog) -> str:
    item = catalog.items.get(collection)
    return show(collection) if item is None else item.name


def _kind(collection: CollectionId, catalog: Catalog) -> str:
    item = catalog.items.get(collection)
    return "dropped" if item is None else KIND_NAMES[item.kind]


def _names(collections: Sequence[CollectionId], catalog: Catalog) -> str:
    return ", ".join(_name(one, catalog) for one in collections)
