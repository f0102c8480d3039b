"""SHOW: what the catalog knows, as rows."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.instance.settings import SETTINGS
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.queries.introspect import find_system
from antiphon.controller.sql.statement import Rows, ShowReplicas, ShowSettings, Statement
from antiphon.controller.sql.statements.text_lengths import length_of
from antiphon.protocol.expression import Value
from antiphon.protocol.schema import BOOLEAN, TEXT, Column, Schema

_KINDS = {
    "TABLES": ItemKind.TABLE,
    "FEEDS": ItemKind.FEED,
    "VIEWS": ItemKind.VIEW,
}


def plan_show(source: Source, cursor: Cursor, catalog: Catalog) -> Statement:
    """The statement after SHOW."""
    found = cursor.peek()
    if cursor.accept("REPLICAS"):
        statement: Statement = ShowReplicas()
    elif cursor.accept("ALL"):
        statement = ShowSettings()
    elif cursor.accept("MATERIALIZED", "VIEWS"):
        statement = _items(catalog, ItemKind.MATERIALIZED_VIEW)
    elif cursor.accept("INDEXES"):
        statement = _indexes(catalog)
    elif cursor.accept("COLUMNS", "FROM") or cursor.accept("COLUMNS", "IN"):
        statement = _columns(_named(source, cursor, catalog))
    elif cursor.accept("CREATE"):
        statement = _created(_named(source, cursor, catalog))
    elif found.text.lower() in SETTINGS:
        cursor.take()
        statement = ShowSettings(name=found.text.lower())
    elif found.upper in _KINDS:
        cursor.take()
        statement = _items(catalog, _KINDS[found.upper])
    else:
        known = [*_KINDS, "MATERIALIZED VIEWS", "INDEXES", "COLUMNS FROM", "REPLICAS", "ALL"]
        hint = near_miss(found.upper, known) or near_miss(found.text.lower(), SETTINGS)
        if cursor.at_end:
            raise cursor.unexpected("what to show")
        raise source.unsupported(found.start, f"SHOW {found.text.upper()}", hint)
    cursor.expect_end()
    return statement


def _named(source: Source, cursor: Cursor, catalog: Catalog) -> CatalogItem:
    start = cursor.peek().start
    schema, name = cursor.path("an item")
    if schema is not None:
        return find_system(source, start, f"{schema}.{name}")
    item = catalog.find(name)
    if item is None:
        raise source.missing(start, "table", name, catalog.names)
    return item


def _rows(names: Sequence[str], rows: Sequence[Sequence[Value]]) -> Rows:
    """An answer of text columns, but for those called `nullable`."""
    schema = Schema(
        tuple(Column(name=name, type=BOOLEAN if name == "nullable" else TEXT) for name in names)
    )
    return Rows(schema=schema, rows=batch_of(schema, rows), tag="SHOW")


def _key(item: CatalogItem) -> str:
    return ", ".join(item.schema.columns[index].name for index in item.key_columns)


def _items(catalog: Catalog, kind: ItemKind) -> Rows:
    found = sorted(catalog.of_kind(kind), key=lambda item: item.name)
    if kind in (ItemKind.TABLE, ItemKind.FEED):
        return _rows(("name", "key"), [(item.name, _key(item) or None) for item in found])
    return _rows(("name",), [(item.name,) for item in found])


def _indexes(catalog: Catalog) -> Rows:
    found = sorted(catalog.of_kind(ItemKind.INDEX), key=lambda item: item.name)
    rows: list[tuple[Value, ...]] = []
    for index in found:
        assert index.on is not None, "an index is on something"
        rows.append((index.name, catalog.get(index.on).name, _key(index)))
    return _rows(("name", "on", "key"), rows)


def _columns(item: CatalogItem) -> Rows:
    rows = [
        (c.name, _type(item, index), c.nullable, "key" if index in item.key_columns else None)
        for index, c in enumerate(item.schema.columns)
    ]
    return _rows(("name", "type", "nullable", "key"), rows)


def _type(item: CatalogItem, index: int) -> str:
    length = length_of(item, index)
    return str(item.schema.types[index]) if length is None else f"varchar({length})"


def _created(item: CatalogItem) -> Rows:
    return _rows(("name", "kind", "sql"), [(item.name, KIND_NAMES[item.kind], item.sql)])
