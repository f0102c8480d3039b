"""There is one zero, however deep it stands."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from antiphon.protocol.one_zero import batch_with_one_zero, with_one_zero

CELLS = [
    (pa.float64(), -0.0, 0.0),
    (pa.float32(), -0.0, 0.0),
    (pa.list_(pa.float64()), [-0.0, None], [0.0, None]),
    (pa.list_(pa.list_(pa.float32())), [[-0.0], []], [[0.0], []]),
    (pa.struct([("a", pa.float64()), ("b", pa.string())]), {"a": -0.0, "b": "-0.0"},
     {"a": 0.0, "b": "-0.0"}),
    (pa.list_(pa.struct([("a", pa.float64())])), [{"a": -0.0}, None], [{"a": 0.0}, None]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "negative", "positive"), CELLS)
def test_minus_zero_is_zero_in_every_type_and_slice(
    kind: pa.DataType, negative: object, positive: object
) -> None:
    column = pa.array([None, negative, positive, None, negative], kind)
    for given in (column, column.slice(1), column.slice(1, 2), column.slice(3)):
        found = with_one_zero(given)
        wanted = [None if value is None else positive for value in given.to_pylist()]
        assert repr(found.to_pylist()) == repr(wanted)
        found.validate(full=True)
        assert found.type == kind


def test_what_has_none_is_left_as_it_is() -> None:
    column = pa.array([0.0, -1.5, math.nan, -math.inf, None])
    assert with_one_zero(column) is column
    lists = pa.array([[0.0], None, []])
    assert with_one_zero(lists) is lists
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", None]})
    assert batch_with_one_zero(batch) is batch


def test_a_batch_keeps_its_schema() -> None:
    schema = pa.schema([pa.field("f", pa.float64(), nullable=False), pa.field("n", pa.int32())])
    columns = [pa.array([-0.0, 1.0]), pa.array([1, 2], pa.int32())]
    batch = pa.RecordBatch.from_arrays(columns, schema=schema)
    found = batch_with_one_zero(batch)
    assert found.schema == schema
    assert math.copysign(1, found.column(0)[0].as_py()) == 1
