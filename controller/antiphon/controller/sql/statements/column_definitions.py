"""The columns of CREATE TABLE and CREATE FEED, and what of them is a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from antiphon.controller.catalog import ColumnDefault
from antiphon.controller.sql.binding.types import type_from_sql
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse_type
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.statements.defaults import lowered_default
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.schema import Column, Schema

# Words of a column definition that end its type.
_AFTER_TYPE: Final = frozenset({"NOT", "NULL", "PRIMARY", "KEY", "DEFAULT"})
_REFUSED: Final = frozenset(
    {
        "CHECK", "UNIQUE", "REFERENCES", "CONSTRAINT", "GENERATED", "COLLATE", "FOREIGN",
        "EXCLUDE", "LIKE",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefinitions:
    """`key`: the places of the primary key's columns, maybe none."""

    columns: tuple[Column, ...]
    key: tuple[int, ...]
    defaults: tuple[ColumnDefault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definition:
    column: Column
    is_key: bool
    default: str | None


def read_columns(source: Source, cursor: Cursor) -> ColumnDefinitions:
    """`(name type [DEFAULT value] [NOT NULL] [PRIMARY KEY], ..., [PRIMARY KEY (a, b)])`."""
    columns: list[Column] = []
    defaults: list[ColumnDefault] = []
    key: list[tuple[str, int]] | None = None
    cursor.expect("(")
    while True:
        start = cursor.peek().start
        found: list[tuple[str, int]] | None = None
        if cursor.accept("PRIMARY", "KEY"):
            found = cursor.names("a key column")
        elif cursor.peek().upper in _REFUSED:
            raise source.unsupported(start, cursor.peek().upper)
        else:
            one = _definition(source, cursor)
            name = one.column.name
            if any(name == other.name for other in columns):
                raise source.invalid(start, f'column "{name}" is defined twice')
            if one.default is not None:
                defaults.append(ColumnDefault(column=len(columns), sql=one.default))
            columns.append(one.column)
            found = [(name, start)] if one.is_key else None
        if found is not None:
            if key is not None:
                raise source.invalid(start, "there is one PRIMARY KEY")
            key = found
        if cursor.accept(")"):
            break
        if not cursor.accept(","):
            raise cursor.unexpected('"," or ")"')
    if len(columns) > COLUMNS_MAX:
        raise too_many_columns(len(columns))
    return ColumnDefinitions(
        columns=tuple(columns),
        key=positions_of(source, key or [], Schema(tuple(columns))),
        defaults=tuple(defaults),
    )


def too_many_columns(count: int) -> LimitExceeded:
    return LimitExceeded(
        f"{count} columns, at most {COLUMNS_MAX} are allowed",
        limit="COLUMNS_MAX",
        value=COLUMNS_MAX,
    )


def _definition(source: Source, cursor: Cursor) -> _Definition:
    name = cursor.new_name("a column")
    start, stop = _span(cursor, _AFTER_TYPE | _REFUSED)
    if stop == start:
        raise cursor.unexpected(f'the type of column "{name}"')
    kind = type_from_sql(source, parse_type(source, start, stop), start)
    nullable, is_key = True, False
    default: tuple[int, int] | None = None
    while True:
        ahead = cursor.peek()
        if cursor.accept("NOT", "NULL"):
            nullable = False
        elif cursor.accept("PRIMARY", "KEY"):
            is_key = True
        elif cursor.accept("DEFAULT"):
            if default is not None:
                raise source.invalid(ahead.start, f'column "{name}" has two defaults')
            default = _span(cursor, _AFTER_TYPE | _REFUSED)
        elif not cursor.accept("NULL"):
            break
    if ahead.upper in _REFUSED:
        raise source.unsupported(ahead.start, f"{ahead.upper} of a column")
    column = Column(name=name, type=kind, nullable=nullable)
    text = None if default is None else _default(source, cursor, column, *default)
    return _Definition(column=column, is_key=is_key, default=text)


def _default(source: Source, cursor: Cursor, column: Column, start: int, stop: int) -> str:
    """The text of a default, which has a value of the column's type."""
    if stop == start:
        raise cursor.unexpected(f'the default of column "{column.name}"')
    lowered_default(source, start, stop, column, now_us=0)
    return source.piece.text[start:stop]


def _span(cursor: Cursor, ends: frozenset[str]) -> tuple[int, int]:
    """Where a type or a value stands: until one of these words, a comma, or the last bracket. Its
    first word may be one of them: DEFAULT NULL."""
    start = cursor.peek().start
    stop, depth = start, 0
    while True:
        ahead = cursor.peek()
        if ahead.kind == "" or (depth == 0 and ahead.upper in (",", ")")):
            return start, stop
        if depth == 0 and ahead.upper in ends and stop > start:
            return start, stop
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(ahead.upper, 0)
        stop = cursor.take().stop


def positions_of(
    source: Source, names: Sequence[tuple[str, int]], schema: Schema
) -> tuple[int, ...]:
    """Where the key's columns stand.

    Raises:
        InvalidSql: unknown, twice, or of a type that has no order.
    """
    positions: list[int] = []
    for name, start in names:
        index = schema.index_of(name)
        if index is None:
            hint = near_miss(name, schema.names)
            raise source.invalid(start, f'column "{name}" does not exist{hint}')
        if index in positions:
            raise source.invalid(start, f'column "{name}" is in the key twice')
        positions.append(index)
    return tuple(positions)
