"""What the columns of a definition are called, and which names are refused."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.query import QueryLowering
from antiphon.controller.sql.statements.view_columns import view_schema
from antiphon.protocol.errors import InvalidSql
from tests.controller.sql.world import World, one


def names(text: str, *given: str) -> tuple[str, ...]:
    source = Source(one(text))
    context = Context(source=source, catalog=World().catalog)
    query = QueryLowering(context=context).lower(parse(source))
    return view_schema(source, 0, query, [(name, 0) for name in given]).names


def test_given_names_go_before_the_querys_own() -> None:
    assert names("SELECT 1 AS a, 2 AS b") == ("a", "b")
    assert names("SELECT 1 AS a, 2 AS b", "x") == ("x", "b")


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("SELECT 1 AS a, 2 AS a", (), 'two columns are called "a"'),
        ("SELECT 1, 2", (), "give it one with AS"),
        ("SELECT 1 AS a", ("x", "y"), "2 column names for 1 columns"),
        ("SELECT 1 AS antiphon_time", (), "are reserved"),
    ],
)
def test_what_cannot_be_called_so_is_named(text: str, given: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidSql, match=message):
        names(text, *given)
