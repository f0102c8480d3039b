"""Conditions on the current time in what is kept up to date.

A view has no time of its own: its rows come and go as time passes. So a part of WHERE that compares
the clock with something of the row becomes the moment at which the row comes, or goes:

    now() >= x      from x on                   now() < x       until x
    now() > x       from just after x on        now() <= x      until just after x

What is added to the clock or taken from it moves to the other side, which is exact but for months:
these have no fixed length. The current date compares as whole days do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.coercion import cast, coerce
from antiphon.controller.sql.fold import fold
from antiphon.controller.sql.functions import CLOCKS, call
from antiphon.controller.sql.literal_text import DAY_MICROSECONDS
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.syntax import describe, function_name
from antiphon.controller.sql.temporal import CLOCK_HINT
from antiphon.controller.sql.types import type_from_sql
from antiphon.protocol.expression import Expression, Interval, Literal
from antiphon.protocol.schema import DATE, INTERVAL, TEXT, TIMESTAMP, TIMESTAMPTZ

_MIRRORED: Final[Mapping[type[exp.Expr], type[exp.Expr]]] = MappingProxyType(
    {exp.LT: exp.GT, exp.LTE: exp.GTE, exp.GT: exp.LT, exp.GTE: exp.LTE, exp.EQ: exp.EQ}
)
_INSTANT: Final = Interval(microseconds=1)
_DAY: Final = Interval(days=1)
_NEARLY_A_DAY: Final = Interval(microseconds=DAY_MICROSECONDS - 1)


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
    by_day, offsets = _taken_apart(scalars, ours)
    value = _moment(scalars, other)
    for function, amount in offsets:
        value = fold(call(function, (value, Literal(value=amount, type=INTERVAL)), TIMESTAMP))
    if by_day:
        return _of_days(kind, value)
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


def _taken_apart(scalars: Scalars, node: exp.Expr) -> tuple[bool, list[tuple[str, Interval]]]:
    """Of `clock + a - b`: whether the clock tells days only, and what the other side gets instead,
    the outermost first."""
    offsets: list[tuple[str, Interval]] = []
    while isinstance(node, exp.Add | exp.Sub):
        left, right = _plain(node.this), _plain(node.expression)
        opposite = "subtract"
        if isinstance(node, exp.Sub):
            opposite = "add"
        elif asks_clock(right):
            left, right = right, left
        if asks_clock(right):
            raise scalars.source.unsupported(node, "the current time subtracted", CLOCK_HINT)
        offsets.append((opposite, _amount(scalars, right)))
        node = left
    by_day = isinstance(node, exp.CurrentDate)
    if isinstance(node, exp.Cast) and _is_clock(_plain(node.this)):
        wanted = type_from_sql(scalars.source, node.args["to"], node)
        if wanted not in (DATE, TIMESTAMP, TIMESTAMPTZ):
            raise scalars.source.unsupported(node, f"the current time as {wanted}", CLOCK_HINT)
        by_day = wanted == DATE or isinstance(_plain(node.this), exp.CurrentDate)
    elif not _is_clock(node):
        raise scalars.source.unsupported(node, f"the current time in {describe(node)}", CLOCK_HINT)
    return by_day, offsets


def _amount(scalars: Scalars, node: exp.Expr) -> Interval:
    """A constant interval of fixed length; a whole number counts days."""
    value = fold(scalars.lower(node))
    if isinstance(value, Literal) and value.type.is_integer and isinstance(value.value, int):
        return Interval(days=value.value)
    if not isinstance(value, Literal) or not isinstance(value.value, Interval):
        hint = "; add it to the other side"
        raise scalars.source.unsupported(node, "the current time with what is no constant", hint)
    if value.value.months:
        hint = "; months have no fixed length: add them to the other side"
        raise scalars.source.unsupported(node, "the current time with months", hint)
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


def _of_days(kind: type[exp.Expr], value: Expression) -> Validity:
    """Midnights: the first at or after `value`, and the first after it."""
    at_or_after, after = _midnight(_plus(value, _NEARLY_A_DAY)), _midnight(_plus(value, _DAY))
    if kind is exp.EQ:
        return Validity(valid_from=at_or_after, valid_until=after)
    if kind in (exp.GTE, exp.GT):
        return Validity(valid_from=at_or_after if kind is exp.GTE else after)
    return Validity(valid_until=at_or_after if kind is exp.LT else after)


def _plus(value: Expression, amount: Interval) -> Expression:
    return fold(call("add", (value, Literal(value=amount, type=INTERVAL)), TIMESTAMP))


def _midnight(value: Expression) -> Expression:
    return fold(call("date_trunc", (Literal(value="day", type=TEXT), value), TIMESTAMP))
