"""Dates, timestamps and intervals: arithmetic in months, days and microseconds, as PostgreSQL does.

timestamptz is computed in UTC: an instance has no session time zone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from antiphon.protocol.expression import Call
from antiphon.protocol.schema import INTERVAL, TypeKind
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.vector import Mask, Values, Vector, both_valid

DAY_US: Final = 86_400_000_000
_DAY_SECONDS: Final = 86_400
_INTERVAL_DTYPE: Final = np.dtype(
    [("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)]
)
OVERFLOW: Final = "datetime_field_overflow"
_INSTANTS: Final = (TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ)
_INT32_MAX: Final = 2**31 - 1
# PostgreSQL's range of timestamps, in microseconds; dates have the same in days.
INSTANT_MIN: Final = -210_866_803_200_000_000
INSTANT_MAX: Final = 9_223_371_331_200_000_000
DAY_MIN: Final = INSTANT_MIN // DAY_US
DAY_MAX: Final = INSTANT_MAX // DAY_US - 1
_NANOSECONDS_MAX: Final = (2**63 - 1) // 1000


def arithmetic(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    kinds = tuple(a.type.kind for a in arguments)
    valid = both_valid(*arguments)
    if call.type.kind is TypeKind.INTERVAL:
        return _interval(frame, call, arguments, valid)
    left, right = arguments if call.function != "negate" else (arguments[0], arguments[0])
    if call.type.is_integer:  # date - date
        days = left.values.astype(np.int64) - right.values
        return _narrowed(frame, call, days, valid)
    if TypeKind.INTERVAL in kinds:
        instant, interval = (right, left) if kinds[0] is TypeKind.INTERVAL else (left, right)
        sign = -1 if call.function == "subtract" else 1
        moved, wrong = shift(as_instant(instant), interval.values, sign)
        return _instant(frame, call, moved, wrong, valid)
    first, second = (right, left) if left.type.is_integer else (left, right)  # date ± integer
    offset = second.values.astype(np.int64)
    days = first.values + (offset if call.function == "add" else -offset)
    return _narrowed(frame, call, days, valid)


def as_instant(vector: Vector) -> npt.NDArray[np.int64]:
    """Microseconds since 1970-01-01 of a date or a timestamp."""
    if vector.type.kind is TypeKind.DATE:
        return vector.values.astype(np.int64) * DAY_US
    return vector.values


def days_of(instants: Values) -> npt.NDArray[np.int64]:
    days: npt.NDArray[np.int64] = instants // DAY_US
    return days


def shift(
    instants: npt.NDArray[np.int64], intervals: Values, sign: int
) -> tuple[npt.NDArray[np.int64], Mask]:
    """Instants moved by intervals: months (the day clamped to the month's last), days, time."""
    months = sign * intervals["months"].astype(np.int64)
    days = sign * intervals["days"].astype(np.int64)
    microseconds = sign * (intervals["nanoseconds"] // 1000)
    day, time = np.divmod(instants, DAY_US)
    if months.any():
        day = _add_months(day, months)
    day = day + days
    # Sums of days are far from their 64 bits; only those that are within the range are multiplied.
    carried, time = np.divmod(time + microseconds, DAY_US)
    day = day + carried
    wrong = (day < DAY_MIN) | (day > DAY_MAX)
    return np.where(wrong, 0, day) * DAY_US + time, wrong


def _add_months(
    days: npt.NDArray[np.int64], months: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    dates = days.astype("datetime64[D]")
    month = dates.astype("datetime64[M]")
    day_of_month = (dates - month.astype("datetime64[D]")).astype(np.int64)
    target = month + months.astype("timedelta64[M]")
    first = target.astype("datetime64[D]").astype(np.int64)
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64) - 1
    moved: npt.NDArray[np.int64] = np.minimum(first + day_of_month, last)
    return moved


def _instant(
    frame: Frame, call: Call, moved: npt.NDArray[np.int64], wrong: Mask, valid: Mask | None
) -> Vector:
    if wrong.any():
        fail_valid(frame, call, wrong, valid, OVERFLOW, f"{call.type} out of range")
    if call.type.kind is TypeKind.DATE:
        return Vector.of_values(call.type, days_of(moved).astype(np.int32), valid)
    return Vector.of_values(call.type, moved, valid)


def _narrowed(frame: Frame, call: Call, days: npt.NDArray[np.int64], valid: Mask | None) -> Vector:
    """To a date or an integer type."""
    dtype = {TypeKind.INT64: np.int64, TypeKind.INT16: np.int16}.get(call.type.kind, np.int32)
    narrow = days.astype(dtype)
    wrong = narrow != days
    if call.type.kind is TypeKind.DATE:
        wrong |= (days < DAY_MIN) | (days > DAY_MAX)
    if wrong.any():
        fail_valid(frame, call, wrong, valid, OVERFLOW, f"{call.type} out of range")
    return Vector.of_values(call.type, narrow, valid)


def _interval(frame: Frame, call: Call, arguments: list[Vector], valid: Mask | None) -> Vector:
    left = arguments[0]
    right = arguments[-1]
    match call.function:
        case "subtract" if left.type.kind in (*_INSTANTS, TypeKind.DATE):
            end, start = as_instant(left), as_instant(right)
            span = end - start
            wraps = ((end ^ start) & (end ^ span)) < 0
            fail_valid(frame, call, wraps, valid, OVERFLOW, "interval out of range")
            span = np.where(wraps, 0, span)
            # Whole days stand apart, with the sign of the whole: '-1 days -02:00:00'.
            days = np.sign(span) * (np.abs(span) // DAY_US)
            return interval_of(frame, call, (0, days, span - days * DAY_US), valid)
        case "add" | "subtract":
            sign = -1 if call.function == "subtract" else 1
            first, second = parts_of(left.values), parts_of(right.values)
            parts = tuple(a + sign * b for a, b in zip(first, second, strict=True))
            return interval_of(frame, call, parts, valid)
        case "negate":
            return interval_of(frame, call, tuple(-p for p in parts_of(left.values)), valid)
        case "multiply" | "divide":
            interval, factor = (right, left) if left.type.is_numeric else (left, right)
            return _scaled(frame, call, interval, factor, valid)
        case _:
            raise AssertionError(f"no interval arithmetic: {call.function}")


def _scaled(
    frame: Frame, call: Call, interval: Vector, factor: Vector, valid: Mask | None
) -> Vector:
    """Fractions of months spill into days of a 30-day month, fractions of days into time."""
    by = factor.array.cast("float64", safe=False).to_numpy(zero_copy_only=False)
    divides = call.function == "divide"
    if divides:
        zero = by == 0
        fail_valid(frame, call, zero, valid, "division_by_zero", "division by zero")
        by = np.where(zero, 1.0, by)
    wrong = np.isnan(by) if divides else ~np.isfinite(by)
    fail_valid(frame, call, wrong, valid, OVERFLOW, "interval out of range")
    by = np.where(wrong, 1.0, by)
    # Divided as such: 49 times the inverse of 49 is not 1.
    scaled = np.divide if divides else np.multiply
    months, days, microseconds = (scaled(part, by) for part in parts_of(interval.values))
    whole_months, whole_days = np.trunc(months), np.trunc(days)
    spilled = np.round((months - whole_months) * 30, 6)
    whole_spilled = np.trunc(spilled)
    seconds = np.round((days - whole_days + spilled - whole_spilled) * _DAY_SECONDS, 6)
    carried = np.trunc(seconds / _DAY_SECONDS)
    seconds = seconds - carried * _DAY_SECONDS
    microseconds = np.rint(microseconds + seconds * 1e6)
    days = whole_days + whole_spilled + carried
    return interval_of(frame, call, (whole_months, days, microseconds), valid)


def parts_of(intervals: Values) -> tuple[Values, Values, Values]:
    """(months, days, microseconds), 64 bits wide."""
    return (
        intervals["months"].astype(np.int64),
        intervals["days"].astype(np.int64),
        intervals["nanoseconds"] // 1000,
    )


def interval_of(
    frame: Frame, call: Call, parts: tuple[Values | int, ...], valid: Mask | None
) -> Vector:
    """An interval of (months, days, microseconds); what does not fit is an error of the row."""
    months, days, microseconds = parts
    wrong = np.abs(np.zeros(frame.count) + months) > _INT32_MAX
    wrong |= np.abs(np.zeros(frame.count) + days) > _INT32_MAX
    wrong |= np.abs(np.zeros(frame.count) + microseconds) > _NANOSECONDS_MAX
    if wrong.any():
        fail_valid(frame, call, wrong, valid, OVERFLOW, "interval out of range")
    values = np.zeros(frame.count, _INTERVAL_DTYPE)
    with np.errstate(invalid="ignore"):
        values["months"] = np.asarray(months).astype(np.int64)
        values["days"] = np.asarray(days).astype(np.int64)
        values["nanoseconds"] = np.asarray(microseconds).astype(np.int64) * 1000
    return Vector.of_values(INTERVAL, values, valid)
