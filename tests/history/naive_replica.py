"""The oracle of reconnecting: a replica that obeys what it is sent, one command after another.

Unlike `replay` it keeps its state between calls, so it can be given a suffix, right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.journal import Record
from antiphon.protocol.codec import command_from_bytes
from antiphon.protocol.command import AllowCompaction, CreateDataflow, UpdateConfiguration
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId, Position

KNOWN = ("create_dataflow", "allow_compaction", "update_configuration")


class Confused(Exception):
    """A command that cannot be obeyed: an id that is taken."""


@dataclass(slots=True)
class Dataflow:
    plan: bytes
    imports: tuple[CollectionId, ...]
    since: dict[CollectionId, Frontier]  # by export; closed: dropped


@dataclass(slots=True)
class NaiveReplica:
    """Equal replicas hold the same dataflows, readable from the same times, under the same
    configuration; how they came to it is no part of that."""

    configuration: dict[str, str] = field(default_factory=dict)
    dataflows: list[Dataflow] = field(default_factory=list)
    others: list[tuple[str, bytes]] = field(default_factory=list)
    position: Position = field(default=NO_POSITION, compare=False)
    digest: bytes = field(default=EMPTY_DIGEST, compare=False)

    def obey(self, record: Record) -> None:
        """One command, live or of a suffix."""
        if record.position:
            self.position = record.position
            self.digest = extend(self.digest, record.position, record.kind, record.payload)
        if record.kind not in KNOWN:
            self.others.append((record.kind, record.payload))
            return
        match command_from_bytes(record.payload):
            case UpdateConfiguration(values=values):
                self.configuration.update(values)
            case CreateDataflow(dataflow=dataflow):
                exports = {each.collection: dataflow.as_of for each in dataflow.exports}
                if any(export in held.since for held in self.dataflows for export in exports):
                    raise Confused(f"{sorted(exports)} exist already")
                imports = tuple(each.collection for each in dataflow.imports)
                self.dataflows.append(Dataflow(dataflow.plan, imports, exports))
            case AllowCompaction(collection=collection, frontier=frontier):
                self.allow(collection, frontier)
            case other:
                raise AssertionError(f"{other} in a history")
        self._collect()

    def start_over(self, full: Iterable[Record], position: Position, digest: bytes) -> None:
        """A full set: absence means drop."""
        self.configuration.clear()
        self.dataflows.clear()
        self.others.clear()
        for record in full:
            self.obey(record)
        self.position, self.digest = position, digest

    def told(self, compaction: Mapping[CollectionId, Frontier]) -> None:
        """The live map, which is sent whole with every connection."""
        for collection, frontier in compaction.items():
            self.allow(collection, frontier)

    def allow(self, collection: CollectionId, frontier: Frontier) -> None:
        for dataflow in self.dataflows:
            if collection in dataflow.since:
                dataflow.since[collection] = dataflow.since[collection].join(frontier)

    def _collect(self) -> None:
        """What is dropped goes, once nobody imports it."""
        while True:
            needed = {each for dataflow in self.dataflows for each in dataflow.imports}
            kept = [
                dataflow
                for dataflow in self.dataflows
                if any(
                    not since.is_closed or export in needed
                    for export, since in dataflow.since.items()
                )
            ]
            if len(kept) == len(self.dataflows):
                return
            self.dataflows = kept
