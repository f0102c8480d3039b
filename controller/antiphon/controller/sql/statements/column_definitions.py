"""The columns of CREATE TABLE and CREATE FEED, and what of them is a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from antiphon.controller.catalog import ColumnDefault, ColumnLength
from antiphon.controller.sql.binding.types import refused_type, text_length, type_from_sql
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.dialect import parse_type
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.statements.defaults import lowered_default
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.schema import TEXT, Column, Schema, Type

# Words of a column definition that end its type.
_AFTER_TYPE: Final = frozenset(
    {"NOT", "NULL", "PRIMARY", "KEY", "DEFAULT", "COLLATE", "CONSTRAINT"}
)
# Words that are refused, and what may be done.
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CHECK": "; a view can show the rows that break it",
        "UNIQUE": "; a PRIMARY KEY is unique",
        "REFERENCES": "; a view can show the rows that refer to nothing",
        "FOREIGN": "; a view can show the rows that refer to nothing",
        "GENERATED": "; a view can compute it, and ids are given by who inserts",
        "EXCLUDE": "", "LIKE": "", "DEFERRABLE": "", "INITIALLY": "", "STORAGE": "",
        "COMPRESSION": "",
    }
)  # fmt: skip
_ENDS: Final = _AFTER_TYPE | frozenset(_REFUSED)
_BY_BYTES: Final = frozenset({"C", "POSIX", "ucs_basic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDefinitions:
    """`key`: the places of the primary key's columns, maybe none."""

    columns: tuple[Column, ...]
    key: tuple[int, ...]
    defaults: tuple[ColumnDefault, ...]
    lengths: tuple[ColumnLength, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Definition:
    column: Column
    is_key: bool
    default: str | None
    length: int | None


def read_columns(source: Source, cursor: Cursor) -> ColumnDefinitions:
    """`(name type [COLLATE "C"] [DEFAULT value] [NOT NULL] [PRIMARY KEY], ...,
    [[CONSTRAINT name] PRIMARY KEY (a, b)])`."""
    columns: list[Column] = []
    defaults: list[ColumnDefault] = []
    lengths: list[ColumnLength] = []
    key: list[tuple[str, int]] | None = None
    cursor.expect("(")
    while True:
        start = cursor.peek().start
        found: list[tuple[str, int]] | None = None
        if cursor.accept("CONSTRAINT"):
            cursor.new_name("a constraint")
        if cursor.accept("PRIMARY", "KEY"):
            found = cursor.names("a key column")
        elif cursor.peek().upper in _REFUSED:
            raise _refused(source, cursor)
        else:
            one = _definition(source, cursor)
            name = one.column.name
            if any(name == other.name for other in columns):
                raise source.invalid(start, f'column "{name}" is defined twice')
            if one.default is not None:
                defaults.append(ColumnDefault(column=len(columns), sql=one.default))
            if one.length is not None:
                lengths.append(ColumnLength(column=len(columns), characters=one.length))
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
        lengths=tuple(lengths),
    )


def too_many_columns(count: int) -> LimitExceeded:
    return LimitExceeded(
        f"{count} columns, at most {COLUMNS_MAX} are allowed",
        limit="COLUMNS_MAX",
        value=COLUMNS_MAX,
    )


def _definition(source: Source, cursor: Cursor) -> _Definition:
    name = cursor.new_name("a column")
    start, stop = _span(cursor, _ENDS)
    if stop == start:
        raise cursor.unexpected(f'the type of column "{name}"')
    kind, length = _type(source, start, stop)
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
            default = _span(cursor, _ENDS)
        elif cursor.accept("COLLATE"):
            _check_collation(source, cursor, kind)
        elif cursor.accept("CONSTRAINT"):
            cursor.new_name("a constraint")
        elif not cursor.accept("NULL"):
            break
    if ahead.upper in _REFUSED:
        raise _refused(source, cursor, " of a column")
    column = Column(name=name, type=kind, nullable=nullable)
    text = None
    if default is not None:
        begin, end = default
        if end == begin:
            raise cursor.unexpected(f'the default of column "{name}"')
        # It must have a value of the column's type.
        lowered_default(source, begin, end, column, now_us=0, length=length)
        text = source.piece.text[begin:end]
    return _Definition(column=column, is_key=is_key, default=text, length=length)


def _type(source: Source, start: int, stop: int) -> tuple[Type, int | None]:
    """The type, and of varchar(n) the n."""
    written = source.piece.text[start:stop]
    refused = refused_type(written)
    if refused is not None:
        raise source.unsupported(start, *refused)
    node = parse_type(source, start, stop)
    length = text_length(source, node, start)
    return (TEXT, length) if length is not None else (type_from_sql(source, node, start), None)


def _check_collation(source: Source, cursor: Cursor, kind: Type) -> None:
    """Text is ordered by its bytes, which is what "C" and its like mean."""
    start = cursor.peek().start
    _, name = cursor.path("a collation")
    if name not in _BY_BYTES:
        hint = '; text is ordered by its bytes: COLLATE "C"'
        raise source.unsupported(start, f'COLLATE "{name}"', hint)
    if kind != TEXT:
        raise source.mismatch(start, f"COLLATE needs text, not {kind}")


def _refused(source: Source, cursor: Cursor, where: str = "") -> Exception:
    ahead = cursor.peek()
    return source.unsupported(ahead.start, f"{ahead.upper}{where}", _REFUSED[ahead.upper])


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
    """Where the columns stand.

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
            raise source.invalid(start, f'column "{name}" is named twice')
        positions.append(index)
    return tuple(positions)
