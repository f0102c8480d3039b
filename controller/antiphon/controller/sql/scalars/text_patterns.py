"""What becomes other expressions: the patterns of SIMILAR TO, to_char's formats, concat_ws."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import Unknown, cast
from antiphon.controller.sql.scalars.functions import Arguments, Builder, call
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import BOOLEAN, DATE, INT32, INT64, TEXT, TIMESTAMP, TIMESTAMPTZ, Type

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_LONGEST: Final = 9  # the names of months and days are padded to that


def similar_to_regexp(pattern: str) -> str:
    """SIMILAR TO's pattern as a regular expression of the whole text.

    Raises:
        ValueError: it ends with its escape character.
    """
    found: list[str] = []
    position, in_class = 0, False
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            position += 1
            if position == len(pattern):
                raise ValueError("the pattern ends with its escape character")
            found.append(re.escape(pattern[position]))
        elif in_class:
            in_class = char != "]"
            found.append(char)
        elif char == "%":
            found.append(".*")
        elif char == "_":
            found.append(".")
        elif char in ".^$":
            found.append("\\" + char)
        else:
            in_class = char == "["
            found.append(char)
        position += 1
    return f"(?s)^(?:{''.join(found)})$"


def concat_ws(arguments: Arguments) -> Expression:
    """The values that are not null, with a separator between them; null if that is null."""
    if len(arguments.values) < 2:
        raise arguments.wrong()
    separator = arguments.as_type(0, TEXT)
    nothing = Literal(value="", type=TEXT)
    parts = [
        call("coalesce", [call("concat", [separator, value], TEXT), nothing], TEXT)
        for value in (
            cast(arguments.settled(place), TEXT) for place in range(1, len(arguments.values))
        )
    ]
    # Each value that is there has a separator before it: the first is cut off.
    one = Literal(value=1, type=INT32)
    start = call("add", [call("length", [separator], INT32), one], INT32)
    whole = parts[0] if len(parts) == 1 else call("concat", parts, TEXT)
    return call("substring", [whole, start], TEXT)


def to_char(arguments: Arguments) -> Expression:
    """A date or timestamp in a format that is a literal. Text between quotes stands for itself, as
    does what is no field."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    wanted = arguments.values[1]
    text = wanted.value if isinstance(wanted, Unknown | Literal) else None
    value = arguments.settled(0, TIMESTAMP)
    if value.type not in (DATE, TIMESTAMP, TIMESTAMPTZ):
        raise arguments.source.unsupported(arguments.call, f"to_char of {value.type}")
    if not isinstance(text, str):
        raise arguments.source.unsupported(
            arguments.call, "to_char with a format that is not a literal"
        )
    moment = cast(value, TIMESTAMP)
    parts: list[Expression] = []
    for field, quoted, plain in _TOKENS.findall(text):
        if field.startswith("FM") or field.upper() in ("TH", "TZ", "RM", "J", "CC", "SP", "OF"):
            raise arguments.source.unsupported(arguments.call, f"{field} in a format of to_char")
        made = _FIELDS.get(field)
        parts.append(Literal(value=quoted or plain, type=TEXT) if made is None else made(moment))
    # A null moment is null, though the format has letters of its own.
    whole = call("concat", parts, TEXT) if len(parts) > 1 else (parts or [_EMPTY])[0]
    known = call("is_not_null", [moment], BOOLEAN)
    return Case(
        branches=(Branch(condition=known, value=whole),),
        otherwise=Literal(value=None, type=TEXT),
        type=TEXT,
    )


FORMATTED: Final[Mapping[str, Builder]] = MappingProxyType(
    {"concat_ws": concat_ws, "to_char": to_char}
)
Part = Callable[[Expression], Expression]
_EMPTY: Final = Literal(value="", type=TEXT)


def _number(moment: Expression, unit: str, kind: Type = INT64) -> Expression:
    return call("extract", [Literal(value=unit, type=TEXT), moment], kind)


def _padded(value: Expression, digits: int) -> Expression:
    """With zeros before it; what is longer stays whole."""
    text = cast(value, TEXT)
    size = call(
        "greatest", [call("length", [text], INT32), Literal(value=digits, type=INT32)], INT32
    )
    return call("lpad", [text, size, Literal(value="0", type=TEXT)], TEXT)


def _digits(unit: str, digits: int) -> Part:
    return lambda moment: _padded(_number(moment, unit), digits)


def _arithmetic(unit: str, digits: int, *steps: tuple[str, int]) -> Part:
    """A field after some steps of arithmetic on whole numbers."""

    def part(moment: Expression) -> Expression:
        value = _number(moment, unit)
        for function, number in steps:
            value = call(function, [value, Literal(value=number, type=INT64)], INT64)
        return _padded(value, digits)

    return part


def _named(unit: str, names: tuple[str, ...], first: int) -> Part:
    def part(moment: Expression) -> Expression:
        number = _number(moment, unit)
        branches = tuple(
            Branch(
                condition=call("equal", [number, Literal(value=place, type=INT64)], BOOLEAN),
                value=Literal(value=name, type=TEXT),
            )
            for place, name in enumerate(names, start=first)
        )
        return Case(branches=branches, otherwise=Literal(value=None, type=TEXT), type=TEXT)

    return part


def _half(names: tuple[str, str]) -> Part:
    def part(moment: Expression) -> Expression:
        noon = Literal(value=12, type=INT64)
        before = call("less", [_number(moment, "hour"), noon], BOOLEAN)
        early, late = (Literal(value=name, type=TEXT) for name in names)
        return Case(branches=(Branch(condition=before, value=early),), otherwise=late, type=TEXT)

    return part


def _names(unit: str, names: tuple[str, ...], first: int, spelling: str) -> dict[str, Part]:
    """A name in full (padded) and in three letters, each in three spellings."""
    whole, short = spelling.split()
    found: dict[str, Part] = {}
    for change in (str.upper, str.capitalize, str.lower):
        padded = tuple(change(name).ljust(_LONGEST) for name in names)
        found[change(whole)] = _named(unit, padded, first)
        found[change(short)] = _named(unit, tuple(change(name[:3]) for name in names), first)
    return found


# Twelve hours from 12, 1, 2 on.
_TWELVE: Final = _arithmetic("hour", 2, ("add", 11), ("modulo", 12), ("add", 1))
_FIELDS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "YYYY": _digits("year", 4), "YY": _arithmetic("year", 2, ("modulo", 100)),
        "IYYY": _digits("isoyear", 4), "IW": _digits("week", 2), "Q": _digits("quarter", 1),
        "MM": _digits("month", 2), "DD": _digits("day", 2), "DDD": _digits("doy", 3),
        "ID": _digits("isodow", 1), "D": _arithmetic("dow", 1, ("add", 1)),
        "HH24": _digits("hour", 2), "HH12": _TWELVE, "HH": _TWELVE, "MI": _digits("minute", 2),
        "SS": _arithmetic("microseconds", 2, ("divide", 1_000_000)),
        "MS": _arithmetic("microseconds", 3, ("modulo", 1_000_000), ("divide", 1_000)),
        "US": _arithmetic("microseconds", 6, ("modulo", 1_000_000)),
        "AM": _half(("AM", "PM")), "PM": _half(("AM", "PM")),
        "am": _half(("am", "pm")), "pm": _half(("am", "pm")),
    }
    | _names("month", _MONTHS, 1, "month mon")
    | _names("dow", _DAYS, 0, "day dy")
)  # fmt: skip
_TOKENS: Final = re.compile(
    "("
    + "|".join(
        [*sorted(_FIELDS, key=lambda name: (-len(name), name)), "FM", "TH", "TZ", "CC", "RM"]
    )
    + r')|"([^"]*)"|(.)',
    re.DOTALL,
)
