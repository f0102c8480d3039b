"""SQL to statements: the one entry.

Pure and safe on any thread: a plan depends on the text, the catalog and `now_ms` alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from sqlglot import exp

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.constants import batch_of
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.binding.scope import Inseparable
from antiphon.controller.sql.explaining.explain import (
    column_names,
    describe_collection,
    explain_finishing,
    explain_plan,
)
from antiphon.controller.sql.explaining.explain_analyze import plan_explain_analyze
from antiphon.controller.sql.explaining.explain_change import explain_change, target_line
from antiphon.controller.sql.explaining.explain_joins import JoinReasons
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.parsing.split import split_statements
from antiphon.controller.sql.queries.introspect import (
    catalog_of,
    find_system,
    inspection,
    subscription,
)
from antiphon.controller.sql.queries.query import QueryLowering, named_schema
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import (
    CreateTable,
    DataStatement,
    Rows,
    Statement,
    StatementText,
)
from antiphon.controller.sql.statements.copy import plan_copy
from antiphon.controller.sql.statements.ddl import plan_create
from antiphon.controller.sql.statements.dml import plan_delete, plan_update
from antiphon.controller.sql.statements.drop import plan_drop
from antiphon.controller.sql.statements.insert import plan_insert
from antiphon.controller.sql.statements.item_names import find_relation
from antiphon.controller.sql.statements.reading import (
    finishing_of,
    read_of,
    select_statement,
    subscribe_of,
)
from antiphon.controller.sql.statements.setting import plan_alter_system
from antiphon.controller.sql.statements.show import plan_show
from antiphon.controller.sql.statements.with_before import change_after_with, tables_before
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.errors import (
    ComputeError,
    UnsupportedSql,
)
from antiphon.protocol.plan import Get
from antiphon.protocol.schema import TEXT, Column, Schema

__all__ = [
    "plan_statement",
    "split_statements",
]

_QUERIES: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "FROM", "("})
_CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "CREATE"})
_KNOWN: Final = (
    "CREATE", "DROP", "INSERT", "UPDATE", "DELETE", "SELECT", "WITH", "VALUES", "TABLE",
    "SUBSCRIBE", "SHOW", "EXPLAIN", "ALTER", "COPY",
)  # fmt: skip
# PostgreSQL's other statements, which we can name when we refuse them.
_REFUSED: Final = frozenset(
    {
        "ALTER", "BEGIN", "START", "COMMIT", "ROLLBACK", "SET", "RESET", "GRANT", "REVOKE",
        "MERGE", "TRUNCATE", "ANALYZE", "VACUUM", "PREPARE", "EXECUTE", "DEALLOCATE", "DECLARE",
        "FETCH", "CALL", "DO", "COMMENT", "REFRESH", "LOCK", "LISTEN", "NOTIFY", "TAIL", "USE",
    }
)  # fmt: skip
_AS_OF: Final = re.compile(r"\bas\s+of\s+(\d+)\s*$", re.IGNORECASE)


def plan_statement(
    piece: StatementText, catalog: Catalog, *, now_ms: int | None = None
) -> Statement:
    """One statement, planned against `catalog`.

    `now_ms` is what `now()` means in a query or a change; None: it is refused, as in views.

    Raises:
        InvalidSql, TypeMismatch, UnsupportedSql, CollectionMissing, CollectionExists,
        DependencyExists, ConstraintViolation, LimitExceeded: with line and column where the text
        is to blame.
    """
    source = Source(piece)
    try:
        return _plan(source, catalog, None if now_ms is None else now_ms * 1000)
    except RecursionError:
        raise source.invalid(None, "the statement is nested too deeply") from None
    except Inseparable as error:
        raise UnsupportedSql(error.message, **error.details) from None
    except ComputeError as error:
        if "line" not in error.details:
            line, column = source.place(None)
            error.details.update(line=str(line), column=str(column))
        raise


def _plan(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    cursor = Cursor(source)
    word = cursor.peek().upper
    changed = change_after_with(source, cursor.peek().start) if word == "WITH" else None
    if changed is not None:
        return _plan_change_with(source, catalog, now_us, *changed)
    if word in _QUERIES:
        return _plan_select(source, catalog, now_us)
    match word:
        case "INSERT":
            cursor.take()
            return plan_insert(source, cursor, catalog, now_us)
        case "UPDATE":
            return plan_update(source, catalog, now_us)
        case "DELETE":
            return plan_delete(source, catalog, now_us)
        case "CREATE":
            cursor.take()
            return plan_create(source, cursor, catalog, now_us)
        case "DROP":
            cursor.take()
            return plan_drop(source, cursor, catalog)
        case "COPY":
            cursor.take()
            return plan_copy(source, cursor, catalog, now_us)
        case "ALTER" if cursor.accept("ALTER", "SYSTEM"):
            return plan_alter_system(source, cursor)
        case "SUBSCRIBE":
            cursor.take()
            return _plan_subscribe(source, cursor, catalog)
        case "SHOW":
            cursor.take()
            return plan_show(source, cursor, catalog)
        case "EXPLAIN":
            cursor.take()
            return _plan_explain(source, cursor, catalog, now_us)
        case _:
            raise _unknown_statement(source, cursor)


def _plan_change_with(
    source: Source, catalog: Catalog, now_us: int | None, verb: str, start: int
) -> Statement:
    """WITH ... (INSERT | UPDATE | DELETE) ..."""
    match verb:
        case "INSERT":
            cursor = Cursor(source, start)
            cursor.take()
            tables = tables_before(source, start)
            return plan_insert(source, cursor, catalog, now_us, tables)
        case "UPDATE":
            return plan_update(source, catalog, now_us)
        case _:
            return plan_delete(source, catalog, now_us)


def _unknown_statement(source: Source, cursor: Cursor) -> Exception:
    found = cursor.peek()
    if found.upper in ("SET", "RESET"):
        return source.unsupported(found.start, found.upper, f"; say ALTER SYSTEM {found.upper} ...")
    if found.upper in _REFUSED:
        return source.unsupported(found.start, found.upper)
    hint = near_miss(found.upper, _KNOWN)
    return source.invalid(found.start, f'syntax error near "{found.text}"{hint}')


# SELECT.


def _plan_select(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    as_of, stop = _as_of(source)
    context = Context(source=source, catalog=catalog, now_us=now_us, may_inspect=True)
    query = QueryLowering(context=context).lower(_query_node(source, 0, stop))
    return inspection(context, select_statement(query, catalog_of(context), as_of), as_of)


def _as_of(source: Source) -> tuple[int | None, int]:
    """The time of a trailing AS OF, and where the query ends."""
    text = source.piece.text
    match = _AS_OF.search(text)
    if match is None:
        return None, len(text)
    return int(match.group(1)), match.start()


def _query_node(source: Source, start: int, stop: int) -> exp.Expr:
    node = parse(source, start, stop)
    if not isinstance(node, exp.Query | exp.Values | exp.Subquery):
        raise source.invalid(start, "a query is expected")
    return node


# SUBSCRIBE [TO] (name | query) [WITH (SNAPSHOT [= boolean])] [AS OF time]


def _plan_subscribe(source: Source, cursor: Cursor, catalog: Catalog) -> Statement:
    cursor.accept("TO")
    as_of, stop = _as_of(source)
    with_snapshot, stop = _snapshot_option(source, stop)
    ahead = cursor.peek()
    if ahead.start >= stop:
        raise source.invalid(ahead.start, "SUBSCRIBE needs the name of a collection or a query")
    context = Context(source=source, catalog=catalog, place="SUBSCRIBE", may_inspect=True)
    if ahead.upper in _QUERIES:
        query = QueryLowering(context=context).lower(_query_node(source, ahead.start, stop))
        planned_on = catalog_of(context)
        statement = subscribe_of(query.finished(), named_schema(query), planned_on, "subscribe")
    else:
        schema, name = cursor.path("a collection")
        context.inspects = schema is not None
        if schema is None:
            item = find_relation(source, catalog, name, ahead.start)
        else:
            item = find_system(source, ahead.start, f"{schema}.{name}")
        if cursor.peek().start < stop:
            raise cursor.unexpected("WITH or AS OF")
        get = Get(collection=item.id, schema=item.schema)
        statement = subscribe_of(get, item.schema, catalog_of(context), item.name)
    statement = replace(statement, with_snapshot=with_snapshot, as_of=as_of)
    return subscription(source, statement, inspects=context.inspects)


_SNAPSHOT: Final = re.compile(r"\bwith\s*\(\s*(\w+)\s*(?:=?\s*(\w+)\s*)?\)\s*$", re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def _snapshot_option(source: Source, stop: int) -> tuple[bool, int]:
    """Whether the snapshot is wanted, and where what comes before the option ends."""
    match = _SNAPSHOT.search(source.piece.text[:stop])
    if match is None:
        return True, stop
    if match.group(1).lower() != "snapshot":
        raise source.unsupported(match.start(1), f"the option {match.group(1)} of SUBSCRIBE")
    wanted = _BOOLEANS.get((match.group(2) or "true").lower())
    if wanted is None:
        raise source.invalid(match.start(2), "SNAPSHOT is true or false")
    return wanted, match.start()


# EXPLAIN ([PLAN] [FOR] (query | change | [kind] name) | ANALYZE [kind] name)


def _plan_explain(
    source: Source, cursor: Cursor, catalog: Catalog, now_us: int | None
) -> Statement:
    if cursor.accept("ANALYZE"):
        return plan_explain_analyze(source, cursor, catalog)
    cursor.accept("PLAN")
    cursor.accept("FOR")
    start = cursor.peek().start
    if cursor.peek().upper == "VERBOSE":
        raise source.unsupported(start, f"EXPLAIN {cursor.peek().upper}")
    word = cursor.peek().upper
    is_change = word in _CHANGES or (
        word == "WITH" and change_after_with(source, start) is not None
    )
    if word in _QUERIES and not is_change:
        context = Context(source=source, catalog=catalog, now_us=now_us, may_inspect=True)
        query = QueryLowering(context=context).lower(
            _query_node(source, start, len(source.piece.text))
        )
        catalog = catalog_of(context)
        plan = optimized(query.plan, catalog, maintained=False)
        finish = explain_finishing(finishing_of(query), column_names(plan))
        read = read_of(plan, named_schema(query), finishing_of(query), catalog)
        lines = [target_line(read, catalog), *([] if finish is None else [finish])]
        if context.inspects:
            lines[0] = "Evaluate once, at the controller"
        return _lines([*lines, *explain_plan(plan, catalog)])
    if is_change:
        # Blanks keep the offsets those of the whole statement.
        text = source.piece.text
        alone = Source(replace(source.piece, text=" " * start + text[start:]))
        change = _plan(alone, catalog, now_us)
        if isinstance(change, DataStatement | CreateTable):
            return _lines(explain_change(change, catalog))
    if cursor.peek().upper in _KNOWN:
        raise source.unsupported(start, f"EXPLAIN {cursor.peek().upper}")
    for words in (("MATERIALIZED", "VIEW"), ("VIEW",), ("INDEX",)):
        if cursor.accept(*words):
            break
    start = cursor.peek().start
    schema, name = cursor.path("a view or a query")
    cursor.expect_end()
    if schema is not None:
        item = find_system(source, start, f"{schema}.{name}")
        return _lines([f"Kept by the controller: {item.name}"])
    found = catalog.find(name)
    if found is None:
        raise source.missing(start, "view", name, catalog.names)
    return _lines(_explain_item(found, catalog))


def _explain_item(item: CatalogItem, catalog: Catalog) -> list[str]:
    if item.kind in (ItemKind.TABLE, ItemKind.FEED):
        return [describe_collection(item.id, catalog)]
    plan = plan_from_bytes(item.plan)
    if item.kind is ItemKind.VIEW:
        plan = optimized(plan, catalog, maintained=True)
    lines = [describe_collection(item.id, catalog)]
    for index in catalog.indexes_on(item.id):
        lines.append(f"  kept by {describe_collection(index.id, catalog)}")
    return [*lines, *explain_plan(plan, catalog, JoinReasons(plan, catalog, item))]


def _lines(lines: list[str]) -> Rows:
    schema = Schema((Column(name="plan", type=TEXT),))
    return Rows(schema=schema, rows=batch_of(schema, [(line,) for line in lines]), tag="EXPLAIN")
