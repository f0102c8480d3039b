"""What two types have in common, what arithmetic gives, what may be cast."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.binding.types import (
    arithmetic_type,
    assignable,
    average_type,
    castable,
    common_type,
    sum_type,
    type_from_sql,
    widens,
)
from antiphon.controller.sql.parsing.dialect import parse_type
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import InvalidSql, UnsupportedSql
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DATE,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Column,
    Type,
    decimal,
    list_of,
    struct_of,
)

PAIR = struct_of(Column(name="a", type=INT32), Column(name="b", type=list_of(TEXT)))
ROW = struct_of(Column(name="f1", type=INT64), Column(name="f2", type=list_of(TEXT)))
WIDER = struct_of(Column(name="a", type=INT64), Column(name="b", type=list_of(TEXT)))
OTHER = struct_of(Column(name="a", type=INT32), Column(name="c", type=list_of(TEXT)))


def named(text: str) -> Type:
    source = Source(StatementText(text=text))
    return type_from_sql(source, parse_type(source, 0, len(text)), 0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("boolean", BOOLEAN), ("bool", BOOLEAN), ("smallint", INT16), ("int2", INT16),
        ("integer", INT32), ("int", INT32), ("int4", INT32), ("bigint", INT64), ("int8", INT64),
        ("real", FLOAT32), ("float4", FLOAT32), ("double precision", FLOAT64), ("float8", FLOAT64),
        ("float", FLOAT64), ("numeric(10,2)", decimal(10, 2)), ("decimal(5)", decimal(5, 0)),
        ("numeric", decimal(38, 10)), ("text", TEXT), ("varchar", TEXT), ("bytea", BYTEA),
        ("date", DATE), ("timestamp", TIMESTAMP), ("timestamp without time zone", TIMESTAMP),
        ("timestamptz", TIMESTAMPTZ), ("timestamp with time zone", TIMESTAMPTZ),
        ("interval", INTERVAL), ("uuid", UUID), ("int[]", list_of(INT32)),
        ("int list", list_of(INT32)),
        ("numeric(5,2)[][]", list_of(list_of(decimal(5, 2)))), ("list(text)", list_of(TEXT)),
        ("struct(a int, B text[])", PAIR), ('row(a int, "b" text[])', PAIR),
        ("row(a int, b text[])[]", list_of(PAIR)),
    ],
)  # fmt: skip
def test_types_have_the_names_of_postgresql(text: str, kind: Type) -> None:
    assert named(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        "varchar(3)",
        "char(1)",
        "json",
        "int[3]",
        "json[]",
        "map(int, int)",
        "row(int)",
        "time",
        "serial",
        "timestamp(3)",
        "tinyint",
    ],
)
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(UnsupportedSql, match="not supported"):
        named(text)


@pytest.mark.parametrize("text", ["numeric(39,2)", "numeric(0)", "numeric(3,4)", "nonsense"])
def test_impossible_types_are_invalid(text: str) -> None:
    with pytest.raises(InvalidSql):
        named(text)


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        (INT16, INT64, INT64),
        (INT32, FLOAT32, FLOAT64),
        (FLOAT32, FLOAT32, FLOAT32),
        (decimal(10, 2), FLOAT32, FLOAT64),
        (INT32, decimal(5, 4), decimal(14, 4)),
        (decimal(10, 2), decimal(4, 4), decimal(12, 4)),
        (DATE, TIMESTAMP, TIMESTAMP),
        (TIMESTAMP, TIMESTAMPTZ, TIMESTAMPTZ),
        (TEXT, INT32, None),
        (BOOLEAN, INT32, None),
        (INTERVAL, DATE, None),
        (list_of(INT32), list_of(decimal(5, 4)), list_of(decimal(14, 4))),
        (list_of(INT32), list_of(TEXT), None),
        (list_of(INT32), INT32, None),
        (PAIR, WIDER, WIDER),
        (PAIR, ROW, WIDER),  # a row has no names of its own
        (PAIR, OTHER, None),
        (PAIR, TEXT, None),
    ],
)
def test_two_types_have_one_in_common_or_none(left: Type, right: Type, common: Type | None) -> None:
    assert common_type(left, right) == common
    assert common_type(right, left) == common


@pytest.mark.parametrize(
    ("function", "left", "right", "result"),
    [
        ("add", INT16, INT32, INT32),
        ("divide", INT32, INT32, INT32),
        ("divide", INT32, FLOAT64, FLOAT64),
        ("add", decimal(10, 2), decimal(10, 4), decimal(13, 4)),
        ("multiply", decimal(10, 2), decimal(3, 1), decimal(13, 3)),
        ("multiply", decimal(38, 16), decimal(38, 16), decimal(38, 20)),
        ("divide", decimal(10, 2), INT32, decimal(38, 16)),
        ("modulo", decimal(10, 2), decimal(5, 3), decimal(11, 3)),
    ],
)
def test_arithmetic_has_the_type_that_its_result_needs(
    function: str, left: Type, right: Type, result: Type
) -> None:
    assert arithmetic_type(function, left, right) == result


def test_sums_are_wider_than_what_they_add() -> None:
    assert sum_type(INT16) == sum_type(INT32) == INT64
    assert sum_type(INT64) == decimal(38, 0)
    assert sum_type(decimal(10, 2)) == decimal(38, 2)
    assert sum_type(FLOAT64) == FLOAT64


def test_averages_of_exact_numbers_are_exact_to_sixteen_digits() -> None:
    assert average_type(INT32) == decimal(38, 16)
    assert average_type(decimal(30, 20)) == decimal(38, 20)
    assert average_type(FLOAT32) == FLOAT64


def test_casts_are_implicit_assigned_or_written() -> None:
    assert widens(INT32, INT64)
    assert not widens(INT64, INT32)
    assert assignable(INT64, INT32)
    assert assignable(DATE, TEXT)
    assert not assignable(TEXT, INT32)
    assert castable(TEXT, INT32)
    assert castable(BOOLEAN, INT32)
    assert not castable(BOOLEAN, DATE)
