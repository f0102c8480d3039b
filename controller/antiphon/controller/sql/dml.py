"""INSERT, UPDATE and DELETE."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.change import signed_rows
from antiphon.controller.sql.coercion import assign, explicit_cast
from antiphon.controller.sql.column_definitions import positions_of
from antiphon.controller.sql.cursor import Cursor
from antiphon.controller.sql.dialect import parse
from antiphon.controller.sql.expressions import null
from antiphon.controller.sql.item_names import find_relation
from antiphon.controller.sql.optimize import optimized
from antiphon.controller.sql.plans import computed
from antiphon.controller.sql.query import NO_TABLES, QueryLowering
from antiphon.controller.sql.reading import read_of
from antiphon.controller.sql.relation import Context, Query
from antiphon.controller.sql.select import SelectLowering
from antiphon.controller.sql.source import Source, Spot, near_miss
from antiphon.controller.sql.statement import (
    Delete,
    Insert,
    InsertSelect,
    Read,
    Statement,
    Update,
)
from antiphon.controller.sql.syntax import expect_only, name_of
from antiphon.controller.sql.values import read_rows
from antiphon.protocol.dataflow import UNFINISHED
from antiphon.protocol.errors import ConstraintViolation, InvalidSql
from antiphon.protocol.expression import Expression, Value
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.plan import Constant, Plan
from antiphon.protocol.schema import Column, Schema


def plan_insert(source: Source, cursor: Cursor, catalog: Catalog, now_us: int | None) -> Statement:
    """The statement after INSERT."""
    cursor.expect("INTO")
    start = cursor.peek().start
    item = find_relation(source, catalog, cursor.name("the table"), start)
    _check_changeable(source, start, item)
    if cursor.peek().upper == "AS":
        raise source.unsupported(cursor.peek().start, "an alias in INSERT")
    positions = tuple(range(len(item.schema)))
    if cursor.peek().upper == "(" and not _is_query(cursor):
        positions = positions_of(source, cursor.names("a column"), item.schema)
    if cursor.peek().upper in ("DEFAULT", "OVERRIDING"):
        raise source.unsupported(cursor.peek().start, f"INSERT ... {cursor.peek().upper}")
    query_start = cursor.peek().start
    if cursor.accept("VALUES"):
        targets = [item.schema.columns[index] for index in positions]
        plain = read_rows(source, cursor.peek().start, targets)
        if plain is not None:
            columns, count = plain
            return _insert_rows(item, positions, columns, count)
    if cursor.at_end:
        raise cursor.unexpected("VALUES or a query")
    try:
        node = parse(source, query_start)
    except InvalidSql:
        _refuse_clauses(source)
        raise
    context = Context(source=source, catalog=catalog, place="INSERT", now_us=now_us)
    if isinstance(node, exp.Values):
        _refuse_default(source, node)
    kinds = tuple(item.schema.types[index] for index in positions)
    wanted = kinds if isinstance(node, exp.Values) else ()
    query = QueryLowering(context=context, targets=wanted).lower(node)
    return _insert_query(source, query_start, item, positions, query, catalog)


def _is_query(cursor: Cursor) -> bool:
    """Whether the parenthesis that comes next opens a query and not a list of columns."""
    ahead = Cursor(cursor.source, cursor.peek().stop)
    return ahead.peek().upper in ("SELECT", "WITH", "VALUES", "(")


def _check_changeable(source: Source, spot: Spot, item: CatalogItem) -> None:
    if item.kind not in (ItemKind.TABLE, ItemKind.FEED):
        raise source.invalid(
            spot,
            f'"{item.name}" is a {KIND_NAMES[item.kind]}; only tables and feeds can be changed',
        )


def _refuse_clauses(source: Source) -> None:
    """Name what stands after the rows, if the statement as a whole is SQL."""
    try:
        whole = parse(source)
    except InvalidSql:
        return
    for part, name in (("conflict", "ON CONFLICT"), ("returning", "RETURNING")):
        if whole.args.get(part) is not None:
            raise source.unsupported(whole.args[part], f"{name} in INSERT")


def _refuse_default(source: Source, node: exp.Values) -> None:
    for row in node.expressions:
        for cell in row.expressions if isinstance(row, exp.Tuple) else ():
            if isinstance(cell, exp.Var) and cell.name.upper() == "DEFAULT":
                raise source.unsupported(cell, "DEFAULT beside expressions (write NULL)")


def _insert_rows(
    item: CatalogItem, positions: Sequence[int], columns: Sequence[list[Value]], count: int
) -> Insert:
    given = dict(zip(positions, columns, strict=True))
    nothing: list[Value] = [None] * count
    arrays = [
        literal_array(kind, given.get(index, nothing))
        for index, kind in enumerate(item.schema.types)
    ]
    return Insert(item=item, rows=signed_rows(item, arrays, 1))


def _insert_query(
    source: Source,
    start: int,
    item: CatalogItem,
    positions: Sequence[int],
    query: Query,
    catalog: Catalog,
) -> Statement:
    if len(query.columns) != len(positions):
        raise source.invalid(
            start, f"the query has {len(query.columns)} columns for {len(positions)} of the table"
        )
    given: dict[int, Expression] = {}
    for answer, index in zip(query.columns, positions, strict=True):
        target = item.schema.columns[index]
        if answer.index in query.unknown:
            # Quoted literals: their text becomes what the column is.
            given[index] = explicit_cast(source, start, answer.reference, target.type)
        else:
            given[index] = assign(source, start, answer.reference, target.type, target.name)
    outputs = [
        given.get(index, null(column.type)) for index, column in enumerate(item.schema.columns)
    ]
    for index, column in enumerate(item.schema.columns):
        if index not in given and not column.nullable:
            raise ConstraintViolation(
                f'column "{column.name}" of "{item.name}" is NOT NULL, and no value is given',
                column=column.name, name=item.name,
            )  # fmt: skip
    plan = optimized(computed(query.finished(), outputs), catalog, maintained=False)
    if isinstance(plan, Constant):
        rows = [values for values, count in plan.rows for _ in range(count)]
        columns: list[list[Value]] = [[row[i] for row in rows] for i in range(len(item.schema))]
        return _insert_rows(item, range(len(item.schema)), columns, len(rows))
    return InsertSelect(item=item, read=_whole_read(plan, item.schema, catalog))


def _whole_read(plan: Plan, schema: Schema, catalog: Catalog) -> Read:
    return read_of(plan, schema, UNFINISHED, catalog)


# UPDATE and DELETE: the affected rows are read like any query's.


def plan_delete(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    node = parse(source)
    if not isinstance(node, exp.Delete):
        raise source.unsupported(node, type(node).__name__.upper())
    expect_only(source, node, "this", "where")
    item, lowering = _affected(source, node, catalog, now_us)
    outputs = [column.reference for column in lowering.relation.scope.star()]
    plan = optimized(computed(lowering.plan, outputs), catalog, maintained=False)
    return Delete(item=item, read=_whole_read(plan, item.schema, catalog))


def plan_update(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    node = parse(source)
    if not isinstance(node, exp.Update):
        raise source.unsupported(node, type(node).__name__.upper())
    expect_only(source, node, "this", "expressions", "where")
    item, lowering = _affected(source, node, catalog, now_us)
    schema = item.schema
    current: list[Expression] = [c.reference for c in lowering.relation.scope.star()]
    changed: dict[int, Expression] = {}
    for part in node.expressions:
        _refuse_parts(source, part.this)
        if not isinstance(part, exp.EQ) or not isinstance(part.this, exp.Column):
            raise source.unsupported(part, "SET of several columns at once")
        name = name_of(part.this.this)
        index = schema.index_of(name)
        if index is None:
            hint = near_miss(name, schema.names)
            raise source.invalid(part.this, f'column "{name}" does not exist{hint}')
        if index in changed:
            raise source.invalid(part.this, f'column "{name}" is set twice')
        if item.kind is ItemKind.FEED and index in item.key_columns:
            raise source.unsupported(part.this, "a change of a feed's key (delete and insert)")
        value = lowering.scalars("UPDATE").typed(part.expression)
        column = schema.columns[index]
        changed[index] = assign(source, part.expression, value, column.type, column.name)
    lowering.refuse_grouping(node, "UPDATE")
    lowering.join_values()
    future = [
        lowering.place(changed.get(index, reference)) for index, reference in enumerate(current)
    ]
    plan = optimized(computed(lowering.plan, [*current, *future]), catalog, maintained=False)
    both = Schema(
        schema.columns + tuple(Column(name=f"new_{c.name}", type=c.type) for c in schema.columns)
    )
    return Update(item=item, read=_whole_read(plan, both, catalog))


def _refuse_parts(source: Source, target: exp.Expr) -> None:
    """Raises UnsupportedSql: what is set is not a column by its own name."""
    if isinstance(target, exp.Bracket):
        raise source.unsupported(target, "SET of an element", "; set the whole column")
    if isinstance(target, exp.Dot) or target.args.get("table") is not None:
        hint = "; name the column alone, and set the whole of it"
        raise source.unsupported(target, "SET of a field, or of a name with a dot", hint)


def _affected(
    source: Source, node: exp.Expr, catalog: Catalog, now_us: int | None
) -> tuple[CatalogItem, SelectLowering]:
    table = node.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise source.unsupported(node, "a target that is not a table")
    item = catalog.find(name_of(table.this))
    context = Context(
        source=source, catalog=catalog, place=type(node).__name__.upper(), now_us=now_us
    )
    select = exp.Select(expressions=[exp.Star()], from_=exp.From(this=table.copy()))
    lowering = QueryLowering(context=context).open_select(select, NO_TABLES, None)
    assert item is not None, "FROM found it"
    _check_changeable(source, table, item)
    lowering.where(node.args.get("where"))
    return item, lowering
