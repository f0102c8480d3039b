"""Which replicas belong to an instance: those that were added, and those that settings name.

All of them stand in the catalog, so a restart finds them, and a standby sees what the live
controller runs. They differ in who takes them out again. One that was added by a request stays
until a request removes it. One that the settings of a controller name is theirs: it goes when a
controller starts whose settings no longer name it, and no request can remove it, for it would be
back with the next start.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from antiphon.protocol.errors import InvalidArgument, ReplicaExists
from antiphon.protocol.ids import CollectionId, ReplicaId

# Where the store's catalog keeps replicas: far above all collections, which count from 1.
FIRST_ROW: Final = CollectionId(1 << 62)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReplica:
    """One replica of the instance."""

    row: CollectionId  # in the store's catalog
    name: ReplicaId
    address: str  # empty: the orchestrator runs it
    read_only: bool = False  # it warms up, and may not write until it is promoted
    from_settings: bool = False
    created_at_ms: int = 0

    @property
    def place(self) -> str:
        """Where it runs, in words for people."""
        return self.address or "a place that the orchestrator chooses"


def is_replica(row: CollectionId) -> bool:
    """Whether a row of the store's catalog is a replica, not an item."""
    return row >= FIRST_ROW


def next_row(replicas: Iterable[CatalogReplica]) -> CollectionId:
    return CollectionId(max((found.row for found in replicas), default=FIRST_ROW - 1) + 1)


def free_names(replicas: Mapping[ReplicaId, CatalogReplica], count: int) -> list[str]:
    """So many names for replicas that run beside these."""
    names = (ReplicaId(f"s{number}") for number in itertools.count(1))
    return list(itertools.islice((name for name in names if name not in replicas), count))


def check_removable(found: CatalogReplica) -> None:
    """
    Raises:
        InvalidArgument: the settings name it.
    """
    if found.from_settings:
        raise InvalidArgument(
            f"the controller's settings name replica {found.name}, so the next start would bring it"
            " back: start the controller without it instead",
            replica=found.name,
        )


def settle(
    replicas: Mapping[ReplicaId, CatalogReplica], named: Mapping[ReplicaId, str], now_ms: int
) -> dict[ReplicaId, CatalogReplica]:
    """The instance's replicas once a controller has started whose settings name these (name ->
    address), in order of row.

    Raises:
        ReplicaExists: one was added at another address than the settings say.
    """
    kept = {name: found for name, found in replicas.items() if not found.from_settings}
    row = next_row(replicas.values())
    for name, address in named.items():
        added, before = kept.get(name), replicas.get(name)
        if added is not None:
            _check_same(added, address)
        elif before is not None:
            kept[name] = replace(before, address=address)
        else:
            kept[name] = CatalogReplica(
                row=row, name=name, address=address, from_settings=True, created_at_ms=now_ms
            )
            row = CollectionId(row + 1)
    return dict(sorted(kept.items(), key=lambda entry: entry[1].row))


def _check_same(added: CatalogReplica, address: str) -> None:
    if added.address != address:
        named = replace(added, address=address)
        raise ReplicaExists(
            f"replica {added.name} was added at {added.place}, and the settings name it at"
            f" {named.place}: start without naming it, or remove it first",
            replica=added.name,
        )
