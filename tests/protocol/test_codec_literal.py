"""A value of a type has exactly one encoding, and nothing else is read as one."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.literal import decimal_text, literal_from_proto, literal_to_proto
from antiphon.protocol.expression import Literal, Value
from antiphon.protocol.schema import (
    BOOLEAN,
    FLOAT64,
    INT16,
    INT64,
    TEXT,
    UUID,
    Column,
    Type,
    TypeKind,
    decimal,
)
from antiphon.v1 import plan_pb2 as pb
from tests.protocol import strategies

MONEY = decimal(6, 2)
INTS = Type(kind=TypeKind.LIST, element=INT64)
PAIR = Type(
    kind=TypeKind.STRUCT,
    fields=(Column(name="a", type=INT64), Column(name="b", type=TEXT)),
)


@given(strategies.literals)
def test_every_literal_survives(literal: Literal) -> None:
    data = literal_to_proto(literal).SerializeToString()
    again = literal_from_proto(pb.Literal.FromString(data))
    assert again == literal
    assert type(again.value) is type(literal.value)


def test_all_nans_are_written_alike() -> None:
    quiet = Literal(value=math.nan, type=FLOAT64)
    other = Literal(value=-math.nan, type=FLOAT64)
    written = literal_to_proto(quiet)
    assert written == literal_to_proto(quiet) or math.isnan(written.float)
    assert written.SerializeToString() == literal_to_proto(other).SerializeToString()
    read = literal_from_proto(written).value
    assert isinstance(read, float)
    assert math.isnan(read)


def test_negative_zero_stays_negative() -> None:
    read = literal_from_proto(literal_to_proto(Literal(value=-0.0, type=FLOAT64))).value
    assert isinstance(read, float)
    assert math.copysign(1, read) == -1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.5"), "1.50"),
        (Decimal("1.50"), "1.50"),
        (Decimal("150E-2"), "1.50"),
        (Decimal("-0"), "0.00"),
        (Decimal("-0.05"), "-0.05"),
        (Decimal("9999.99"), "9999.99"),
        (Decimal(7), "7.00"),
    ],
)
def test_a_decimal_has_one_notation(value: Decimal, text: str) -> None:
    assert decimal_text(value, MONEY) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Decimal("0.001"), MONEY),
        (Decimal("12345.00"), MONEY),
        (32_768, INT16),
        (2**63, INT64),
        ("x", INT64),
        (1, BOOLEAN),
        ((1, 2, 3), PAIR),
    ],
)
def test_a_value_that_is_not_of_its_type_is_our_own_bug(value: Value, kind: Type) -> None:
    with pytest.raises((AssertionError, ValueError)):
        literal_to_proto(Literal(value=value, type=kind))


def message(kind: Type, **arm: object) -> pb.Literal:
    empty = literal_to_proto(Literal(value=None, type=kind))
    empty.MergeFrom(pb.Literal(**arm))  # type: ignore[arg-type]
    return empty


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (message(INT64, text="1"), "text"),
        (message(TEXT, integer=1), "integer"),
        (message(INT16, integer=40_000), "integer"),
        (message(UUID, binary=b"short"), "binary"),
        (message(MONEY, text="1.5"), "text"),
        (message(MONEY, text="01.50"), "text"),
        (message(MONEY, text="-0.00"), "text"),
        (message(MONEY, text="12345.00"), "text"),
        (message(MONEY, text="1,50"), "text"),
        (message(MONEY, text="\u0661.50"), "text"),
        (message(PAIR, list=pb.ListValue(values=[message(INT64, integer=1)])), "list"),
        (
            message(INTS, list=pb.ListValue(values=[message(TEXT, text="x")])),
            "list.values[0].type",
        ),
        (
            message(INTS, list=pb.ListValue(values=[message(INT64, text="x")])),
            "list.values[0].text",
        ),
        (pb.Literal(integer=1), "type.kind"),
    ],
)
def test_anything_else_is_refused_by_name(wrong: pb.Literal, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        literal_from_proto(wrong)
    assert caught.value.path == path


def test_infinities_survive() -> None:
    for value in (math.inf, -math.inf):
        literal = Literal(value=value, type=FLOAT64)
        assert literal_from_proto(literal_to_proto(literal)) == literal
