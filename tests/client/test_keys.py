"""Keys of a peek: every form a user may give them in."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.client.keys import key_table
from antiphon.protocol.errors import InvalidArgument, SchemaMismatch

KEY = pa.schema([pa.field("a", pa.string()), pa.field("b", pa.int64())])


@pytest.mark.parametrize(
    "key",
    [
        ("x", 1),
        {"b": 1, "a": "x"},
        [("x", 1)],
        [{"a": "x", "b": 1}],
        pa.table({"b": [1], "a": ["x"]}),
        pa.RecordBatch.from_pydict({"a": ["x"], "b": [1]}),
    ],
)
def test_a_key_may_be_given_in_any_form(key: object) -> None:
    assert key_table(key, KEY).to_pylist() == [{"a": "x", "b": 1}]


def test_a_single_column_key_is_a_plain_value_or_a_list_of_them() -> None:
    one = pa.schema([pa.field("a", pa.int64())])
    assert key_table(5, one).to_pylist() == [{"a": 5}]
    assert key_table([5, None, 6], one)["a"].to_pylist() == [5, None, 6]
    assert key_table([], one).num_rows == 0


def test_a_key_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="2 values, not 1"):
        key_table("x", KEY)
    with pytest.raises(InvalidArgument, match="lacks b"):
        key_table({"a": "x"}, KEY)
    with pytest.raises(InvalidArgument, match="no key"):
        key_table(1, pa.schema([]))
    with pytest.raises(SchemaMismatch, match="column 'b'"):
        key_table(("x", "y"), KEY)
