"""Columns taken and put together are what Arrow makes of them."""

import numpy as np
import pyarrow as pa
import pytest

from antiphon.replica.dataflow.columns.gather import taken_rows, twice_over

COLUMNS = [
    pa.array([3, -1, 2**62]),
    pa.array([3, None, 5], pa.int32()),
    pa.array([1.5, float("nan"), -0.0]),
    pa.array([True, False, True]),
    pa.array(["a", "", "long"]),
    pa.array([0, 1, 86_400_000_000], pa.timestamp("us")),
    pa.array([(1, 2, 3), (0, 0, 0), (-1, 5, 7)], pa.month_day_nano_interval()),
    pa.array([[1], [], [2, 3]]),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_column_twice_over_is_the_column_behind_itself(column, start):
    part = column.slice(start)
    found = twice_over(part)
    found.validate(full=True)
    assert found.type == part.type
    assert repr(found.to_pylist()) == repr(part.to_pylist() * 2)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: str(column.type))
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("rows", [[], [1], [1, 0, 1, 1]])
def test_rows_taken_are_those_at_their_positions(column, start, rows):
    part = column.slice(start)
    (found,) = taken_rows([part], np.array(rows, np.int64))
    found.validate(full=True)
    assert found.type == part.type
    values = part.to_pylist()
    assert repr(found.to_pylist()) == repr([values[row] for row in rows])
