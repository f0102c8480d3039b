"""Arithmetic on dates, times and intervals, and what the clock's names mean."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.binding.coercion import Typed, Unknown, cast, settle
from antiphon.controller.sql.parsing.literal_text import DAY_MICROSECONDS
from antiphon.controller.sql.parsing.source import Source, Spot
from antiphon.controller.sql.scalars.functions import call
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.schema import (
    DATE,
    FLOAT64,
    INT32,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
)
from antiphon.protocol.zone_names import UTC, iana_name

# Where the clock may stand in what has no time of its own.
CLOCK_HINT: Final = (
    "; in what is kept up to date, WHERE may compare now() with something of the row"
)
_STAMPS: Final = (TIMESTAMP, TIMESTAMPTZ)
_TEMPORAL: Final = (DATE, TIMESTAMP, TIMESTAMPTZ, INTERVAL)


def arithmetic(
    source: Source, spot: Spot, function: str, left: Typed, right: Typed
) -> Expression | None:
    """`left function right` where one side is a date, a time or an interval; None where none is.

    Raises:
        TypeMismatch: there is no such operator.
    """
    kinds = [None if isinstance(side, Unknown) else side.type for side in (left, right)]
    if not any(kind in _TEMPORAL for kind in kinds):
        return None
    a, b = _settle_both(source, spot, function, left, right)
    if function == "add" and a.type not in (DATE, *_STAMPS) and b.type in (DATE, *_STAMPS):
        a, b = b, a
    result = _operate(function, a, b)
    if result is None:
        shown = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}.get(function, "%")
        raise source.mismatch(spot, f"there is no operator {a.type} {shown} {b.type}")
    return result


def _settle_both(
    source: Source, spot: Spot, function: str, left: Typed, right: Typed
) -> tuple[Expression, Expression]:
    """A literal without a type: an interval where it is added, the other side's type where it is
    subtracted; as PostgreSQL resolves the operator."""
    if isinstance(left, Unknown):
        assert not isinstance(right, Unknown), "one side has a type"
        return settle(source, spot, left, _partner(function, right.type)), right
    if isinstance(right, Unknown):
        return left, settle(source, spot, right, _partner(function, left.type))
    return left, right


def _partner(function: str, kind: Type) -> Type:
    if kind == INTERVAL and function in ("multiply", "divide"):
        return FLOAT64
    return INTERVAL if function == "add" and kind != DATE else kind


def _operate(function: str, a: Expression, b: Expression) -> Expression | None:
    match function:
        case "add" | "subtract" if a.type == DATE and b.type.is_integer:
            return call(function, (a, cast(b, INT32)), DATE)
        case "add" | "subtract" if a.type in (DATE, *_STAMPS) and b.type == INTERVAL:
            stamp = cast(a, TIMESTAMP) if a.type == DATE else a
            return call(function, (stamp, b), stamp.type)
        case "subtract" if a.type == DATE and b.type == DATE:
            return call(function, (a, b), INT32)
        case "subtract" if a.type in (DATE, *_STAMPS) and b.type in (DATE, *_STAMPS):
            common = TIMESTAMPTZ if TIMESTAMPTZ in (a.type, b.type) else TIMESTAMP
            return call(function, (cast(a, common), cast(b, common)), INTERVAL)
        case "add" | "subtract" if a.type == INTERVAL and b.type == INTERVAL:
            return call(function, (a, b), INTERVAL)
        case "multiply" if a.type == INTERVAL and b.type.is_numeric:
            return call(function, (a, cast(b, FLOAT64)), INTERVAL)
        case "multiply" if a.type.is_numeric and b.type == INTERVAL:
            return call(function, (b, cast(a, FLOAT64)), INTERVAL)
        case "divide" if a.type == INTERVAL and b.type.is_numeric:
            return call(function, (a, cast(b, FLOAT64)), INTERVAL)
        case _:
            return None


def at_zone(source: Source, spot: Spot, zone: Expression, value: Expression) -> Expression:
    """`value AT TIME ZONE zone`: what clocks show there, or which instant it was.

    Raises:
        InvalidSql: no such zone. TypeMismatch: no time.
    """
    if value.type not in (DATE, *_STAMPS):
        raise source.mismatch(spot, f"AT TIME ZONE needs a timestamp, not {value.type}")
    given = cast(value, TIMESTAMPTZ) if value.type == DATE else value
    result = TIMESTAMP if given.type == TIMESTAMPTZ else TIMESTAMPTZ
    if zone.type != TEXT:
        raise source.mismatch(spot, f"AT TIME ZONE needs the name of a zone, not {zone.type}")
    if not isinstance(zone, Literal):
        return call("timezone_of", (zone, given), result)
    if zone.value is None:
        return null(result)
    assert isinstance(zone.value, str), "text"
    known = iana_name(zone.value)
    if known is None or not _is_zone(known):
        raise source.invalid(
            spot, f"'{zone.value}' is not the name of a time zone, as 'Europe/Berlin' is"
        )
    if known == UTC:
        return cast(given, result)
    return call("timezone", (Literal(value=known, type=TEXT), given), result)


def _is_zone(zone: str) -> bool:
    try:
        pc.assume_timezone(pa.array([0], pa.timestamp("us")), zone)
    except pa.ArrowInvalid:
        return False
    return True


def clock(node: exp.Expr, now_us: int) -> Literal:
    """The statement's time as current_date, localtimestamp or now()."""
    if isinstance(node, exp.CurrentDate):
        return Literal(value=now_us // DAY_MICROSECONDS, type=DATE)
    kind = TIMESTAMP if isinstance(node, exp.Localtimestamp) else TIMESTAMPTZ
    return Literal(value=now_us, type=kind)
