"""UPDATE and DELETE: the affected rows are read like any query's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.algebra.plans import computed, projected, width_of
from antiphon.controller.sql.binding.coercion import assign
from antiphon.controller.sql.binding.relation import Context, Environment
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source, Spot, near_miss
from antiphon.controller.sql.parsing.syntax import expect_only, is_row, name_of
from antiphon.controller.sql.queries.query import Bound, QueryLowering, bind_all
from antiphon.controller.sql.queries.select import SelectLowering
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.statement import Delete, Read, Returning, Statement, Update
from antiphon.controller.sql.statements.defaults import default_of, is_default
from antiphon.controller.sql.statements.reading import read_of
from antiphon.controller.sql.statements.returning import Changed, answer_schema, with_returning
from antiphon.controller.sql.statements.text_lengths import fitted, length_of
from antiphon.controller.sql.subqueries.domain import ties_of
from antiphon.protocol.dataflow import UNFINISHED
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import (
    Distinct,
    Get,
    Join,
    JoinKind,
    Plan,
    SortKey,
    TopK,
    schema_of,
)
from antiphon.protocol.schema import Column, Schema


@dataclass(frozen=True, slots=True)
class _Tables:
    """Of WITH: what names mean, and the values of the bindings that are read by them."""

    reach: Environment
    bound: Bound


def plan_delete(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    node = parse(source)
    if not isinstance(node, exp.Delete):
        raise source.unsupported(node, type(node).__name__.upper())
    expect_only(source, node, "this", "using", "where", "returning", "with_")
    item, lowering, tables = _affected(source, node, node.args.get("using") or (), catalog, now_us)
    clause, beside = node.args.get("returning"), node.args.get("using")
    outputs = _current(item)
    rows, shown = _with_returning(lowering, item, tables, clause, outputs, old=0, new=None)
    if beside:
        rows = _once(item, rows)
    plan = optimized(bind_all(tables.bound, rows), catalog, maintained=False)
    read = whole_read(plan, answer_schema(item.schema, shown), catalog)
    return Delete(item=item, read=read, returning=shown)


def plan_update(source: Source, catalog: Catalog, now_us: int | None) -> Statement:
    node = parse(source)
    if not isinstance(node, exp.Update):
        raise source.unsupported(node, type(node).__name__.upper())
    expect_only(source, node, "this", "expressions", "from_", "where", "returning", "with_")
    others = node.args.get("from_")
    beside = () if others is None else (others.this,)
    item, lowering, tables = _affected(source, node, beside, catalog, now_us)
    scalars = lowering.scalars("UPDATE")
    keeps_key = item.kind is ItemKind.FEED
    changed = assignments(source, item, node.expressions, scalars, keeps_key=keeps_key)
    lowering.refuse_grouping(node, "UPDATE")
    lowering.join_values()
    current = _current(item)
    future = [lowering.place(changed.get(index, column)) for index, column in enumerate(current)]
    clause = node.args.get("returning")
    outputs = [*current, *future]
    rows, shown = _with_returning(lowering, item, tables, clause, outputs, old=0, new=len(current))
    if beside:
        rows = _once(item, rows)
    plan = optimized(bind_all(tables.bound, rows), catalog, maintained=False)
    read = whole_read(plan, answer_schema(both_schema(item), shown), catalog)
    return Update(item=item, read=read, returning=shown)


def _with_returning(
    lowering: SelectLowering,
    item: CatalogItem,
    tables: _Tables,
    clause: exp.Expr | None,
    outputs: Sequence[Expression],
    *,
    old: int,
    new: int | None,
) -> tuple[Plan, Returning | None]:
    """The outputs, and behind them what RETURNING asks for, if it is there."""
    if clause is None:
        return computed(lowering.plan, outputs), None
    scope, width = lowering.relation.scope, len(item.schema)
    own = [column for column in scope.columns if column.index < width]
    beside = [column for column in scope.columns if column.index >= width]
    name = own[0].qualifier
    assert name is not None, "the table stands first in FROM"
    changed = Changed(
        item=item, name=name, kept=len(outputs), old=old, new=new,
        plan=computed(lowering.plan, [*outputs, *(column.reference for column in beside)]),
        beside=[replace(c, index=len(outputs) + at) for at, c in enumerate(beside)],
    )  # fmt: skip
    return with_returning(lowering.context, clause, changed, tables.reach)


def assignments(
    source: Source,
    item: CatalogItem,
    parts: Sequence[exp.Expr],
    scalars: Scalars,
    *,
    keeps_key: bool,
) -> dict[int, Expression]:
    """What SET gives to columns, by their place.

    Raises:
        InvalidSql: an unknown column, or one that is set twice.
        UnsupportedSql: what is set is no column by its own name; or one of the key, where that
            says which row it is.
    """
    schema = item.schema
    changed: dict[int, Expression] = {}
    for target, node in (pair for part in parts for pair in _pairs(source, part)):
        name = _column_name(source, target)
        index = schema.index_of(name)
        if index is None:
            hint = near_miss(name, schema.names)
            raise source.invalid(target, f'column "{name}" does not exist{hint}')
        if index in changed:
            raise source.invalid(target, f'column "{name}" is set twice')
        if keeps_key and index in item.key_columns:
            what = "a change of a feed's key (delete and insert)"
            if item.kind is not ItemKind.FEED:
                what = "a change of the key in ON CONFLICT"
            raise source.unsupported(target, what)
        if is_default(node):
            changed[index] = default_of(item, index, scalars.now_us)
            continue
        column = schema.columns[index]
        value = assign(source, node, scalars.typed(node), column.type, column.name)
        changed[index] = fitted(source, node, value, length_of(item, index))
    return changed


def _pairs(source: Source, part: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]]:
    """Each column, and what it gets."""
    if not isinstance(part, exp.EQ):
        raise source.unsupported(part, "SET of what is no assignment")
    if not isinstance(part.this, exp.Tuple):
        return [(part.this, part.expression)]
    if not is_row(part.expression):
        hint = "; write a row, (a, b) = (1, 2), or one subquery for each"
        raise source.unsupported(part, "SET of several columns to what is no row", hint)
    targets, values = part.this.expressions, part.expression.expressions
    if len(targets) != len(values):
        raise source.invalid(part, f"SET of {len(targets)} columns to {len(values)} values")
    return list(zip(targets, values, strict=True))


def _column_name(source: Source, target: exp.Expr) -> str:
    """Raises UnsupportedSql: what is set is not a column by its own name."""
    if isinstance(target, exp.Bracket):
        raise source.unsupported(target, "SET of an element", "; set the whole column")
    if isinstance(target, exp.Dot) or target.args.get("table") is not None:
        hint = "; name the column alone, and set the whole of it"
        raise source.unsupported(target, "SET of a field, or of a name with a dot", hint)
    if not isinstance(target, exp.Column):
        raise source.unsupported(target, "SET of what is no column")
    return name_of(target.this)


def check_changeable(source: Source, spot: Spot, item: CatalogItem) -> None:
    """Raises InvalidSql: it is neither a table nor a feed."""
    if item.kind not in (ItemKind.TABLE, ItemKind.FEED):
        raise source.invalid(
            spot,
            f'"{item.name}" is a {KIND_NAMES[item.kind]}; only tables and feeds can be changed',
        )


def whole_read(plan: Plan, schema: Schema, catalog: Catalog) -> Read:
    return read_of(plan, schema, UNFINISHED, catalog)


def both_schema(item: CatalogItem) -> Schema:
    """The columns as they are, then as they shall be."""
    future = tuple(Column(name=f"new_{c.name}", type=c.type) for c in item.schema.columns)
    return Schema(item.schema.columns + future)


def _affected(
    source: Source,
    node: exp.Expr,
    beside: Sequence[exp.Expr],
    catalog: Catalog,
    now_us: int | None,
) -> tuple[CatalogItem, SelectLowering, _Tables]:
    """The item, and its rows for which WHERE is true, beside those of what else is read; and what
    WITH defines."""
    table = node.this
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        raise source.unsupported(node, "a target that is not a table")
    item = catalog.find(name_of(table.this))
    context = Context(
        source=source, catalog=catalog, place=type(node).__name__.upper(), now_us=now_us
    )
    select = exp.Select(
        expressions=[exp.Star()], from_=exp.From(this=table.copy()), joins=_commas(beside)
    )
    queries = QueryLowering(context=context)
    tables = _Tables(*queries.tables(node.args.get("with_")))
    if name_of(table.this) in tables.reach:
        what = f'"{name_of(table.this)}" is defined by WITH; only tables and feeds can be changed'
        raise source.invalid(table, what)
    lowering = queries.open_select(select, tables.reach, None)
    assert item is not None, "FROM found it"
    check_changeable(source, table, item)
    lowering.where(node.args.get("where"))
    return item, lowering, tables


def _commas(beside: Sequence[exp.Expr]) -> list[exp.Expr]:
    """What is read beside the table, each after a comma, with the joins that it brings along."""
    joins: list[exp.Expr] = []
    for item in beside:
        alone = item.copy()
        brought = alone.args.get("joins") or []
        alone.set("joins", None)
        joins += [exp.Join(this=alone), *brought]
    return joins


def _current(item: CatalogItem) -> list[ColumnReference]:
    """The columns of the item, which stands first in FROM."""
    return [ColumnReference(index=i, type=kind) for i, kind in enumerate(item.schema.types)]


def _once(item: CatalogItem, rows: Plan) -> Plan:
    """The item's rows that are among the first columns of `rows`, each as often as it is there; of
    several that differ in what stands behind them the least, so that a row is changed once. Where
    there is a key each is there once, and need not be looked for again."""
    width, whole = len(item.schema), width_of(rows)
    own = ties_of(tuple(_current(item)))
    if len(own) > width and not item.key_columns:  # the same row, not only an equal one
        columns = [ColumnReference(index=i, type=t) for i, t in enumerate(schema_of(rows).types)]
        rows = computed(rows, [*columns, *own[width:]])
    places = (*range(width), *range(whole, width_of(rows)))
    kind = JoinKind.SEMI
    chosen: Plan = Distinct(input=rows)
    if whole > width:
        order_by = tuple(
            SortKey(column=i, descending=False, nulls_first=False) for i in range(width, whole)
        )
        kind, group_by = JoinKind.INNER, item.key_columns or places
        chosen = TopK(input=rows, group_by=group_by, order_by=order_by, limit=1)
    if item.key_columns:
        return chosen
    found = Join(
        kind=kind, left=Get(collection=item.id, schema=item.schema), right=chosen, left_keys=own,
        right_keys=tuple(ColumnReference(index=i, type=schema_of(chosen).types[i]) for i in places),
        nulls_match=True,
    )  # fmt: skip
    return projected(found, (*range(width), *range(2 * width, width + whole)))
