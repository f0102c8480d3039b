"""Constants are computed when the statement is planned, or left to the replica."""

from __future__ import annotations

from decimal import Decimal

import pytest

from antiphon.controller.sql.algebra.fold import cast_value, fold
from antiphon.protocol.expression import Branch, Call, Case, Cast, ColumnReference, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    TEXT,
    Type,
    decimal,
)
from tests.controller.sql.recorded import check

A = ColumnReference(index=0, type=INT32)


def number(value: int, kind: Type = INT32) -> Literal:
    return Literal(value=value, type=kind)


def test_constants_are_computed_as_recorded() -> None:
    check("fold")


def test_what_fails_stays_as_it_is() -> None:
    quotient = Call(function="divide", arguments=(number(1), number(0)), type=INT32)
    assert fold(quotient) == quotient
    total = Call(function="add", arguments=(number(2**31 - 1), number(1)), type=INT32)
    assert fold(total) == total


def test_integers_are_divided_towards_zero() -> None:
    for left, right, quotient, rest in ((7, 2, 3, 1), (-7, 2, -3, -1), (7, -2, -3, 1)):
        parts = (number(left), number(right))
        divided = fold(Call(function="divide", arguments=parts, type=INT32))
        assert divided == number(quotient)
        assert fold(Call(function="modulo", arguments=parts, type=INT32)) == number(rest)


def test_a_branch_that_is_never_taken_is_not_computed() -> None:
    bad = Call(function="divide", arguments=(number(1), number(0)), type=INT32)
    false = Literal(value=False, type=BOOLEAN)
    case = Case(branches=(Branch(condition=false, value=bad),), otherwise=A, type=INT32)
    assert fold(case) == A


def test_false_decides_a_conjunction_whatever_the_rest() -> None:
    unknown = Call(function="is_null", arguments=(A,), type=BOOLEAN)
    false = Literal(value=False, type=BOOLEAN)
    assert fold(Call(function="and", arguments=(unknown, false), type=BOOLEAN)) == false
    true = Literal(value=True, type=BOOLEAN)
    assert fold(Call(function="or", arguments=(unknown, true), type=BOOLEAN)) == true
    assert fold(Call(function="and", arguments=(unknown, true), type=BOOLEAN)) == unknown


def test_a_null_argument_makes_strict_calls_null() -> None:
    null = Literal(value=None, type=INT32)
    assert fold(Call(function="add", arguments=(A, null), type=INT32)) == null


def test_a_cast_to_its_own_type_is_nothing() -> None:
    assert fold(Cast(input=A, type=INT32)) == A


@pytest.mark.parametrize(
    ("value", "given", "wanted", "result"),
    [
        (Decimal("2.5"), decimal(2, 1), INT32, 3),
        (Decimal("-2.5"), decimal(2, 1), INT32, -3),
        (2.5, FLOAT64, INT32, 2),
        (7, INT32, decimal(5, 2), Decimal("7.00")),
        (0.1, FLOAT64, FLOAT32, 0.10000000149011612),
        ("12", TEXT, INT64, 12),
        (True, BOOLEAN, INT32, 1),
        (12, INT32, TEXT, "12"),
        (None, INT32, TEXT, None),
    ],
)
def test_casts_round_as_postgresql_does(
    value: object, given: Type, wanted: Type, result: object
) -> None:
    assert cast_value(value, given, wanted) == result  # type: ignore[arg-type]


def test_a_cast_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="out of range"):
        cast_value(70_000, INT32, INT16)
    with pytest.raises(ValueError, match="out of range"):
        cast_value(12_345, INT32, decimal(4, 1))


def test_a_cast_that_only_replicas_know_says_so() -> None:
    with pytest.raises(NotImplementedError):
        cast_value(1.5, FLOAT64, TEXT)
