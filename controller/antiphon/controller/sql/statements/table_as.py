"""CREATE TABLE name [(columns)] AS query [WITH [NO] DATA]: a table that holds what a query gives.

The table is there with all of its rows or not at all: what the query gives is read first, and made
durable with the table, unless what it was read from has changed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import CreateTable
from antiphon.controller.sql.statements.insert import insertion_of
from antiphon.controller.sql.statements.view_columns import view_schema
from antiphon.protocol.schema import Schema

_DATA: Final = re.compile(r"\bWITH\s+(?P<no>NO\s+)?DATA\s*$", re.IGNORECASE)


def begins_as(cursor: Cursor) -> bool:
    """Whether AS follows, after names alone: no definitions of columns."""
    ahead = Cursor(cursor.source, cursor.peek().start)
    if not ahead.accept("("):
        return ahead.peek().upper == "AS"
    while ahead.peek().kind in ("word", "quoted"):
        ahead.take()
        if ahead.accept(")"):
            return ahead.peek().upper == "AS"
        if not ahead.accept(","):
            return False
    return False


def plan_table_as(
    source: Source, cursor: Cursor, catalog: Catalog, name: str, now_us: int | None
) -> CreateTable:
    """What follows the table's name. Every column may be null, whatever the query says of it."""
    names = cursor.names("a column") if cursor.peek().upper == "(" else []
    cursor.expect("AS")
    start = cursor.peek().start
    if cursor.at_end:
        raise cursor.unexpected("a query")
    data = _DATA.search(source.piece.text, start)
    context = Context(source=source, catalog=catalog, place="CREATE TABLE AS", now_us=now_us)
    node = parse(source, start, None if data is None else data.start())
    query = QueryLowering(context=context).lower(node)
    shown = view_schema(source, start, query, names)
    schema = Schema(tuple(replace(column, nullable=True) for column in shown.columns))
    item = CatalogItem(
        id=catalog.next_id, name=name, kind=ItemKind.TABLE, schema=schema, sql=source.piece.text
    )
    if data is not None and data["no"]:
        return CreateTable(item=item)
    plan = optimized(query.finished(), catalog, maintained=False)
    return CreateTable(item=item, content=insertion_of(item, plan, catalog))
