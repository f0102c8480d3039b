"""All dataflows of a worker by what they export, and those that are rebuilt beside them."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.protocol.ids import CollectionId
from antiphon.replica.installed import InstalledDataflow, InstalledExport


class Installed:
    """All dataflows, in the order of their creation, which is an order of dependency."""

    def __init__(self) -> None:
        self.dataflows: list[InstalledDataflow] = []
        self.rebuilt: list[InstalledDataflow] = []  # beside those in force; nobody hears of them
        self._exports: dict[CollectionId, InstalledExport] = {}
        self._tended = 0  # whose merges come next

    @property
    def running(self) -> list[InstalledDataflow]:
        """All that compute, also those that are rebuilt and not in force yet."""
        return [*self.dataflows, *self.rebuilt] if self.rebuilt else self.dataflows

    def put_in_force(self, old: InstalledDataflow, new: InstalledDataflow) -> None:
        """A rebuilt dataflow takes the place of the one that it was rebuilt from."""
        self.rebuilt = [other for other in self.rebuilt if other is not new]
        self.dataflows = [new if other is old else other for other in self.dataflows]
        new.is_in_force = True
        for export in new.exports:
            self._exports[export.collection] = export

    def maintain(self, fuel_rows: int) -> bool:
        """Background work; True: there is more. Whoever took it all lets the others go first next
        time."""
        running = self.running
        for offset in range(len(running)):
            place = (self._tended + offset) % len(running)
            if running[place].maintain(fuel_rows):
                self._tended = place + 1
                return True
        return False

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
