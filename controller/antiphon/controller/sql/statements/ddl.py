"""CREATE."""

from __future__ import annotations

from dataclasses import replace

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import (
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    Nothing,
    Statement,
)
from antiphon.controller.sql.statements.column_definitions import (
    positions_of,
    read_columns,
)
from antiphon.controller.sql.statements.item_names import find_relation, read_kind, with_article
from antiphon.controller.sql.statements.reading import dataflow_of
from antiphon.controller.sql.statements.table_as import begins_as, plan_table_as
from antiphon.controller.sql.statements.view_columns import view_schema
from antiphon.protocol.codec.plan import plan_to_bytes
from antiphon.protocol.dataflow import Export, IndexExport, MaterializedViewExport
from antiphon.protocol.errors import CollectionExists, DependencyExists
from antiphon.protocol.plan import Get, imports_of
from antiphon.protocol.schema import Column, Schema


def plan_create(source: Source, cursor: Cursor, catalog: Catalog, now_us: int | None) -> Statement:
    """The statement after CREATE."""
    start = cursor.peek().start
    replaces = cursor.accept("OR", "REPLACE")
    for word in ("TEMPORARY", "TEMP", "UNLOGGED", "RECURSIVE"):
        if cursor.accept(word):
            raise source.unsupported(start, f"CREATE {word}")
    if cursor.accept("UNIQUE", "INDEX"):
        raise source.unsupported(start, "a UNIQUE index")
    kind = read_kind(cursor, "CREATE")
    if replaces and kind is not ItemKind.VIEW:
        hint = "; drop it and create it anew"
        raise source.unsupported(start, f"CREATE OR REPLACE {KIND_NAMES[kind].upper()}", hint)
    exists_is_fine = cursor.accept("IF", "NOT", "EXISTS")
    if replaces and exists_is_fine:
        raise source.invalid(start, "OR REPLACE and IF NOT EXISTS exclude each other")
    if kind is ItemKind.INDEX:
        return _create_index(source, cursor, catalog, exists_is_fine)
    name = cursor.new_name(f"the {KIND_NAMES[kind]}")
    if kind is ItemKind.TABLE and begins_as(cursor):
        made: Statement = plan_table_as(source, cursor, catalog, name, now_us)
    elif kind in (ItemKind.TABLE, ItemKind.FEED):
        made = _create_stored(source, cursor, catalog, kind, name)
    else:
        made = _create_view(source, cursor, catalog, kind, name)
    if replaces and isinstance(made, CreateView):
        return _replacing(source, start, catalog, made)
    return _unless_taken(catalog, made, name, exists_is_fine)


def _unless_taken(catalog: Catalog, made: Statement, name: str, exists_is_fine: bool) -> Statement:
    present = catalog.find(name)
    if present is None:
        return made
    message = f'"{name}" exists already: it is {with_article(present)}'
    if exists_is_fine:
        assert not isinstance(made, Nothing), "made once"
        return Nothing(tag=made.tag, notices=(f"{message}, skipping",))
    raise CollectionExists(message, name=name)


def _replacing(source: Source, start: int, catalog: Catalog, made: CreateView) -> CreateView:
    """In place of the view of this name, if there is one.

    Raises:
        DependencyExists: something was planned with what it is now.
    """
    present = catalog.find(made.item.name)
    if present is None:
        return made
    if present.kind is not ItemKind.VIEW:
        raise source.invalid(start, f'"{present.name}" is {with_article(present)}, and no view')
    if present.id in made.item.depends_on:
        raise source.invalid(start, f'"{present.name}" would read itself')
    dependants = catalog.dependants_closure(present.id)
    if dependants:
        shown = ", ".join(f'{KIND_NAMES[o.kind]} "{o.name}"' for o in reversed(dependants))
        raise DependencyExists(
            f'cannot replace "{present.name}": {shown} depend{"s" if len(dependants) == 1 else ""} '
            "on it; drop them first, and create them anew",
            name=present.name,
            dependants=", ".join(other.name for other in reversed(dependants)),
        )
    return replace(made, replaces=present.id)


# Tables and feeds.


def _create_stored(
    source: Source, cursor: Cursor, catalog: Catalog, kind: ItemKind, name: str
) -> Statement:
    start = cursor.peek().start
    if cursor.peek().upper == "AS":
        raise source.unsupported(start, "CREATE FEED ... AS", "; create it, and INSERT a query")
    found = read_columns(source, cursor)
    key = found.key
    if cursor.peek().upper == "AS":
        raise source.invalid(
            start, "CREATE TABLE ... AS takes the names of columns, not their types"
        )
    if not cursor.at_end:
        raise source.unsupported(cursor.peek().start, f"{cursor.peek().text} after the columns")
    if kind is ItemKind.FEED and not key:
        raise source.invalid(start, "a feed needs a PRIMARY KEY: it says which row is overwritten")
    schema = Schema(
        tuple(
            Column(name=c.name, type=c.type, nullable=c.nullable and index not in key)
            for index, c in enumerate(found.columns)
        )
    )
    item = CatalogItem(
        id=catalog.next_id, name=name, kind=kind, schema=schema, key_columns=key,
        sql=source.piece.text, defaults=found.defaults, lengths=found.lengths,
    )  # fmt: skip
    return CreateTable(item=item) if kind is ItemKind.TABLE else CreateFeed(item=item)


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
    key = positions_of(source, columns, item.schema)
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
