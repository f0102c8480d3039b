"""Arithmetic on dates and times has PostgreSQL's types."""

from __future__ import annotations

import pytest
from sqlglot import exp

from antiphon.controller.sql.binding.coercion import Typed, Unknown
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.scalars.temporal import arithmetic, at_zone, clock
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql, TypeMismatch
from antiphon.protocol.expression import ColumnReference, Literal
from antiphon.protocol.schema import (
    DATE,
    FLOAT64,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Type,
)

SOURCE = Source(StatementText(text="x"))


def of(kind: Type) -> ColumnReference:
    return ColumnReference(index=0, type=kind)


@pytest.mark.parametrize(
    ("left", "function", "right", "result"),
    [
        (DATE, "add", INT64, DATE),
        (INT32, "add", DATE, DATE),
        (DATE, "subtract", DATE, INT32),
        (DATE, "add", INTERVAL, TIMESTAMP),
        (TIMESTAMP, "subtract", INTERVAL, TIMESTAMP),
        (INTERVAL, "add", TIMESTAMPTZ, TIMESTAMPTZ),
        (TIMESTAMP, "subtract", DATE, INTERVAL),
        (TIMESTAMPTZ, "subtract", TIMESTAMP, INTERVAL),
        (INTERVAL, "add", INTERVAL, INTERVAL),
        (INTERVAL, "multiply", INT32, INTERVAL),
        (FLOAT64, "multiply", INTERVAL, INTERVAL),
        (INTERVAL, "divide", INT32, INTERVAL),
    ],
)
def test_operators_have_a_type(left: Type, function: str, right: Type, result: Type) -> None:
    found = arithmetic(SOURCE, 0, function, of(left), of(right))
    assert found is not None
    assert found.type == result


def test_an_unknown_side_is_what_the_operator_wants() -> None:
    def unknown(text: str) -> Typed:
        return Unknown(text)

    added = arithmetic(SOURCE, 0, "add", of(TIMESTAMP), unknown("1 day"))
    assert added is not None
    assert added.type == TIMESTAMP
    taken = arithmetic(SOURCE, 0, "subtract", of(TIMESTAMP), unknown("2026-01-01"))
    assert taken is not None
    assert taken.type == INTERVAL
    half = arithmetic(SOURCE, 0, "multiply", of(INTERVAL), unknown("0.5"))
    assert half is not None
    assert half.type == INTERVAL


def test_other_sides_have_no_operator() -> None:
    assert arithmetic(SOURCE, 0, "add", of(INT32), of(TEXT)) is None
    with pytest.raises(TypeMismatch, match=r"there is no operator date \+ date"):
        arithmetic(SOURCE, 0, "add", of(DATE), of(DATE))


def zone(name: str | None) -> Literal:
    return Literal(value=name, type=TEXT)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", None])
def test_a_zone_is_given_or_taken(name: str | None) -> None:
    assert at_zone(SOURCE, 0, zone(name), of(TIMESTAMP)).type == TIMESTAMPTZ
    assert at_zone(SOURCE, 0, zone(name), of(TIMESTAMPTZ)).type == TIMESTAMP
    assert at_zone(SOURCE, 0, zone(name), of(DATE)).type == TIMESTAMP
    with pytest.raises(TypeMismatch):
        at_zone(SOURCE, 0, zone(name), of(INT32))


def test_a_zone_is_text_and_known_if_it_is_a_literal() -> None:
    with pytest.raises(TypeMismatch):
        at_zone(SOURCE, 0, of(INT32), of(TIMESTAMP))
    with pytest.raises(InvalidSql):
        at_zone(SOURCE, 0, zone("Mars/Phobos"), of(TIMESTAMP))
    assert at_zone(SOURCE, 0, of(TEXT), of(TIMESTAMP)).type == TIMESTAMPTZ


def test_the_clock_is_the_time_given() -> None:
    assert clock(exp.CurrentTimestamp(), 86_400_000_001).value == 86_400_000_001
    assert clock(exp.CurrentDate(), 86_400_000_001).value == 1
    assert clock(exp.Localtimestamp(), 5).type == TIMESTAMP
