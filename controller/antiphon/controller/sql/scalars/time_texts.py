"""to_char of dates, timestamps and intervals: each field of the format becomes an expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.scalars.functions import Arguments, call
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
)

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ROMAN: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_LONGEST: Final = 9  # the names of months and days are padded to that
_LONGEST_ROMAN: Final = 4
_JULIAN_EPOCH: Final = 2_440_588  # the Julian day of 1970-01-01
_MILLION: Final = 1_000_000
_NULL: Final = Literal(value=None, type=TEXT)


@dataclass(frozen=True, slots=True)
class _Field:
    """What a field is of. `filled`: with the zeros or blanks that make it as wide as it can be."""

    moment: Expression
    filled: bool

    @property
    def is_interval(self) -> bool:
        return self.moment.type == INTERVAL


Part = Callable[[_Field], Expression]


def _text(value: str) -> Literal:
    return Literal(value=value, type=TEXT)


def _number(value: int, kind: Type = INT64) -> Literal:
    return Literal(value=value, type=kind)


def _step(function: str, value: Expression, number: int) -> Expression:
    return call(function, [value, _number(number)], INT64)


def _extracted(field: _Field, unit: str) -> Expression:
    return call("extract", [_text(unit), field.moment], INT64)


def _padded(value: Expression, digits: int) -> Expression:
    """With zeros before it, behind its sign; what is longer stays whole."""
    negative = call("less", [value, _number(0)], BOOLEAN)
    sized = cast(call("abs", [value], INT64), TEXT)
    width = call("greatest", [call("length", [sized], INT32), _number(digits, INT32)], INT32)
    filled = call("lpad", [sized, width, _text("0")], TEXT)
    signed = call("concat", [_text("-"), filled], TEXT)
    return Case(branches=(Branch(condition=negative, value=signed),), otherwise=filled, type=TEXT)


def _digits(unit: str, digits: int, *steps: tuple[str, int]) -> Part:
    """A field after some steps of arithmetic on whole numbers."""

    def part(field: _Field) -> Expression:
        value = _extracted(field, unit)
        for function, number in steps:
            value = _step(function, value, number)
        return _padded(value, digits) if field.filled else cast(value, TEXT)

    return part


def _year(unit: str, digits: int) -> Part:
    """The last digits of the year, or all four; years BC count from 1, too."""

    def part(field: _Field) -> Expression:
        value = _extracted(field, unit)
        if not field.is_interval:
            value = call("abs", [value], INT64)
        if digits < 4:
            value = _step("modulo", value, 10**digits)
        return _padded(value, digits) if field.filled else cast(value, TEXT)

    return part


def _comma_year(field: _Field) -> Expression:
    year = call("abs", [_extracted(field, "year")], INT64)
    thousands = cast(_step("divide", year, 1_000), TEXT)
    return call("concat", [thousands, _text(","), _padded(_step("modulo", year, 1_000), 3)], TEXT)


def _day_of_year(unit: str) -> Part:
    """DDD, and IDDD: of the year whose weeks are counted."""

    def part(field: _Field) -> Expression:
        if unit == "doy":
            value = _extracted(field, unit)
        else:
            weeks = _step("multiply", _step("subtract", _extracted(field, "week"), 1), 7)
            value = call("add", [weeks, _extracted(field, "isodow")], INT64)
        return _padded(value, 3) if field.filled else cast(value, TEXT)

    return part


def _julian(field: _Field) -> Expression:
    epoch = Literal(value=0, type=DATE)
    days = call("subtract", [cast(field.moment, DATE), epoch], INT32)
    return cast(call("add", [days, _number(_JULIAN_EPOCH, INT32)], INT32), TEXT)


def _day(field: _Field) -> Expression:
    """Of the month; the sign of an interval's takes the place of a digit."""
    value = _extracted(field, "day")
    return _signed(value, 2) if field.filled else cast(value, TEXT)


def _signed(value: Expression, digits: int) -> Expression:
    """With zeros, as wide as so many digits, its sign included."""
    negative = call("less", [value, _number(0)], BOOLEAN)
    short = Branch(condition=negative, value=_padded(value, digits - 1))
    return Case(branches=(short,), otherwise=_padded(value, digits), type=TEXT)


def _twelfth(field: _Field) -> Expression:
    """Of twelve hours: 12, 1, 2 and so on; with room for the sign of an interval's."""
    whole = _extracted(field, "hour")
    rest = _step("modulo", whole, 12)
    first = call("equal", [rest, _number(0)], BOOLEAN)
    hour = Case(branches=(Branch(condition=first, value=_number(12)),), otherwise=rest, type=INT64)
    if not field.filled:
        return cast(hour, TEXT)
    negative = call("less", [whole, _number(0)], BOOLEAN)
    wide = Branch(condition=negative, value=_signed(hour, 3))
    return Case(branches=(wide,), otherwise=_padded(hour, 2), type=TEXT)


def _of_day(field: _Field) -> Expression:
    hours = _step("multiply", _extracted(field, "hour"), 3_600)
    minutes = _step("multiply", _extracted(field, "minute"), 60)
    seconds = _step("divide", _extracted(field, "microseconds"), _MILLION)
    total = call("add", [call("add", [hours, minutes], INT64), seconds], INT64)
    return cast(total, TEXT)


def _fraction(digits: int) -> Part:
    """The first digits behind the point of the seconds; a sign takes the place of one."""

    def part(field: _Field) -> Expression:
        rest = _step("modulo", _extracted(field, "microseconds"), _MILLION)
        return _signed(_step("divide", rest, 10 ** (6 - digits)), digits)

    return part


def _either(unit: str, bound: int, low: str, high: str) -> Part:
    """One of two words, the second from a bound on."""

    def part(field: _Field) -> Expression:
        value = _extracted(field, unit)
        if unit == "hour":
            value = _step("modulo", value, 24)
        below = call("less", [value, _number(bound)], BOOLEAN)
        branch = Branch(condition=below, value=_text(low))
        return Case(branches=(branch,), otherwise=_text(high), type=TEXT)

    return part


def _named(unit: str, names: tuple[str, ...], first: int, width: int) -> Part:
    def part(field: _Field) -> Expression:
        number = _extracted(field, unit)
        branches = tuple(
            Branch(
                condition=call("equal", [number, _number(place)], BOOLEAN),
                value=_text(name.ljust(width) if field.filled else name),
            )
            for place, name in enumerate(names, start=first)
        )
        return Case(branches=branches, otherwise=_NULL, type=TEXT)

    return part


def _zone(text: str) -> Part:
    """Times with a zone are shown in UTC; others have none."""

    def part(field: _Field) -> Expression:
        without = text.lower() == "utc" and field.moment.type == TIMESTAMP
        return _text("" if without else text)

    return part


def _names(unit: str, names: tuple[str, ...], first: int, spelling: str) -> dict[str, Part]:
    """A name in full and in three letters, each in three spellings."""
    whole, short = spelling.split()
    found: dict[str, Part] = {}
    for change in (str.upper, str.capitalize, str.lower):
        written = tuple(change(name) for name in names)
        found[change(whole)] = _named(unit, written, first, _LONGEST)
        found[change(short)] = _named(unit, tuple(name[:3] for name in written), first, 3)
    return found


def _halves() -> dict[str, Part]:
    """Halves of the day, and before or after the year 1."""
    found: dict[str, Part] = {}
    for unit, bound, low, high in (("hour", 12, "AM", "PM"), ("year", 1, "BC", "AD")):
        for name in (low, high):
            for dotted in (False, True):
                for change in (str.upper, str.lower):
                    shown = [change(f"{w[0]}.{w[1]}." if dotted else w) for w in (name, low, high)]
                    found[shown[0]] = _either(unit, bound, shown[1], shown[2])
    return found


# In capitals; each may be written in small letters, too.
_NUMBERS: Final[Mapping[str, Part]] = MappingProxyType(
    {
        "Y,YYY": _comma_year, "YYYY": _year("year", 4), "YYY": _year("year", 3),
        "YY": _year("year", 2), "Y": _year("year", 1), "IYYY": _year("isoyear", 4),
        "IYY": _year("isoyear", 3), "IY": _year("isoyear", 2), "I": _year("isoyear", 1),
        "CC": _digits("century", 2), "J": _julian, "Q": _digits("quarter", 1),
        "MM": _digits("month", 2), "DD": _day, "DDD": _day_of_year("doy"),
        "IDDD": _day_of_year("isodoy"), "D": _digits("dow", 1, ("add", 1)),
        "ID": _digits("isodow", 1), "IW": _digits("week", 2),
        "WW": _digits("doy", 2, ("subtract", 1), ("divide", 7), ("add", 1)),
        "W": _digits("day", 1, ("subtract", 1), ("divide", 7), ("add", 1)),
        "HH24": _digits("hour", 2), "HH12": _twelfth, "HH": _twelfth,
        "MI": _digits("minute", 2), "SS": _digits("microseconds", 2, ("divide", _MILLION)),
        "MS": _fraction(3), "US": _fraction(6), "SSSS": _of_day, "SSSSS": _of_day,
        **{f"FF{digits}": _fraction(digits) for digits in range(1, 7)},
    }
)  # fmt: skip
_WORDS: Final[Mapping[str, Part]] = MappingProxyType(
    _names("month", _MONTHS, 1, "month mon")
    | _names("dow", _DAYS, 0, "day dy")
    | _halves()
    | {
        "RM": _named("month", _ROMAN, 1, _LONGEST_ROMAN),
        "rm": _named("month", tuple(map(str.lower, _ROMAN)), 1, _LONGEST_ROMAN),
        "TZ": _zone("UTC"), "tz": _zone("utc"),
        **{name: _zone(text) for name, text in (("TZH", "+00"), ("TZM", "00"), ("OF", "+00"))},
        **{name: _zone(text) for name, text in (("tzh", "+00"), ("tzm", "00"), ("of", "+00"))},
    }
)  # fmt: skip
_OF_INTERVALS: Final = frozenset(
    {"HH24", "HH12", "HH", "MI", "SS", "MS", "US", "SSSS", "SSSSS", "DD", "MM", "YYYY", "AM", "PM",
     *(f"FF{digits}" for digits in range(1, 7))}
)  # fmt: skip
_KNOWN: Final[Mapping[str, Part]] = MappingProxyType(
    {**_WORDS, **_NUMBERS, **{name.lower(): part for name, part in _NUMBERS.items()}}
)
_NAMES: Final = sorted({*_KNOWN, "FX", "fx"}, key=lambda name: (-len(name), name))
_TOKENS: Final = re.compile(
    "(?P<prefix>FM|fm|TM|tm)?(?P<field>"
    + "|".join(map(re.escape, _NAMES))
    + r')(?P<suffix>TH|th|SP)?|(?:FM|fm|TM|tm)|"(?P<quoted>(?:\\.|[^"\\])*)"?|\\?(?P<plain>")'
    + r"|(?P<other>.)",
    re.DOTALL,
)  # fmt: skip


def moment_text(arguments: Arguments, value: Expression, form: str) -> Expression:
    """A date, timestamp or interval in a format. Text between quotes stands for itself, as does
    what is no field.

    Raises:
        UnsupportedSql: a field that there is not for such a value.
    """
    moment = cast(value, TIMESTAMPTZ) if value.type == DATE else value
    parts: list[Expression] = []
    for token in _TOKENS.finditer(form):
        if token["field"] is None:
            quoted = re.sub(r"\\(.)", r"\1", token["quoted"] or "", flags=re.DOTALL)
            parts.append(_text(quoted or token["plain"] or token["other"] or ""))
        else:
            parts.append(_shown(arguments, token, moment))
    # A null moment is null, though the format has letters of its own.
    whole = call("concat", parts, TEXT) if len(parts) > 1 else (parts or [_text("")])[0]
    known = call("is_not_null", [moment], BOOLEAN)
    return Case(branches=(Branch(condition=known, value=whole),), otherwise=_NULL, type=TEXT)


def _shown(arguments: Arguments, token: re.Match[str], moment: Expression) -> Expression:
    name, prefix, suffix = token["field"], token["prefix"] or "", token["suffix"]
    if prefix.upper() == "TM" or suffix == "SP":
        what = "TM" if prefix.upper() == "TM" else "SP"
        raise arguments.source.unsupported(arguments.spots[1], f"{what} in a format of to_char")
    if name.upper() == "FX":
        return _text("")
    field = _Field(moment, filled=prefix == "")
    if field.is_interval and name.upper() not in _OF_INTERVALS:
        what = f"{name} in a format of to_char of an interval"
        raise arguments.source.unsupported(arguments.spots[1], what)
    made = _KNOWN[name](field)
    if suffix is None or name in _WORDS:
        return made
    return call("concat", [made, _ordinal(made, suffix)], TEXT)


def _ordinal(number: Expression, suffix: str) -> Expression:
    """st, nd, rd, th."""
    change = str.upper if suffix == "TH" else str.lower
    teens = call("regexp_match", [number, _text("1[0-9]$")], BOOLEAN)
    branches = [Branch(condition=teens, value=_text(change("th")))]
    for digit, ending in (("1", "st"), ("2", "nd"), ("3", "rd")):
        ends = call("ends_with", [number, _text(digit)], BOOLEAN)
        branches.append(Branch(condition=ends, value=_text(change(ending))))
    return Case(branches=tuple(branches), otherwise=_text(change("th")), type=TEXT)
