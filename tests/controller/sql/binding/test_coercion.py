"""Literals take the type of their place; casts are written down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from antiphon.controller.sql.binding.coercion import (
    Unknown,
    assign,
    cast,
    coerce,
    explicit_cast,
    settle,
    snug,
    unify,
    unify_compared,
)
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import TypeMismatch
from antiphon.protocol.expression import Cast, ColumnReference, Literal
from antiphon.protocol.schema import BOOLEAN, DATE, FLOAT64, INT16, INT32, INT64, TEXT, decimal

SOURCE = Source(StatementText(text="x"))
SMALL = ColumnReference(index=0, type=INT16)
BIG = ColumnReference(index=1, type=INT64)
MONEY = ColumnReference(index=2, type=decimal(10, 2))
SEVEN = Literal(value=7, type=INT32)


def test_an_unknown_literal_becomes_what_is_asked_for() -> None:
    assert settle(SOURCE, 0, Unknown("7"), INT16) == Literal(value=7, type=INT16)
    assert settle(SOURCE, 0, Unknown(None), DATE) == Literal(value=None, type=DATE)
    assert settle(SOURCE, 0, Unknown("7")) == Literal(value="7", type=TEXT)
    with pytest.raises(TypeMismatch, match="not a value of type date"):
        settle(SOURCE, 0, Unknown("7"), DATE)


def test_only_widening_casts_come_unasked() -> None:
    assert coerce(SOURCE, 0, SMALL, INT64, "it") == Cast(input=SMALL, type=INT64)
    with pytest.raises(TypeMismatch, match="it has the type bigint"):
        coerce(SOURCE, 0, BIG, INT16, "it")


def test_an_assignment_may_narrow_a_number_but_not_read_text() -> None:
    assert assign(SOURCE, 0, BIG, INT16, "c") == Cast(input=BIG, type=INT16)
    with pytest.raises(TypeMismatch, match='column "c" is integer'):
        assign(SOURCE, 0, ColumnReference(index=0, type=TEXT), INT32, "c")


def test_a_literal_that_does_not_fit_is_an_error_at_once() -> None:
    with pytest.raises(TypeMismatch, match="out of range"):
        assign(SOURCE, 0, Literal(value=70_000, type=INT32), INT16, "c")
    with pytest.raises(TypeMismatch, match="cannot cast"):
        explicit_cast(SOURCE, 0, Literal(value=True, type=BOOLEAN), DATE)


def test_the_sides_of_a_list_become_one_type() -> None:
    values, kind = unify(SOURCE, (0, 0, 0), (SMALL, Unknown("3"), BIG), "they")
    assert kind == INT64
    assert [value.type for value in values] == [INT64, INT64, INT64]
    assert unify(SOURCE, (0,), (Unknown("x"),), "it")[1] == TEXT


def test_a_literal_adopts_the_other_sides_type_if_it_has_its_value_there() -> None:
    assert unify_compared(SOURCE, (0, 0), SMALL, SEVEN, "=") == (
        SMALL,
        Literal(value=7, type=INT16),
    )
    half = Literal(value=Decimal("7.5"), type=decimal(2, 1))
    assert unify_compared(SOURCE, (0, 0), SMALL, half, "=")[0] == Cast(
        input=SMALL, type=decimal(6, 1)
    )
    assert unify_compared(SOURCE, (0, 0), MONEY, half, "=")[1] == Literal(
        value=Decimal("7.50"), type=decimal(10, 2)
    )
    double = ColumnReference(index=0, type=FLOAT64)
    assert unify_compared(SOURCE, (0, 0), half, double, "<")[0] == Literal(value=7.5, type=FLOAT64)


def test_sides_of_different_worlds_are_not_compared() -> None:
    with pytest.raises(TypeMismatch, match="cannot compare bigint = text"):
        unify_compared(SOURCE, (0, 0), BIG, ColumnReference(index=0, type=TEXT), "=")


def test_an_integer_beside_a_decimal_has_no_more_digits_than_written() -> None:
    assert snug(SEVEN, MONEY) == Literal(value=Decimal(7), type=decimal(1, 0))
    assert snug(SEVEN, BIG) is SEVEN
    assert cast(SEVEN, INT64) == Literal(value=7, type=INT64)
