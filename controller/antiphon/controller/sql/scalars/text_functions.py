"""More functions of text: encodings, regular expressions, format, and what is made of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Unknown, cast
from antiphon.controller.sql.scalars.functions import Arguments, Builder, call, fixed
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import BOOLEAN, BYTEA, INT32, INT64, TEXT

_ENCODINGS: Final = ("hex", "base64", "escape")
_DIRECTIVE: Final = re.compile(r"%(?:%|(?:([1-9][0-9]*)\$)?([sLI]))|%|([^%]+)")


def text_literal(arguments: Arguments, index: int, what: str) -> str:
    """An argument that must be a literal text.

    Raises:
        UnsupportedSql: it is none; `what` names it.
    """
    given = arguments.values[index]
    value = given.value if isinstance(given, Unknown | Literal) else None
    if not isinstance(value, str):
        raise arguments.source.unsupported(arguments.spots[index], what)
    return value


def _text(value: str) -> Literal:
    return Literal(value=value, type=TEXT)


def _number(value: int) -> Literal:
    return Literal(value=value, type=INT32)


def _encoding(arguments: Arguments, allowed: tuple[str, ...]) -> Literal:
    what = f"{arguments.name} with a format that is not a literal"
    name = text_literal(arguments, 1, what).lower()
    if name not in _ENCODINGS:
        raise arguments.source.invalid(arguments.spots[1], f'unrecognized encoding: "{name}"')
    if name not in allowed:
        raise arguments.source.unsupported(arguments.spots[1], f"{arguments.name} from {name}")
    return _text(name)


def _encode(arguments: Arguments) -> Expression:
    """encode(bytea, 'hex' | 'base64' | 'escape')."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    encoding = _encoding(arguments, _ENCODINGS)
    return call("encode", [arguments.as_type(0, BYTEA), encoding], TEXT)


def _decode(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    encoding = _encoding(arguments, ("hex", "base64"))
    return call("decode", [arguments.as_type(0, TEXT), encoding], BYTEA)


def _convert_to(arguments: Arguments) -> Expression:
    """The bytes of text; in UTF-8, as all text is."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    name = text_literal(arguments, 1, "convert_to with an encoding that is not a literal")
    if name.upper() not in ("UTF8", "UTF-8"):
        raise arguments.source.unsupported(arguments.spots[1], f"convert_to to {name}")
    return call("utf8_bytes", [arguments.as_type(0, TEXT)], BYTEA)


def _to_hex(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value = arguments.settled(0, INT32)
    if not value.type.is_integer:
        raise arguments.wrong()
    return call("to_hex", [value if value.type == INT64 else cast(value, INT32)], TEXT)


def _bit_length(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    size = call("octet_length", [arguments.as_type(0, TEXT)], INT32)
    return call("multiply", [size, _number(8)], INT32)


def _overlay(arguments: Arguments) -> Expression:
    """overlay(text PLACING new FROM start [FOR size])."""
    if not 3 <= len(arguments.values) <= 4:
        raise arguments.wrong()
    value, new = arguments.as_type(0, TEXT), arguments.as_type(1, TEXT)
    start = arguments.as_type(2, INT32)
    size = (
        call("length", [new], INT32) if len(arguments.values) == 3 else arguments.as_type(3, INT32)
    )
    before = call("subtract", [start, _number(1)], INT32)
    head = call("substring", [value, _number(1), before], TEXT)
    tail = call("substring", [value, call("add", [start, size], INT32)], TEXT)
    return call("concat", [head, new, tail], TEXT)


def quoted(value: Expression) -> Expression:
    """As a literal of SQL; with a backslash in it, as one that escapes."""
    escapes = call("contains", [value, _text("\\")], BOOLEAN)
    doubled = call("replace", [value, _text("'"), _text("''")], TEXT)
    slashes = call("replace", [doubled, _text("\\"), _text("\\\\")], TEXT)
    plain = call("concat", [_text("'"), doubled, _text("'")], TEXT)
    escaped = call("concat", [_text("E'"), slashes, _text("'")], TEXT)
    return Case(branches=(Branch(condition=escapes, value=escaped),), otherwise=plain, type=TEXT)


def _quote(nothing: str | None) -> Builder:
    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        made = quoted(cast(arguments.settled(0), TEXT))
        return made if nothing is None else call("coalesce", [made, _text(nothing)], TEXT)

    return build


def _format(arguments: Arguments) -> Expression:
    """format('... %s %L %1$s %%', values): the text is a literal."""
    if not arguments.values:
        raise arguments.wrong()
    text = text_literal(arguments, 0, "format with a text that is not a literal")
    parts: list[Expression] = [_text("")]
    following = 1
    for match in _DIRECTIVE.finditer(text):
        place, kind, plain = match.groups()
        if kind == "I" or match.group() == "%":
            shown = "%I" if kind else text[match.start() : match.start() + 3]
            raise arguments.source.unsupported(arguments.spots[0], f"{shown} in format")
        if kind is None:
            parts.append(_text(plain or "%"))
            continue
        index = following if place is None else int(place)
        if index >= len(arguments.values):
            raise arguments.source.invalid(arguments.call, "too few arguments for format()")
        value = cast(arguments.settled(index), TEXT)
        made, nothing = (quoted(value), "NULL") if kind == "L" else (value, "")
        parts.append(call("coalesce", [made, _text(nothing)], TEXT))
        following = index + 1
    return call("concat", parts, TEXT) if len(parts) > 1 else parts[0]


TEXT_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "initcap": fixed("initcap", TEXT, TEXT),
        "translate": fixed("translate", TEXT, TEXT, TEXT, TEXT),
        "chr": fixed("chr", TEXT, INT32),
        "sha256": fixed("sha256", BYTEA, BYTEA),
        "encode": _encode,
        "decode": _decode,
        "convert_to": _convert_to,
        "to_hex": _to_hex,
        "bit_length": _bit_length,
        "overlay": _overlay,
        "quote_literal": _quote(None),
        "quote_nullable": _quote("NULL"),
        "format": _format,
    }
)
