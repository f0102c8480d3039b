"""Times and intervals made of numbers, put into bins, and brought into order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.times.temporal import (
    DAY_US,
    INSTANT_MAX,
    INSTANT_MIN,
    OVERFLOW,
    as_instant,
    interval_of,
    parts_of,
)
from antiphon.replica.dataflow.expressions.times.temporal_fields import days_from
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

Integers = npt.NDArray[np.int64]
_MONTH_DAYS: Final = 30
_SECOND: Final = 1_000_000


def _whole(argument: Vector) -> Integers:
    return argument.values.astype(np.int64)


def _make_timestamp(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(year, month, day, hour, minute, seconds with a fraction)."""
    year, month, day, hour, minute = (_whole(argument) for argument in arguments[:5])
    seconds, valid = arguments[5].values, both_valid(*arguments)
    days, good = days_from(year, month, day)
    good &= (hour >= 0) & (minute >= 0) & (minute <= 59) & (seconds >= 0) & (seconds <= 60)
    with np.errstate(invalid="ignore"):
        whole = np.rint(np.where(good, seconds, 0) * 1e6).astype(np.int64)
    time = (np.where(good, hour, 0) * 60 + np.where(good, minute, 0)) * 60 * _SECOND + whole
    good &= (hour <= 24) & (time <= DAY_US)
    moment = np.where(good, days * float(DAY_US), 0)
    good &= (moment >= INSTANT_MIN) & (moment < INSTANT_MAX - DAY_US)
    message = "date/time field value out of range"
    fail_valid(frame, call, ~good, valid, OVERFLOW, message)
    return Vector.of_values(call.type, np.where(good, days, 0) * DAY_US + time * good, valid)


def _make_interval(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(years, months, weeks, days, hours, minutes, seconds with a fraction)."""
    years, months, weeks, days, hours, minutes = (_whole(a) for a in arguments[:6])
    seconds, valid = arguments[6].values, both_valid(*arguments)
    far = ~(np.abs(seconds) < 1e12)
    fail_valid(frame, call, far, valid, OVERFLOW, "interval out of range")
    time = np.rint(np.where(far, 0, seconds) * 1e6).astype(np.int64)
    time = time + (hours * 60 + minutes) * 60 * _SECOND
    return interval_of(frame, call, (years * 12 + months, weeks * 7 + days, time), valid)


def _date_bin(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(width, moment, origin): the start of the bin, of those that `origin` begins one of."""
    months, days, time = parts_of(arguments[0].values)
    moment, origin = (as_instant(argument) for argument in arguments[1:])
    valid = both_valid(*arguments)
    width = days * DAY_US + time
    too_wide = np.abs(days * float(DAY_US) + time) > INSTANT_MAX
    far = np.abs(moment.astype(np.float64) - origin) > INSTANT_MAX
    message = "timestamps cannot be binned into intervals containing months or years"
    fail_valid(frame, call, months != 0, valid, "feature_not_supported", message)
    fail_valid(frame, call, too_wide | far, valid, OVERFLOW, "interval out of range")
    bad = width <= 0
    fail_valid(frame, call, bad, valid, OVERFLOW, "stride must be greater than zero")
    distance = np.where(too_wide | far, 0, moment - origin)
    width = np.where(bad | too_wide, 1, width)
    found = origin + distance // width * width
    low = found < INSTANT_MIN
    fail_valid(frame, call, low, valid, OVERFLOW, "timestamp out of range")
    return Vector.of_values(call.type, found, valid)


def _carried(high: Integers, low: Integers, size: int) -> tuple[Integers, Integers]:
    """Whole `size`s of `low` as `high`."""
    whole = np.sign(low) * (np.abs(low) // size)
    return high + whole, low - whole * size


def _one_sign(
    high: Integers, low: Integers, size: int, ahead: Mask, behind: Mask
) -> tuple[Integers, Integers]:
    """One of `high` less and as much more of `low` where it is `ahead`, and the other way."""
    change = np.where(ahead, 1, np.where(behind, -1, 0))
    return high - change, low + change * size


def _justify(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Days of hours, months of days, or both; what remains has the sign of the whole."""
    value = arguments[0]
    months, days, time = parts_of(value.values)
    if call.function != "justify_days":
        days, time = _carried(days, time, DAY_US)
    if call.function != "justify_hours":
        months, days = _carried(months, days, _MONTH_DAYS)
        rest = days if call.function == "justify_days" else np.where(days == 0, time, days)
        ahead, behind = (months > 0) & (rest < 0), (months < 0) & (rest > 0)
        months, days = _one_sign(months, days, _MONTH_DAYS, ahead, behind)
    if call.function != "justify_days":
        ahead, behind = (days > 0) & (time < 0), (days < 0) & (time > 0)
        days, time = _one_sign(days, time, DAY_US, ahead, behind)
    return interval_of(frame, call, (months, days, time), value.valid)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "make_timestamp": _make_timestamp,
    "make_interval": _make_interval,
    "date_bin": _date_bin,
    "justify_days": _justify,
    "justify_hours": _justify,
    "justify_interval": _justify,
}
