"""The reduction: the shortest journal that means the same to a replica that starts from nothing.

A pure view; the journal itself is never edited. Its laws, which the tests state: reducing twice
changes nothing, replaying the reduction gives what replaying the journal gives, kinds that this
version does not know are kept, and the size is bounded by what is live. Payload bytes are copied
verbatim wherever nothing in them had to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from antiphon.history.envelope import MalformedEnvelope
from antiphon.history.journal import (
    ALLOW_COMPACTION,
    CREATE_DATAFLOW,
    UPDATE_CONFIGURATION,
    WHOLE_INSTANCE,
    Record,
)
from antiphon.protocol.frontier import CLOSED, Frontier, meet_all
from antiphon.protocol.ids import NO_POSITION, CollectionId
from antiphon.v1 import command_pb2 as pb


@dataclass(slots=True)
class _Dataflow:
    record: Record
    message: pb.Command
    exports: tuple[CollectionId, ...]
    imports: tuple[CollectionId, ...]
    as_of: Frontier
    retained: bool = False


@dataclass(slots=True)
class _Scan:
    """What one pass over the records finds."""

    configurations: list[tuple[Record, pb.Command]] = field(default_factory=list)
    body: list[Record | _Dataflow] = field(default_factory=list)  # creations, and unknown kinds
    closed: dict[CollectionId, Record] = field(default_factory=dict)
    allowed: dict[CollectionId, Frontier] = field(default_factory=dict)
    recorded_allowances: list[CollectionId] = field(default_factory=list)


def reduce(
    records: Iterable[Record], compaction: Mapping[CollectionId, Frontier]
) -> tuple[Record, ...]:
    """The reduced journal.

    Args:
        records: in order; all from the first position, or an earlier reduction and what followed.
        compaction: the coalesced map of allowed compaction. Entries of what no dataflow here
            exports are left to whoever sends the map.

    Returns:
        The merged UpdateConfiguration, at the position of the first one; then creations, and kinds
        that are not known, in their order. A creation's as_of is advanced to the meet of what its
        open exports allow, but not past the as_of of a retained dataflow that imports it. A
        dataflow is gone once all its exports are dropped and no retained dataflow imports one. Last
        what that leaves unsaid: the drops of single exports, in order of position, and compaction
        of single exports ahead of as_of, in order of id, at no position because it is live state.

    Raises:
        MalformedEnvelope: a record of a known kind whose payload does not say what it must.
    """
    scan = _scan(records, compaction)
    dataflows = [entry for entry in scan.body if isinstance(entry, _Dataflow)]
    _retain(dataflows, scan)
    reduced = _merged_configuration(scan.configurations)
    for entry in scan.body:
        if isinstance(entry, Record):
            reduced.append(entry)
        elif entry.retained:
            reduced.append(_created(entry))
    reduced.extend(_residue(dataflows, scan))
    return tuple(reduced)


def _scan(records: Iterable[Record], compaction: Mapping[CollectionId, Frontier]) -> _Scan:
    scan = _Scan()
    for collection, frontier in compaction.items():
        if not frontier.is_closed:
            scan.allowed[collection] = frontier
    for record in records:
        match record.kind:
            case "update_configuration":
                scan.configurations.append((record, _parse(record)))
            case "create_dataflow":
                scan.body.append(_dataflow(record))
            case "allow_compaction":
                _scan_compaction(scan, record)
            case _:
                scan.body.append(record)
    return scan


def _scan_compaction(scan: _Scan, record: Record) -> None:
    command = _parse(record).allow_compaction
    collection = CollectionId(command.collection)
    if not command.HasField("frontier"):
        raise MalformedEnvelope(f"the compaction at {record.position} has no frontier")
    if not command.frontier.HasField("time"):
        scan.closed.setdefault(collection, record)
        return
    frontier = Frontier(command.frontier.time)
    scan.allowed[collection] = frontier.join(scan.allowed.get(collection, frontier))
    scan.recorded_allowances.append(collection)


def _parse(record: Record) -> pb.Command:
    try:
        message = pb.Command.FromString(record.payload)
    except DecodeError as error:
        raise MalformedEnvelope(f"the command at {record.position}: {error}") from error
    if message.WhichOneof("kind") != record.kind:
        raise MalformedEnvelope(f"the command at {record.position} is not a {record.kind}")
    return message


def _dataflow(record: Record) -> _Dataflow:
    message = _parse(record)
    description = message.create_dataflow.dataflow
    if not description.as_of.HasField("time") or not description.exports:
        raise MalformedEnvelope(f"the dataflow at {record.position} has no as_of or no export")
    return _Dataflow(
        record=record,
        message=message,
        exports=tuple(CollectionId(export.collection) for export in description.exports),
        imports=tuple(CollectionId(each.collection) for each in description.imports),
        as_of=Frontier(description.as_of.time),
    )


def _retain(dataflows: list[_Dataflow], scan: _Scan) -> None:
    """Decide which dataflows stay, and their as_of. Importers come after what they import, so that
    going backwards every hold on a dataflow is known when its turn comes."""
    held: dict[CollectionId, Frontier] = {}
    for dataflow in reversed(dataflows):
        wanted = [
            scan.allowed.get(export, dataflow.as_of)
            for export in dataflow.exports
            if export not in scan.closed
        ]
        wanted += [held[export] for export in dataflow.exports if export in held]
        dataflow.retained = bool(wanted)
        if not wanted:
            continue
        dataflow.as_of = dataflow.as_of.join(meet_all(wanted))
        for collection in dataflow.imports:
            held[collection] = held.get(collection, CLOSED).meet(dataflow.as_of)


def _merged_configuration(found: list[tuple[Record, pb.Command]]) -> list[Record]:
    """At most one record; the bytes of a single one stay as they are."""
    if len(found) <= 1:
        return [record for record, _ in found]
    merged = pb.Command()
    merged.update_configuration.SetInParent()
    for _, message in found:
        for name, value in message.update_configuration.values.items():
            merged.update_configuration.values[name] = value
    first = found[0][0]
    return [
        Record(
            position=first.position,
            kind=UPDATE_CONFIGURATION,
            subject=WHOLE_INSTANCE,
            payload=merged.SerializeToString(deterministic=True),
        )
    ]


def _created(dataflow: _Dataflow) -> Record:
    record, message = dataflow.record, dataflow.message
    assert dataflow.as_of.time is not None, "a retained dataflow has an as_of"
    as_of = message.create_dataflow.dataflow.as_of
    if as_of.time == dataflow.as_of.time:
        return record
    as_of.time = dataflow.as_of.time
    return Record(
        position=record.position,
        kind=CREATE_DATAFLOW,
        subject=record.subject,
        payload=message.SerializeToString(deterministic=True),
    )


def _residue(dataflows: list[_Dataflow], scan: _Scan) -> list[Record]:
    """Compaction that the creations do not imply."""
    created = {export for dataflow in dataflows for export in dataflow.exports}
    as_of_by_export = {
        export: dataflow.as_of
        for dataflow in dataflows
        if dataflow.retained
        for export in dataflow.exports
    }
    drops = [
        record
        for collection, record in scan.closed.items()
        if collection in as_of_by_export or collection not in created
    ]
    ahead: dict[CollectionId, Frontier] = {}
    for collection, as_of in as_of_by_export.items():
        frontier = scan.allowed.get(collection, as_of)
        if collection not in scan.closed and as_of.less_than(frontier):
            ahead[collection] = frontier
    for collection in scan.recorded_allowances:
        if collection not in created and collection not in scan.closed:
            ahead[collection] = scan.allowed[collection]
    drops.sort(key=lambda record: record.position)
    return drops + [_allowance(collection, ahead[collection]) for collection in sorted(ahead)]


def _allowance(collection: CollectionId, frontier: Frontier) -> Record:
    assert frontier.time is not None, "a drop is a record of its own"
    message = pb.Command()
    message.allow_compaction.collection = collection
    message.allow_compaction.frontier.time = frontier.time
    return Record(
        position=NO_POSITION,
        kind=ALLOW_COMPACTION,
        subject=collection,
        payload=message.SerializeToString(deterministic=True),
    )
