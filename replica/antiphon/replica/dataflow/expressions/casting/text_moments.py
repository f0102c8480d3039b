"""Dates and timestamps from text: `2024-02-29 10:11:12.5+02`, and what is shorter."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.protocol.schema import Type
from antiphon.replica.dataflow.expressions.casting.well_formed import well_formed
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

INVALID_DATETIME: Final = "invalid_datetime_format"
_OVERFLOW: Final = "datetime_field_overflow"
_DATE: Final = r"(?P<year>[0-9]{4,6})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
_TIME: Final = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})"
    r"(?::(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]+))?)?"
)
_STAMP: Final = rf"^{_DATE}(?:[ T]+{_TIME})?"
_ZONE: Final = (
    r" *(?:[zZ]|UTC|utc|(?P<sign>[+-])(?P<zone_hours>[0-9]{1,2})(?::?(?P<zone_minutes>[0-9]{2}))?)?"
)
_PATTERN: Final = rf"{_STAMP}{_ZONE}$"
_ZONE_HOURS_MAX: Final = 15
_DAY_US: Final = 86_400_000_000
_DAYS_MAX: Final = 106_751_990  # of them an int64 of microseconds holds

Integers = npt.NDArray[np.int64]


def to_date(frame: Frame, vector: Vector, target: Type) -> Vector:
    """The date of a timestamp is a date too, whatever its zone."""
    days, _, _, valid = _read(frame, vector, target)
    return Vector.of_values(target, days.astype(np.int32), valid)


def to_timestamp(frame: Frame, vector: Vector, target: Type) -> Vector:
    """A zone is passed over, as PostgreSQL does."""
    days, clock, _, valid = _read(frame, vector, target)
    return Vector.of_values(target, days * _DAY_US + clock, valid)


def to_timestamptz(frame: Frame, vector: Vector, target: Type) -> Vector:
    days, clock, offset, valid = _read(frame, vector, target)
    return Vector.of_values(target, days * _DAY_US + clock - offset, valid)


def _read(
    frame: Frame, vector: Vector, target: Type
) -> tuple[Integers, Integers, Integers, Mask | None]:
    """(days since 1970, microseconds of the day, those that the zone is ahead, what is not null).
    What is no moment fails."""
    text = well_formed(frame, vector, _PATTERN, target, INVALID_DATETIME)
    parts = pc.extract_regex(text, _PATTERN)

    def number(name: str) -> Integers:
        digits = pc.fill_null(parts.field(name), "0")
        return values_of(pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()))

    valid = valid_of(text)
    month, day = number("month"), number("day")
    hour, minute, second = number("hour"), number("minute"), number("second")
    first = _months(number("year"), np.clip(month, 1, 12))
    begin = first.astype("datetime64[D]").astype(np.int64)
    length = (first + 1).astype("datetime64[D]").astype(np.int64) - begin
    clock = ((hour * 60 + minute) * 60 + second) * 1_000_000
    clock += _microseconds(pc.fill_null(parts.field("fraction"), ""))
    wrong = (month < 1) | (month > 12) | (day < 1) | (day > length) | (begin > _DAYS_MAX - 31)
    # 24:00:00 is the next day's beginning, and a 60th second the next minute's.
    wrong |= (
        (number("year") == 0)
        | (minute > 59)
        | (second > 60)
        | (hour > 24)
        | ((hour == 24) & (clock > _DAY_US))
    )
    wrong |= (number("zone_hours") > _ZONE_HOURS_MAX) | (number("zone_minutes") > 59)
    if valid is not None:
        wrong &= valid
    if wrong.any():
        shown = pc.binary_join_element_wise(
            'date/time field value out of range: "', pc.fill_null(vector.array, ""), '"', ""
        )
        frame.fail(wrong, _OVERFLOW, shown, "cast")
        begin = np.where(wrong, 0, begin)
    offset = (number("zone_hours") * 60 + number("zone_minutes")) * 60_000_000
    behind = values_of(pc.fill_null(pc.equal(parts.field("sign"), "-"), False))
    return begin + day - 1, clock, np.where(behind, -offset, offset), valid


def _months(years: Integers, months: Integers) -> npt.NDArray[np.datetime64]:
    return ((years - 1970) * 12 + months - 1).astype("datetime64[M]")


def _microseconds(fraction: pa.Array) -> Integers:
    """Of the digits behind the point: six of them count, and what follows rounds them, half to
    even."""
    six = values_of(pc.utf8_rpad(pc.utf8_slice_codeunits(fraction, 0, 6), 6, "0").cast(pa.int64()))
    more = pc.utf8_rtrim(pc.utf8_slice_codeunits(fraction, 6), "0")
    if not pc.any(pc.not_equal(more, "")).as_py():
        return six
    half = values_of(pc.equal(more, "5"))
    above = values_of(pc.greater(more, "5"))
    rounded: Integers = six + (above | (half & (six % 2 == 1)))
    return rounded
