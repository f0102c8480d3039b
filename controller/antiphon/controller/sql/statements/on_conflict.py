"""ON CONFLICT: INSERT of rows whose key may be taken.

What is there already is read with the rows that come, at one time, so that a row is inserted or
changed by what it found; if others change the table meanwhile, it is read again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from antiphon.controller.catalog import Catalog, CatalogItem
from antiphon.controller.sql.algebra.expressions import any_of, shift
from antiphon.controller.sql.algebra.plans import computed, filtered, joined
from antiphon.controller.sql.binding.relation import Context, Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import expect_only, name_of
from antiphon.controller.sql.queries.query import NO_TABLES, QueryLowering
from antiphon.controller.sql.rewriting.optimize import optimized
from antiphon.controller.sql.statement import Merge, Statement
from antiphon.controller.sql.statements.dml import assignments, both_schema, whole_read
from antiphon.controller.sql.statements.returning import Changed, answer_schema, with_returning
from antiphon.protocol.expression import Branch, Call, Case, ColumnReference, Expression, Value
from antiphon.protocol.plan import Constant, Get, Join, JoinKind, Plan, SortKey, TopK
from antiphon.protocol.schema import BOOLEAN, Column, Schema

_EXCLUDED: Final = "excluded"
MATCHED: Final = Column(name="matched", type=BOOLEAN)


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is done with a row whose key is taken: DO NOTHING, or DO UPDATE."""

    node: exp.Expr
    updates: bool


def conflict_of(source: Source, at: int, node: exp.Expr, item: CatalogItem) -> Conflict:
    """The clause, which stands at `at`.

    Raises:
        InvalidSql: it names what is no key, or nothing where something is to be changed.
    """
    expect_only(source, node, "action", "expressions", "conflict_keys", "where")
    updates = node.args["action"].name.upper() == "DO UPDATE"
    keys = node.args.get("conflict_keys")
    if updates and not node.expressions:
        raise source.invalid(at, "ON CONFLICT DO UPDATE needs SET column = value")
    if keys is None and updates:
        raise source.invalid(at, "ON CONFLICT DO UPDATE needs the key: ON CONFLICT (...)")
    if keys is not None:
        named = sorted(_key_name(source, at, key) for key in keys)
        own = sorted(item.schema.columns[index].name for index in item.key_columns)
        if named != own:
            what = f"the key is ({', '.join(own)})" if own else "there is none"
            raise source.invalid(at, f'ON CONFLICT names no key of "{item.name}": {what}')
    return Conflict(node, updates)


def _key_name(source: Source, at: int, node: exp.Expr) -> str:
    column = node.this if isinstance(node, exp.Ordered) else node
    if not isinstance(column, exp.Column) or column.args.get("table"):
        raise source.unsupported(at, "ON CONFLICT with what is no column")
    return name_of(column.this)


def unless_present(catalog: Catalog, item: CatalogItem, rows: Plan) -> Plan:
    """The rows whose key is not taken, of each key the first."""
    if not item.key_columns:
        return rows
    keys = _key(item)
    rows = optimized(rows, catalog, maintained=False)
    present = Get(collection=item.id, schema=item.schema)
    return Join(
        kind=JoinKind.ANTI, left=_first_of_each(item, rows), right=present, left_keys=keys,
        right_keys=keys,
    )  # fmt: skip


def _first_of_each(item: CatalogItem, rows: Plan) -> Plan:
    """One row of each key: the first that is written, or of a query's the least."""
    if isinstance(rows, Constant):
        kept: dict[tuple[Value, ...], tuple[tuple[Value, ...], int]] = {}
        for values, _ in rows.rows:
            kept.setdefault(tuple(_one_nan(values[i]) for i in item.key_columns), (values, 1))
        return Constant(schema=rows.schema, rows=tuple(kept.values()))
    others = [i for i in range(len(item.schema)) if i not in item.key_columns]
    order_by = tuple(SortKey(column=i, descending=False, nulls_first=False) for i in others)
    return TopK(input=rows, group_by=item.key_columns, order_by=order_by, limit=1)


def with_merge(
    source: Source,
    catalog: Catalog,
    item: CatalogItem,
    alias: str,
    rows: Plan,
    conflict: Conflict,
    returning: exp.Expr | None,
    now_us: int | None,
) -> Statement:
    """DO UPDATE: the rows that come beside those that are there, by key."""
    if alias == _EXCLUDED:
        raise source.invalid(None, f'the alias "{_EXCLUDED}" is the name of the rows that come')
    width = len(item.schema)
    keys = _key(item)
    present = Get(collection=item.id, schema=item.schema)
    plan: Plan = joined(JoinKind.LEFT, rows, present, [(key, key) for key in keys])
    scope = Scope((*_columns(item, _EXCLUDED, 0), *_columns(item, alias, width)))
    context = Context(source=source, catalog=catalog, place="INSERT", now_us=now_us)
    relation = Relation(plan=plan, width=2 * width, scope=scope)
    lowering = QueryLowering(context=context).over(relation, NO_TABLES)
    matched = Call(function="is_not_null", arguments=(shift(keys[0], width),), type=BOOLEAN)
    scalars = lowering.scalars("ON CONFLICT")
    changed = assignments(source, item, conflict.node.expressions, scalars, keeps_key=True)
    where = conflict.node.args.get("where")
    condition = None if where is None else scalars.predicate(where.this)
    lowering.refuse_grouping(conflict.node, "ON CONFLICT")
    lowering.join_values()
    plan = lowering.plan
    if condition is not None:
        absent = Call(function="not", arguments=(matched,), type=BOOLEAN)
        plan = filtered(plan, [any_of([absent, lowering.place(condition)])])
    current = [column.reference for column in _columns(item, None, width)]
    future: list[Expression] = []
    for index, column in enumerate(_columns(item, None, 0)):
        value = lowering.place(changed.get(index, current[index]))
        chosen = Branch(condition=matched, value=value)
        future.append(Case(branches=(chosen,), otherwise=column.reference, type=column.type))
    plan, shown = computed(plan, [matched, *current, *future]), None
    if returning is not None:
        merged = Changed(item=item, name=alias, plan=plan, kept=1 + 2 * width, old=1, new=1 + width)
        plan, shown = with_returning(context, returning, merged)
    schema = answer_schema(Schema((MATCHED, *both_schema(item).columns)), shown)
    read = whole_read(optimized(plan, catalog, maintained=False), schema, catalog)
    return Merge(item=item, read=read, returning=shown)


def _one_nan(value: Value) -> Value:
    """The value, equal to itself: every NaN is the same key, in a list too."""
    if isinstance(value, tuple):
        return tuple(_one_nan(part) for part in value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _key(item: CatalogItem) -> tuple[ColumnReference, ...]:
    types = item.schema.types
    return tuple(ColumnReference(index=i, type=types[i]) for i in item.key_columns)


def _columns(item: CatalogItem, qualifier: str | None, first: int) -> list[ScopeColumn]:
    return [
        ScopeColumn(name=c.name, qualifier=qualifier, index=first + i, type=c.type)
        for i, c in enumerate(item.schema.columns)
    ]
