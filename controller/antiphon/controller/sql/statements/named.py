"""Calls that name a collection instead of writing SQL: reads of it, and subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.introspection.system import SYSTEM_CATALOG, is_system
from antiphon.controller.sql.algebra.plans import projected
from antiphon.controller.sql.parsing.source import near_miss
from antiphon.controller.sql.queries.introspect import system_relation
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import Inspect, InspectChanges, Select, Subscribe
from antiphon.controller.sql.statements.column_definitions import too_many_columns
from antiphon.controller.sql.statements.key_lookup import key_stream
from antiphon.controller.sql.statements.reading import read_of, subscribe_of
from antiphon.protocol.arrow_stream import read_stream
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.dataflow import UNFINISHED
from antiphon.protocol.errors import CollectionMissing, InvalidArgument, SchemaMismatch
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.plan import Get
from antiphon.protocol.schema import arrow_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRead:
    """A read of a named collection. One by key is planned without the keys, and serves any."""

    statement: Select | Inspect
    index: CatalogItem | None = None  # by whose keys it reads; None: it reads all rows
    key_schema: pa.Schema | None = None  # of that index

    def with_keys(self, stream: bytes, rows: pa.Table) -> Select:
        """The read of these keys: `rows`, as they came in `stream`.

        Raises:
            SchemaMismatch: they do not have the index's types.
        """
        assert isinstance(self.statement, Select), "what the controller knows has no index"
        assert self.index is not None, "a read by key has an index"
        assert self.key_schema is not None, "an index has key columns"
        if rows.schema.types != self.key_schema.types:
            stream = _cast(self.index, self.key_schema, rows)
        read = self.statement.read
        assert isinstance(read.target, IndexTarget), "a read of an index"
        return Select(read=replace(read, target=replace(read.target, keys=stream)))


def plan_collection_read(
    name: str,
    catalog: Catalog,
    *,
    columns: tuple[str, ...] = (),
    key: tuple[str, ...] | None = None,
) -> CollectionRead:
    """All rows of a collection, or those that have keys which are named later.

    `name` is exact. `key`: the key columns of an index on it, in the key's order. `columns`: the
    columns wanted, in order; empty: all.

    Raises:
        CollectionMissing, InvalidArgument
        LimitExceeded: more columns than an answer may have.
    """
    if len(columns) > COLUMNS_MAX:
        raise too_many_columns(len(columns))
    inspects = is_system(name) and name not in catalog.names
    item = system_relation(name) if inspects else _relation(name, catalog)
    catalog = SYSTEM_CATALOG if inspects else catalog
    wanted = tuple(_column_index(item, c) for c in columns) or tuple(range(len(item.schema)))
    schema = item.schema.project(wanted)
    if key is not None:
        index = _index_by_key(item, catalog, key)
        plan = projected(Get(collection=index.id, schema=item.schema), wanted)
        return CollectionRead(
            statement=Select(read=read_of(plan, schema, UNFINISHED, catalog)),
            index=index,
            key_schema=arrow_schema(index.schema.project(index.key_columns)),
        )
    get = Get(collection=item.id, schema=item.schema)
    plan = optimized(projected(get, wanted), catalog, maintained=False)
    read = read_of(plan, schema, UNFINISHED, catalog)
    return CollectionRead(statement=Inspect(read=read) if inspects else Select(read=read))


def key_rows(stream: bytes) -> pa.Table:
    """
    Raises:
        InvalidArgument: it is no Arrow IPC stream.
    """
    try:
        return read_stream(stream)
    except SchemaMismatch as error:
        raise InvalidArgument(f"the keys are {error.message}") from None


def plan_collection_subscribe(name: str, catalog: Catalog) -> Subscribe | InspectChanges:
    """All changes of a collection, with a snapshot first. `name` is exact.

    Raises:
        CollectionMissing, InvalidArgument
    """
    if is_system(name) and name not in catalog.names:
        changes = _subscribe(system_relation(name), SYSTEM_CATALOG)
        return InspectChanges(
            dataflow=changes.dataflow, imports=changes.imports, with_snapshot=True
        )
    return _subscribe(_relation(name, catalog), catalog)


def _subscribe(item: CatalogItem, catalog: Catalog) -> Subscribe:
    get = Get(collection=item.id, schema=item.schema)
    return subscribe_of(get, item.schema, catalog, item.name)


def _index_by_key(item: CatalogItem, catalog: Catalog, key: tuple[str, ...]) -> CatalogItem:
    indexes = catalog.indexes_on(item.id)
    have = [tuple(i.schema.columns[column].name for column in i.key_columns) for i in indexes]
    if key in have:
        return indexes[have.index(key)]
    shown = ", ".join(f"({', '.join(names)})" for names in have)
    raise InvalidArgument(
        f'no index on "{item.name}" has the key ({", ".join(key)}); '
        + (f"there are {shown}" if have else "create one with CREATE INDEX"),
        collection=item.name,
    )


def _cast(index: CatalogItem, key_schema: pa.Schema, rows: pa.Table) -> bytes:
    try:
        cast = rows.cast(key_schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaMismatch(f"the keys do not have the index's types: {error}") from None
    batches = cast.combine_chunks().to_batches()
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], cast.schema)
    return key_stream(index, batch)


def named_item(name: str, catalog: Catalog) -> CatalogItem:
    """`name` is exact. Raises CollectionMissing, with the name that was meant if one is close."""
    item = catalog.find(name)
    if item is None:
        hint = near_miss(name, catalog.names)
        raise CollectionMissing(f'"{name}" does not exist{hint}', name=name)
    return item


def _relation(name: str, catalog: Catalog) -> CatalogItem:
    item = named_item(name, catalog)
    if item.kind is ItemKind.INDEX:
        assert item.on is not None, "an index is on something"
        return catalog.get(item.on)
    return item


def _column_index(item: CatalogItem, name: str) -> int:
    index = item.schema.index_of(name)
    if index is None:
        hint = near_miss(name, item.schema.names)
        raise InvalidArgument(f'column "{name}" does not exist{hint}', column=name)
    return index
