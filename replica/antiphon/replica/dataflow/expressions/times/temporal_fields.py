"""Fields of dates, timestamps and intervals, and truncation to them, as PostgreSQL counts them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.expression import Call
from antiphon.protocol.schema import TypeKind
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.numbers import decimals
from antiphon.replica.dataflow.expressions.times.temporal import (
    DAY_US,
    INSTANT_MAX,
    INSTANT_MIN,
    OVERFLOW,
    as_instant,
    interval_of,
    parts_of,
)
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

Integers = npt.NDArray[np.int64]
_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
# Fewer, beside any time of day, are microseconds in 64 bits.
_SHORT_SECONDS: Final = 4 * 10**12
_MICROSECONDS_A_UNIT: Final = {
    "microseconds": 1, "milliseconds": 1_000, "second": _SECOND, "minute": _MINUTE, "hour": _HOUR,
    "day": DAY_US,
}  # fmt: skip
_MONTHS_A_UNIT: Final = {
    "month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1_200, "millennium": 12_000,
}  # fmt: skip
_UNSUPPORTED: Final = "feature_not_supported"
# Units of extract that have digits after the point, and how many.
_DIGITS: Final = {"second": 6, "epoch": 6, "milliseconds": 3}


def _unit(call: Call, arguments: list[Vector]) -> str:
    literal = arguments[0].literal
    assert literal is not None, f"{call.function} names its field by a literal"
    assert isinstance(literal.value, str), f"{call.function} names its field by text"
    return literal.value


def _year_month(days: Integers) -> tuple[Integers, Integers, Integers]:
    """(year, month from 0, day of the month from 0); year 0 is 1 BC."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    count = months.astype(np.int64)
    day = (dates - months.astype("datetime64[D]")).astype(np.int64)
    return count // 12 + 1970, count % 12, day


def _first_day(months: Integers) -> Integers:
    """The day on which a month (counted from 1970) begins."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _trunc(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    unit, value = _unit(call, arguments), arguments[1]
    if value.type.kind is TypeKind.INTERVAL:
        return _trunc_interval(frame, call, unit, value)
    instants = as_instant(value)
    if unit in _MICROSECONDS_A_UNIT:
        size = _MICROSECONDS_A_UNIT[unit]
        found = instants // size * size
    elif unit == "week":
        days = instants // DAY_US
        found = (days - (days + 3) % 7) * DAY_US  # 1970-01-01 was a Thursday
    else:
        year, month, _ = _year_month(instants // DAY_US)
        if unit in ("century", "millennium"):  # they begin with the year 1
            size = _MONTHS_A_UNIT[unit] // 12
            first = ((year - 1) // size * size + 1 - 1970) * 12
        else:
            size = _MONTHS_A_UNIT[unit]
            first = (year * 12 + month) // size * size - 1970 * 12
        found = _first_day(first) * DAY_US
    return Vector.of_values(call.type, found, value.valid)


def _trunc_interval(frame: Frame, call: Call, unit: str, value: Vector) -> Vector:
    months, days, microseconds = parts_of(value.values)
    if unit == "week":
        every = np.ones(frame.count, np.bool_)
        fail_valid(frame, call, every, value.valid, _UNSUPPORTED, 'unit "week" of an interval')
    elif unit == "day":
        microseconds = microseconds * 0
    elif unit in _MICROSECONDS_A_UNIT:
        size = _MICROSECONDS_A_UNIT[unit]
        microseconds = _toward_zero(microseconds, size) * size
    else:
        size = _MONTHS_A_UNIT[unit]
        months = _toward_zero(months, size) * size
        days, microseconds = days * 0, microseconds * 0
    return interval_of(frame, call, (months, days, microseconds), value.valid)


def _toward_zero(values: Integers, size: int) -> Integers:
    found: Integers = np.sign(values) * (np.abs(values) // size)
    return found


def _extract(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    unit, value = _unit(call, arguments), arguments[1]
    if value.type.kind is TypeKind.INTERVAL and unit == "epoch":
        return _interval_epoch(frame, call, value)
    if value.type.kind is TypeKind.INTERVAL:
        scaled = _interval_field(frame, call, unit, value)
    else:
        scaled = _instant_field(unit, as_instant(value))
    digits = _DIGITS.get(unit, 0)
    if call.type.kind is TypeKind.DECIMAL:
        exact = decimals.of_integers(scaled, digits, value.valid)
        return decimals.fit(frame, call.function, exact, call.type)
    if call.type.is_float:
        floats = (scaled / 10.0**digits).astype(
            np.float64 if call.type.kind is TypeKind.FLOAT64 else np.float32
        )
        return Vector.of_values(call.type, floats, value.valid)
    width = {TypeKind.INT16: np.int16, TypeKind.INT32: np.int32}.get(call.type.kind, np.int64)
    return Vector.of_values(call.type, (scaled // 10**digits).astype(width), value.valid)


def _interval_epoch(frame: Frame, call: Call, value: Vector) -> Vector:
    """Seconds. A year has 365.25 days, a month 30. Of 292,277 years and more the microseconds would
    not be 64 bits."""
    months, days, time = parts_of(value.values)
    years = _toward_zero(months, 12)
    seconds = years * (1461 * DAY_US // 4 // _SECOND)
    seconds = seconds + ((months - years * 12) * 30 + days) * (DAY_US // _SECOND)
    if call.type.is_float:
        short = np.abs(seconds) < _SHORT_SECONDS
        exact = (np.where(short, seconds, 0) * _SECOND + np.where(short, time, 0)) / 10.0**6
        return Vector.of_values(
            call.type, np.where(short, exact, seconds + time / 10.0**6), value.valid
        )
    whole = decimals.of_integers(seconds, 0, value.valid).cast(pa.decimal128(25, 6))
    return decimals.fit(
        frame, call.function, pc.add(whole, decimals.of_integers(time, 6, value.valid)), call.type
    )


def _instant_field(unit: str, instants: Integers) -> Integers:
    """The field, times ten to the digits it has."""
    if unit == "epoch":
        return instants
    days, time = np.divmod(instants, np.int64(DAY_US))
    if unit in ("microseconds", "milliseconds", "second"):
        return np.asarray(time % _MINUTE)
    if unit in ("minute", "hour"):
        return np.asarray(time // _MINUTE % 60 if unit == "minute" else time // _HOUR)
    weekday = (days + 3) % 7  # 0: Monday
    if unit in ("week", "isoyear"):
        thursday = days - weekday + 3  # a week belongs to the year that has its Thursday
        year, _, _ = _year_month(thursday)
        if unit == "isoyear":
            return _counted(year)
        return np.asarray((thursday - _first_day((year - 1970) * 12)) // 7 + 1)
    if unit in ("dow", "isodow"):
        return np.asarray((weekday + 1) % 7 if unit == "dow" else weekday + 1)
    year, month, day = _year_month(days)
    if unit == "doy":
        return days - _first_day((year - 1970) * 12) + 1
    if unit in ("day", "month", "quarter"):
        return {"day": day + 1, "month": month + 1, "quarter": month // 3 + 1}[unit]
    if unit == "decade":
        return year // 10
    return _counted(year) if unit == "year" else _era(year, unit)


def _counted(year: Integers) -> Integers:
    """There is no year 0: before year 1 came year -1."""
    return np.where(year > 0, year, year - 1)


def _era(year: Integers, unit: str) -> Integers:
    size = 100 if unit == "century" else 1_000
    return np.where(year > 0, (year + size - 1) // size, -((size - year) // size))


def _interval_field(frame: Frame, call: Call, unit: str, value: Vector) -> Integers:
    months, days, time = parts_of(value.values)
    years = _toward_zero(months, 12)
    if unit in ("microseconds", "milliseconds", "second"):
        return np.asarray(np.sign(time) * (np.abs(time) % _MINUTE))
    if unit == "minute":
        return np.asarray(np.sign(time) * (np.abs(time) // _MINUTE % 60))
    rest = months - years * 12
    fields = {
        "hour": _toward_zero(time, _HOUR), "day": days, "month": rest,
        "quarter": _toward_zero(rest, 3) + 1, "year": years, "decade": _toward_zero(years, 10),
        "century": _toward_zero(years, 100), "millennium": _toward_zero(years, 1_000),
    }  # fmt: skip
    if unit in fields:
        return fields[unit]
    every = np.ones(frame.count, np.bool_)
    fail_valid(frame, call, every, value.valid, _UNSUPPORTED, f'unit "{unit}" of an interval')
    return np.zeros(frame.count, np.int64)


def _age(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The difference in years, months, days and time: borrowing as a calendar does."""
    first, second = (as_instant(argument) for argument in arguments)
    valid = both_valid(*arguments)
    negative = first < second
    late, early = np.where(negative, second, first), np.where(negative, first, second)
    late_day, late_time = np.divmod(late, np.int64(DAY_US))
    early_day, early_time = np.divmod(early, np.int64(DAY_US))
    late_year, late_month, late_date = _year_month(late_day)
    year, month, date = _year_month(early_day)
    time = late_time - early_time
    days = late_date - date - (time < 0)
    time = np.where(time < 0, time + DAY_US, time)
    months = (late_year - year) * 12 + late_month - month
    number = (year - 1970) * 12 + month
    length = _first_day(number + 1) - _first_day(number)
    for _ in range(2):  # a short month may have to be borrowed twice
        months = months - (days < 0)
        days = np.where(days < 0, days + length, days)
    sign = np.where(negative, -1, 1)
    return interval_of(frame, call, (sign * months, sign * days, sign * time), valid)


def _to_timestamp(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """From seconds since 1970-01-01."""
    value = arguments[0]
    seconds = value.values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        instants = np.rint(seconds * 1e6)
    good = (instants >= INSTANT_MIN) & (instants <= INSTANT_MAX)
    fail_valid(frame, call, ~good, value.valid, OVERFLOW, "timestamp out of range")
    return Vector.of_values(call.type, np.where(good, instants, 0).astype(np.int64), value.valid)


def _make_date(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    year, month, day = (argument.values.astype(np.int64) for argument in arguments)
    valid = both_valid(*arguments)
    days, good = days_from(year, month, day)
    message = "date field value out of range"
    fail_valid(frame, call, ~good, valid, OVERFLOW, message)
    return Vector.of_values(call.type, days.astype(np.int32), valid)


def days_from(year: Integers, month: Integers, day: Integers) -> tuple[Integers, Mask]:
    """(days since 1970-01-01, where there is such a day); year -1 came before year 1."""
    good: Mask = (year != 0) & (np.abs(year) < 300_000) & (month >= 1) & (month <= 12)
    year = np.where(year < 0, year + 1, year)
    number = np.where(good, (year - 1970) * 12 + month - 1, 0)
    first, following = _first_day(number), _first_day(number + 1)
    good &= (day >= 1) & (day <= following - first)
    return np.where(good, first + day - 1, 0), good


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "date_trunc": _trunc,
    "extract": _extract,
    "date_part": _extract,
    "age": _age,
    "to_timestamp": _to_timestamp,
    "make_date": _make_date,
}
