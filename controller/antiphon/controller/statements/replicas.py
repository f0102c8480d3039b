"""Replicas that join, leave and are promoted: durable in the catalog, then reached, then answered.

What a client was told of a replica is there after a restart, like everything else. So a replica is
connected to, or its process started, only once its row is durable, and forgotten only once the
row's end is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from antiphon.controller.catalog_codec import replica_to_bytes
from antiphon.controller.instance.event import ReplicaAdded, ReplicaRemoved, WritesAllowed
from antiphon.controller.kernel import Kernel
from antiphon.controller.membership import (
    CatalogReplica,
    check_removable,
    next_row,
    settle,
)
from antiphon.controller.ports import DoneReply, ErrorReply
from antiphon.controller.request import (
    ReplicaNamed,
    ReplicaPromoted,
    ReplicasConfigured,
    ReplicaUnnamed,
)
from antiphon.history.store import CatalogChange, Committed, Completion, Refused
from antiphon.protocol.errors import ComputeError, LimitExceeded, ReplicaExists, ReplicaMissing
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.limits import REPLICAS_MAX

ADDED = "ADD REPLICA"
REMOVED = "REMOVE REPLICA"
PROMOTED = "PROMOTE REPLICA"

Replicas = Mapping[ReplicaId, CatalogReplica]


class Members:
    """Changes the instance's replicas, one change at a time for each."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        # As they will be once everything under way is durable: what the next change is checked on.
        self._planned: dict[ReplicaId, CatalogReplica] = dict(kernel.catalog.replicas)

    def configure(self, event: ReplicasConfigured) -> None:
        """Settle what the settings name, then reach for all."""
        kernel = self._kernel
        if kernel.instance.state.config.standby:
            self._warm_up(event)
            return
        before = kernel.catalog.replicas
        try:
            after = settle(before, event.replicas, kernel.now_ms)
        except ComputeError as error:
            kernel.fail(event.request, error)
            return

        def durable() -> None:
            for found in after.values():
                self._reach(found)

        gone = [found for name, found in before.items() if name not in after]
        put = [found for name, found in after.items() if before.get(name) != found]
        self._change(event.request, "CONFIGURE REPLICAS", durable, put=put, gone=gone)

    def _warm_up(self, event: ReplicasConfigured) -> None:
        """A standby reaches for its own alone, and writes nothing down."""
        for name, address in event.replicas.items():
            self._kernel.step(ReplicaAdded(replica=name, address=address))
        self._kernel.reply(event.request, DoneReply(tag="CONFIGURE REPLICAS"))

    def add(self, event: ReplicaNamed) -> None:
        kernel, name = self._kernel, event.replica
        if name in self._planned:
            kernel.fail(
                event.request, ReplicaExists(f"replica {name} exists already", replica=name)
            )
            return
        if len(self._planned) >= REPLICAS_MAX:
            error = LimitExceeded(f"{REPLICAS_MAX} replicas exist", limit="REPLICAS_MAX")
            kernel.fail(event.request, error)
            return
        added = CatalogReplica(
            row=next_row([*self._planned.values(), *kernel.catalog.replicas.values()]),
            name=name,
            address=event.address,
            read_only=event.read_only,
            created_at_ms=kernel.now_ms,
        )
        self._change(event.request, ADDED, lambda: self._reach(added), put=[added])

    def remove(self, event: ReplicaUnnamed) -> None:
        try:
            found = self._find(event.replica)
            check_removable(found)
        except ComputeError as error:
            self._kernel.fail(event.request, error)
            return

        def durable() -> None:
            self._kernel.step(ReplicaRemoved(replica=found.name))

        self._change(event.request, REMOVED, durable, gone=[found])

    def promote(self, event: ReplicaPromoted) -> None:
        try:
            found = self._find(event.replica)
        except ComputeError as error:
            self._kernel.fail(event.request, error)
            return

        def durable() -> None:
            self._kernel.step(WritesAllowed(replica=found.name))

        put = [replace(found, read_only=False)] if found.read_only else []
        self._change(event.request, PROMOTED, durable, put=put)

    def _find(self, name: ReplicaId) -> CatalogReplica:
        found = self._planned.get(name)
        if found is None:
            raise ReplicaMissing(f"no replica is called {name}", replica=name)
        return found

    def _reach(self, replica: CatalogReplica) -> None:
        self._kernel.step(
            ReplicaAdded(replica=replica.name, address=replica.address, read_only=replica.read_only)
        )

    def _change(
        self,
        request: int,
        tag: str,
        durable: Callable[[], None],
        *,
        put: Iterable[CatalogReplica] = (),
        gone: Iterable[CatalogReplica] = (),
    ) -> None:
        """Make rows durable; then the effect, then the answer."""
        kernel, put, gone = self._kernel, tuple(put), tuple(gone)
        self._planned |= {found.name: found for found in put}
        for found in gone:
            del self._planned[found.name]

        def done(completion: Completion) -> None:
            match completion:
                case Committed():
                    after = dict(kernel.catalog.replicas)
                    for found in gone:
                        del after[found.name]
                    after |= {found.name: found for found in put}
                    kernel.catalog = kernel.catalog.with_replicas(after)
                    durable()
                    kernel.reply(request, DoneReply(tag=tag))
                case Refused(error=error):
                    self._forget((*put, *gone))
                    kernel.reply(request, ErrorReply(error))

        if not put and not gone:
            durable()
            kernel.reply(request, DoneReply(tag=tag))
            return
        kernel.submit(done, catalog=(*map(_put, put), *map(_gone, gone)))

    def _forget(self, changed: Iterable[CatalogReplica]) -> None:
        """What was planned for these did not become durable: they are as the catalog says."""
        for name in [found.name for found in changed]:
            kept = self._kernel.catalog.replicas.get(name)
            if kept is None:
                self._planned.pop(name, None)
            else:
                self._planned[name] = kept


def _put(replica: CatalogReplica) -> CatalogChange:
    return CatalogChange(collection=replica.row, content=replica_to_bytes(replica))


def _gone(replica: CatalogReplica) -> CatalogChange:
    return CatalogChange(collection=replica.row, content=None)
