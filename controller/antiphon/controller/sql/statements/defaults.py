"""DEFAULT: what INSERT puts into a column where no value is given."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from antiphon.controller.catalog import CatalogItem
from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import assign
from antiphon.controller.sql.binding.scope import Scope
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.statement import StatementText
from antiphon.controller.sql.statements.text_lengths import fitted, length_of
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import Column


def lowered_default(
    source: Source,
    start: int,
    stop: int,
    column: Column,
    now_us: int | None,
    length: int | None = None,
) -> Expression:
    """The value that stands at [start, stop), as one of the column of that length.

    Raises:
        InvalidSql, TypeMismatch, UnsupportedSql: it is no expression of no columns and no
            subqueries, or not of the column's type.
    """
    node = parse(source, start, stop)
    scalars = Scalars(
        source=source, scope=Scope(), place="DEFAULT", now_us=now_us, statement="DEFAULT"
    )
    value = fold(assign(source, node, scalars.typed(node), column.type, column.name))
    return fitted(source, node, value, length)


def default_of(item: CatalogItem, index: int, now_us: int | None) -> Expression:
    """What a column gets without a value; null where nothing was said."""
    column = item.schema.columns[index]
    written = [default.sql for default in item.defaults if default.column == index]
    if not written:
        return null(column.type)
    source = Source(StatementText(text=written[0], line=0))
    length = length_of(item, index)
    return lowered_default(source, 0, len(written[0]), column, now_us, length)


def with_defaults(item: CatalogItem, positions: Sequence[int], rows: exp.Values) -> None:
    """Put what a column's default was written as where DEFAULT stands in the rows."""
    written = {default.column: default.sql for default in item.defaults}
    for row in rows.expressions:
        for cell, index in zip(_cells(row), positions, strict=False):
            if not is_default(cell):
                continue
            value: exp.Expr = exp.Null()
            if index in written:
                text = written[index]
                value = exp.Paren(this=parse(Source(StatementText(text=text, line=0))))
            cell.replace(without_places(value))


def is_default(node: exp.Expr) -> bool:
    """The bare word DEFAULT."""
    if isinstance(node, exp.Column) and not node.args.get("table"):
        node = node.this
        return isinstance(node, exp.Identifier) and not node.args.get("quoted") and _says(node)
    return isinstance(node, exp.Var) and _says(node)


def is_constant(expressions: Sequence[Expression]) -> bool:
    return all(isinstance(expression, Literal) for expression in expressions)


def without_places(node: exp.Expr) -> exp.Expr:
    """For what comes from another text: its places mean nothing in this one."""
    for part in node.walk():
        part.meta.clear()
    return node


def _says(node: exp.Expr) -> bool:
    return node.name.upper() == "DEFAULT"


def _cells(row: exp.Expr) -> list[exp.Expr]:
    return list(row.expressions) if isinstance(row, exp.Tuple) else [row]
