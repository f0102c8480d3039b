"""The columns of a table, and its key."""

from __future__ import annotations

import pytest

from antiphon.controller.catalog import ColumnDefault
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.controller.sql.statements.column_definitions import ColumnDefinitions, read_columns
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.schema import INT32, TEXT


def read(text: str) -> ColumnDefinitions:
    source = Source(StatementText(text=text))
    return read_columns(source, Cursor(source))


def test_columns_and_the_places_of_the_key() -> None:
    found = read('(a int NOT NULL, "B c" text, d numeric(12, 3), PRIMARY KEY (d, a))')
    assert [column.name for column in found.columns] == ["a", "B c", "d"]
    assert [column.type for column in found.columns[:2]] == [INT32, TEXT]
    assert [column.nullable for column in found.columns] == [False, True, True]
    assert found.key == (2, 0)


def test_defaults_stand_among_what_else_is_said() -> None:
    found = read("(a int[] NOT NULL DEFAULT ARRAY[1, 2] NULL, b text, c int DEFAULT NULL NOT NULL)")
    assert found.defaults == (
        ColumnDefault(column=0, sql="ARRAY[1, 2]"),
        ColumnDefault(column=2, sql="NULL"),
    )
    assert [column.nullable for column in found.columns] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a int, a text)", 'column "a" is defined twice'),
        ("(a int PRIMARY KEY, b int PRIMARY KEY)", "there is one PRIMARY KEY"),
        ("(a int, PRIMARY KEY (b))", 'column "b" does not exist'),
        ("(a int, PRIMARY KEY (a, a))", 'column "a" is in the key twice'),
        ("(a)", 'the type of column "a" is expected'),
        ("(a int REFERENCES t (b))", "REFERENCES of a column is not supported"),
    ],
)
def test_what_is_no_definition_is_named(text: str, message: str) -> None:
    with pytest.raises(ComputeError, match=message):
        read(text)
