"""CREATE and DROP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.cursor import Cursor, check_new_name
from antiphon.controller.sql.dialect import parse, parse_type
from antiphon.controller.sql.naming import NAMELESS
from antiphon.controller.sql.optimize import optimized
from antiphon.controller.sql.query import QueryLowering
from antiphon.controller.sql.reading import dataflow_of
from antiphon.controller.sql.relation import Context, Query
from antiphon.controller.sql.source import Source, near_miss
from antiphon.controller.sql.statement import (
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    DropItems,
    Nothing,
    Statement,
)
from antiphon.controller.sql.types import type_from_sql
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.dataflow import Export, IndexExport, MaterializedViewExport
from antiphon.protocol.errors import CollectionExists, DependencyExists, LimitExceeded
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.plan import Get, imports_of
from antiphon.protocol.schema import Column, Schema

_KINDS: Final = {
    ("TABLE",): ItemKind.TABLE,
    ("FEED",): ItemKind.FEED,
    ("VIEW",): ItemKind.VIEW,
    ("MATERIALIZED", "VIEW"): ItemKind.MATERIALIZED_VIEW,
    ("INDEX",): ItemKind.INDEX,
}
# Words of a column definition that end its type.
_AFTER_TYPE: Final = frozenset({"NOT", "NULL", "PRIMARY", "KEY"})
_REFUSED: Final = frozenset(
    {
        "DEFAULT", "CHECK", "UNIQUE", "REFERENCES", "CONSTRAINT", "GENERATED", "COLLATE", "FOREIGN",
        "EXCLUDE", "LIKE",
    }
)  # fmt: skip


def plan_create(source: Source, cursor: Cursor, catalog: Catalog) -> Statement:
    """The statement after CREATE."""
    start = cursor.peek().start
    if cursor.accept("OR", "REPLACE"):
        raise source.unsupported(start, "CREATE OR REPLACE")
    for word in ("TEMPORARY", "TEMP", "UNLOGGED", "RECURSIVE"):
        if cursor.accept(word):
            raise source.unsupported(start, f"CREATE {word}")
    if cursor.accept("UNIQUE", "INDEX"):
        raise source.unsupported(start, "a UNIQUE index")
    kind = _kind(cursor, "CREATE")
    exists_is_fine = cursor.accept("IF", "NOT", "EXISTS")
    if kind is ItemKind.INDEX:
        return _create_index(source, cursor, catalog, exists_is_fine)
    name = cursor.new_name(f"the {KIND_NAMES[kind]}")
    if kind in (ItemKind.TABLE, ItemKind.FEED):
        made = _create_stored(source, cursor, catalog, kind, name)
    else:
        made = _create_view(source, cursor, catalog, kind, name)
    return _unless_taken(catalog, made, name, exists_is_fine)


def _kind(cursor: Cursor, verb: str) -> ItemKind:
    for words, kind in _KINDS.items():
        if cursor.accept(*words):
            return kind
    found = cursor.peek()
    if found.kind == "word":
        hint = near_miss(found.upper, [words[0] for words in _KINDS])
        raise cursor.source.unsupported(found.start, f"{verb} {found.upper}", hint)
    raise cursor.unexpected("TABLE, FEED, VIEW, MATERIALIZED VIEW or INDEX")


def _unless_taken(catalog: Catalog, made: Statement, name: str, exists_is_fine: bool) -> Statement:
    present = catalog.find(name)
    if present is None:
        return made
    message = f'"{name}" exists already: it is {_a(present)}'
    if exists_is_fine:
        assert not isinstance(made, Nothing), "made once"
        return Nothing(tag=made.tag, notices=(f"{message}, skipping",))
    raise CollectionExists(message, name=name)


def _a(item: CatalogItem) -> str:
    name = KIND_NAMES[item.kind]
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


# Tables and feeds.


def _create_stored(
    source: Source, cursor: Cursor, catalog: Catalog, kind: ItemKind, name: str
) -> Statement:
    start = cursor.peek().start
    if cursor.peek().upper == "AS":
        raise source.unsupported(start, "CREATE TABLE ... AS", "; use CREATE MATERIALIZED VIEW")
    columns, key = _columns(source, cursor)
    if not cursor.at_end:
        raise source.unsupported(cursor.peek().start, f"{cursor.peek().text} after the columns")
    if kind is ItemKind.FEED and not key:
        raise source.invalid(start, "a feed needs a PRIMARY KEY: it says which row is overwritten")
    schema = Schema(
        tuple(
            Column(name=c.name, type=c.type, nullable=c.nullable and index not in key)
            for index, c in enumerate(columns)
        )
    )
    item = CatalogItem(
        id=catalog.next_id, name=name, kind=kind, schema=schema, key_columns=key,
        sql=source.piece.text,
    )  # fmt: skip
    return CreateTable(item=item) if kind is ItemKind.TABLE else CreateFeed(item=item)


def _columns(source: Source, cursor: Cursor) -> tuple[list[Column], tuple[int, ...]]:
    """`(name type [NOT NULL] [PRIMARY KEY], ..., [PRIMARY KEY (a, b)])`."""
    columns: list[Column] = []
    key: list[tuple[str, int]] | None = None
    cursor.expect("(")
    while True:
        start = cursor.peek().start
        found: list[tuple[str, int]] | None = None
        if cursor.accept("PRIMARY", "KEY"):
            found = cursor.names("a key column")
        elif cursor.peek().upper in _REFUSED:
            raise source.unsupported(start, cursor.peek().upper)
        else:
            column, is_key = _column(source, cursor)
            if any(column.name == other.name for other in columns):
                raise source.invalid(start, f'column "{column.name}" is defined twice')
            columns.append(column)
            found = [(column.name, start)] if is_key else None
        if found is not None:
            if key is not None:
                raise source.invalid(start, "there is one PRIMARY KEY")
            key = found
        if cursor.accept(")"):
            break
        if not cursor.accept(","):
            raise cursor.unexpected('"," or ")"')
    if len(columns) > COLUMNS_MAX:
        raise _too_many_columns(len(columns))
    return columns, key_positions(source, key or [], Schema(tuple(columns)))


def _too_many_columns(count: int) -> LimitExceeded:
    return LimitExceeded(
        f"{count} columns, at most {COLUMNS_MAX} are allowed",
        limit="COLUMNS_MAX",
        value=COLUMNS_MAX,
    )


def _column(source: Source, cursor: Cursor) -> tuple[Column, bool]:
    name = cursor.new_name("a column")
    start = cursor.peek().start
    stop, depth = start, 0
    while True:
        ahead = cursor.peek()
        if ahead.kind == "" or (depth == 0 and ahead.upper in (",", ")")):
            break
        if depth == 0 and ahead.upper in (_AFTER_TYPE | _REFUSED) and stop > start:
            break
        depth += {"(": 1, ")": -1}.get(ahead.upper, 0)
        stop = cursor.take().stop
    if stop == start:
        raise cursor.unexpected(f'the type of column "{name}"')
    kind = type_from_sql(source, parse_type(source, start, stop), start)
    nullable, is_key = True, False
    while True:
        ahead = cursor.peek()
        if cursor.accept("NOT", "NULL"):
            nullable = False
        elif cursor.accept("PRIMARY", "KEY"):
            is_key = True
        elif not cursor.accept("NULL"):
            break
    if ahead.upper in _REFUSED:
        raise source.unsupported(ahead.start, f"{ahead.upper} of a column")
    return Column(name=name, type=kind, nullable=nullable), is_key


def key_positions(
    source: Source, names: Sequence[tuple[str, int]], schema: Schema
) -> tuple[int, ...]:
    """The places of key columns.

    Raises:
        InvalidSql: as `positions_of`.
        UnsupportedSql: a column that holds lists or structs.
    """
    positions = positions_of(source, names, schema)
    for (_, start), index in zip(names, positions, strict=True):
        if schema.columns[index].type.is_nested:
            raise source.unsupported(start, f"a key of type {schema.columns[index].type}")
    return positions


def positions_of(
    source: Source, names: Sequence[tuple[str, int]], schema: Schema
) -> tuple[int, ...]:
    """Where the key's columns stand.

    Raises:
        InvalidSql: unknown, twice, or of a type that has no order.
    """
    positions: list[int] = []
    for name, start in names:
        index = schema.index_of(name)
        if index is None:
            hint = near_miss(name, schema.names)
            raise source.invalid(start, f'column "{name}" does not exist{hint}')
        if index in positions:
            raise source.invalid(start, f'column "{name}" is in the key twice')
        positions.append(index)
    return tuple(positions)


# Views.


def _create_view(
    source: Source, cursor: Cursor, catalog: Catalog, kind: ItemKind, name: str
) -> Statement:
    names = cursor.names("a column") if cursor.peek().upper == "(" else []
    if cursor.peek().upper in ("WITH", "USING", "TABLESPACE"):
        raise source.unsupported(cursor.peek().start, f"{cursor.peek().upper} in CREATE VIEW")
    cursor.expect("AS")
    start = cursor.peek().start
    if cursor.at_end:
        raise cursor.unexpected("a query")
    context = Context(source=source, catalog=catalog, place="a view")
    query = QueryLowering(context=context).lower(parse(source, start))
    schema = view_schema(source, start, query, names)
    plan = query.finished()
    used = tuple(context.used)
    if kind is ItemKind.VIEW:
        optimized(plan, catalog, maintained=True)  # what no replica could run is refused now
        view = CatalogItem(
            id=catalog.next_id, name=name, kind=kind, schema=schema, sql=source.piece.text,
            plan=plan_to_bytes(plan), depends_on=tuple(sorted(used)),
        )  # fmt: skip
        return CreateView(item=view)
    running = optimized(plan, catalog, maintained=True)
    imports = imports_of(running)
    export = Export(collection=catalog.next_id, kind=MaterializedViewExport())
    dataflow = dataflow_of(name, running, schema, catalog, (export,))
    item = CatalogItem(
        id=catalog.next_id, name=name, kind=kind, schema=schema, sql=source.piece.text,
        plan=dataflow.plan, depends_on=tuple(sorted({*used, *imports})),
    )  # fmt: skip
    return CreateMaterializedView(item=item, dataflow=dataflow)


def view_schema(
    source: Source, start: int, query: Query, names: Sequence[tuple[str, int]] = ()
) -> Schema:
    """The columns of a view, by the given names or the query's own.

    Raises:
        InvalidSql: a name that is given twice, reserved or missing.
    """
    if len(names) > len(query.columns):
        raise source.invalid(
            names[0][1], f"{len(names)} column names for {len(query.columns)} columns"
        )
    given = [name for name, _ in names]
    given += [column.name for column in query.columns[len(given) :]]
    for index, name in enumerate(given):
        check_new_name(source, names[index][1] if index < len(names) else start, name)
        if name in given[:index]:
            hint = " (give it one with AS)" if name == NAMELESS else ""
            raise source.invalid(start, f'two columns are called "{name}"{hint}')
    if len(given) > COLUMNS_MAX:
        raise _too_many_columns(len(given))
    return Schema(
        tuple(
            Column(name=name, type=c.type, nullable=c.nullable)
            for name, c in zip(given, query.columns, strict=True)
        )
    )


# Indexes.


def _create_index(
    source: Source, cursor: Cursor, catalog: Catalog, exists_is_fine: bool
) -> Statement:
    name = None if cursor.peek().upper == "ON" else cursor.new_name("the index")
    cursor.expect("ON")
    start = cursor.peek().start
    target = cursor.name("what the index is on")
    if cursor.peek().upper == "USING":
        raise source.unsupported(cursor.peek().start, "USING in CREATE INDEX")
    columns = cursor.names("a column")
    if not cursor.at_end:
        raise source.unsupported(cursor.peek().start, f"{cursor.peek().text} in CREATE INDEX")
    item = find_relation(source, catalog, target, start)
    key = key_positions(source, columns, item.schema)
    if name is None:
        name = _free_name(catalog, "_".join([target, *(c for c, _ in columns), "idx"]))
    plan = optimized(Get(collection=item.id, schema=item.schema), catalog, maintained=True)
    index_id = catalog.next_id
    export = Export(collection=index_id, kind=IndexExport(key_columns=key))
    dataflow = dataflow_of(name, plan, item.schema, catalog, (export,))
    index = CatalogItem(
        id=index_id, name=name, kind=ItemKind.INDEX, schema=item.schema, key_columns=key,
        sql=source.piece.text, plan=dataflow.plan, on=item.id,
        depends_on=tuple(sorted({item.id, *imports_of(plan)})),
    )  # fmt: skip
    made = CreateIndex(item=index, dataflow=dataflow)
    return _unless_taken(catalog, made, name, exists_is_fine)


def _free_name(catalog: Catalog, wanted: str) -> str:
    name, count = wanted, 0
    while catalog.find(name) is not None:
        count += 1
        name = f"{wanted}{count}"
    return name


def find_relation(source: Source, catalog: Catalog, name: str, start: int) -> CatalogItem:
    """The table, feed or view called `name`.

    Raises:
        CollectionMissing: with a near miss.
        InvalidSql: it is an index.
    """
    item = catalog.find(name)
    if item is None:
        known = [other.name for other in catalog.items.values() if other.is_relation]
        raise source.missing(start, "table", name, known)
    if not item.is_relation:
        raise source.invalid(start, f'"{name}" is an index')
    return item


# DROP.


def plan_drop(source: Source, cursor: Cursor, catalog: Catalog) -> Statement:
    """The statement after DROP."""
    kind = _kind(cursor, "DROP")
    tag = f"DROP {KIND_NAMES[kind].upper()}"
    missing_is_fine = cursor.accept("IF", "EXISTS")
    start = cursor.peek().start
    name = cursor.name(f"the {KIND_NAMES[kind]}")
    if cursor.peek().upper == ",":
        raise source.unsupported(cursor.peek().start, "dropping several at once")
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    cursor.expect_end()
    item = catalog.find(name)
    if item is None:
        if missing_is_fine:
            notice = f'{KIND_NAMES[kind]} "{name}" does not exist, skipping'
            return Nothing(tag=tag, notices=(notice,))
        same_kind = [other.name for other in catalog.of_kind(kind)]
        raise source.missing(start, KIND_NAMES[kind], name, same_kind)
    if item.kind is not kind:
        raise source.invalid(
            start,
            f'"{name}" is {_a(item)}; use DROP {KIND_NAMES[item.kind].upper()}',
        )
    return _drop(catalog, item, cascade, tag)


def _drop(catalog: Catalog, item: CatalogItem, cascade: bool, tag: str) -> DropItems:
    """The item with its own indexes; with everything else that needs it, if CASCADE is said."""
    dependants = catalog.dependants_closure(item.id)
    own: set[CollectionId] = {index.id for index in catalog.indexes_on(item.id)}
    others = [other for other in dependants if other.id not in own]
    if others and not cascade:
        shown = ", ".join(f'{KIND_NAMES[o.kind]} "{o.name}"' for o in reversed(others))
        raise DependencyExists(
            f'cannot drop "{item.name}": {shown} depend{"s" if len(others) == 1 else ""} on it; '
            "drop them first or use CASCADE",
            name=item.name,
            dependants=", ".join(other.name for other in reversed(others)),
        )
    notices = tuple(f'drop cascades to {KIND_NAMES[o.kind]} "{o.name}"' for o in reversed(others))
    return DropItems(items=(*dependants, item), tag=tag, notices=notices)
