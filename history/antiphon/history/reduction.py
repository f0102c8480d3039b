"""The reduction: the shortest journal that means the same to a replica that starts from nothing.

A pure view; the journal itself is never edited. Its laws, which the tests state: reducing twice
changes nothing, replaying the reduction gives what replaying the journal gives, kinds that this
version does not know are kept, and the size is bounded by what is live. Payload bytes are copied
verbatim wherever nothing in them had to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.message import DecodeError

from antiphon.history import journal
from antiphon.history.envelope import MalformedEnvelope
from antiphon.history.journal import Record
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
    # What may remain, in order; of configurations and of an export's drops only the first.
    body: list[Record | _Dataflow] = field(default_factory=list)
    closed: set[CollectionId] = field(default_factory=set)
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
        What is left, in ascending position, as a full set travels. All UpdateConfigurations are
        merged into one at the place of the first: they apply to everything, so earlier is better.
        A creation's as_of is advanced to the meet of what its open exports allow, but not past the
        as_of of a retained dataflow that imports it. A dataflow is gone once all its exports are
        dropped and no retained dataflow imports one. Drops remain of exports whose dataflow does.
        Kinds that are not known remain. Last, at no position because it is live state, compaction
        of single exports that is ahead of their dataflow's as_of, in order of id.

    Raises:
        MalformedEnvelope: a record of a known kind whose payload does not say what it must.
    """
    scan = _scan(records, compaction)
    dataflows = [entry for entry in scan.body if isinstance(entry, _Dataflow)]
    _retain(dataflows, scan)
    created = {export for dataflow in dataflows for export in dataflow.exports}
    as_ofs = {
        export: dataflow.as_of
        for dataflow in dataflows
        if dataflow.retained
        for export in dataflow.exports
    }
    reduced: list[Record] = []
    for entry in scan.body:
        if isinstance(entry, _Dataflow):
            if entry.retained:
                reduced.append(_created(entry))
        elif entry.kind == journal.UPDATE_CONFIGURATION:
            reduced.append(_merged_configuration(scan.configurations))
        elif entry.kind == journal.ALLOW_COMPACTION:
            if entry.subject in as_ofs or entry.subject not in created:
                reduced.append(entry)
        else:
            reduced.append(entry)
    return tuple(reduced + _ahead(scan, created, as_ofs))


def _scan(records: Iterable[Record], compaction: Mapping[CollectionId, Frontier]) -> _Scan:
    scan = _Scan()
    for collection, frontier in compaction.items():
        if not frontier.is_closed:
            scan.allowed[collection] = frontier
    for record in records:
        match record.kind:
            case journal.UPDATE_CONFIGURATION:
                scan.configurations.append((record, _parse(record)))
                if len(scan.configurations) == 1:
                    scan.body.append(record)
            case journal.CREATE_DATAFLOW:
                scan.body.append(_dataflow(record))
            case journal.ALLOW_COMPACTION:
                _scan_compaction(scan, record)
            case _:
                scan.body.append(record)
    return scan


def _scan_compaction(scan: _Scan, record: Record) -> None:
    command = _parse(record).allow_compaction
    collection = CollectionId(command.collection)
    if not command.HasField("frontier"):
        raise MalformedEnvelope(f"the compaction at {record.position} has no frontier")
    if collection != record.subject:
        raise MalformedEnvelope(f"the compaction at {record.position} is of {collection}")
    if not command.frontier.HasField("time"):
        if collection not in scan.closed:
            scan.closed.add(collection)
            scan.body.append(record)
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


def _merged_configuration(found: list[tuple[Record, pb.Command]]) -> Record:
    """One record of all; the bytes of a single one stay as they are."""
    first = found[0][0]
    if len(found) == 1:
        return first
    merged = pb.Command()
    merged.update_configuration.SetInParent()
    for _, message in found:
        for name, value in message.update_configuration.values.items():
            merged.update_configuration.values[name] = value
    return replace(first, payload=merged.SerializeToString(deterministic=True))


def _created(dataflow: _Dataflow) -> Record:
    record, message = dataflow.record, dataflow.message
    assert dataflow.as_of.time is not None, "a retained dataflow has an as_of"
    as_of = message.create_dataflow.dataflow.as_of
    if as_of.time == dataflow.as_of.time:
        return record
    as_of.time = dataflow.as_of.time
    return replace(record, payload=message.SerializeToString(deterministic=True))


def _ahead(
    scan: _Scan, created: set[CollectionId], as_ofs: Mapping[CollectionId, Frontier]
) -> list[Record]:
    """Compaction of single exports that their creation does not imply."""
    ahead: dict[CollectionId, Frontier] = {}
    for collection, as_of in as_ofs.items():
        frontier = scan.allowed.get(collection, as_of)
        if as_of.less_than(frontier):
            ahead[collection] = frontier
    for collection in scan.recorded_allowances:
        if collection not in created:
            ahead[collection] = scan.allowed[collection]
    return [
        _allowance(collection, ahead[collection])
        for collection in sorted(ahead)
        if collection not in scan.closed
    ]


def _allowance(collection: CollectionId, frontier: Frontier) -> Record:
    assert frontier.time is not None, "a drop is a record of its own"
    message = pb.Command()
    message.allow_compaction.collection = collection
    message.allow_compaction.frontier.time = frontier.time
    return Record(
        position=NO_POSITION,
        kind=journal.ALLOW_COMPACTION,
        subject=collection,
        payload=message.SerializeToString(deterministic=True),
    )
