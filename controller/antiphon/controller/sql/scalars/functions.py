"""The scalar functions that SQL may call: what they take, and what they become in a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import Typed, Unknown, cast, coerce, settle, unify
from antiphon.controller.sql.binding.types import as_decimal
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.protocol.expression import Branch, Call, Case, Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT32,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
    TypeKind,
    decimal,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """A call's arguments, lowered, with their places."""

    source: Source
    call: Spot
    name: str
    values: tuple[Typed, ...]
    spots: tuple[Spot, ...]

    def wrong(self) -> Exception:
        shown = ", ".join("unknown" if isinstance(v, Unknown) else str(v.type) for v in self.values)
        return self.source.mismatch(
            self.call, f"there is no function {self.name}({shown}); cast the arguments"
        )

    def as_type(self, index: int, wanted: Type) -> Expression:
        return coerce(
            self.source, self.spots[index], self.values[index], wanted,
            f"argument {index + 1} of {self.name}",
        )  # fmt: skip

    def settled(self, index: int, wanted: Type = TEXT) -> Expression:
        return settle(self.source, self.spots[index], self.values[index], wanted)


Builder = Callable[[Arguments], Expression]


def call(function: str, arguments: Sequence[Expression], kind: Type) -> Expression:
    return fold(Call(function=function, arguments=tuple(arguments), type=kind))


def fixed(function: str, result: Type, *parameters: Type, optional: int = 0) -> Builder:
    """A function of fixed types; the last `optional` parameters may be left out."""

    def build(arguments: Arguments) -> Expression:
        given = len(arguments.values)
        if not len(parameters) - optional <= given <= len(parameters):
            raise arguments.wrong()
        values = [arguments.as_type(index, parameters[index]) for index in range(given)]
        return call(function, values, result)

    return build


def real(function: str) -> Builder:
    """A function of double precision, for any number."""
    return fixed(function, FLOAT64, FLOAT64)


def numeric(arguments: Arguments, index: int = 0) -> Expression:
    """An argument that must be a number; text without a type is read as double precision."""
    value = arguments.settled(index, FLOAT64)
    if not value.type.is_numeric:
        raise arguments.wrong()
    return value


def _rounding(function: str) -> Builder:
    """round, truncate (with digits), floor, ceil: decimals stay decimals, integers and floats give
    double precision, as in PostgreSQL."""
    takes_digits = function in ("round", "truncate")

    def build(arguments: Arguments) -> Expression:
        if not 1 <= len(arguments.values) <= (2 if takes_digits else 1):
            raise arguments.wrong()
        value = numeric(arguments)
        if len(arguments.values) == 2:
            return _round_to(function, arguments, value)
        if value.type.kind is not TypeKind.DECIMAL:
            return call(function, [cast(value, FLOAT64)], FLOAT64)
        whole = min(value.type.precision - value.type.scale + 1, 38)
        return call(function, [value], decimal(whole, 0))

    return build


def _round_to(function: str, arguments: Arguments, value: Expression) -> Expression:
    digits = arguments.as_type(1, INT32)
    if value.type.is_float or not isinstance(digits, Literal) or digits.value is None:
        raise arguments.wrong()
    assert isinstance(digits.value, int), "an integer literal"
    value = cast(value, as_decimal(value.type))
    scale = min(max(digits.value, 0), 38)
    whole = value.type.precision - value.type.scale + 1
    return call(function, [value, digits], decimal(min(max(whole + scale, 1), 38), scale))


def _same_number(function: str) -> Builder:
    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        value = numeric(arguments)
        return call(function, [value], value.type)

    return build


def _sign(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value = numeric(arguments)
    if value.type.kind is TypeKind.DECIMAL:
        return call("sign", [value], decimal(1, 0))
    return call("sign", [cast(value, FLOAT64)], FLOAT64)


def _logarithm(arguments: Arguments) -> Expression:
    """log(x) is to base 10, log(b, x) to base b."""
    if len(arguments.values) == 1:
        return call("log10", [arguments.as_type(0, FLOAT64)], FLOAT64)
    if len(arguments.values) != 2:
        raise arguments.wrong()
    base, value = (call("ln", [arguments.as_type(i, FLOAT64)], FLOAT64) for i in (0, 1))
    return call("divide", [value, base], FLOAT64)


def _pi(arguments: Arguments) -> Expression:
    if arguments.values:
        raise arguments.wrong()
    return Literal(value=math.pi, type=FLOAT64)


def _scaled(factor: float) -> Builder:
    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 1:
            raise arguments.wrong()
        value = arguments.as_type(0, FLOAT64)
        return call("multiply", [value, Literal(value=factor, type=FLOAT64)], FLOAT64)

    return build


def as_output(value: Expression) -> Expression:
    """As concat() and format() write it: a boolean is t or f there, and a word in a cast."""
    if value.type != BOOLEAN:
        return cast(value, TEXT)
    found = tuple(
        Branch(condition=condition, value=Literal(value=letter, type=TEXT))
        for condition, letter in ((value, "t"), (call("not", [value], BOOLEAN), "f"))
    )
    return Case(branches=found, otherwise=Literal(value=None, type=TEXT), type=TEXT)


def _concat(arguments: Arguments) -> Expression:
    """concat(a, b, ...) leaves nulls out, unlike `||`."""
    if not arguments.values:
        raise arguments.wrong()
    empty = Literal(value="", type=TEXT)
    parts = [
        call("coalesce", [as_output(arguments.settled(i)), empty], TEXT)
        for i in range(len(arguments.values))
    ]
    return parts[0] if len(parts) == 1 else call("concat", parts, TEXT)


def _conditional(function: str) -> Builder:
    """coalesce, greatest, least: one type for all."""

    def build(arguments: Arguments) -> Expression:
        if not arguments.values:
            raise arguments.wrong()
        values, kind = unify(
            arguments.source, arguments.spots, arguments.values, f"the arguments of {function}"
        )
        return values[0] if len(values) == 1 else call(function, values, kind)

    return build


def _nullif(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    values, kind = unify(
        arguments.source, arguments.spots, arguments.values, "the arguments of nullif"
    )
    return call("nullif", values, kind)


_UNITS: Final = (
    "microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month", "quarter",
    "year", "decade", "century", "millennium",
)  # fmt: skip
# What extract gives: how many digits after the point.
_FIELD_SCALE: Final[Mapping[str, int]] = MappingProxyType(
    {"second": 6, "epoch": 6, "milliseconds": 3}
    | dict.fromkeys(
        (
            "microseconds", "minute", "hour", "day", "week", "month", "quarter", "year", "decade",
            "century", "millennium", "dow", "isodow", "doy", "isoyear",
        ),
        0,
    )
)  # fmt: skip
_OFFSETS: Final = ("timezone", "timezone_hour", "timezone_minute")
_JULIAN_EPOCH: Final = 2_440_588  # the Julian day of 1970-01-01


def _unit(arguments: Arguments, allowed: Sequence[str]) -> str:
    """The first argument: the literal name of a field."""
    named = arguments.values[0] if arguments.values else None
    text = named.value if isinstance(named, Unknown | Literal) else None
    if not isinstance(text, str):
        raise arguments.source.unsupported(
            arguments.call, f"{arguments.name} with a field that is not a literal"
        )
    unit = text.strip().lower()
    for candidate in (unit, unit.removesuffix("s"), f"{unit}s"):
        if candidate in allowed:
            return candidate
    raise arguments.source.invalid(
        arguments.call, f'{arguments.name}: "{text}" is not a field of a date or time'
    )


def moment(arguments: Arguments, index: int) -> Expression:
    """An argument that is a timestamp, or a date taken as one."""
    value = arguments.settled(index, TIMESTAMP)
    return cast(value, TIMESTAMP) if value.type == DATE else value


def _date_trunc(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    unit = Literal(value=_unit(arguments, _UNITS), type=TEXT)
    value = moment(arguments, 1)
    if value.type not in (TIMESTAMP, TIMESTAMPTZ, INTERVAL):
        raise arguments.wrong()
    return call("date_trunc", [unit, value], value.type)


def _field(function: str) -> Builder:
    """extract gives numeric, date_part double precision."""

    def build(arguments: Arguments) -> Expression:
        if len(arguments.values) != 2:
            raise arguments.wrong()
        name = _unit(arguments, (*_FIELD_SCALE, *_OFFSETS, "julian"))
        value = arguments.settled(1, TIMESTAMP)
        if value.type not in (DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL):
            raise arguments.wrong()
        if name not in _FIELD_SCALE:
            kind = decimal(20, 0) if function == "extract" else FLOAT64
            return cast(_other_field(arguments, name, value), kind)
        digits = 22 if (name, value.type) == ("epoch", INTERVAL) else 20  # of any interval
        kind = decimal(digits, _FIELD_SCALE[name]) if function == "extract" else FLOAT64
        return call(function, [Literal(value=name, type=TEXT), value], kind)

    return build


def _other_field(arguments: Arguments, name: str, value: Expression) -> Expression:
    """The offset of the zone, which is UTC; and the day's number since 4713 BC."""
    if name == "julian" and value.type == DATE:
        days = call("subtract", [value, Literal(value=0, type=DATE)], INT32)
        return call("add", [days, Literal(value=_JULIAN_EPOCH, type=INT32)], INT32)
    if name == "julian" or value.type != TIMESTAMPTZ:
        raise arguments.source.unsupported(
            arguments.call, f"{arguments.name} of {name} of {value.type}"
        )
    known = call("is_not_null", [value], BOOLEAN)
    nothing = Literal(value=None, type=INT32)
    branch = Branch(condition=known, value=Literal(value=0, type=INT32))
    return Case(branches=(branch,), otherwise=nothing, type=INT32)


def _age(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.source.unsupported(arguments.call, "age with other than two arguments")
    values, kind = unify(
        arguments.source, arguments.spots, [moment(arguments, 0), moment(arguments, 1)],
        "the arguments of age",
    )  # fmt: skip
    if kind not in (TIMESTAMP, TIMESTAMPTZ):
        raise arguments.wrong()
    return call("age", values, INTERVAL)


def _modulo(arguments: Arguments) -> Expression:
    if len(arguments.values) != 2:
        raise arguments.wrong()
    values, kind = unify(
        arguments.source, arguments.spots, arguments.values, "the arguments of mod"
    )
    if not kind.is_numeric or kind.is_float:
        raise arguments.wrong()
    return call("modulo", values, kind)


FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "lower": fixed("lower", TEXT, TEXT),
        "upper": fixed("upper", TEXT, TEXT),
        "length": fixed("length", INT32, TEXT),
        "char_length": fixed("length", INT32, TEXT),
        "character_length": fixed("length", INT32, TEXT),
        "substr": fixed("substring", TEXT, TEXT, INT32, INT32, optional=1),
        "trim": fixed("trim", TEXT, TEXT, TEXT, optional=1),
        "btrim": fixed("trim", TEXT, TEXT, TEXT, optional=1),
        "ltrim": fixed("ltrim", TEXT, TEXT, TEXT, optional=1),
        "rtrim": fixed("rtrim", TEXT, TEXT, TEXT, optional=1),
        "replace": fixed("replace", TEXT, TEXT, TEXT, TEXT),
        "strpos": fixed("position", INT32, TEXT, TEXT),  # (text, what is sought)
        "left": fixed("left", TEXT, TEXT, INT32),
        "right": fixed("right", TEXT, TEXT, INT32),
        "lpad": fixed("lpad", TEXT, TEXT, INT32, TEXT, optional=1),
        "rpad": fixed("rpad", TEXT, TEXT, INT32, TEXT, optional=1),
        "starts_with": fixed("starts_with", BOOLEAN, TEXT, TEXT),
        "reverse": fixed("reverse", TEXT, TEXT),
        "repeat": fixed("repeat", TEXT, TEXT, INT32),
        "split_part": fixed("split_part", TEXT, TEXT, TEXT, INT32),
        "md5": fixed("md5", TEXT, TEXT),
        "octet_length": fixed("octet_length", INT32, TEXT),
        "ascii": fixed("ascii", INT32, TEXT),
        "concat": _concat,
        "abs": _same_number("abs"),
        "sign": _sign,
        "round": _rounding("round"),
        "trunc": _rounding("truncate"),
        "floor": _rounding("floor"),
        "ceil": _rounding("ceil"),
        "ceiling": _rounding("ceil"),
        "sqrt": real("sqrt"),
        "cbrt": real("cbrt"),
        "sin": real("sin"),
        "cos": real("cos"),
        "tan": real("tan"),
        "asin": real("asin"),
        "acos": real("acos"),
        "atan": real("atan"),
        "atan2": fixed("atan2", FLOAT64, FLOAT64, FLOAT64),
        "pi": _pi,
        "degrees": _scaled(180 / math.pi),
        "radians": _scaled(math.pi / 180),
        "exp": real("exp"),
        "ln": real("ln"),
        "log": _logarithm,
        "log10": real("log10"),
        "power": fixed("power", FLOAT64, FLOAT64, FLOAT64),
        "pow": fixed("power", FLOAT64, FLOAT64, FLOAT64),
        "mod": _modulo,
        "date_trunc": _date_trunc,
        "extract": _field("extract"),
        "date_part": _field("date_part"),
        "age": _age,
        "to_timestamp": fixed("to_timestamp", TIMESTAMPTZ, FLOAT64),
        "make_date": fixed("make_date", DATE, INT32, INT32, INT32),
        "coalesce": _conditional("coalesce"),
        "greatest": _conditional("greatest"),
        "least": _conditional("least"),
        "nullif": _nullif,
    }
)

# Known to PostgreSQL as clocks; they become the time of the statement, or are refused in views.
CLOCKS: Final = frozenset(
    {"now", "current_timestamp", "transaction_timestamp", "statement_timestamp"}
)
