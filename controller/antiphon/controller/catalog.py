"""The catalog: every named item, and the instance's replicas, as one immutable value.

A catalog is never changed: `apply` makes the next one, with the next version. So a planner may read
one on any thread while the driver goes on, and a statement carries the version it was planned on.

Items depend on others: a view on what it names, an index on what it indexes, a maintained dataflow
on the indexes that it imports. The graph has no cycles, because an item's dependencies exist before
it does and ids are never reused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from antiphon.controller.membership import CatalogReplica
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import CollectionExists, CollectionMissing
from antiphon.protocol.ids import CollectionId, ReplicaId, show
from antiphon.protocol.schema import Schema

FIRST_ID: Final = CollectionId(1)
NO_REPLICAS: Final[Mapping[ReplicaId, CatalogReplica]] = MappingProxyType({})


class ItemKind(IntEnum):
    """The numbers are those of `antiphon.v1.ItemKind`, for ever."""

    TABLE = 1
    FEED = 2
    VIEW = 3
    MATERIALIZED_VIEW = 4
    INDEX = 5


# What SQL and people call each kind.
KIND_NAMES: Final[Mapping[ItemKind, str]] = MappingProxyType(
    {
        ItemKind.TABLE: "table",
        ItemKind.FEED: "feed",
        ItemKind.VIEW: "view",
        ItemKind.MATERIALIZED_VIEW: "materialized view",
        ItemKind.INDEX: "index",
    }
)

# The kinds that hold data of their own. A plain view does not: it is inlined where it is used.
COLLECTION_KINDS: Final[Mapping[ItemKind, CollectionKind]] = MappingProxyType(
    {
        ItemKind.TABLE: CollectionKind.TABLE,
        ItemKind.FEED: CollectionKind.FEED,
        ItemKind.MATERIALIZED_VIEW: CollectionKind.MATERIALIZED_VIEW,
        ItemKind.INDEX: CollectionKind.INDEX,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefault:
    """What INSERT puts into a column where no value is given: `sql`, an expression of no columns,
    computed at each INSERT."""

    column: int
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLength:
    """Of varchar(n): how many characters a text may have that is written into a column."""

    column: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogItem:
    """A table, feed, view, materialized view or index. `schema` of an index is that of what it is
    `on`. Names of all kinds share one namespace."""

    id: CollectionId
    name: str
    kind: ItemKind
    schema: Schema
    # Tables: the primary key, maybe none. Feeds: what identifies a row. Indexes: the key columns.
    key_columns: tuple[int, ...] = ()
    sql: str = ""
    # Views: a serialized plan over the ids of the items that they name, inlined where used.
    # Indexes and materialized views: the plan of their dataflow. Tables and feeds: empty.
    plan: bytes = b""
    depends_on: tuple[CollectionId, ...] = ()  # directly, in order of id
    on: CollectionId | None = None  # indexes only
    created_at_ms: int = 0  # set by the driver when the statement is performed
    defaults: tuple[ColumnDefault, ...] = ()  # tables and feeds only
    lengths: tuple[ColumnLength, ...] = ()  # tables and feeds only

    @property
    def is_relation(self) -> bool:
        """Whether a query may name it."""
        return self.kind is not ItemKind.INDEX

    @property
    def collection_kind(self) -> CollectionKind | None:
        """None for plain views, which hold nothing."""
        return COLLECTION_KINDS.get(self.kind)

    def __str__(self) -> str:
        return f"{KIND_NAMES[self.kind]} {self.name} ({show(self.id)})"


@dataclass(frozen=True, slots=True)
class AddItem:
    item: CatalogItem


@dataclass(frozen=True, slots=True)
class RemoveItem:
    id: CollectionId


Change = AddItem | RemoveItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """All items. Build it with `empty_catalog` or `restore`, change it with `apply`."""

    items: Mapping[CollectionId, CatalogItem]
    version: int  # counts calls of `apply`; not durable
    next_id: CollectionId  # of the next item; never reused
    names: Mapping[str, CollectionId] = field(repr=False)
    # Items that depend directly on an item, in order of id.
    dependants: Mapping[CollectionId, tuple[CollectionId, ...]] = field(repr=False)
    # Indexes on an item, in order of id.
    indexes: Mapping[CollectionId, tuple[CollectionId, ...]] = field(repr=False)
    # In order of row. No item depends on one, so they change without a new version.
    replicas: Mapping[ReplicaId, CatalogReplica] = field(default_factory=lambda: NO_REPLICAS)

    def find(self, name: str) -> CatalogItem | None:
        """The item with exactly this name (fold it first), or None."""
        found = self.names.get(name)
        return None if found is None else self.items[found]

    def get(self, item: CollectionId) -> CatalogItem:
        """
        Raises:
            CollectionMissing
        """
        found = self.items.get(item)
        if found is None:
            raise CollectionMissing(f"no item has the id {show(item)}", collection=show(item))
        return found

    def of_kind(self, *kinds: ItemKind) -> tuple[CatalogItem, ...]:
        """In order of id."""
        return tuple(item for item in self.items.values() if item.kind in kinds)

    def indexes_on(self, item: CollectionId) -> tuple[CatalogItem, ...]:
        return tuple(self.items[index] for index in self.indexes.get(item, ()))

    def dependants_closure(self, item: CollectionId) -> tuple[CatalogItem, ...]:
        """Everything that depends on `item`, directly or not, dependants before what they need."""
        seen: dict[CollectionId, None] = {}
        stack = list(self.dependants.get(item, ()))
        while stack:
            current = stack.pop()
            if current not in seen:
                seen[current] = None
                stack.extend(self.dependants.get(current, ()))
        # Ids grow with creation, and nothing depends on what was created after it.
        return tuple(self.items[found] for found in sorted(seen, reverse=True))

    def sources_of(self, item: CollectionId) -> tuple[CollectionId, ...]:
        """The tables and feeds under an item, itself included; each once, in order of id."""
        seen: set[CollectionId] = set()
        stack = [item]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(self.get(current).depends_on)
        stored = (ItemKind.TABLE, ItemKind.FEED)
        return tuple(sorted(found for found in seen if self.items[found].kind in stored))

    def apply(self, changes: Iterable[Change], *, next_id: CollectionId | None = None) -> Catalog:
        """The catalog after `changes`, in order; the version grows by one.

        `next_id` may only raise the next id; it follows every added item by itself.

        Raises:
            CollectionExists: an added name is taken.
            CollectionMissing: a removed item is not there.
        """
        items, names = dict(self.items), dict(self.names)
        following = self.next_id if next_id is None else max(self.next_id, next_id)
        for change in changes:
            match change:
                case AddItem(item):
                    if item.name in names:
                        raise CollectionExists(f'"{item.name}" exists already', name=item.name)
                    assert item.id not in items, f"the id {show(item.id)} is taken"
                    missing = [need for need in item.depends_on if need not in items]
                    assert not missing, f"{item} depends on what is not there: {missing}"
                    items[item.id], names[item.name] = item, item.id
                    following = max(following, CollectionId(item.id + 1))
                case RemoveItem(removed):
                    if removed not in items:
                        raise CollectionMissing(
                            f"no item has the id {show(removed)}", collection=show(removed)
                        )
                    del names[items.pop(removed).name]
        catalog = _build(
            items.values(), version=self.version + 1, next_id=following, replicas=self.replicas
        )
        dangling = [
            str(item)
            for item in catalog.items.values()
            if any(need not in catalog.items for need in item.depends_on)
        ]
        assert not dangling, f"removed under its dependants: {dangling}"
        return catalog

    def without_indexes(self) -> Catalog:
        """To plan what must not depend on an index that somebody may drop."""
        # Another version, for plans on it are not those on this one.
        return replace(self, indexes=MappingProxyType({}), version=-1 - self.version)

    def with_replicas(self, replicas: Mapping[ReplicaId, CatalogReplica]) -> Catalog:
        """The same items beside these replicas."""
        return replace(self, replicas=_by_row(replicas.values()))


def empty_catalog() -> Catalog:
    return _build((), version=0, next_id=FIRST_ID)


def restore(
    items: Iterable[CatalogItem], *, next_id: int, replicas: Iterable[CatalogReplica] = ()
) -> Catalog:
    """The catalog as a store kept it."""
    return _build(
        items, version=0, next_id=CollectionId(max(next_id, FIRST_ID)), replicas=_by_row(replicas)
    )


def _by_row(replicas: Iterable[CatalogReplica]) -> Mapping[ReplicaId, CatalogReplica]:
    ordered = sorted(replicas, key=lambda found: found.row)
    return MappingProxyType({found.name: found for found in ordered})


def _build(
    items: Iterable[CatalogItem],
    *,
    version: int,
    next_id: CollectionId,
    replicas: Mapping[ReplicaId, CatalogReplica] = NO_REPLICAS,
) -> Catalog:
    ordered = {item.id: item for item in sorted(items, key=lambda item: item.id)}
    dependants: dict[CollectionId, list[CollectionId]] = {}
    indexes: dict[CollectionId, list[CollectionId]] = {}
    for item in ordered.values():
        for need in item.depends_on:
            dependants.setdefault(need, []).append(item.id)
        if item.on is not None:
            indexes.setdefault(item.on, []).append(item.id)
    return Catalog(
        items=MappingProxyType(ordered),
        version=version,
        next_id=next_id,
        names=MappingProxyType({item.name: item.id for item in ordered.values()}),
        dependants=MappingProxyType({need: tuple(ids) for need, ids in dependants.items()}),
        indexes=MappingProxyType({on: tuple(ids) for on, ids in indexes.items()}),
        replicas=replicas,
    )
