"""to_date and to_timestamp: text read by a template that is a literal.

The template becomes a regular expression with a group for each field. Unlike in PostgreSQL, which
guesses, text that does not follow it is an error; what comes behind it is ignored, as there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.expressions import all_of
from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.scalars.functions import FUNCTIONS, Arguments, Builder, call
from antiphon.controller.sql.scalars.text_functions import text_literal
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT32,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    list_of,
)

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SHORT: Final = "|".join(name[:3] for name in _MONTHS)
# Of each field the text that it takes.
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "YYYY": "[0-9]{4}", "MONTH": "|".join(_MONTHS), "MON": _SHORT, "MM": "[0-9]{1,2}",
        "DD": "[0-9]{1,2}", "HH24": "[0-9]{1,2}", "HH12": "[0-9]{1,2}", "HH": "[0-9]{1,2}",
        "MI": "[0-9]{1,2}", "SS": "[0-9]{1,2}", "MS": "[0-9]{1,3}", "US": "[0-9]{1,6}",
        "AM": "am|pm", "PM": "am|pm", "DDD": "[0-9]{1,3}", "YY": "[0-9]{2}",
        "DAY": "|".join(_DAYS), "DY": "|".join(name[:3] for name in _DAYS), "FM": "",
    }
)  # fmt: skip
_CLOCK: Final = frozenset({"HH24", "HH12", "HH", "MI", "SS", "MS", "US", "AM", "PM"})
_TOKEN: Final = re.compile(
    "(" + "|".join(sorted(_FIELDS, key=lambda name: (-len(name), name))) + ')|"([^"]*)"|(.)',
    re.DOTALL | re.IGNORECASE,
)


def _text(value: str) -> Literal:
    return Literal(value=value, type=TEXT)


def _number(value: int) -> Literal:
    return Literal(value=value, type=INT32)


def _parsed(arguments: Arguments) -> dict[str, Expression]:
    """The text of each field that the template has.

    Raises:
        UnsupportedSql: the template is no literal, or has letters that are no field of these.
    """
    if len(arguments.values) != 2:
        raise arguments.wrong()
    spot, name = arguments.spots[1], arguments.name
    template = text_literal(arguments, 1, f"{name} with a format that is not a literal")
    parts, fields = ["(?i)^ *"], list[str]()
    for field, quoted, plain in _TOKEN.findall(template):
        if field.upper() == "FM":
            continue
        if field:
            if field.upper() in fields:
                raise arguments.source.invalid(spot, f"{field} is in the format twice")
            fields.append(field.upper())
            parts.append(f"({_FIELDS[field.upper()]})")
        elif plain.isalnum():
            raise arguments.source.unsupported(spot, f'"{plain}" in a format of {name}')
        else:
            parts.append(re.escape(quoted or plain))
    if parts[-1].startswith("([0-9]"):
        parts.append("(?:[^0-9]|$)")  # 2024 is no year of two digits, nor 311 a day
    for one, other in (("YY", "YYYY"), ("DDD", "DD"), ("DDD", "MM"), ("DDD", "MON")):
        if one in fields and other in fields:
            raise arguments.source.unsupported(spot, f"{one} beside {other} in a format of {name}")
    text = arguments.as_type(0, TEXT)
    groups = call("regexp_groups", [text, _text("".join(parts))], list_of(TEXT))
    # No number has a quotation mark: the cast fails, and its message shows the text.
    stray = call("concat", [_text("'"), text, _text("'")], TEXT)
    return {
        field: call("coalesce", [call("element", [groups, _number(place)], TEXT), stray], TEXT)
        for place, field in enumerate(fields, start=1)
    }


def _month(fields: Mapping[str, Expression]) -> Expression:
    named = fields.get("MONTH", fields.get("MON"))
    if named is None:
        return _whole(fields, "MM", 1)
    short = call("left", [call("lower", [named], TEXT), _number(3)], TEXT)
    branches = tuple(
        Branch(condition=call("equal", [short, _text(name[:3])], BOOLEAN), value=_number(place))
        for place, name in enumerate(_MONTHS, start=1)
    )
    return Case(branches=branches, otherwise=cast(named, INT32), type=INT32)


def _year(fields: Mapping[str, Expression]) -> Expression:
    """Of two digits: 1970 to 2069. Without one it is 1 BC, as in PostgreSQL."""
    if "YY" not in fields:
        return _whole(fields, "YYYY", -1)
    short = cast(fields["YY"], INT32)
    early = call("less", [short, _number(70)], BOOLEAN)
    later, before = (call("add", [short, _number(base)], INT32) for base in (2_000, 1_900))
    return Case(branches=(Branch(condition=early, value=later),), otherwise=before, type=INT32)


def _day(fields: Mapping[str, Expression]) -> Expression:
    """The date."""
    year = _year(fields)
    if "DDD" not in fields:
        return call("make_date", [year, _month(fields), _whole(fields, "DD", 1)], DATE)
    number = cast(fields["DDD"], INT32)
    first = call("make_date", [year, _number(1), _number(1)], DATE)
    found = call("add", [first, call("subtract", [number, _number(1)], INT32)], DATE)
    same = call("extract", [_text("year"), found], INT32)
    inside = all_of(
        [
            call("greater_equal", [number, _number(1)], BOOLEAN),
            call("equal", [same, year], BOOLEAN),
        ]
    )
    none = call("make_date", [year, _number(13), _number(1)], DATE)  # it fails
    unknown = Branch(condition=call("is_null", [number], BOOLEAN), value=_NO_DATE)
    return Case(
        branches=(unknown, Branch(condition=inside, value=found)), otherwise=none, type=DATE
    )


_NO_DATE: Final = Literal(value=None, type=DATE)


def _whole(fields: Mapping[str, Expression], name: str, otherwise: int) -> Expression:
    return cast(fields[name], INT32) if name in fields else _number(otherwise)


def _hour(fields: Mapping[str, Expression]) -> Expression:
    half = fields.get("AM", fields.get("PM"))
    name = next((name for name in ("HH24", "HH12", "HH") if name in fields), None)
    if name is None:
        return _number(0)
    if name == "HH24" and half is None:
        return _at_most(cast(fields[name], INT32), 23)
    # As PostgreSQL does, also without AM or PM: from 1 to 12, which is the first hour.
    given = cast(fields[name], INT32)
    low, high = (
        call(test, [given, _number(bound)], BOOLEAN)
        for test, bound in (("greater_equal", 1), ("less_equal", 12))
    )
    stray = cast(call("concat", [_text("'"), fields[name], _text("'")], TEXT), INT32)
    inside = Branch(condition=all_of([low, high]), value=given)
    hour = Case(branches=(inside,), otherwise=stray, type=INT32)
    twelfth = call("modulo", [hour, _number(12)], INT32)
    if half is None:
        return twelfth
    late = call("equal", [call("lower", [half], TEXT), _text("pm")], BOOLEAN)
    after = call("add", [twelfth, _number(12)], INT32)
    return Case(branches=(Branch(condition=late, value=after),), otherwise=twelfth, type=INT32)


def _at_most(number: Expression, most: int) -> Expression:
    """The number of a clock; what is above becomes one that no clock takes."""
    above = call("greater", [number, _number(most)], BOOLEAN)
    none = _number(most + 2)
    return Case(branches=(Branch(condition=above, value=none),), otherwise=number, type=INT32)


def _seconds(fields: Mapping[str, Expression]) -> Expression:
    found = cast(_at_most(_whole(fields, "SS", 0), 59), FLOAT64)
    for name, digits in (("MS", 3), ("US", 6)):
        if name in fields:
            padded = call("rpad", [fields[name], _number(digits), _text("0")], TEXT)
            size = Literal(value=float(10**digits), type=FLOAT64)
            part = call("divide", [cast(padded, FLOAT64), size], FLOAT64)
            found = call("add", [found, part], FLOAT64)
    return found


def _to_date(arguments: Arguments) -> Expression:
    fields = _parsed(arguments)
    clock = sorted(_CLOCK & fields.keys())
    if clock:
        raise arguments.source.unsupported(
            arguments.spots[1], f"{clock[0]} in a format of to_date", "; cast a to_timestamp"
        )
    return _day(fields)


def _to_timestamp(arguments: Arguments) -> Expression:
    """to_timestamp(seconds), or to_timestamp(text, template)."""
    if len(arguments.values) == 1:
        return FUNCTIONS["to_timestamp"](arguments)
    fields = _parsed(arguments)
    clock = [_hour(fields), _whole(fields, "MI", 0), _seconds(fields)]
    if "DDD" in fields:
        epoch = [*(_number(part) for part in (1970, 1, 1)), *clock]
        time = call("subtract", [call("make_timestamp", epoch, TIMESTAMP), _EPOCH], INTERVAL)
        day = cast(_day(fields), TIMESTAMP)
        return cast(call("add", [day, time], TIMESTAMP), TIMESTAMPTZ)
    parts = [_year(fields), _month(fields), _whole(fields, "DD", 1), *clock]
    return cast(call("make_timestamp", parts, TIMESTAMP), TIMESTAMPTZ)


_EPOCH: Final = Literal(value=0, type=TIMESTAMP)
TIME_FORMATS: Final[Mapping[str, Builder]] = MappingProxyType(
    {"to_date": _to_date, "to_timestamp": _to_timestamp}
)
