"""Values are read from text as PostgreSQL reads them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.sql.parsing.literal_text import (
    from_datetime,
    read_value,
    to_datetime,
    write_value,
)
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT64,
    INT16,
    INT64,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Type,
    decimal,
)

DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("yes", BOOLEAN, True),
        ("off", BOOLEAN, False),
        (" -12 ", INT16, -12),
        ("1.005", decimal(4, 2), Decimal("1.01")),
        ("-1.005", decimal(4, 2), Decimal("-1.01")),
        ("-0.001", decimal(4, 2), Decimal("0.00")),
        ("9" * 38, decimal(38, 0), Decimal("9" * 38)),
        (
            "-" + "9" * 20 + "." + "9" * 18,
            decimal(38, 18),
            Decimal("-" + "9" * 20 + "." + "9" * 18),
        ),
        ("1e3", FLOAT64, 1000.0),
        ("-Infinity", FLOAT64, -math.inf),
        ("1970-01-02", DATE, 1),
        ("1970-01-02 05:00", DATE, 1),
        ("1969-12-31", DATE, -1),
        ("1970-01-02 00:00:01.5", TIMESTAMP, DAY + 1_500_000),
        ("1970-01-02T00:00", TIMESTAMP, DAY),
        ("1970-01-01 24:00:00", TIMESTAMP, DAY),
        ("1970-01-01 23:59:60", TIMESTAMP, DAY),
        ("1970-01-01 23:59:59.9999999", TIMESTAMP, DAY),
        ("1970-01-01 00:00:00.0000025", TIMESTAMP, 2),
        ("1970-1-2 1:0+1", TIMESTAMPTZ, DAY),
        ("1970-01-02 02:00:00+02", TIMESTAMPTZ, DAY),
        ("1970-01-01 22:30:00-01:30", TIMESTAMPTZ, DAY),
        ("1970-01-02 00:00:00Z", TIMESTAMPTZ, DAY),
        ("1970-01-02 03:00:00+03", TIMESTAMP, DAY + 3 * 3_600_000_000),
        ("\\x00ff", BYTEA, b"\x00\xff"),
        ("00000000-0000-0000-0000-000000000001", UUID, b"\x00" * 15 + b"\x01"),
        (" as it is ", TEXT, " as it is "),
    ],
)
def test_text_is_read_as_a_value(text: str, kind: Type, value: object) -> None:
    assert read_value(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("maybe", BOOLEAN),
        ("1.5", INT64),
        ("32768", INT16),
        ("1000", decimal(4, 2)),
        ("nan", decimal(4, 2)),
        ("1e999", FLOAT64),
        ("2026-02-30", DATE),
        ("2026-01-01 25:00", TIMESTAMP),
        ("yesterday", TIMESTAMP),
        ("\\xzz", BYTEA),
        ("123", UUID),
        (" a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID),
        ("{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID),
        ("a-0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID),
        ("2024-02-29 25:00", DATE),
        ("2024-02-29 10:00+16", TIMESTAMPTZ),
    ],
)
def test_what_is_no_value_is_an_error(text: str, kind: Type) -> None:
    with pytest.raises(ValueError, match=r"value|range|integer|number"):
        read_value(text, kind)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back_from_their_text(value: int) -> None:
    assert read_value(write_value(value, INT64) or "", INT64) == value


@given(st.integers(-10_000 * 366, 2_900_000))
def test_dates_come_back_from_their_text(days: int) -> None:
    days = max(days, -719_162)  # year 1
    days = min(days, 2_932_896)  # the end of 9999
    assert read_value(write_value(days, DATE) or "", DATE) == days


@given(st.integers(-(10**15), 10**15))
def test_timestamps_come_back_from_the_calendar(micros: int) -> None:
    assert from_datetime(to_datetime(micros)) == micros


def test_only_some_types_have_a_text_here() -> None:
    assert write_value(1.5, FLOAT64) is None
    assert write_value(True, BOOLEAN) == "true"
    assert write_value(Decimal("1.50"), decimal(3, 2)) == "1.50"
