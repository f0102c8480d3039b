"""COPY (query | name) TO 'path' [WITH] (FORMAT parquet): a query's content, written once."""

from __future__ import annotations

from typing import Final

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.binding.relation import Context, Query
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering, named_schema
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import Copy
from antiphon.controller.sql.statements.item_names import find_relation
from antiphon.controller.sql.statements.reading import dataflow_of
from antiphon.protocol.plan import Get, Plan, imports_of
from antiphon.protocol.schema import Schema

FORMAT: Final = "parquet"


def plan_copy(source: Source, cursor: Cursor, catalog: Catalog, now_us: int | None) -> Copy:
    """The statement after COPY.

    Raises:
        InvalidSql, UnsupportedSql, CollectionMissing
    """
    if cursor.peek().upper == "(":
        plan, schema = _query(source, cursor, catalog, now_us)
    else:
        start = cursor.peek().start
        item = find_relation(source, catalog, cursor.name("a collection"), start)
        if cursor.peek().upper == "(":
            hint = "; copy a query: COPY (SELECT ...) TO ..."
            raise source.unsupported(cursor.peek().start, "a list of columns in COPY", hint)
        plan, schema = Get(collection=item.id, schema=item.schema), item.schema
    found = cursor.peek()
    if found.upper == "FROM":
        hint = "; append a file's rows with: antiphon load TABLE FILE"
        raise source.unsupported(found.start, "COPY ... FROM", hint)
    cursor.expect("TO")
    uri = _path(source, cursor)
    _options(source, cursor, uri)
    running = optimized(plan, catalog, maintained=False)
    return Copy(
        dataflow=dataflow_of("copy", running, schema, catalog, ()),
        imports=imports_of(running),
        uri=uri,
    )


def _query(
    source: Source, cursor: Cursor, catalog: Catalog, now_us: int | None
) -> tuple[Plan, Schema]:
    """What stands in parentheses; the cursor is behind them then."""
    opened = cursor.take()
    depth = 1
    while depth:
        if cursor.at_end:
            raise cursor.unexpected('")"')
        found = cursor.take()
        depth += {"(": 1, ")": -1}.get(found.upper, 0)
    context = Context(source=source, catalog=catalog, place="COPY", now_us=now_us)
    query = QueryLowering(context=context).lower(parse(source, opened.stop, found.start))
    _refuse_order(source, opened.stop, query)
    return query.finished(), named_schema(query)


def _refuse_order(source: Source, start: int, query: Query) -> None:
    if query.order_by and not query.is_cut:
        hint = ": the rows of a file have no order; sort them where they are read"
        raise source.unsupported(start, "ORDER BY without LIMIT in COPY", hint)


def _path(source: Source, cursor: Cursor) -> str:
    found = cursor.peek()
    if found.upper in ("STDOUT", "PROGRAM"):
        hint = "; name a file, or read with: antiphon sql -c 'SELECT ...'"
        raise source.unsupported(found.start, f"COPY ... TO {found.upper}", hint)
    if found.kind != "string":
        raise cursor.unexpected("the path of a file, in quotes,")
    path = cursor.take().text[1:-1].replace("''", "'")
    if not path:
        raise source.invalid(found.start, "the path is empty")
    return path


def _options(source: Source, cursor: Cursor, uri: str) -> None:
    """Only the format is known, and only one; a path that ends so needs no word about it."""
    cursor.accept("WITH")
    if not cursor.accept("("):
        cursor.expect_end()
        if not uri.endswith(f".{FORMAT}"):
            raise source.invalid(None, "COPY needs a format: (FORMAT parquet)")
        return
    found = cursor.take()
    if found.upper != "FORMAT":
        raise source.unsupported(found.start, f"the option {found.text} of COPY")
    wanted = cursor.take()
    if wanted.text.strip("'\"").lower() != FORMAT:
        raise source.unsupported(
            wanted.start, f"the format {wanted.text} in COPY", f"; there is {FORMAT}"
        )
    cursor.expect(")")
    cursor.expect_end()
