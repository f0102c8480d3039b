"""More functions of text: encodings, regular expressions, format, and what is made of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import Unknown, cast
from antiphon.controller.sql.scalars.functions import Arguments, Builder, as_output, call, fixed
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import BOOLEAN, BYTEA, INT32, TEXT, Type

_ENCODINGS: Final = ("hex", "base64", "escape")
_DIRECTIVE: Final = re.compile(
    r"%(?:%|(?:(?P<place>[1-9][0-9]*)\$)?(?P<left>-)?(?P<width>[0-9]{1,6}|\*(?:[1-9][0-9]*\$)?)?"
    r"(?P<kind>[sLI]))|%|(?P<plain>[^%]+)"
)


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


def _encoding(arguments: Arguments) -> Literal:
    what = f"{arguments.name} with a format that is not a literal"
    name = text_literal(arguments, 1, what).lower()
    if name not in _ENCODINGS:
        raise arguments.source.invalid(arguments.spots[1], f'unrecognized encoding: "{name}"')
    return _text(name)


def _encode(arguments: Arguments) -> Expression:
    """encode(bytea, 'hex' | 'base64' | 'escape')."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    encoding = _encoding(arguments)
    return call("encode", [arguments.as_type(0, BYTEA), encoding], TEXT)


def _decode(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    encoding = _encoding(arguments)
    return call("decode", [arguments.as_type(0, TEXT), encoding], BYTEA)


def _bit_length(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    size = call("octet_length", [arguments.as_type(0, TEXT)], INT32)
    return call("multiply", [size, _number(8)], INT32)


def _overlay(arguments: Arguments) -> Expression:
    return overlaid(arguments, TEXT)


def overlaid(arguments: Arguments, kind: Type) -> Expression:
    """overlay(text PLACING new FROM start [FOR size]); of text, or of bytea."""
    if not 3 <= len(arguments.values) <= 4:
        raise arguments.wrong()
    value, new = arguments.as_type(0, kind), arguments.as_type(1, kind)
    start = arguments.as_type(2, INT32)
    size = (
        call("length", [new], INT32) if len(arguments.values) == 3 else arguments.as_type(3, INT32)
    )
    before = call("subtract", [start, _number(1)], INT32)
    head = call("substring", [value, _number(1), before], kind)
    tail = call("substring", [value, call("add", [start, size], INT32)], kind)
    return call("concat", [head, new, tail], kind)


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
    """format('... %s %L %1$s %-10s %*s %%', values): the text is a literal."""
    if not arguments.values:
        raise arguments.wrong()
    text = text_literal(arguments, 0, "format with a text that is not a literal")
    parts: list[Expression] = [_text("")]
    following = 1
    for match in _DIRECTIVE.finditer(text):
        if match["kind"] is None:
            if match.group() == "%":
                shown = text[match.start() : match.start() + 3]
                raise arguments.source.invalid(arguments.spots[0], f"{shown} in format()")
            parts.append(_text(match["plain"] or "%"))
            continue
        if match["kind"] == "I":
            hint = "; which names need quotes differs between versions of PostgreSQL"
            raise arguments.source.unsupported(arguments.spots[0], "%I in format", hint)
        width, following = _width(arguments, match, following)
        index = following if match["place"] is None else int(match["place"])
        value = as_output(_given(arguments, index))
        made, nothing = (quoted(value), "NULL") if match["kind"] == "L" else (value, "")
        value = call("coalesce", [made, _text(nothing)], TEXT)
        parts.append(_filled(value, width, left=match["left"] is not None))
        following = index + 1
    return call("concat", parts, TEXT) if len(parts) > 1 else parts[0]


def _given(arguments: Arguments, index: int) -> Expression:
    if not 0 < index < len(arguments.values):
        raise arguments.source.invalid(arguments.call, "too few arguments for format()")
    return arguments.settled(index)


def _width(
    arguments: Arguments, match: re.Match[str], following: int
) -> tuple[Expression | None, int]:
    """(how wide a value is at least, the argument that comes next)."""
    if match["width"] is None:
        return None, following
    if not match["width"].startswith("*"):
        return _number(int(match["width"])), following
    named = match["width"][1:-1]
    index = int(named) if named else following
    _given(arguments, index)
    width = arguments.as_type(index, INT32)
    return call("coalesce", [width, _number(0)], INT32), index + 1


def _filled(value: Expression, width: Expression | None, *, left: bool) -> Expression:
    """With blanks before it, or behind it where it stands left, as under a negative width."""
    if width is None:
        return value
    size = call("length", [value], INT32)
    wide = call("greatest", [size, call("abs", [width], INT32)], INT32)
    padded, other = (call(name, [value, wide], TEXT) for name in ("rpad", "lpad"))
    if left:
        return padded
    negative = call("less", [width, _number(0)], BOOLEAN)
    return fold(
        Case(branches=(Branch(condition=negative, value=padded),), otherwise=other, type=TEXT)
    )


TEXT_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "initcap": fixed("initcap", TEXT, TEXT),
        "translate": fixed("translate", TEXT, TEXT, TEXT, TEXT),
        "chr": fixed("chr", TEXT, INT32),
        "encode": _encode,
        "decode": _decode,
        "bit_length": _bit_length,
        "overlay": _overlay,
        "quote_literal": _quote(None),
        "quote_nullable": _quote("NULL"),
        "format": _format,
    }
)
