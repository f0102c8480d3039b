"""The columns of what a query defines: a view, or a table AS."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.controller.sql.binding.naming import NAMELESS
from antiphon.controller.sql.binding.relation import Query
from antiphon.controller.sql.parsing.cursor import check_new_name
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statements.column_definitions import too_many_columns
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.schema import Column, Schema


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
        raise too_many_columns(len(given))
    return Schema(
        tuple(
            Column(name=name, type=c.type, nullable=c.nullable)
            for name, c in zip(given, query.columns, strict=True)
        )
    )
