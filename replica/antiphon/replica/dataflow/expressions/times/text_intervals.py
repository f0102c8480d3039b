"""Intervals from text: `1 year 2 mons -3 days 04:05:06.7`, units in any order, `ago` at the end.

As in PostgreSQL 15, what is behind the point of one unit goes to the smaller ones by itself, in
double precision, and no unit may be there twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.replica.dataflow.expressions.vector import Mask

Floats = npt.NDArray[np.float64]
Size = tuple[int, int, int]  # of a unit, in months, days, microseconds
_NUMBER: Final = r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?P<behind>(?:\.[0-9]*)?)"
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
# unit pattern, months, days, microseconds of one
_UNITS: Final = (
    (r"(?:millennium|millennia|mils?)", 12_000, 0, 0),
    (r"(?:century|centuries|cent)", 1_200, 0, 0),
    (r"(?:decades?|decs?)", 120, 0, 0),
    (r"(?:years?|yrs?|y)", 12, 0, 0),
    (r"(?:months?|mons?)", 1, 0, 0),
    (r"(?:weeks?|w)", 0, 7, 0),
    (r"(?:days?|d)", 0, 1, 0),
    (r"(?:hours?|hrs?|h)", 0, 0, 3_600_000_000),
    (r"(?:minutes?|mins?|m)", 0, 0, 60_000_000),
    (r"(?:seconds?|secs?|s)", 0, 0, 1_000_000),
    (r"(?:milliseconds?|msecs?|ms)", 0, 0, 1_000),
    (r"(?:microseconds?|usecs?|us)", 0, 0, 1),
)
_BARE: Final = rf"(?:^| ){_NUMBER}$"  # seconds
_CLOCK: Final = (
    r"(?:^| )(?:(?P<days>[+-]?[0-9]+) )?"
    r"(?P<sign>[+-]?)(?P<h>[0-9]+):(?P<m>[0-9]{1,2})(?::(?P<s>[0-9]{1,2}(?:\.[0-9]*)?))?(?: |$)"
)
_DTYPE: Final = np.dtype([("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)])


def parse(
    text: pa.Array,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.bool_] | None]:
    """(intervals, rows that are not well formed, rows that are not null)."""
    valid = valid_of(text)
    rest = pc.fill_null(pc.ascii_lower(pc.ascii_trim_whitespace(text)), "0 days")
    rest = pc.replace_substring_regex(rest, r"[\s@]+", " ")
    rest = pc.replace_substring_regex(rest, r"(^|[ +-])\.", r"\10.")
    ago = values_of(pc.match_substring_regex(rest, r" ago$"))
    rest = pc.replace_substring_regex(rest, r" ago$", "")
    named = ~values_of(pc.equal(rest, ""))
    found = _Sum.zero(len(text))
    rest = found.take_clock(rest)
    rest = found.take(rest, _BARE, 0, 0, _SECOND)
    for unit, months, days, microseconds in _UNITS:
        pattern = rf"(?:^| ){_NUMBER} ?{unit}(?:$| )"
        rest = found.take(rest, pattern, months, days, microseconds)
    good = values_of(pc.equal(pc.ascii_trim_whitespace(rest), "")) & named & ~found.wrong
    sign = np.where(ago, -1, 1)
    nanoseconds = found.clock * 1000
    limit = float(2**31)
    good &= (np.abs(found.months) < limit) & (np.abs(found.days) < limit)
    good &= np.abs(nanoseconds) < float(2**63)
    values = np.zeros(len(text), _DTYPE)
    values["months"] = np.where(good, sign * found.months, 0)
    values["days"] = np.where(good, sign * found.days, 0)
    values["nanoseconds"] = np.where(good, sign * nanoseconds, 0)
    wrong = ~good if valid is None else ~good & valid
    return values, wrong, valid


@dataclass(slots=True)
class _Sum:
    """What has been read of each row, `clock` in microseconds; and where a unit is there twice.
    `seen`: units by their sizes, and the rows that have them."""

    months: Floats
    days: Floats
    clock: Floats
    wrong: Mask
    seen: dict[Size, Mask] = field(default_factory=dict)

    @classmethod
    def zero(cls, count: int) -> _Sum:
        months, days, clock = (np.zeros(count) for _ in range(3))
        return cls(months, days, clock, np.zeros(count, np.bool_))

    def take(
        self, text: pa.Array, pattern: str, months: int, days: int, microseconds: int
    ) -> pa.Array:
        """Add the number that the pattern finds; the text without it."""
        found = pc.extract_regex(text, pattern)
        if found.null_count == len(found):
            return text
        sign = np.where(values_of(pc.fill_null(pc.equal(found.field("sign"), "-"), False)), -1, 1)
        whole, behind = _number(found.field("whole")), _number(found.field("behind"))
        whole, behind = sign * whole, sign * behind
        # Of years, centuries and the like what is behind the point is a number of months.
        self.months += whole * months + (np.rint(behind * months) if months > 1 else 0)
        more = behind * (30 if months == 1 else days)
        self.days += whole * days + np.trunc(more)
        self.clock += whole * microseconds + _nearest(behind * microseconds)
        self.clock += _nearest((more - np.trunc(more)) * _DAY)
        self._see((months, days, microseconds), values_of(found.is_valid()))
        bare = pattern
        for name in ("sign", "whole", "behind"):
            bare = bare.replace(f"?P<{name}>", "?:")
        return pc.replace_substring_regex(text, bare, " ", max_replacements=1)

    def take_clock(self, text: pa.Array) -> pa.Array:
        """Hours, minutes and seconds, and the days that may stand before them."""
        found = pc.extract_regex(text, _CLOCK)
        if found.null_count == len(found):
            return text
        minutes, seconds = _number(found.field("m")), _number(found.field("s"))
        hours = _number(found.field("h"))
        size = (hours * 3600 + minutes * 60) * _SECOND + np.rint(seconds * _SECOND)
        negative = values_of(pc.fill_null(pc.equal(found.field("sign"), "-"), False))
        self.clock += np.where(negative, -size, size)
        self.days += _number(found.field("days"))
        self.wrong |= (minutes > 59) | (seconds > 60)
        there = values_of(found.is_valid())
        for unit in (_SECOND, 60 * _SECOND, 3_600 * _SECOND):
            self._see((0, 0, unit), there)
        self._see((0, 1, 0), values_of(pc.fill_null(pc.not_equal(found.field("days"), ""), False)))
        bare = re.sub(r"\?P<[a-z]+>", "?:", _CLOCK)
        return pc.replace_substring_regex(text, bare, " ", max_replacements=1)

    def _see(self, size: Size, rows: Mask) -> None:
        if size in self.seen:
            self.wrong |= self.seen[size] & rows
            rows = self.seen[size] | rows
        self.seen[size] = rows


def _number(text: pa.Array) -> Floats:
    """Of digits; 0 where there is no text, and of a point alone."""
    plain = pc.replace_substring_regex(pc.fill_null(text, ""), r"^\+", "")
    plain = pc.if_else(pc.is_in(plain, pa.array(["", "."])), "0", plain)
    found: Floats = values_of(plain.cast(pa.float64()))
    return found


def _nearest(values: Floats) -> Floats:
    """Whole numbers; half goes towards zero."""
    whole = np.trunc(values)
    rest = values - whole
    return whole + (rest > 0.5) - (rest < -0.5)
