"""INSERT ... VALUES of plain literals, column by column, without a syntax tree.

Ten thousand rows are data, not a program. What this reader does not know - an expression, a cast,
a comment - makes it give up, and the parser reads the statement instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from antiphon.controller.sql.parsing.literal_text import fit_decimal, fit_integer, read_value
from antiphon.controller.sql.parsing.source import Source
from antiphon.protocol.expression import Expression, Literal, Value
from antiphon.protocol.schema import Column, Type, TypeKind, decimal

# One cell with the mark that ends it: 1, -2.5e3, 'x', null, true, date '2026-01-01'.
_CELL: Final = re.compile(
    r"""\s*(?: (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
             | (?:(?P<typed>date|timestamp|timestamptz|interval)\s*)?'(?P<string>(?:[^']|'')*)'
             | (?P<word>null|true|false|default)\b )
        \s*(?P<end>[,)])""",
    re.VERBOSE | re.IGNORECASE,
)
_ROW_START: Final = re.compile(r"\s*\(")
_ROW_END: Final = re.compile(r"\s*(,|$)")

_WHOLE: Final = decimal(38, 0)
_NULL: Final = 0
_NUMBER: Final = 1
_STRING: Final = 2
_BOOLEAN: Final = 3
_DEFAULT: Final = 4
Cell = tuple[int, str, int]  # what it is, its text, where it stands

_TYPED: Final = {
    "date": TypeKind.DATE, "timestamp": TypeKind.TIMESTAMP, "timestamptz": TypeKind.TIMESTAMPTZ,
    "interval": TypeKind.INTERVAL,
}  # fmt: skip


def read_rows(
    source: Source, start: int, columns: Sequence[Column], defaults: Sequence[Expression]
) -> tuple[list[list[Value]], int] | None:
    """The rows that begin at `start` as one list of values for each column, and their number; or
    None if they are not all plain literals. `defaults`: what DEFAULT means in each column.

    Raises:
        InvalidSql: a row with another number of values than `columns`.
        TypeMismatch: a literal is no value of its column; row and column are named.
    """
    cells = _cells(source, start, columns)
    if cells is None:
        return None
    result: list[list[Value]] = []
    for column, found, default in zip(columns, cells, defaults, strict=True):
        values = _converted(source, column, found, default)
        if values is None:
            return None
        result.append(values)
    return result, len(cells[0])


def _cells(source: Source, start: int, columns: Sequence[Column]) -> list[list[Cell]] | None:
    text, width = source.piece.text, len(columns)
    cells: list[list[Cell]] = [[] for _ in columns]
    position, row = start, 0
    while True:
        opening = _ROW_START.match(text, position)
        if opening is None:
            return None
        begin = position = opening.end()
        count, row = 0, row + 1
        while True:
            match = _CELL.match(text, position)
            if match is None:
                return None
            position = match.end()
            cell = _cell(match, columns[count].type if count < width else None)
            if cell is None:
                return None
            if count < width:
                cells[count].append(cell)
            count += 1
            if match["end"] == ")":
                break
        if count != width:
            raise source.invalid(begin - 1, f"row {row} has {count} values for {width} columns")
        ending = _ROW_END.match(text, position)
        if ending is None:
            return None
        position = ending.end()
        if not ending.group(1):
            return cells


def _cell(match: re.Match[str], kind: Type | None) -> Cell | None:
    where = match.start(match.lastgroup or 0)
    number, string, word = match["number"], match["string"], match["word"]
    if number is not None:
        return _NUMBER, number, match.start("number")
    if string is not None:
        typed = match["typed"]
        if typed is not None and (kind is None or _TYPED[typed.lower()] is not kind.kind):
            return None  # a conversion: the parser's work
        return _STRING, string.replace("''", "'"), match.start("string") - 1
    folded = word.lower()
    if folded == "null":
        return _NULL, word, where
    if folded == "default":
        return _DEFAULT, word, where
    return _BOOLEAN, folded, match.start("word")


def _converted(
    source: Source, column: Column, cells: list[Cell], default: Expression
) -> list[Value] | None:
    convert = _number_reader(column.type)
    values: list[Value] = []
    for row, (what, text, where) in enumerate(cells):
        try:
            if what == _NULL:
                values.append(None)
            elif what == _DEFAULT:
                if not isinstance(default, Literal):
                    return None  # the replica computes it
                values.append(default.value)
            elif what == _STRING:
                values.append(read_value(text, column.type))
            elif what == _NUMBER:
                if convert is None:
                    return None  # a number for another type: the parser says what is wrong
                values.append(convert(text))
            elif column.type.kind is TypeKind.BOOLEAN:
                values.append(text == "true")
            else:
                return None
        except (ValueError, ArithmeticError) as error:
            raise source.mismatch(
                where, f'row {row + 1}, column "{column.name}": {error}'
            ) from None
    return values


def _number_reader(kind: Type) -> Callable[[str], Value] | None:
    if kind.is_integer:

        def integer(text: str) -> Value:
            try:
                value = int(text)
            except ValueError:
                value = int(fit_decimal(Decimal(text), _WHOLE))
            return fit_integer(value, kind)

        return integer
    if kind.is_float:
        return lambda text: read_value(text, kind)
    if kind.kind is TypeKind.DECIMAL:
        return lambda text: fit_decimal(Decimal(text), kind)
    return None
