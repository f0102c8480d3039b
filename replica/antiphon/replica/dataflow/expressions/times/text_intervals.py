"""Intervals from text: `1 year 2 mons -3 days 04:05:06.7`, units in any order, `ago` at the end."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import valid_of, values_of

_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
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
_CLOCK: Final = r"(?:^| )(?P<n>[+-]?[0-9]+:[0-9]{1,2}(?::[0-9]{1,2}(?:\.[0-9]{1,6})?)?)(?: |$)"
_DTYPE: Final = np.dtype([("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)])


def parse(
    text: pa.Array,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], npt.NDArray[np.bool_] | None]:
    """(intervals, rows that are not well formed, rows that are not null)."""
    valid = valid_of(text)
    rest = pc.fill_null(pc.ascii_lower(pc.ascii_trim_whitespace(text)), "0 days")
    rest = pc.replace_substring_regex(rest, r"[\s@]+", " ")
    ago = values_of(pc.match_substring_regex(rest, r" ago$"))
    rest = pc.replace_substring_regex(rest, r" ago$", "")
    named = ~values_of(pc.equal(rest, ""))
    months, days, clock = (np.zeros(len(text)) for _ in range(3))
    rest, clock = _take_clock(rest, clock)
    for unit, in_months, in_days, in_microseconds in _UNITS:
        pattern = rf"(?:^| )(?P<n>{_NUMBER}) ?{unit}(?:$| )"
        number, rest = _take(rest, pattern)
        months += number * in_months
        days += number * in_days
        clock += number * in_microseconds
    seconds, rest = _take(rest, rf"^ *(?P<n>{_NUMBER}) *$")  # a bare number: seconds
    clock += seconds * 1_000_000
    good = values_of(pc.equal(pc.ascii_trim_whitespace(rest), "")) & named
    values = np.zeros(len(text), _DTYPE)
    sign = np.where(ago, -1, 1)
    whole_months = np.trunc(months)
    days = days + np.round((months - whole_months) * 30, 6)
    whole_days = np.trunc(days)
    nanoseconds = np.rint(clock + (days - whole_days) * 86_400e6) * 1000
    limit = float(2**31)
    good &= (np.abs(whole_months) < limit) & (np.abs(whole_days) < limit)
    good &= np.abs(nanoseconds) < float(2**63)
    values["months"] = np.where(good, sign * whole_months, 0)
    values["days"] = np.where(good, sign * whole_days, 0)
    values["nanoseconds"] = np.where(good, sign * nanoseconds, 0)
    wrong = ~good if valid is None else ~good & valid
    return values, wrong, valid


def _take(text: pa.Array, pattern: str) -> tuple[npt.NDArray[np.float64], pa.Array]:
    """The number that the pattern finds, 0 where it finds none; and the text without the match."""
    found = pc.extract_regex(text, pattern)
    if found.null_count == len(found):
        return np.zeros(len(text)), text
    number = pc.fill_null(found.field("n"), "0")
    number = pc.replace_substring_regex(pc.if_else(found.is_valid(), number, "0"), r"^\+", "")
    bare = pattern.replace("?P<n>", "?:")
    return values_of(number.cast(pa.float64())), pc.replace_substring_regex(
        text, bare, " ", max_replacements=1
    )


def _take_clock(
    text: pa.Array, clock: npt.NDArray[np.float64]
) -> tuple[pa.Array, npt.NDArray[np.float64]]:
    found = pc.extract_regex(text, _CLOCK)
    if found.null_count == len(found):
        return text, clock
    stamp = pc.if_else(found.is_valid(), found.field("n"), "0:00")
    parts = pc.extract_regex(
        stamp, r"^(?P<sign>[+-]?)(?P<h>[0-9]+):(?P<m>[0-9]+)(?::(?P<s>[0-9.]+))?$"
    )
    seconds = pc.fill_null(parts.field("s"), "0")
    seconds = pc.if_else(pc.equal(seconds, ""), "0", seconds).cast(pa.float64())
    size = (
        values_of(parts.field("h").cast(pa.float64())) * 3600
        + values_of(parts.field("m").cast(pa.float64())) * 60
        + values_of(seconds)
    )
    negative = values_of(pc.equal(parts.field("sign"), "-"))
    rest = pc.replace_substring_regex(text, _CLOCK.replace("?P<n>", "?:"), " ", max_replacements=1)
    return rest, clock + np.where(negative, -size, size) * 1_000_000
