"""RETURNING: what a change answers with, computed with the rows that it writes.

It stands behind the change's own columns in what the statement reads. So an answer is of the very
rows that are written, and an error in it is an error of the whole statement, before it does
anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from antiphon.controller.catalog import CatalogItem
from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.algebra.plans import computed, extended, width_of
from antiphon.controller.sql.binding.coercion import settle
from antiphon.controller.sql.binding.naming import distinct_names
from antiphon.controller.sql.binding.relation import Context, Environment, Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn
from antiphon.controller.sql.parsing.syntax import expect_only
from antiphon.controller.sql.queries.clock import CLOCK_WORDS
from antiphon.controller.sql.queries.query import NO_TABLES, QueryLowering, named_schema_of
from antiphon.controller.sql.statement import Returning
from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.plan import Plan, schema_of
from antiphon.protocol.schema import Column, Schema

_OLD: Final = "old"
_NEW: Final = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Rows as a change finds and leaves them: where in the plan the table's columns stand as they
    are and as they shall be, or None where there is no such row. `beside`: the columns of what else
    is read. The plan's first `kept` columns stay in front."""

    item: CatalogItem
    name: str  # by which the statement calls the table
    plan: Plan
    kept: int
    old: int | None
    new: int | None
    beside: Sequence[ScopeColumn] = ()


def with_returning(
    context: Context, clause: exp.Expr, changed: Changed, environment: Environment = NO_TABLES
) -> tuple[Plan, Returning]:
    """The kept columns with what RETURNING asks for behind them, and what that is.

    Raises:
        InvalidSql, TypeMismatch: as a select list; an aggregate or a window function.
        UnsupportedSql: a function that returns a set; RETURNING ... INTO.
    """
    source = context.source
    expect_only(source, clause, "expressions")
    plan, scope = _scope(changed)
    relation = Relation(plan=plan, width=width_of(plan), scope=scope)
    lowering = QueryLowering(context=context).over(relation, environment)
    outputs = lowering.outputs(clause, "RETURNING")
    lowering.refuse_grouping(clause, "RETURNING")
    lowering.join_values()
    columns = [lowering.place(settle(source, o.node, o.value), o.node) for o in outputs]
    named = zip((o.name for o in outputs), columns, strict=True)
    schema = named_schema_of([Column(name=name, type=value.type) for name, value in named])
    types = schema_of(changed.plan).types[: changed.kept]
    kept = [ColumnReference(index=i, type=kind) for i, kind in enumerate(types)]
    written = [source.piece.text, *(default.sql for default in changed.item.defaults)]
    is_clocked = any(CLOCK_WORDS.search(text) for text in written)
    plan = computed(lowering.plan, [*kept, *columns])
    return plan, Returning(schema=schema, is_clocked=is_clocked)


def answer_schema(own: Schema, returning: Returning | None) -> Schema:
    """Of what a change reads: its own columns, and what it returns."""
    if returning is None:
        return own
    columns = (*own.columns, *returning.schema.columns)
    names = distinct_names([column.name for column in columns])
    return Schema(
        tuple(Column(name=name, type=c.type) for name, c in zip(names, columns, strict=True))
    )


def _scope(changed: Changed) -> tuple[Plan, Scope]:
    """The table's columns as they shall be, or of a row that goes as they are; those beside; and
    both under `old` and `new`, unless something that is read has the name."""
    item, plan = changed.item, changed.plan
    absent = width_of(plan)
    if changed.old is None or changed.new is None:
        plan = extended(plan, [null(kind) for kind in item.schema.types])
    shown = changed.old if changed.new is None else changed.new
    assert shown is not None, "a change finds or leaves rows"
    columns = [*_columns(item, changed.name, shown), *changed.beside]
    taken = {column.qualifier for column in columns}
    for qualifier, first in ((_OLD, changed.old), (_NEW, changed.new)):
        if qualifier not in taken:
            start = absent if first is None else first
            columns += _columns(item, qualifier, start, visible=False)
    return plan, Scope(tuple(columns))


def _columns(
    item: CatalogItem, qualifier: str, first: int, *, visible: bool = True
) -> list[ScopeColumn]:
    return [
        ScopeColumn(name=c.name, qualifier=qualifier, index=first + i, type=c.type, visible=visible)
        for i, c in enumerate(item.schema.columns)
    ]
