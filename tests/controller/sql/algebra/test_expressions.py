"""Typed expressions are taken apart and put together."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import (
    FALSE,
    TRUE,
    all_of,
    any_of,
    columns_of,
    columns_of_all,
    conjuncts,
    equal,
    inputs_of,
    is_risky,
    negation,
    null,
    remap,
    rewrite,
    shift,
    substitute,
    substitute_columns,
    walk,
    with_inputs,
)
from antiphon.protocol.expression import Branch, Call, Case, Cast, ColumnReference, Literal
from antiphon.protocol.schema import FLOAT64, INT16, INT32, INT64, TEXT, decimal

A, B, C = (ColumnReference(index=index, type=INT32) for index in range(3))
SUM = Call(function="add", arguments=(A, B), type=INT32)
CASE = Case(branches=(Branch(condition=equal(A, B), value=C),), otherwise=SUM, type=INT32)


def test_every_node_is_rebuilt_from_its_parts() -> None:
    for expression in (A, SUM, CASE, Cast(input=SUM, type=INT64), Literal(value=1, type=INT32)):
        assert with_inputs(expression, inputs_of(expression)) == expression


def test_columns_are_those_that_are_read() -> None:
    assert columns_of(CASE) == {0, 1, 2}
    assert columns_of_all([A, Cast(input=C, type=INT64)]) == {0, 2}
    assert sum(isinstance(part, ColumnReference) for part in walk(CASE)) == 5


def test_columns_are_moved_renamed_and_replaced() -> None:
    assert columns_of(shift(SUM, 3)) == {3, 4}
    assert shift(SUM, 0) is SUM
    assert columns_of(remap(SUM, {0: 7, 1: 9})) == {7, 9}
    assert substitute(SUM, [C, C]) == Call(function="add", arguments=(C, C), type=INT32)
    assert substitute_columns(SUM, {1: C}) == Call(function="add", arguments=(A, C), type=INT32)


def test_what_does_not_change_is_the_same_value() -> None:
    assert rewrite(CASE, lambda part: None) is CASE


def test_conditions_are_joined_and_parted() -> None:
    one, two, three = (equal(A, x) for x in (A, B, C))
    assert conjuncts(all_of([one, all_of([two, three])])) == [one, two, three]
    assert conjuncts(TRUE) == []
    assert all_of([]) == TRUE
    assert any_of([]) == FALSE
    assert any_of([one]) == one
    assert negation(one).arguments == (one,)  # type: ignore[attr-defined]


def test_what_may_fail_on_ordinary_rows_is_risky() -> None:
    assert is_risky(Call(function="divide", arguments=(A, B), type=INT32))
    assert is_risky(Cast(input=ColumnReference(index=0, type=TEXT), type=INT32))
    assert is_risky(Cast(input=A, type=INT16))
    wide = ColumnReference(index=0, type=decimal(12, 2))
    assert is_risky(Cast(input=wide, type=decimal(10, 2)))
    assert not is_risky(Cast(input=wide, type=decimal(14, 4)))
    assert not is_risky(Cast(input=A, type=FLOAT64))
    assert not is_risky(Cast(input=A, type=TEXT))
    assert not is_risky(SUM)
    assert null(INT32).value is None
