"""Results in the forms that users take them."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.client.result import Result
from antiphon.protocol.errors import InvalidArgument

ROWS = Result(tag="SELECT 2", table=pa.table({"a": [1, 2], "b": ["x", None]}), row_count=2, time=9)
DONE = Result(tag="INSERT 3", row_count=3)


def test_rows_come_as_arrow_pandas_tuples_and_dicts() -> None:
    assert ROWS.columns == ("a", "b")
    assert ROWS.rows() == [(1, "x"), (2, None)]
    assert list(ROWS) == ROWS.rows()
    assert ROWS.dicts() == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert ROWS.to_arrow().num_rows == len(ROWS) == 2
    assert list(ROWS.to_pandas().columns) == ["a", "b"]


def test_a_statement_without_rows_says_so() -> None:
    assert (DONE.columns, len(DONE)) == ((), 3)
    for take in (DONE.to_arrow, DONE.rows, DONE.scalar, DONE.to_pandas):
        with pytest.raises(InvalidArgument, match="INSERT 3 returns no rows"):
            take()


def test_a_scalar_is_the_only_value_there_is() -> None:
    assert Result(tag="SELECT 1", table=pa.table({"a": [None]})).scalar() is None
    with pytest.raises(InvalidArgument, match="2 rows of 2 columns"):
        ROWS.scalar()


def test_rows_without_columns_are_counted() -> None:
    table = pa.table({"a": [1, 2]}).select([])
    assert Result(tag="SELECT 2", table=table).rows() == [()] * table.num_rows
