"""All dataflows of a worker that are in force, by what they export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from antiphon.protocol.ids import CollectionId
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.reporting.footprint import Footprint
from antiphon.replica.reporting.news import News


class Installed:
    """All dataflows, in the order of their creation, which is an order of dependency."""

    def __init__(self) -> None:
        self.dataflows: list[InstalledDataflow] = []
        self.footprint: Footprint[InstalledDataflow] = Footprint()
        self.news: News[InstalledDataflow] = News()
        self._exports: dict[CollectionId, InstalledExport] = {}

    def put_in_force(self, old: InstalledDataflow, new: InstalledDataflow) -> None:
        """A rebuilt dataflow takes the place of the one that it was rebuilt from."""
        self.dataflows = [new if other is old else other for other in self.dataflows]
        old.is_in_force, new.is_in_force = False, True
        self._forget(old)
        self.changed(new)
        for export in new.exports:
            self._exports[export.collection] = export

    def find(self, collection: CollectionId) -> InstalledExport | None:
        return self._exports.get(collection)

    def readable(self, collection: CollectionId) -> InstalledExport | None:
        """An export that can be read at a time; not one that was dropped."""
        found = self._exports.get(collection)
        return None if found is None or found.kept is None or found.dropped else found

    def copies(self, collection: CollectionId) -> Iterator[InstalledExport]:
        """Readable exports that hold what `collection` holds, row by row."""
        for dataflow in self.dataflows:
            if dataflow.failure is None and dataflow.copy_of == collection:
                yield from (e for e in dataflow.exports if e.kept is not None and not e.dropped)

    def add(self, dataflow: InstalledDataflow) -> None:
        self.dataflows.append(dataflow)
        self.changed(dataflow)
        for export in dataflow.exports:
            assert export.collection not in self._exports, f"{export.collection} exists already"
            self._exports[export.collection] = export

    def exports(self) -> Sequence[InstalledExport]:
        return tuple(self._exports.values())

    def changed(self, dataflow: InstalledDataflow) -> None:
        """What is told of it, or what it holds, may have changed. Of what is rebuilt beside what is
        in force nothing is told."""
        if dataflow.is_in_force and dataflow.exports:
            self.news.changed(dataflow)
            self.footprint.changed(dataflow)

    def compacted(self, dataflow: InstalledDataflow) -> None:
        """Nothing of it changed but how far back it can be read."""
        if dataflow.is_in_force and dataflow.exports:
            self.news.compacted(dataflow)

    def tended(self, dataflow: InstalledDataflow) -> None:
        """It may hold less than before."""
        if dataflow.is_in_force:
            self.footprint.changed(dataflow)

    def _forget(self, dataflow: InstalledDataflow) -> None:
        self.news.forget(dataflow)
        self.footprint.forget(dataflow)

    def remove_export(self, export: InstalledExport) -> bool:
        """Forgets an export; True: it was its dataflow's last, which is gone with it."""
        del self._exports[export.collection]
        owner = export.owner
        owner.exports = [other for other in owner.exports if other is not export]
        if owner.exports:
            self.changed(owner)
            return False
        self._forget(owner)
        self.dataflows = [other for other in self.dataflows if other is not owner]
        for upstream, reader in owner.upstream:
            upstream.dependents = [other for other in upstream.dependents if other is not reader]
        return True
