"""The oracle of the reduction: a replica that starts from nothing and obeys, naively."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from antiphon.history.journal import Record
from antiphon.protocol.codec import command_from_bytes
from antiphon.protocol.command import AllowCompaction, CreateDataflow, UpdateConfiguration
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId


@dataclass(slots=True)
class Installed:
    plan: bytes
    imports: tuple[CollectionId, ...]
    since: dict[CollectionId, Frontier]  # by export; closed: dropped


@dataclass(slots=True)
class Replayed:
    """What a replica holds. `others`: records of kinds that it does not know."""

    configuration: dict[str, str] = field(default_factory=dict)
    dataflows: list[Installed] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)


def replay(records: Iterable[Record], compaction: Mapping[CollectionId, Frontier]) -> Replayed:
    """Every record in order, then the compaction map; then what nobody needs is gone."""
    replica = Replayed()
    for record in records:
        if record.kind not in ("create_dataflow", "allow_compaction", "update_configuration"):
            replica.others.append(record)
            continue
        match command_from_bytes(record.payload):
            case UpdateConfiguration(values=values):
                replica.configuration.update(values)
            case CreateDataflow(dataflow=dataflow):
                replica.dataflows.append(
                    Installed(
                        plan=dataflow.plan,
                        imports=tuple(each.collection for each in dataflow.imports),
                        since={each.collection: dataflow.as_of for each in dataflow.exports},
                    )
                )
            case AllowCompaction(collection=collection, frontier=frontier):
                allow(replica, collection, frontier)
            case other:
                raise AssertionError(f"{other} in a history")
    for collection, frontier in compaction.items():
        allow(replica, collection, frontier)
    collect(replica)
    return replica


def allow(replica: Replayed, collection: CollectionId, frontier: Frontier) -> None:
    for dataflow in replica.dataflows:
        if collection in dataflow.since:
            dataflow.since[collection] = dataflow.since[collection].join(frontier)


def collect(replica: Replayed) -> None:
    """Dropped dataflows go, until none is left that nobody imports."""
    while True:
        needed = {each for dataflow in replica.dataflows for each in dataflow.imports}
        kept = [
            dataflow
            for dataflow in replica.dataflows
            if any(
                not since.is_closed or export in needed for export, since in dataflow.since.items()
            )
        ]
        if len(kept) == len(replica.dataflows):
            return
        replica.dataflows = kept
