"""All dataflows of a worker that are in force, by what they export."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.protocol.ids import CollectionId
from antiphon.replica.installed import InstalledDataflow, InstalledExport


class Installed:
    """All dataflows, in the order of their creation, which is an order of dependency."""

    def __init__(self) -> None:
        self.dataflows: list[InstalledDataflow] = []
        self._exports: dict[CollectionId, InstalledExport] = {}

    def put_in_force(self, old: InstalledDataflow, new: InstalledDataflow) -> None:
        """A rebuilt dataflow takes the place of the one that it was rebuilt from."""
        self.dataflows = [new if other is old else other for other in self.dataflows]
        new.is_in_force = True
        for export in new.exports:
            self._exports[export.collection] = export

    def find(self, collection: CollectionId) -> InstalledExport | None:
        return self._exports.get(collection)

    def readable(self, collection: CollectionId) -> InstalledExport | None:
        """An export that can be read at a time; not one that was dropped."""
        found = self._exports.get(collection)
        return None if found is None or found.kept is None or found.dropped else found

    def add(self, dataflow: InstalledDataflow) -> None:
        self.dataflows.append(dataflow)
        for export in dataflow.exports:
            assert export.collection not in self._exports, f"{export.collection} exists already"
            self._exports[export.collection] = export

    def exports(self) -> Sequence[InstalledExport]:
        return tuple(self._exports.values())

    def failed(self) -> tuple[CollectionId, ...]:
        """The exports of dataflows that cannot run."""
        exports = self._exports.values()
        return tuple(e.collection for e in exports if e.failure is not None and not e.dropped)

    def remove_export(self, export: InstalledExport) -> bool:
        """Forgets an export; True: it was its dataflow's last, which is gone with it."""
        del self._exports[export.collection]
        owner = export.owner
        owner.exports = [other for other in owner.exports if other is not export]
        if owner.exports:
            return False
        self.dataflows = [other for other in self.dataflows if other is not owner]
        for upstream, reader in owner.upstream:
            upstream.dependents = [other for other in upstream.dependents if other is not reader]
        return True
