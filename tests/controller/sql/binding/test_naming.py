"""Result columns without a name get PostgreSQL's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.sql.binding.naming import distinct_names, output_name
from antiphon.controller.sql.parsing.dialect import parse
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("a", "a"), ("t.a", "a"), ('"A"', "A"), ("a AS B", "b"), ("(a)", "a"), ("1", "?column?"),
        ("a + 1", "?column?"), ("count(*)", "count"), ("COUNT(*) FILTER (WHERE a)", "count"),
        ("row_number() OVER (ORDER BY a)", "row_number"), ("a::text", "a"), ("'1'::int", "int4"),
        ("CASE WHEN a THEN 1 END", "case"), ("CASE WHEN a THEN 1 ELSE b END", "b"),
        ("EXISTS (SELECT 1)", "exists"), ("(SELECT max(x) FROM t)", "max"), ("true", "bool"),
        ("interval '1 day'", "interval"), ("extract(year FROM a)", "extract"),
        ("substring(a FROM 1)", "substring"), ("current_date", "current_date"), ("now()", "now"),
    ],
)  # fmt: skip
def test_an_item_is_called_after_what_it_is(item: str, name: str) -> None:
    node = parse(Source(StatementText(text=f"SELECT {item}")))
    assert output_name(node.expressions[0]) == name


def test_later_columns_of_a_name_are_numbered() -> None:
    assert distinct_names(["a", "a", "b", "a"]) == ("a", "a_1", "b", "a_2")
    assert distinct_names(["a", "a", "a_1"]) == ("a", "a_2", "a_1")


@given(st.lists(st.sampled_from(["a", "a_1", "a_2", "b", "a_1_1"]), max_size=8))
def test_names_come_out_all_different(names: list[str]) -> None:
    distinct = distinct_names(names)
    assert len(set(distinct)) == len(names)
    assert all(new.startswith(old) for new, old in zip(distinct, names, strict=True))
