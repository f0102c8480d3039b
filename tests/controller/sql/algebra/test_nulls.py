"""Which nulls make an expression null, and a condition untrue."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import all_of, any_of, equal, negation
from antiphon.controller.sql.algebra.nulls import null_with, untrue_with, untrue_with_any
from antiphon.protocol.expression import Call, Cast, ColumnReference, Literal
from antiphon.protocol.schema import BOOLEAN, INT32, INT64

A, B, C = (ColumnReference(index=index, type=INT32) for index in range(3))
ONE = Literal(value=1, type=INT32)
SUM = Call(function="add", arguments=(A, Cast(input=B, type=INT32)), type=INT32)
EITHER = Call(function="coalesce", arguments=(A, B), type=INT64)


def test_a_null_goes_through_what_computes_with_it() -> None:
    assert null_with(SUM) == {0, 1}
    assert null_with(negation(equal(SUM, C))) == {0, 1, 2}
    assert null_with(ONE) == frozenset()


def test_what_looks_at_nulls_stops_it() -> None:
    assert null_with(EITHER) == frozenset()
    assert null_with(all_of([equal(A, ONE), equal(B, ONE)])) == frozenset()


def test_all_parts_of_a_conjunction_must_be_true_and_one_of_a_disjunction() -> None:
    assert untrue_with(all_of([equal(A, ONE), equal(B, ONE)])) == {0, 1}
    assert untrue_with(any_of([equal(A, B), equal(B, C)])) == {1}
    assert untrue_with_any([equal(A, ONE), any_of([equal(B, ONE), equal(C, ONE)])]) == {0}


def test_tests_for_nulls() -> None:
    def test(function: str) -> Call:
        return Call(function=function, arguments=(A,), type=BOOLEAN)

    assert untrue_with(test("is_not_null")) == {0}
    assert untrue_with(test("is_null")) == frozenset()
    assert untrue_with(negation(test("is_not_null"))) == frozenset()
    assert null_with(test("is_not_null")) == frozenset()
