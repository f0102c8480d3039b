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
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    list_of,
)

_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SHORT: Final = "|".join(name[:3] for name in _MONTHS)
# Of each field the text that it takes.
_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "YYYY": "[0-9]{4}", "MONTH": "|".join(_MONTHS), "MON": _SHORT, "MM": "[0-9]{1,2}",
        "DD": "[0-9]{1,2}", "HH24": "[0-9]{1,2}", "HH12": "[0-9]{1,2}", "HH": "[0-9]{1,2}",
        "MI": "[0-9]{1,2}", "SS": "[0-9]{1,2}", "MS": "[0-9]{1,3}", "US": "[0-9]{1,6}",
        "AM": "am|pm", "PM": "am|pm",
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
        if field:
            if field.upper() in fields:
                raise arguments.source.invalid(spot, f"{field} is in the format twice")
            fields.append(field.upper())
            parts.append(f"({_FIELDS[field.upper()]})")
        elif plain.isalnum():
            raise arguments.source.unsupported(spot, f'"{plain}" in a format of {name}')
        else:
            parts.append(re.escape(quoted or plain))
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


def _whole(fields: Mapping[str, Expression], name: str, otherwise: int) -> Expression:
    return cast(fields[name], INT32) if name in fields else _number(otherwise)


def _hour(fields: Mapping[str, Expression]) -> Expression:
    half = fields.get("AM", fields.get("PM"))
    name = next((name for name in ("HH24", "HH12", "HH") if name in fields), None)
    if name is None or (name == "HH24" and half is None):
        return _whole(fields, "HH24", 0)
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


def _seconds(fields: Mapping[str, Expression]) -> Expression:
    found = cast(_whole(fields, "SS", 0), FLOAT64)
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
    year = _whole(fields, "YYYY", 1)
    return call("make_date", [year, _month(fields), _whole(fields, "DD", 1)], DATE)


def _to_timestamp(arguments: Arguments) -> Expression:
    """to_timestamp(seconds), or to_timestamp(text, template)."""
    if len(arguments.values) == 1:
        return FUNCTIONS["to_timestamp"](arguments)
    fields = _parsed(arguments)
    parts = [
        _whole(fields, "YYYY", 1), _month(fields), _whole(fields, "DD", 1), _hour(fields),
        _whole(fields, "MI", 0), _seconds(fields),
    ]  # fmt: skip
    return cast(call("make_timestamp", parts, TIMESTAMP), TIMESTAMPTZ)


TIME_FORMATS: Final[Mapping[str, Builder]] = MappingProxyType(
    {"to_date": _to_date, "to_timestamp": _to_timestamp}
)
