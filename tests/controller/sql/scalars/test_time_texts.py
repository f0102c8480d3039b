"""to_char of moments and intervals, as PostgreSQL has it."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import World

MOMENTS = {
    "2024-02-29 13:05:09.123456": {
        "YYYY-MM-DD HH24:MI:SS": "2024-02-29 13:05:09",
        "YY Q DDD IYYY IW": "24 1 060 2024 09",
        "HH12:MI am|HH PM": "01:05 pm|01 PM",
        "MS US": "123 123456",
        "Month|Mon|MON|month": "February |Feb|FEB|february ",
        "Day|DY|dy|D|ID": "Thursday |THU|thu|5|4",
        '"the year" YYYY, x': "the year 2024, x",
        "": "",
        "yyyy-mm-dd hh24:mi:ss.ms": "2024-02-29 13:05:09.123",
        "FMDay, FMDD FMMonth FMHH12:FMMI": "Thursday, 29 February 1:5",
        "DDth, FMDDDth, WWTH, HH24th": "29th, 60th, 09TH, 13th",
        "Y,YYY YYY Y IYY IY I CC": "2,024 024 4 024 24 4 21",
        "W WW IDDD J": "5 09 060 2460370",
        "RM|rm|FMRM|": "II  |ii  |II|",
        "A.M. p.m. AD b.c.": "P.M. p.m. AD a.d.",
        "SSSS SSSSS FF1 FF3 FF6": "47109 47109 1 123 123456",
        "[TZ] [tz] OF TZH TZM": "[] [] +00 +00 00",
        'YYYY"T"\\"x': '2024T"x',
        "FMTH": "TH",
    },
    "1999-12-31 00:00:00": {"HH12 AM, IW": "12 AM, 52", "YY": "99"},
    "2020-01-01 12:00:59.9": {"HH12 AM SS.MS": "12 PM 59.900", "D": "4"},
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_in_a_format(moment: str) -> None:
    world = World()
    for form, expected in MOMENTS[moment].items():
        assert world.select(f"SELECT to_char(timestamp '{moment}', '{form}')") == [(expected,)]


def test_a_format_of_nothing_is_nothing() -> None:
    assert World().select("SELECT to_char(NULL::timestamp, 'YYYY x')") == [(None,)]


def test_a_time_with_a_zone_is_shown_in_utc() -> None:
    query = "SELECT to_char(timestamptz '2024-02-29 13:00:00+02', 'HH24:MI TZ tz OF')"
    assert World().select(query) == [("11:00 UTC utc +00",)]


INTERVALS = {
    ("100 hours", "HH24:MI:SS HH12 AM"): "100:00:00 04 AM",
    ("1 year 2 mons 3 days 4.5 s", "YYYY-MM-DD SS.MS US FF2 SSSS"): (
        "0001-02-03 04.500 500000 50 4"
    ),
    ("-3 days -01:02:03.5", "DD HH24:MI:SS MS"): "-3 -01:-02:-03 -500",
    ("-12 hours", "HH12 FMHH12"): "012 12",
}


@pytest.mark.parametrize(("value", "form"), INTERVALS)
def test_an_interval_in_a_format(value: str, form: str) -> None:
    query = f"SELECT to_char(interval '{value}', '{form}')"
    assert World().select(query) == [(INTERVALS[value, form],)]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("to_char(timestamp '2024-01-01', 'TMMonth')", "TM in a format of to_char"),
        ("to_char(timestamp '2024-01-01', 'DDSP')", "SP in a format of to_char"),
        ("to_char(interval '1 day', 'Month')", "Month in a format of to_char of an interval"),
    ],
)
def test_what_is_not_served_is_named(call: str, why: str) -> None:
    with pytest.raises(ComputeError, match=f"{why} is not supported"):
        World().select(f"SELECT {call}")
