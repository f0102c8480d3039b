"""Places in the text, and near misses."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source, near_miss
from antiphon.controller.sql.statement import StatementText


@pytest.mark.parametrize(
    ("offset", "place"), [(0, (3, 5)), (7, (3, 12)), (8, (4, 1)), (None, (3, 5))]
)
def test_places_count_from_where_the_statement_begins(
    offset: int | None, place: tuple[int, int]
) -> None:
    source = Source(StatementText(text="select\nx, y", line=3, column=5))
    text = "select \nx, y"
    assert Source(StatementText(text=text, line=3, column=5)).place(offset) == place
    assert source.place(7) == (4, 1)


def test_a_node_begins_where_its_first_token_does() -> None:
    source = Source(StatementText(text="select 1 + aa from t"))
    node = parse(source).expressions[0]
    assert source.place(node.expression) == (1, 12)
    assert source.knows(node)


def test_errors_carry_line_and_column() -> None:
    error = Source(StatementText(text="select x", line=2)).invalid(7, "no")
    assert (error.message, error.details) == ("line 2:8: no", {"line": "2", "column": "8"})
    refused = Source(StatementText(text="x")).unsupported(0, "this", "; do that")
    assert refused.message == "line 1:1: this is not supported; do that"
    assert refused.details["construct"] == "this"


def test_a_near_miss_is_offered_only_if_it_is_near() -> None:
    assert near_miss("fligths", ["flights", "airports"]) == '; did you mean "flights"?'
    assert near_miss("zzz", ["flights"]) == ""
