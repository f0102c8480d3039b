"""Reading intervals from text, as PostgreSQL 15 does: what is behind the point of one unit goes to
the smaller ones by itself, in double precision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.expression import Interval

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_CLOCK: Final = ("hour", "minute", "second")
_MONTHS: Final = {"millennium": 12_000, "century": 1_200, "decade": 120, "year": 12, "month": 1}
_DAYS: Final = {"week": 7, "day": 1}
_MICROSECONDS: Final = {
    "hour": 3_600 * _SECOND, "minute": 60 * _SECOND, "second": _SECOND, "millisecond": 1_000,
    "microsecond": 1,
}  # fmt: skip
_NAMES: Final = {
    "millennium": "millennium millennia mil", "century": "century centurie cent c",
    "decade": "decade dec", "year": "year yr y", "month": "month mon", "week": "week w",
    "day": "day d", "hour": "hour hr h", "minute": "minute min m", "second": "second sec s",
    "millisecond": "millisecond msec ms", "microsecond": "microsecond usec us",
}  # fmt: skip
_UNITS: Final = {name: unit for unit, names in _NAMES.items() for name in names.split()}
_PART: Final = re.compile(
    r"\s*(?:(?P<sign>[+-])?(?P<hours>\d+):(?P<minutes>\d{1,2})"
    r"(?::(?P<seconds>\d{1,2}(?:\.\d*)?))?(?=\s|$)"
    r"|(?P<whole>[+-]?(?:\d+|(?=\.\d)))(?P<behind>\.\d*)?\s*(?P<unit>[a-z]*))\s*",
    re.ASCII,
)
_CLOCK_AHEAD: Final = re.compile(r"[+-]?\d+:", re.ASCII)


def read_interval(text: str, default_unit: str | None = None) -> Interval:
    """`1 year 2 mons -3 days 04:05:06.7 ago` and shorter; `default_unit` for a bare number.

    Raises:
        ValueError
    """
    rest = text.strip().lower()
    is_ago = rest.endswith("ago")
    rest = rest.removesuffix("ago").removeprefix("@").strip()
    if not rest:
        raise ValueError(f'"{text}" is not an interval')
    found = _Sum(text)
    position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            raise ValueError(f'"{text}" is not an interval')
        position = part.end()
        if part["hours"] is not None:
            found.add_clock(part)
            continue
        unit = part["unit"]
        if not unit and position < len(rest):
            if _CLOCK_AHEAD.match(rest, position) is None:
                raise ValueError(f'"{text}" is not an interval')  # `2026-02-03` is none
            unit = "day"
        found.add(part, unit or (default_unit or "second").lower())
    return found.interval(-1 if is_ago else 1)


@dataclass(slots=True)
class _Sum:
    text: str
    months: int = 0
    days: int = 0
    micros: int = 0
    seen: tuple[str, ...] = ()

    def add(self, part: re.Match[str], written: str) -> None:
        unit = _UNITS.get(written) or _UNITS.get(written.removesuffix("s"))
        if unit is None:
            raise ValueError(f'"{written}" is not a unit of an interval')
        self._once(unit)
        sign = -1 if part["whole"].startswith("-") else 1
        whole = int(part["whole"].strip("+-") or 0) * sign
        behind = float(f"0{part['behind'] or ''}") * sign
        if unit in _MICROSECONDS:
            size = _MICROSECONDS[unit]
            self.micros += whole * size + _nearest(behind * size)
        elif unit in _DAYS:
            self.days += whole * _DAYS[unit]
            self._add_days(behind * _DAYS[unit])
        elif unit == "month":
            self.months += whole
            self._add_days(behind * 30)
        else:
            self.months += whole * _MONTHS[unit] + round(behind * _MONTHS[unit])

    def add_clock(self, part: re.Match[str]) -> None:
        self._once(*_CLOCK)
        minutes, seconds = int(part["minutes"]), float(part["seconds"] or 0)
        if minutes > 59 or seconds > 60:
            raise ValueError(f'interval out of range: "{self.text}"')
        clock = (int(part["hours"]) * 60 + minutes) * 60 * _SECOND + round(seconds * _SECOND)
        self.micros += -clock if part["sign"] == "-" else clock

    def interval(self, sign: int) -> Interval:
        # Stored as 32-bit months and days, and 64-bit nanoseconds.
        is_large = max(abs(self.months), abs(self.days)) >= 1 << 31
        if is_large or abs(self.micros) * 1000 >= 1 << 63:
            raise ValueError(f'interval out of range: "{self.text}"')
        return Interval(
            months=sign * self.months, days=sign * self.days, microseconds=sign * self.micros
        )

    def _once(self, *units: str) -> None:
        if any(unit in self.seen for unit in units):
            raise ValueError(f'"{self.text}" is not an interval: a unit is there twice')
        self.seen += units

    def _add_days(self, days: float) -> None:
        self.days += int(days)
        self.micros += _nearest((days - int(days)) * _DAY)


def _nearest(value: float) -> int:
    """Half goes towards zero."""
    whole = int(value)
    rest = value - whole
    return whole + (rest > 0.5) - (rest < -0.5)
