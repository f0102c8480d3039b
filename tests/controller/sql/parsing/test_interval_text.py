"""Intervals as PostgreSQL 15 reads them. More answers stand in `postgres_answers.sql`."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.parsing.interval_text import read_interval
from antiphon.protocol.expression import Interval


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("1 day", Interval(days=1)),
        ("1 year 2 mons -3 days", Interval(months=14, days=-3)),
        ("1 day 2:03:04.5", Interval(days=1, microseconds=7_384_500_000)),
        ("-00:30", Interval(microseconds=-1_800_000_000)),
        ("90 minutes", Interval(microseconds=5_400_000_000)),
        ("1.5 months", Interval(months=1, days=15)),
        ("1.5 days", Interval(days=1, microseconds=43_200_000_000)),
        ("@ 2 weeks ago", Interval(days=-14)),
        ("3", Interval(microseconds=3_000_000)),
    ],
)
def test_intervals_are_read_part_by_part(text: str, interval: Interval) -> None:
    assert read_interval(text) == interval


def test_a_bare_number_takes_the_unit_that_follows() -> None:
    assert read_interval("3", "DAY") == Interval(days=3)


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        read_interval("1 fortnight")
    with pytest.raises(ValueError, match="not an interval"):
        read_interval("")
    with pytest.raises(ValueError, match="not an interval"):
        read_interval("2026-02-03")


@pytest.mark.parametrize(
    "text", ["25:61", "1:2:61", "1 day 1 day", "1 hour 2:03", "5 4 hours", "2 days 3 4:05", "1 2 3"]
)
def test_what_is_out_of_range_or_there_twice_is_no_interval(text: str) -> None:
    with pytest.raises(ValueError, match="interval"):
        read_interval(text)


def test_half_a_microsecond_goes_towards_zero_and_half_a_month_of_years_to_the_even_one() -> None:
    assert read_interval("-0.0000015 s") == Interval(microseconds=-1)
    assert read_interval("0.125 years") == Interval(months=2)
