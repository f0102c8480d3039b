"""The columns of a table, and its key."""

from __future__ import annotations

import pytest

from antiphon.controller.catalog import ColumnDefault, ColumnLength
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


def test_a_varchar_has_room_for_so_many_characters() -> None:
    found = read("(a int, b varchar(20) NOT NULL, c character varying(3), d varchar)")
    assert found.lengths == (
        ColumnLength(column=1, characters=20),
        ColumnLength(column=2, characters=3),
    )
    assert [column.type for column in found.columns[1:]] == [TEXT, TEXT, TEXT]


def test_collations_by_bytes_and_names_of_constraints_change_nothing() -> None:
    text = (
        '(a text COLLATE "C" NOT NULL, b int CONSTRAINT n NOT NULL, CONSTRAINT k PRIMARY KEY (b))'
    )
    found = read(text)
    assert (found.key, [column.nullable for column in found.columns]) == ((1,), [False, False])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('(a text COLLATE "de_DE")', 'COLLATE "de_DE" is not supported; text is ordered by its'),
        ('(a int COLLATE "C")', "COLLATE needs text, not integer"),
        ("(a char(3))", r"the type char\(3\) is not supported; blanks are neither added nor"),
        ("(a bigserial)", "the type bigserial is not supported; ids are given by who inserts"),
        ("(a timestamp(3))", r"the parameter of timestamp\(3\) is not supported; write it without"),
        ("(a float(54))", "a float has 1 to 53 bits"),
        ("(a varchar(0))", "the length of varchar is a whole number from 1 on"),
        ("(a int CONSTRAINT c CHECK (a > 1))", "CHECK of a column is not supported; a view"),
        ("(a int, CONSTRAINT c UNIQUE (a))", "UNIQUE is not supported; a PRIMARY KEY is unique"),
        ("(a int, a text)", 'column "a" is defined twice'),
        ("(a int PRIMARY KEY, b int PRIMARY KEY)", "there is one PRIMARY KEY"),
        ("(a int, PRIMARY KEY (b))", 'column "b" does not exist'),
        ("(a int, PRIMARY KEY (a, a))", 'column "a" is named twice'),
        ("(a)", 'the type of column "a" is expected'),
        ("(a int REFERENCES t (b))", "REFERENCES of a column is not supported"),
    ],
)
def test_what_is_no_definition_is_named(text: str, message: str) -> None:
    with pytest.raises(ComputeError, match=message):
        read(text)
