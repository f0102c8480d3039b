"""Reading lists and structs from PostgreSQL's notation: `{1,NULL,"a b"}` and `(1,,"a b")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from antiphon.protocol.expression import Value
from antiphon.protocol.schema import Type, TypeKind

_SPACES: Final = " \t\n\r\f\v"
_DEPTH_MAX: Final = 32
Reader = Callable[[str, Type], Value]  # of the text of one value


def read_nested(text: str, kind: Type, read: Reader) -> tuple[Value, ...]:
    """
    Args:
        kind: a list or a struct.
        read: reads what is in it, of whatever type.

    Raises:
        ValueError: not well formed, or a value in it is none of its type.
    """
    if kind.kind is TypeKind.STRUCT:
        return _read_struct(text, kind, read)
    found, end = _read_list(text, _skipped(text, 0), kind, read, 0)
    if _skipped(text, end) != len(text):
        raise _malformed(text, kind)
    return found


def _read_list(
    text: str, start: int, kind: Type, read: Reader, depth: int
) -> tuple[tuple[Value, ...], int]:
    """The list that opens at `start`, and where it ends."""
    element = kind.element
    assert element is not None, "a list has an element type"
    if depth > _DEPTH_MAX or text[start : start + 1] != "{":
        raise _malformed(text, kind)
    values: list[Value] = []
    position = _skipped(text, start + 1)
    if text[position : position + 1] == "}":
        return (), position + 1
    while True:
        position = _skipped(text, position)
        if element.kind is TypeKind.LIST and text[position : position + 1] == "{":
            value, position = _read_list(text, position, element, read, depth + 1)
            values.append(value)
        else:
            word, is_quoted, position = _word(text, position, kind)
            missing = not is_quoted and word.upper() == "NULL"
            values.append(None if missing else read(word, element))
        position = _skipped(text, position)
        mark = text[position : position + 1]
        position += 1
        if mark == "}":
            return tuple(values), position
        if mark != ",":
            raise _malformed(text, kind)


def _word(text: str, start: int, kind: Type) -> tuple[str, bool, int]:
    """An element's text, whether something of it was quoted, and where it ends."""
    parts: list[str] = []
    position = start
    if text[position : position + 1] == '"':
        position += 1
        while (char := text[position : position + 1]) != '"':
            position += char == "\\"
            parts.append(_char(text, position, kind))
            position += 1
        return "".join(parts), True, position + 1
    kept, is_escaped = 0, False  # how much of it is not blanks at its end
    while (char := text[position : position + 1]) not in (",", "}"):
        if char in ("{", '"'):
            raise _malformed(text, kind)
        is_escaped |= char == "\\"
        position += char == "\\"
        parts.append(_char(text, position, kind))
        position += 1
        kept = len(parts) if char == "\\" or char not in _SPACES else kept
    if not kept:
        raise _malformed(text, kind)
    return "".join(parts[:kept]), is_escaped, position


def _read_struct(text: str, kind: Type, read: Reader) -> tuple[Value, ...]:
    position = _skipped(text, 0)
    if text[position : position + 1] != "(":
        raise _malformed(text, kind)
    words: list[str | None] = []
    while True:
        word, position = _field(text, position + 1, kind)
        words.append(word)
        if text[position] == ")":
            break
    if _skipped(text, position + 1) != len(text) or len(words) != len(kind.fields):
        raise _malformed(text, kind)
    return tuple(
        None if word is None else read(word, field.type)
        for word, field in zip(words, kind.fields, strict=True)
    )


def _field(text: str, start: int, kind: Type) -> tuple[str | None, int]:
    """A field's text, None if there is none, and where the `,` or `)` behind it stands."""
    parts: list[str] = []
    position, quoted, quotes = start, False, 0
    while quoted or text[position : position + 1] not in (",", ")"):
        char = text[position : position + 1]
        if char == '"':
            if quoted and text[position + 1 : position + 2] == '"':
                parts.append('"')
                position += 1
            else:
                quoted, quotes = not quoted, quotes + 1
        else:
            position += char == "\\"
            parts.append(_char(text, position, kind))
        position += 1
    return ("".join(parts) if parts or quotes else None), position


def _char(text: str, position: int, kind: Type) -> str:
    if position >= len(text):
        raise _malformed(text, kind)
    return text[position]


def _skipped(text: str, position: int) -> int:
    while text[position : position + 1] and text[position] in _SPACES:
        position += 1
    return position


def _malformed(text: str, kind: Type) -> ValueError:
    what = "list" if kind.kind is TypeKind.LIST else "struct"
    return ValueError(f'malformed {what}: "{text}" is not a value of type {kind}')
