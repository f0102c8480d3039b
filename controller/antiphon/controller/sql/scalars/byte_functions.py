"""Functions of bytea, and those of text that take bytea too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Unknown
from antiphon.controller.sql.scalars.functions import FUNCTIONS, Arguments, Builder, call, fixed
from antiphon.controller.sql.scalars.numeric_functions import NUMERIC_FUNCTIONS
from antiphon.controller.sql.scalars.text_functions import TEXT_FUNCTIONS, overlaid, text_literal
from antiphon.controller.sql.scalars.text_regexps import REGEXPS
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import BYTEA, INT32, INT64, TEXT, Type

_UTF8: Final = ("UTF8", "UTF-8")


def _either(of_text: Builder, of_bytes: Builder) -> Builder:
    """What an argument that is bytea decides."""

    def build(arguments: Arguments) -> Expression:
        kinds = [None if isinstance(v, Unknown) else v.type for v in arguments.values[:2]]
        return of_bytes(arguments) if BYTEA in kinds else of_text(arguments)

    return build


def _bit_length(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    size = call("octet_length", [arguments.as_type(0, BYTEA)], INT32)
    return call("multiply", [size, Literal(value=8, type=INT32)], INT32)


def _overlay(arguments: Arguments) -> Expression:
    return overlaid(arguments, BYTEA)


def _encoded(function: str, takes: Type, gives: Type) -> Builder:
    """convert_to, convert_from: all text is in UTF-8."""

    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 2:
            raise arguments.wrong()
        what = f"{arguments.name} with an encoding that is not a literal"
        name = text_literal(arguments, 1, what)
        if name.upper() not in _UTF8:
            way = "to" if arguments.name == "convert_to" else "from"
            raise arguments.source.unsupported(arguments.spots[1], f"{arguments.name} {way} {name}")
        return call(function, [arguments.as_type(0, takes)], gives)

    return build


def _in_base(function: str) -> Builder:
    """to_hex and its like: of integers, in two's complement of their width."""

    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        value = arguments.settled(0, INT32)
        if not value.type.is_integer:
            raise arguments.wrong()
        wide = value.type == INT64
        return call(function, [value if wide else arguments.as_type(0, INT32)], TEXT)

    return build


def _sliced(arguments: Arguments) -> Expression:
    return fixed("substring", BYTEA, BYTEA, INT32, INT32, optional=1)(arguments)


_LENGTH: Final = _either(FUNCTIONS["length"], fixed("length", INT32, BYTEA))
_TRIM: Final = _either(FUNCTIONS["trim"], fixed("trim_bytes", BYTEA, BYTEA, BYTEA))
BYTE_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "length": _LENGTH,
        "octet_length": _either(FUNCTIONS["octet_length"], fixed("octet_length", INT32, BYTEA)),
        "bit_length": _either(TEXT_FUNCTIONS["bit_length"], _bit_length),
        "substring": _either(REGEXPS["substring"], _sliced),
        "substr": _either(FUNCTIONS["substr"], _sliced),
        "overlay": _either(TEXT_FUNCTIONS["overlay"], _overlay),
        "strpos": _either(FUNCTIONS["strpos"], fixed("position", INT32, BYTEA, BYTEA)),
        "trim": _TRIM,
        "btrim": _TRIM,
        "ltrim": _either(FUNCTIONS["ltrim"], fixed("ltrim_bytes", BYTEA, BYTEA, BYTEA)),
        "rtrim": _either(FUNCTIONS["rtrim"], fixed("rtrim_bytes", BYTEA, BYTEA, BYTEA)),
        "md5": _either(FUNCTIONS["md5"], fixed("md5", TEXT, BYTEA)),
        "bit_count": _either(NUMERIC_FUNCTIONS["bit_count"], fixed("byte_bit_count", INT64, BYTEA)),
        "get_byte": fixed("get_byte", INT32, BYTEA, INT32),
        "get_bit": fixed("get_bit", INT32, BYTEA, INT64),
        "set_byte": fixed("set_byte", BYTEA, BYTEA, INT32, INT32),
        "set_bit": fixed("set_bit", BYTEA, BYTEA, INT64, INT32),
        "sha224": fixed("sha224", BYTEA, BYTEA),
        "sha256": fixed("sha256", BYTEA, BYTEA),
        "sha384": fixed("sha384", BYTEA, BYTEA),
        "sha512": fixed("sha512", BYTEA, BYTEA),
        "convert_to": _encoded("utf8_bytes", TEXT, BYTEA),
        "convert_from": _encoded("utf8_text", BYTEA, TEXT),
        "to_bin": _in_base("to_bin"),
        "to_oct": _in_base("to_oct"),
        "to_hex": _in_base("to_hex"),
    }
)
