"""Plain VALUES become columns without a syntax tree."""

from __future__ import annotations

from decimal import Decimal

import pytest

from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import Insert, StatementText
from antiphon.controller.sql.statements.values import read_rows
from antiphon.protocol.errors import InvalidSql, TypeMismatch
from antiphon.protocol.schema import BOOLEAN, DATE, FLOAT64, INT32, TEXT, Column, Type, decimal
from tests.controller.sql.world import World, plan_one, tuples


def read(text: str, *types: Type) -> list[list[object]] | None:
    columns = [Column(name=f"c{index}", type=kind) for index, kind in enumerate(types)]
    defaults = [null(kind) for kind in types]
    found = read_rows(Source(StatementText(text=text)), 0, columns, defaults)
    return None if found is None else [list(column) for column in found[0]]


def test_literals_of_every_kind_are_read() -> None:
    text = "(1, 'it''s', -2.5, NULL, true), ( -3 ,'', 1e2, DEFAULT, FALSE )"
    assert read(text, INT32, TEXT, decimal(5, 1), DATE, BOOLEAN) == [
        [1, -3],
        ["it's", ""],
        [Decimal("-2.5"), Decimal("100.0")],
        [None, None],
        [True, False],
    ]
    assert read("(date '1970-01-02', '3')", DATE, FLOAT64) == [[1], [3.0]]


@pytest.mark.parametrize(
    "text",
    ["(1 + 1)", "(1::bigint)", "(/* x */ 1)", "(1) -- x", "(1), (f(2))", "(true)", "(1) ON", ""],
)
def test_what_is_no_plain_literal_is_left_to_the_parser(text: str) -> None:
    assert read(text, INT32) is None


def test_a_row_of_the_wrong_width_is_named() -> None:
    with pytest.raises(InvalidSql, match="row 2 has 1 values for 2 columns"):
        read("(1, 2), (3)", INT32, INT32)
    with pytest.raises(InvalidSql, match="row 1 has 3 values"):
        read("(1, 2, 3)", INT32, INT32)


def test_a_wrong_value_names_its_row_and_column() -> None:
    with pytest.raises(TypeMismatch, match='line 1:7: row 2, column "c0"') as caught:
        read("(1), ('x')", INT32)
    assert caught.value.details["line"] == "1"


def test_both_readers_give_the_same_rows() -> None:
    world = World()
    world.run("CREATE TABLE x (a int, b numeric(6,2), c text, d timestamp, e boolean)")
    plain = "(1, 2.345, 'a''b', '2026-01-02 03:04', true), (NULL, -1, NULL, NULL, false)"
    parsed = plain.replace("(1,", "(1 + 0,").replace("'a''b'", "'a''' || 'b'")
    answers = []
    for rows in (plain, parsed):
        statement = plan_one(f"INSERT INTO x VALUES {rows}", world.catalog)
        assert isinstance(statement, Insert)
        answers.append(tuples(statement.rows))
    assert answers[0] == answers[1]
