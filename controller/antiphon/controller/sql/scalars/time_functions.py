"""More functions of dates, times and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.expressions import any_of
from antiphon.controller.sql.binding.coercion import Typed, unify_compared
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.controller.sql.scalars import temporal
from antiphon.controller.sql.scalars.functions import (
    FUNCTIONS,
    Arguments,
    Builder,
    call,
    fixed,
    moment,
)
from antiphon.controller.sql.scalars.text_functions import text_literal
from antiphon.protocol.expression import Branch, Case, Expression, Interval, Literal, Value
from antiphon.protocol.schema import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT32,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
)

_INT32_MAX: Final = 2**31 - 1
_SECONDS_FAR: Final = 1e12  # with these, hours and minutes of 32 bits fit an interval
_PARTS: Final = (INT32, INT32, INT32, INT32, INT32, FLOAT64)  # year to second
# The parameters of functions whose arguments may be named.
NAMED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"make_interval": ("years", "months", "weeks", "days", "hours", "mins", "secs")}
)


_UTC: Final = Literal(value="UTC", type=TEXT)


def _zone(arguments: Arguments, index: int) -> Expression:
    return arguments.as_type(index, TEXT)


def _make_timestamptz(arguments: Arguments) -> Expression:
    """make_timestamptz(year, month, day, hour, minute, second [, zone])."""
    if not 6 <= len(arguments.values) <= 7:
        raise arguments.wrong()
    parts = [arguments.as_type(index, kind) for index, kind in enumerate(_PARTS)]
    made = call("make_timestamp", parts, TIMESTAMP)
    zone = _zone(arguments, 6) if len(arguments.values) == 7 else _UTC
    return temporal.at_zone(arguments.source, arguments.call, zone, made)


def _make_interval(arguments: Arguments) -> Expression:
    """make_interval(years, months, weeks, days, hours, mins, secs), each 0 if it is left out."""
    if len(arguments.values) > len(NAMED["make_interval"]):
        raise arguments.wrong()
    kinds = (*(INT32,) * 6, FLOAT64)
    parts: list[Expression] = [
        arguments.as_type(index, kinds[index]) for index in range(len(arguments.values))
    ]
    parts += [
        Literal(value=0.0 if kind == FLOAT64 else 0, type=kind) for kind in kinds[len(parts) :]
    ]
    made = _interval([part.value if isinstance(part, Literal) else None for part in parts])
    if made is not None:  # a constant, so that it can be added to the clock
        return Literal(value=made, type=INTERVAL)
    return call("make_interval", parts, INTERVAL)


def _interval(parts: Sequence[Value]) -> Interval | None:
    """Of constants that make one; None of others: replicas say what is wrong with those."""
    *whole, seconds = parts
    if not isinstance(seconds, float) or not all(isinstance(part, int) for part in whole):
        return None
    years, months, weeks, days, hours, minutes = (int(str(part)) for part in whole)
    months, days = years * 12 + months, weeks * 7 + days
    fits = max(abs(months), abs(days)) <= _INT32_MAX and abs(seconds) < _SECONDS_FAR
    if not fits:
        return None
    time = (hours * 60 + minutes) * 60_000_000 + round(seconds * 1e6)
    return Interval(months=months, days=days, microseconds=time)


def _date_bin(arguments: Arguments) -> Expression:
    """date_bin(width, moment, origin)."""
    if len(arguments.values) != 3:
        raise arguments.wrong()
    value = moment(arguments, 1)
    if value.type not in (TIMESTAMP, TIMESTAMPTZ):
        raise arguments.wrong()
    values = [arguments.as_type(0, INTERVAL), value, arguments.as_type(2, value.type)]
    return call("date_bin", values, value.type)


def _is_finite(arguments: Arguments) -> Expression:
    """Dates, times and intervals here always are."""
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value = arguments.settled(0, TIMESTAMP)
    if value.type not in (DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL):
        raise arguments.wrong()
    known = call("is_not_null", [value], BOOLEAN)
    return Case(
        branches=(Branch(condition=known, value=Literal(value=True, type=BOOLEAN)),),
        otherwise=Literal(value=None, type=BOOLEAN),
        type=BOOLEAN,
    )


def _trunc(arguments: Arguments) -> Expression:
    """date_trunc(field, moment [, zone]): the days and more of a zone begin by its clocks."""
    if len(arguments.values) != 3:
        return FUNCTIONS["date_trunc"](arguments)
    what = "date_trunc with a field that is not a literal"
    field = text_literal(arguments, 0, what).strip().lower().removesuffix("s")
    if field in _CLOCK_FIELDS:
        what = f"date_trunc to the {field} of a zone"
        raise arguments.source.unsupported(arguments.call, what, "; it may be there twice")
    spot, zone = arguments.call, _zone(arguments, 2)
    shown = temporal.at_zone(arguments.source, spot, zone, arguments.as_type(1, TIMESTAMPTZ))
    shorter = replace(arguments, values=(arguments.values[0], shown), spots=arguments.spots[:2])
    cut = FUNCTIONS["date_trunc"](shorter)
    return temporal.at_zone(arguments.source, spot, zone, cut)


_CLOCK_FIELDS: Final = ("microsecond", "millisecond", "second", "minute", "hour")


def _timezone(arguments: Arguments) -> Expression:
    """timezone(zone, moment), as moment AT TIME ZONE zone."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    value = arguments.settled(1, TIMESTAMP)
    return temporal.at_zone(arguments.source, arguments.call, _zone(arguments, 0), value)


def _moved(sign: str) -> Builder:
    def build(arguments: Arguments) -> Expression:
        """date_add, date_subtract(timestamptz, interval [, zone]): months and days by the clocks of
        the zone."""
        if not 2 <= len(arguments.values) <= 3:
            raise arguments.wrong()
        value, by = arguments.as_type(0, TIMESTAMPTZ), arguments.as_type(1, INTERVAL)
        if len(arguments.values) == 2:
            return call(sign, [value, by], TIMESTAMPTZ)
        zone, spot = _zone(arguments, 2), arguments.call
        days = call("date_trunc", [Literal(value="day", type=TEXT), by], INTERVAL)
        shown = temporal.at_zone(arguments.source, spot, zone, value)
        there = call(sign, [shown, days], TIMESTAMP)
        back = temporal.at_zone(arguments.source, spot, zone, there)
        return call(sign, [back, call("subtract", [by, days], INTERVAL)], TIMESTAMPTZ)

    return build


def overlap(source: Source, spot: Spot, first: list[Typed], second: list[Typed]) -> Expression:
    """(start, end) OVERLAPS (start, end): bounds in any order, an interval for an end; unknown
    where a bound that is null decides."""
    bounds = [*_bounds(source, spot, *first), *_bounds(source, spot, *second)]
    (start, end), (other, other_end) = bounds[:2], bounds[2:]

    def test(function: str, *values: Expression) -> Expression:
        return call(function, list(values), BOOLEAN)

    unknown = Literal(value=None, type=BOOLEAN)
    no: Expression = Literal(value=False, type=BOOLEAN)

    def reaches(from_: Expression, to: Expression, own: Expression) -> Expression:
        open_ = Case(
            branches=(Branch(condition=test("is_null", own), value=unknown),), otherwise=no,
            type=BOOLEAN,
        )  # fmt: skip
        return any_of([test("less", from_, to), open_])

    branches = (
        (any_of([test("is_null", start), test("is_null", other)]), unknown),
        (test("greater", start, other), reaches(start, other_end, end)),
        (test("less", start, other), reaches(other, end, other_end)),
        (any_of([test("is_null", end), test("is_null", other_end)]), unknown),
    )
    return Case(
        branches=tuple(Branch(condition=condition, value=value) for condition, value in branches),
        otherwise=Literal(value=True, type=BOOLEAN), type=BOOLEAN,
    )  # fmt: skip


def _bounds(source: Source, spot: Spot, one: Typed, other: Typed) -> tuple[Expression, Expression]:
    """(the first, the last; null if one of them is)."""
    if getattr(other, "type", None) == INTERVAL:
        moved = temporal.arithmetic(source, spot, "add", one, other)
        assert moved is not None, "an interval is added"
        other = moved
    a, b = unify_compared(source, (spot, spot), one, other, "OVERLAPS")
    if a.type not in (DATE, TIMESTAMP, TIMESTAMPTZ):
        raise source.mismatch(spot, f"OVERLAPS of {a.type}")
    unknown = any_of([call("is_null", [part], BOOLEAN) for part in (a, b)])
    last = Case(
        branches=(Branch(condition=unknown, value=Literal(value=None, type=a.type)),),
        otherwise=call("greatest", [a, b], a.type), type=a.type,
    )  # fmt: skip
    return call("least", [a, b], a.type), last


TIME_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        "make_timestamp": fixed("make_timestamp", TIMESTAMP, *_PARTS),
        "make_timestamptz": _make_timestamptz,
        "make_interval": _make_interval,
        "date_bin": _date_bin,
        "justify_days": fixed("justify_days", INTERVAL, INTERVAL),
        "justify_hours": fixed("justify_hours", INTERVAL, INTERVAL),
        "justify_interval": fixed("justify_interval", INTERVAL, INTERVAL),
        "isfinite": _is_finite,
        "timezone": _timezone,
        "date_trunc": _trunc,
        "date_add": _moved("add"),
        "date_subtract": _moved("subtract"),
    }
)
