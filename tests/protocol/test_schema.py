"""Types, their SQL names and their one mapping to Arrow."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given

from antiphon.protocol.schema import (
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    INT16,
    INT64,
    TEXT,
    TIMESTAMPTZ,
    Column,
    Schema,
    Type,
    TypeKind,
    arrow_schema,
    arrow_type,
    decimal,
)
from tests.protocol import strategies

PAIR = Type(
    kind=TypeKind.STRUCT, fields=(Column(name="a", type=INT64), Column(name="b", type=TEXT))
)
SCHEMA = Schema(
    (Column(name="a", type=INT64, nullable=False), Column(name="b", type=decimal(10, 2)))
)


@given(strategies.types)
def test_every_type_has_an_arrow_type_and_a_name(kind: Type) -> None:
    assert isinstance(arrow_type(kind), pa.DataType)
    assert str(kind)


@given(strategies.types, strategies.types)
def test_types_that_differ_in_arrow_differ(left: Type, right: Type) -> None:
    if arrow_type(left) != arrow_type(right):
        assert left != right


@pytest.mark.parametrize(
    ("kind", "name", "arrow"),
    [
        (INT16, "smallint", pa.int16()),
        (decimal(10, 2), "numeric(10,2)", pa.decimal128(10, 2)),
        (TIMESTAMPTZ, "timestamptz", pa.timestamp("us", tz="UTC")),
        (Type(kind=TypeKind.UUID), "uuid", pa.binary(16)),
        (Type(kind=TypeKind.LIST, element=INT64), "bigint[]", pa.list_(pa.int64())),
        (
            PAIR,
            "struct(a bigint, b text)",
            pa.struct([pa.field("a", pa.int64()), pa.field("b", pa.string())]),
        ),
    ],
    ids=str,
)
def test_names_and_arrow_types(kind: Type, name: str, arrow: pa.DataType) -> None:
    assert str(kind) == name
    assert arrow_type(kind) == arrow


def test_numbers_know_that_they_are() -> None:
    assert INT16.is_integer
    assert not FLOAT32.is_integer
    assert FLOAT64.is_float
    assert all(kind.is_numeric for kind in (INT64, FLOAT32, decimal(1, 0)))
    assert not BOOLEAN.is_numeric


@pytest.mark.parametrize(("precision", "scale"), [(0, 0), (39, 0), (3, 4), (3, -1)])
def test_a_decimal_has_1_to_38_digits_and_its_scale_within(precision: int, scale: int) -> None:
    with pytest.raises(AssertionError):
        decimal(precision, scale)


def test_a_schema_keeps_the_order_of_its_columns() -> None:
    assert SCHEMA.names == ("a", "b")
    assert SCHEMA.types == (INT64, decimal(10, 2))
    assert len(SCHEMA) == 2
    assert SCHEMA.index_of("b") == 1
    assert SCHEMA.index_of("c") is None
    assert SCHEMA.project((1, 0, 1)).names == ("b", "a", "b")


def test_an_arrow_schema_knows_which_columns_may_be_null() -> None:
    assert arrow_schema(SCHEMA) == pa.schema(
        [pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.decimal128(10, 2))]
    )
