"""Expressions are shown in the words of SQL."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import equal
from antiphon.controller.sql.explaining.explain_expressions import (
    show_expression,
    show_selection,
)
from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Interval,
    Literal,
)
from antiphon.protocol.schema import BOOLEAN, BYTEA, INT32, INT64, INTERVAL, TEXT, TIMESTAMP

A, B = ColumnReference(index=0, type=INT32), ColumnReference(index=1, type=TEXT)


def shown(expression: object) -> str:
    return show_expression(expression, ["a", "b"])  # type: ignore[arg-type]


def test_expressions_look_like_sql() -> None:
    assert shown(equal(A, Literal(value=3, type=INT32))) == "(a = 3)"
    assert shown(Literal(value="it's", type=TEXT)) == "'it''s'"
    assert shown(Literal(value=None, type=TEXT)) == "NULL"
    assert shown(Literal(value=0, type=TIMESTAMP)) == "1970-01-01 00:00:00"
    assert shown(Literal(value=b"x", type=BYTEA)) == "b'x'"
    assert shown(Cast(input=A, type=INT64)) == "a::bigint"
    assert shown(Call(function="lower", arguments=(B,), type=TEXT)) == "lower(b)"
    assert shown(Call(function="is_null", arguments=(B,), type=BOOLEAN)) == "(b IS NULL)"
    branch = Branch(condition=equal(A, A), value=B)
    assert shown(Case(branches=(branch,), otherwise=B, type=TEXT)) == (
        "CASE WHEN (a = a) THEN b ELSE b END"
    )


def test_intervals_are_in_units() -> None:
    value = Interval(months=14, days=-3, microseconds=1_500_000)
    assert shown(Literal(value=value, type=INTERVAL)) == "14 months -3 days 1.5 seconds"
    assert shown(Literal(value=Interval(), type=INTERVAL)) == "0 seconds"


def test_the_conditions_of_a_selection_are_one() -> None:
    both = (equal(A, Literal(value=3, type=INT32)), equal(B, B))
    assert show_selection(both, ["a", "b"]) == "(a = 3) AND (b = b)"
