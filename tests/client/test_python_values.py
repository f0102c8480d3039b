"""What Python has no date for is text, alone and within lists and structs."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa

from antiphon.client.python_values import python_value, python_values
from antiphon.client.result import Result

FAR = 2_932_897  # days from 1970-01-01 to 10000-01-01


def days(*values: int | None) -> pa.Array:
    return pa.array(values, pa.int32()).cast(pa.date32())


def test_a_date_after_9999_is_text_and_others_are_dates() -> None:
    found = python_values(pa.chunked_array([days(FAR, None, 0)]))
    assert found == ["10000-01-01", None, dt.date(1970, 1, 1)]


def test_a_timestamp_before_the_year_1_is_text() -> None:
    far = pa.array([-70_000_000_000_000_000], pa.int64()).cast(pa.timestamp("us"))
    (found,) = python_values(pa.chunked_array([far]))
    assert isinstance(found, str)
    assert found.startswith("-0249-")


def test_so_it_is_in_a_zone() -> None:
    far = pa.array([253_402_300_800_000_000], pa.int64()).cast(pa.timestamp("us", "UTC"))
    assert python_values(pa.chunked_array([far])) == ["10000-01-01 00:00:00.000000Z"]


def test_so_it_is_within_lists_and_structs() -> None:
    listed = pa.ListArray.from_arrays([0, 2], days(FAR, 0))
    assert python_value(listed[0]) == ["10000-01-01", dt.date(1970, 1, 1)]
    struct = pa.StructArray.from_arrays([days(FAR)], names=["d"])
    assert python_value(struct[0]) == {"d": "10000-01-01"}


def test_a_result_has_such_rows() -> None:
    result = Result(tag="SELECT 1", table=pa.table({"d": days(FAR)}))
    assert result.rows() == [("10000-01-01",)]
    assert result.scalar() == "10000-01-01"
