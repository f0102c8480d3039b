"""Conditions on the current time in what is kept up to date.

A view has no time of its own: its rows come and go as time passes. So a part of WHERE that compares
the clock with something of the row becomes the moment at which the row comes, or goes:

    now() >= x      from x on                   now() < x       until x
    now() > x       from just after x on        now() <= x      until just after x

What is added to the clock or taken from it moves to the other side. The current date, and the clock
cut off by date_trunc, go from one *mark* to the next; comparisons with them change at marks alone.
To marks that are whole days or coarser months may be added, or taken from them: of a later day the
result is never earlier, so from one mark on it is late enough. Of an instant that is not so: a
month before March 28, 23:00, is later than one before March 29, 1:00, and a row would come again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import cast, coerce
from antiphon.controller.sql.binding.types import type_from_sql
from antiphon.controller.sql.parsing.syntax import describe, function_name
from antiphon.controller.sql.scalars.functions import CLOCKS, call
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.scalars.temporal import CLOCK_HINT
from antiphon.protocol.expression import Expression, Interval, Literal
from antiphon.protocol.schema import DATE, INTERVAL, TEXT, TIMESTAMP, TIMESTAMPTZ

# What may ask for the time of the statement.
CLOCK_WORDS: Final = re.compile(r"now|current_|localtime|clock|today", re.IGNORECASE)
_MIRRORED: Final[Mapping[type[exp.Expr], type[exp.Expr]]] = MappingProxyType(
    {exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.EQ: exp.EQ}
)
_INSTANT: Final = Interval(microseconds=1)
_JUST_BEFORE: Final = Interval(microseconds=-1)
_SECOND: Final = 1_000_000
_UNITS: Final[Mapping[str, Interval]] = MappingProxyType(
    {
        "second": Interval(microseconds=_SECOND), "minute": Interval(microseconds=60 * _SECOND),
        "hour": Interval(microseconds=3_600 * _SECOND), "day": Interval(days=1),
        "week": Interval(days=7), "month": Interval(months=1), "quarter": Interval(months=3),
        "year": Interval(months=12),
    }
)  # fmt: skip
_WHOLE_DAYS: Final = frozenset({"day", "week", "month", "quarter", "year"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """When a row is there: from `valid_from` on, until just before `valid_until`; None: open."""

    valid_from: Expression | None = None
    valid_until: Expression | None = None

    @property
    def bounds(self) -> tuple[Expression, ...]:
        return tuple(b for b in (self.valid_from, self.valid_until) if b is not None)


def asks_clock(node: exp.Expr) -> bool:
    """Whether the current time is mentioned."""
    return any(_is_clock(found) for found in node.walk())


def split_between(node: exp.Expr) -> list[exp.Expr]:
    """`a BETWEEN b AND c` as its two comparisons; everything else as it is."""
    if not isinstance(node, exp.Between) or node.args.get("symmetric"):
        return [node]
    return [
        exp.GTE(this=node.this, expression=node.args["low"]),
        exp.LTE(this=node.this, expression=node.args["high"]),
    ]


def validity(scalars: Scalars, node: exp.Expr) -> Validity:
    """What a comparison with the clock says of a row.

    Raises:
        UnsupportedSql: the clock stands in it in another way.
        TypeMismatch: it is compared with what is neither a date nor a time.
    """
    kind = type(node)
    if kind not in _MIRRORED:
        raise scalars.source.unsupported(node, f"the current time in {describe(node)}", CLOCK_HINT)
    ours, other = _plain(node.this), _plain(node.expression)
    if asks_clock(other):
        ours, other, kind = other, ours, _MIRRORED[kind]
    if asks_clock(other):
        raise scalars.source.unsupported(node, "the current time on both sides", CLOCK_HINT)
    told = _told(scalars, ours)
    value = _moment(scalars, other)
    for function, amount in told.offsets:
        value = fold(call(function, (value, Literal(value=amount, type=INTERVAL)), TIMESTAMP))
    if told.unit is not None:
        return _of_marks(kind, value, told.unit, told.months)
    if kind is exp.EQ:
        raise scalars.source.unsupported(node, "= with the current time", CLOCK_HINT)
    return _of_instants(kind, value)


def _is_clock(node: exp.Expr) -> bool:
    if isinstance(node, exp.Anonymous):
        return function_name(node) in CLOCKS and not node.expressions
    return isinstance(node, exp.CurrentTimestamp | exp.CurrentDate | exp.Localtimestamp)


def _plain(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What one side says of the clock: cut off to marks of `unit`, or to the instant; `months` are
    added to that; then what the other side gets instead of the rest, the outermost first."""

    unit: str | None
    months: int
    offsets: tuple[tuple[str, Interval], ...]


def _told(scalars: Scalars, node: exp.Expr) -> _Told:
    source, whole = scalars.source, node
    as_date = isinstance(node, exp.Cast) and isinstance(_plain(node.this), exp.Add | exp.Sub)
    if as_date:
        if type_from_sql(source, node.args["to"], node) != DATE:
            raise source.unsupported(node, f"the current time in {describe(node)}", CLOCK_HINT)
        node = _plain(node.this)
    amounts: list[tuple[int, Interval]] = []  # (1 or -1: added or subtracted, how much)
    while isinstance(node, exp.Add | exp.Sub):
        left, right = _plain(node.this), _plain(node.expression)
        added = isinstance(node, exp.Add)
        if added and asks_clock(right):
            left, right = right, left
        if asks_clock(right):
            raise source.unsupported(node, "the current time subtracted", CLOCK_HINT)
        amounts.append((1 if added else -1, _amount(scalars, right)))
        node = left
    unit = _unit(scalars, node)
    by_day = unit in _WHOLE_DAYS
    if as_date and not (by_day and all(not amount.microseconds for _, amount in amounts)):
        raise source.unsupported(whole, "the current time as date", CLOCK_HINT)
    months = 0
    if amounts and by_day:  # the innermost may have months: they are added before all else
        sign, amount = amounts[-1]
        months = sign * amount.months
        amounts[-1] = sign, replace(amount, months=0)
    if any(amount.months for _, amount in amounts):
        hint = "; rows would go and come again at the end of a month: add them to the other side"
        hint += ", or to current_date"
        raise source.unsupported(whole, "the current time with months", hint)
    offsets = tuple(
        ("subtract" if sign > 0 else "add", amount)
        for sign, amount in amounts
        if amount != Interval()
    )
    return _Told(unit=unit, months=months, offsets=offsets)


def _unit(scalars: Scalars, node: exp.Expr) -> str | None:
    """How coarsely the clock is told; None: to the instant."""
    source = scalars.source
    if isinstance(node, exp.CurrentDate):
        return "day"
    if _is_clock(node):
        return None
    if isinstance(node, exp.Cast):
        wanted = type_from_sql(source, node.args["to"], node)
        if wanted not in (DATE, TIMESTAMP, TIMESTAMPTZ):
            raise source.unsupported(node, f"the current time as {wanted}", CLOCK_HINT)
        unit = _unit(scalars, _plain(node.this))
        return "day" if wanted == DATE and unit not in _WHOLE_DAYS else unit
    if isinstance(node, exp.Anonymous) and function_name(node) == "date_trunc":
        field = node.expressions[0] if len(node.expressions) == 2 else None
        name = field.name.lower() if isinstance(field, exp.Literal) else ""
        if name in _UNITS and _unit(scalars, _plain(node.expressions[1])) is None:
            return name
    raise source.unsupported(node, f"the current time in {describe(node)}", CLOCK_HINT)


def _amount(scalars: Scalars, node: exp.Expr) -> Interval:
    """A constant interval; a whole number counts days."""
    value = fold(scalars.lower(node))
    if isinstance(value, Literal) and value.type.is_integer and isinstance(value.value, int):
        return Interval(days=value.value)
    if not isinstance(value, Literal) or not isinstance(value.value, Interval):
        hint = "; add it to the other side"
        raise scalars.source.unsupported(node, "the current time with what is no constant", hint)
    return value.value


def _moment(scalars: Scalars, node: exp.Expr) -> Expression:
    value = scalars.typed(node)
    what = "what the current time is compared with"
    moment = getattr(value, "type", None)
    if moment in (DATE, TIMESTAMP, TIMESTAMPTZ):
        return cast(coerce(scalars.source, node, value, moment, what), TIMESTAMP)
    return cast(coerce(scalars.source, node, value, TIMESTAMPTZ, what), TIMESTAMP)


def _of_instants(kind: type[exp.Expr], value: Expression) -> Validity:
    if kind is exp.GTE:
        return Validity(valid_from=value)
    if kind is exp.GT:
        return Validity(valid_from=_plus(value, _INSTANT))
    return Validity(valid_until=value if kind is exp.LT else _plus(value, _INSTANT))


def _of_marks(kind: type[exp.Expr], value: Expression, unit: str, months: int) -> Validity:
    """The clock, cut off to marks and with months added, compared with `value`."""
    at_or_after = _mark(_next(value, "day" if months else unit), unit, months)
    after = _mark(_later(value, "day" if months else unit), unit, months)
    if kind is exp.EQ:
        return Validity(valid_from=at_or_after, valid_until=after)
    if kind in (exp.GTE, exp.GT):
        return Validity(valid_from=at_or_after if kind is exp.GTE else after)
    return Validity(valid_until=at_or_after if kind is exp.LT else after)


def _mark(value: Expression, unit: str, months: int) -> Expression:
    """The first mark that, with the months added, is at or after `value`; that is a mark itself,
    or a day if there are months."""
    if not months:
        return value
    day = _before_months(value, months)
    return day if unit == "day" else _next(day, unit)


def _before_months(day: Expression, months: int) -> Expression:
    """The first day that, with the months added, is `day` or later: the same day of another month,
    or the first of the next where that month is too short."""
    first = _cut(day, "month")
    moved = _plus(first, Interval(months=-months))
    into = fold(call("subtract", (day, first), INTERVAL))
    same = fold(call("add", (moved, into), TIMESTAMP))
    return fold(call("least", (same, _plus(moved, Interval(months=1))), TIMESTAMP))


def _next(value: Expression, unit: str) -> Expression:
    """The first mark at or after `value`."""
    return _later(_plus(value, _JUST_BEFORE), unit)


def _later(value: Expression, unit: str) -> Expression:
    """The first mark after `value`."""
    return _plus(_cut(value, unit), _UNITS[unit])


def _plus(value: Expression, amount: Interval) -> Expression:
    return fold(call("add", (value, Literal(value=amount, type=INTERVAL)), TIMESTAMP))


def _cut(value: Expression, unit: str) -> Expression:
    return fold(call("date_trunc", (Literal(value=unit, type=TEXT), value), TIMESTAMP))
