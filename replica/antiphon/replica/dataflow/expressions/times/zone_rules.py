"""What clocks show after 2037, where the lists of time zone databases end and rules begin.

Arrow reads the lists alone, and would show the winter's time for ever. Python's reading follows the
rules; it is asked once for each zone, a day at a time, and its answers are kept as a table.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Instants = npt.NDArray[np.int64]  # microseconds since 1970

RULES_BEGIN: Final = 2_145_830_400_000_000  # 2037-12-31: no zone changes its clocks on that day
# Some zones have lists until 2087. From 2101 on rules alone hold: years that begin on the same day
# of the week and are as long are alike, and of any 28 years without an exception each kind is one.
_LIKE_FIRST: Final = 2101
_LIKE_COUNT: Final = 28
_DAY: Final = 86_400_000_000
_ZONES_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Rules:
    """Offset `offsets[i]` holds from instant `changes[i]` on; both in microseconds."""

    changes: Instants
    offsets: Instants

    def shown(self, instants: Instants) -> Instants:
        """What clocks show at instants from RULES_BEGIN on."""
        place = np.searchsorted(self.changes, _alike(instants), "right") - 1
        return np.asarray(instants + self.offsets[place], np.int64)

    def instants(self, shown: Instants) -> Instants:
        """When clocks show this: of two instants the later; what they skip is read by the offset
        before. Both follow from this: an offset holds from where clocks show its first moment."""
        place = np.searchsorted(self.changes + self.offsets, _alike(shown), "right") - 1
        return np.asarray(shown - self.offsets[place], np.int64)


@lru_cache(maxsize=_ZONES_KEPT_MAX)
def rules_of(zone: str) -> Rules:
    """Raises ZoneInfoNotFoundError. About 30 ms for a zone that is new."""
    info = ZoneInfo(zone)
    last = (dt.date(_LIKE_FIRST + _LIKE_COUNT, 2, 1) - dt.date(1970, 1, 1)).days
    days = range(RULES_BEGIN // _DAY - 30, last)
    changes, offsets = [days[0] * _DAY], [_offset(info, days[0] * _DAY)]
    for day in days:
        offset = _offset(info, (day + 1) * _DAY)
        if offset != offsets[-1]:
            changes.append(_first(info, day * _DAY, (day + 1) * _DAY))
            offsets.append(offset)
    return Rules(np.array(changes, np.int64), np.array(offsets, np.int64))


def _first(info: ZoneInfo, before: int, after: int) -> int:
    """The first instant, in (before, after], at which the offset is that of `after`."""
    sought = _offset(info, after)
    while after - before > 1_000_000:
        middle = (before + after) // 2_000_000 * 1_000_000
        before, after = (before, middle) if _offset(info, middle) == sought else (middle, after)
    return after


def _offset(info: ZoneInfo, instant: int) -> int:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=instant)
    offset = moment.astimezone(info).utcoffset()
    assert offset is not None, "a zone has an offset at any time"
    return offset // dt.timedelta(microseconds=1)


def _alike(times: Instants) -> Instants:
    """Times of years that the table has not, as those of a year like theirs."""
    years = times.astype("datetime64[us]").astype("datetime64[Y]")
    begin = _first_days(years)
    like = np.arange(_LIKE_FIRST, _LIKE_FIRST + _LIKE_COUNT) - 1970
    kinds = _kinds(like.astype("datetime64[Y]"))
    year_of_kind = np.zeros(14, np.int64)
    year_of_kind[kinds] = like
    moved = _first_days(year_of_kind[_kinds(years)].astype("datetime64[Y]")) - begin
    late = years >= np.datetime64(str(_LIKE_FIRST + _LIKE_COUNT), "Y")
    return np.asarray(times + np.where(late, moved * _DAY, 0), np.int64)


def _first_days(years: npt.NDArray[np.datetime64]) -> Instants:
    """The first of each year, in days since 1970."""
    return years.astype("datetime64[D]").astype(np.int64)


def _kinds(years: npt.NDArray[np.datetime64]) -> Instants:
    """0 to 13: on which day of the week a year begins, and whether it has a day more."""
    begin = _first_days(years)
    length = _first_days(years + np.timedelta64(1, "Y")) - begin
    return begin % 7 * 2 + (length - 365)
