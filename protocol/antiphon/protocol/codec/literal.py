"""Literals: a value of a type, in the one way of writing it that this type has.

Integers, dates and timestamps are an integer; decimals are text with exactly `scale` digits after
the point; lists and structs are a list whose values carry their own types. One value has one
encoding, because a plan's fingerprint is taken from its bytes.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from antiphon.protocol.codec.field import MalformedMessage, each, field, require
from antiphon.protocol.codec.schema import type_from_proto, type_to_proto
from antiphon.protocol.expression import Interval, Literal, Value
from antiphon.protocol.schema import INTEGERS, Type, TypeKind
from antiphon.v1 import plan_pb2 as pb

_BITS: Final = {
    TypeKind.INT16: 16,
    TypeKind.INT32: 32,
    TypeKind.INT64: 64,
    TypeKind.DATE: 32,
    TypeKind.TIMESTAMP: 64,
    TypeKind.TIMESTAMPTZ: 64,
}
assert set(INTEGERS) <= set(_BITS), "every integer type has a width"

# The arm of the oneof that each kind of type uses.
_ARMS: Final = {
    TypeKind.BOOLEAN: "boolean",
    TypeKind.FLOAT32: "float",
    TypeKind.FLOAT64: "float",
    TypeKind.DECIMAL: "text",
    TypeKind.TEXT: "text",
    TypeKind.BYTEA: "binary",
    TypeKind.UUID: "binary",
    TypeKind.INTERVAL: "interval",
    TypeKind.LIST: "list",
    TypeKind.STRUCT: "list",
} | dict.fromkeys(_BITS, "integer")
assert set(_ARMS) == set(TypeKind), "every kind of type has an arm"

_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?", re.ASCII)
_UUID_BYTES: Final = 16


def literal_to_proto(literal: Literal) -> pb.Literal:
    return value_to_proto(literal.value, literal.type)


def value_to_proto(value: Value, kind: Type) -> pb.Literal:
    """`value` as a literal of type `kind`; asserts that it is one."""
    message = pb.Literal(type=type_to_proto(kind))
    if value is None:
        return message
    match _ARMS[kind.kind]:
        case "boolean":
            assert isinstance(value, bool), f"not a {kind}: {value!r}"
            message.boolean = value
        case "integer":
            assert isinstance(value, int), f"not a {kind}: {value!r}"
            assert _fits(value, kind), f"{value} does not fit {kind}"
            message.integer = value
        case "float":
            assert isinstance(value, int | float), f"not a {kind}: {value!r}"
            # There are many NaNs, and one fingerprint.
            message.float = math.nan if math.isnan(value) else value
        case "text" if kind.kind is TypeKind.DECIMAL:
            assert isinstance(value, Decimal | int), f"not a {kind}: {value!r}"
            message.text = decimal_text(Decimal(value), kind)
        case "text":
            assert isinstance(value, str), f"not a {kind}: {value!r}"
            message.text = value
        case "binary":
            assert isinstance(value, bytes), f"not a {kind}: {value!r}"
            message.binary = value
        case "interval":
            assert isinstance(value, Interval), f"not a {kind}: {value!r}"
            message.interval.months = value.months
            message.interval.days = value.days
            message.interval.microseconds = value.microseconds
        case _:
            assert isinstance(value, tuple), f"not a {kind}: {value!r}"
            message.list.values.extend(
                value_to_proto(item, inner)
                for item, inner in zip(value, _inner(kind, len(value)), strict=True)
            )
    return message


def decimal_text(value: Decimal, kind: Type) -> str:
    """The canonical notation: `-?digits`, and `.` with exactly `scale` digits if scale > 0."""
    text = f"{value:.{kind.scale}f}"
    assert Decimal(text) == value, f"{value} has more digits than {kind}"
    digits = len(text.lstrip("-").replace(".", "").lstrip("0"))
    assert digits <= kind.precision, f"{value} does not fit {kind}"
    return text.lstrip("-") if value == 0 else text


def literal_from_proto(message: pb.Literal) -> Literal:
    kind = field("type", type_from_proto, message.type)
    return Literal(value=_value(message, kind), type=kind)


def _value(message: pb.Literal, kind: Type) -> Value:
    arm = message.WhichOneof("value")
    if arm is None:
        return None
    require(arm == _ARMS[kind.kind], arm, f"not a value of {kind}")
    match arm:
        case "boolean":
            return message.boolean
        case "integer":
            require(_fits(message.integer, kind), arm, f"{message.integer} does not fit {kind}")
            return message.integer
        case "float":
            return message.float
        case "text" if kind.kind is TypeKind.DECIMAL:
            return _decimal(message.text, kind)
        case "text":
            return message.text
        case "binary":
            sized = kind.kind is not TypeKind.UUID or len(message.binary) == _UUID_BYTES
            require(sized, arm, f"a uuid of {len(message.binary)} bytes")
            return message.binary
        case "interval":
            value = message.interval
            return Interval(months=value.months, days=value.days, microseconds=value.microseconds)
        case _:
            return _list(message.list, kind)


def _list(message: pb.ListValue, kind: Type) -> tuple[Value, ...]:
    literals = field("list", lambda m: each("values", literal_from_proto, m.values), message)
    fits = kind.kind is TypeKind.LIST or len(literals) == len(kind.fields)
    require(fits, "list", f"{len(literals)} values for {kind}")
    for index, (literal, inner) in enumerate(
        zip(literals, _inner(kind, len(literals)), strict=True)
    ):
        require(literal.type == inner, f"list.values[{index}].type", f"not {inner}")
    return tuple(literal.value for literal in literals)


def _inner(kind: Type, count: int) -> tuple[Type, ...]:
    """The types of `count` values inside a list or a struct."""
    if kind.kind is TypeKind.STRUCT:
        return tuple(column.type for column in kind.fields)
    assert kind.element is not None, "a list without an element type"
    return (kind.element,) * count


def _fits(value: int, kind: Type) -> bool:
    half = 1 << (_BITS[kind.kind] - 1)
    return -half <= value < half


def _decimal(text: str, kind: Type) -> Decimal:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise MalformedMessage(f"{text!r} is no decimal", "text")
    whole, fraction = match.group(1), match.group(2) or ""
    require(len(fraction) == kind.scale, "text", f"{text!r} has not {kind.scale} digits of scale")
    digits = len((whole + fraction).lstrip("0"))
    require(digits <= kind.precision, "text", f"{text!r} does not fit {kind}")
    require(digits > 0 or text[0] != "-", "text", f"{text!r} is a negative zero")
    return Decimal(text)
