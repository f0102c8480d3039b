"""Users' data in a collection's columns: nothing guessed, nothing lost."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.client.conform import chunks, conform, deleting, table_from_rows
from antiphon.protocol.errors import SchemaMismatch

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("price", pa.decimal128(10, 2)),
    ]
)


def test_columns_are_matched_by_name_put_in_order_and_cast() -> None:
    given_table = pa.table(
        {"price": pa.array([1, 2], pa.int8()), "id": pa.array([7, 8], pa.int16())}
    )
    table = conform(given_table, SCHEMA)
    assert table.schema == SCHEMA
    assert table.to_pylist() == [
        {"id": 7, "name": None, "price": Decimal("1.00")},
        {"id": 8, "name": None, "price": Decimal("2.00")},
    ]


def test_dictionaries_and_large_strings_become_text() -> None:
    for kind in (pa.dictionary(pa.int32(), pa.string()), pa.large_string()):
        table = conform(pa.table({"id": [1], "name": pa.array(["a"]).cast(kind)}), SCHEMA)
        assert table["name"].to_pylist() == ["a"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": [1], "colour": ["red"]}, "no column 'colour'"),
        ({"name": ["a"]}, "no column 'id'"),
        ({"id": [1, None]}, "1 nulls"),
        ({"id": [1.5]}, "column 'id' is int64"),
        ({"id": ["x"]}, "column 'id' is int64"),
        ({"id": [1], "price": [10**12]}, "column 'price'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaMismatch, match=message):
        conform(pa.table(columns), SCHEMA)


def test_a_doubled_column_is_refused() -> None:
    doubled = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["id", "id"])
    with pytest.raises(SchemaMismatch, match="twice"):
        conform(doubled, SCHEMA)


def test_a_delete_by_key_needs_the_key_alone() -> None:
    table = conform(deleting(pa.table({"id": [7]})), SCHEMA, key=("id",))
    assert table.to_pylist() == [{"id": 7, "name": None, "price": None, "antiphon_diff": -1}]
    with pytest.raises(SchemaMismatch, match="no column 'id'"):
        conform(deleting(pa.table({"name": ["a"]})), SCHEMA, key=("id",))
    with pytest.raises(SchemaMismatch, match="antiphon_diff"):
        deleting(table)


def test_dicts_become_typed_columns_and_absent_keys_null() -> None:
    rows = [{"id": 1, "price": Decimal("0.5")}, {"id": 2, "name": "b"}]
    table = conform(table_from_rows(rows, SCHEMA), SCHEMA)
    assert table.to_pylist() == [
        {"id": 1, "name": None, "price": Decimal("0.50")},
        {"id": 2, "name": "b", "price": None},
    ]


def test_a_dict_with_an_unknown_key_or_a_wrong_value_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="no column 'nmae'"):
        table_from_rows([{"id": 1, "nmae": "a"}], SCHEMA)
    with pytest.raises(SchemaMismatch, match="column 'id'"):
        table_from_rows([{"id": "one"}], SCHEMA)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.int32(), 1.5),
        (pa.int64(), Decimal("0.1")),
        (pa.int64(), float("inf")),
        (pa.int16(), np.float32(2.5)),
        (pa.int64(), 2**70),
        (pa.date32(), datetime.datetime(2024, 1, 1, 5)),
    ],
)
def test_a_value_that_would_be_cut_is_refused(kind: pa.DataType, value: Any) -> None:
    with pytest.raises(SchemaMismatch, match="column 'a'"):
        table_from_rows([{"a": value}], pa.schema([pa.field("a", kind)]))


def test_whole_numbers_and_midnights_are_taken_whatever_their_type() -> None:
    schema = pa.schema([pa.field("i", pa.int64()), pa.field("d", pa.date32())])
    rows = [{"i": 2.0, "d": datetime.datetime(2024, 1, 1)}, {"i": np.int8(3), "d": None}]
    taken = table_from_rows(rows, schema)
    assert taken.to_pylist() == [{"i": 2, "d": datetime.date(2024, 1, 1)}, {"i": 3, "d": None}]


def test_uuids_are_taken_as_text_and_as_objects() -> None:
    schema = pa.schema([pa.field("u", pa.binary(16))])
    one, two = uuid.UUID(int=1), uuid.UUID(int=2**127 + 5)
    text = conform(pa.table({"u": [str(one), None, str(two)]}), schema)
    assert text["u"].to_pylist() == [one.bytes, None, two.bytes]
    objects = conform(table_from_rows([{"u": one}, {"u": two}], schema), schema)
    assert objects["u"].to_pylist() == [one.bytes, two.bytes]
    with pytest.raises(SchemaMismatch, match="uuid"):
        conform(pa.table({"u": ["12"]}), schema)


def test_timestamps_lose_no_digits() -> None:
    schema = pa.schema([pa.field("at", pa.timestamp("us"))])
    fits = pa.array([datetime.datetime(2024, 1, 1)], pa.timestamp("ns"))
    assert conform(pa.table({"at": fits}), schema).schema == schema
    with pytest.raises(SchemaMismatch, match="column 'at'"):
        conform(pa.table({"at": pa.array([1], pa.timestamp("ns"))}), schema)


@given(st.integers(0, 500), st.integers(1, 100), st.integers(1, 4000))
def test_chunks_are_the_table_in_order_within_both_bounds(
    rows: int, rows_max: int, bytes_max: int
) -> None:
    table = pa.table({"id": pa.array(range(rows), pa.int64())})
    pieces = list(chunks(table, rows_max=rows_max, bytes_max=bytes_max))
    assert [i for piece in pieces for i in piece["id"].to_pylist()] == list(range(rows))
    assert all(1 <= len(p) <= rows_max and (len(p) * 8 <= bytes_max or len(p) == 1) for p in pieces)


PAIR = pa.struct([("n", pa.int32()), ("w", pa.list_(pa.string()))])
NESTED = pa.schema([("l", pa.list_(pa.int16())), ("s", PAIR), ("u", pa.list_(pa.binary(16)))])


def test_lists_and_structs_of_dicts_and_tables_keep_what_is_in_them() -> None:
    one = uuid.UUID("123e4567-e89b-12d3-a456-426614174000")
    rows = [
        {"l": [1, None], "s": {"n": 1, "w": ["x", None]}, "u": [one, None]},
        {"l": (), "s": {"w": None}, "u": [one]},
        {"l": None, "s": None},
    ]
    table = conform(table_from_rows(rows, NESTED), NESTED)
    expected = [
        {"l": [1, None], "s": {"n": 1, "w": ["x", None]}, "u": [one.bytes, None]},
        {"l": [], "s": {"n": None, "w": None}, "u": [one.bytes]},
        {"l": None, "s": None, "u": None},
    ]
    assert table.to_pylist() == expected
    loose = pa.table(
        {
            "l": pa.array([[1, None], [], None], pa.large_list(pa.int64())),
            "s": pa.array([{"w": ["x", None], "n": 1}, {"w": None, "n": None}, None]),
            "u": pa.array([[str(one), None], [str(one)], None]),
        }
    )
    assert conform(loose, NESTED).to_pylist() == expected
    assert conform(loose.slice(1), NESTED).to_pylist() == expected[1:]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("l", [1.5], "no integer"),
        ("l", [70_000], "'l'"),
        ("l", "12", "no list"),
        ("l", 1, "no list"),
        ("l", [[1]], "'l'"),
        ("s", {"n": 1, "z": 2}, "no field 'z'"),
        ("s", [1, []], "no mapping"),
        ("s", {"n": 1.5}, "no integer"),
        ("s", {"w": "x"}, "no list"),
    ],
)
def test_what_does_not_fit_in_a_list_or_a_struct_is_refused(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(SchemaMismatch, match=message):
        table_from_rows([{name: value}], NESTED)


@pytest.mark.parametrize(
    "columns",
    [
        {"l": pa.array([1])},
        {"l": pa.array([[70_000]])},
        {"s": pa.array([{"n": 1}])},
        {"s": pa.array([{"n": 1, "w": ["x"], "z": 2}])},
        {"s": pa.array([[1]])},
    ],
)
def test_a_table_of_another_shape_is_refused(columns: dict[str, pa.Array]) -> None:
    with pytest.raises(SchemaMismatch, match=next(iter(columns))):
        conform(pa.table(columns), NESTED)
