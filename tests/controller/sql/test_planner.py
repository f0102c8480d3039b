"""The entry: statements from text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.catalog import Catalog, empty_catalog
from antiphon.controller.sql.planner import plan_statement
from antiphon.controller.sql.statement import StatementText
from antiphon.protocol.errors import ComputeError, InvalidSql, LimitExceeded, UnsupportedSql
from antiphon.protocol.limits import COLUMNS_MAX
from tests.controller.sql.recorded import SCHEMA, check
from tests.controller.sql.world import World, plan_one


@pytest.fixture
def world() -> World:
    made = World()
    made.run(SCHEMA + "CREATE INDEX t_ca ON t (c, a);")
    return made


def test_statements_are_planned_as_recorded() -> None:
    check("planner")


def test_the_same_statement_on_the_same_catalog_is_the_same_plan(world: World) -> None:
    text = "SELECT t.c, count(*) FROM t JOIN u USING (a) GROUP BY t.c ORDER BY 2 LIMIT 3"
    assert plan_one(text, world.catalog) == plan_one(text, world.catalog)


def test_the_place_counts_from_where_the_statement_begins(world: World) -> None:
    with pytest.raises(InvalidSql, match="line 5:13: ") as caught:
        plan_statement(StatementText(text="SELECT zz FROM t", line=5, column=6), world.catalog)
    assert caught.value.details["line"] == "5"


def test_every_error_has_a_place(world: World) -> None:
    for text in ("CREATE TABLE t (a int)", "SELECT row_number(a) OVER () FROM t"):
        with pytest.raises(ComputeError) as caught:
            plan_one(text, world.catalog)
        assert {"line", "column"} <= caught.value.details.keys()


def test_an_answer_of_too_many_columns_is_refused(world: World) -> None:
    assert plan_one("SELECT " + ", ".join(["1"] * COLUMNS_MAX), world.catalog)
    for text in ("SELECT {}", "SUBSCRIBE (SELECT {})", "EXPLAIN SELECT {}"):
        with pytest.raises(LimitExceeded, match="1601 columns, at most 1600"):
            plan_one(text.format(", ".join(["1"] * (COLUMNS_MAX + 1))), world.catalog)


def test_deep_nesting_is_an_error_and_not_a_crash(world: World) -> None:
    for text in (
        "SELECT " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT " + " + ".join(["a"] * 3000) + " FROM t",
        "SELECT a FROM t WHERE " + "NOT " * 3000 + "true",
    ):
        with pytest.raises(ComputeError):
            plan_one(text, world.catalog)


def test_a_long_conjunction_is_fine(world: World) -> None:
    for word in ("AND", "OR"):
        parts = f" {word} ".join(f"a <> {number}" for number in range(1_000))
        plan_one(f"SELECT a FROM t WHERE {parts}", world.catalog)


def test_now_is_what_the_caller_says(world: World) -> None:
    with pytest.raises(UnsupportedSql, match="current time"):
        plan_one("SELECT now()", world.catalog)
    statement = plan_one("SELECT now() AS n", world.catalog, now_ms=1_000)
    assert statement.rows.column(0).cast(pa.int64()).to_pylist() == [1_000_000]  # type: ignore[union-attr]


_WORDS = [
    "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "JOIN", "ON", "t", "u", "a", "b", "c", "*",
    ",", "(", ")", "=", "1", "'x'", "count(*)", "IN", "NOT", "EXISTS", "LIMIT", "UNION", "AS",
    "INSERT INTO", "VALUES", "CREATE VIEW", "CASE", "WHEN", "END", "NULL", ".", "+", ";", "DELETE",
]  # fmt: skip


def refusal(text: str, catalog: Catalog) -> ComputeError | None:
    try:
        plan_statement(StatementText(text=text), catalog)
    except ComputeError as error:
        return error
    return None


@given(st.lists(st.sampled_from(_WORDS), max_size=14))
def test_any_words_are_planned_or_refused_with_a_place(words: list[str]) -> None:
    refused = refusal(" ".join(words), _WORLD.catalog)
    assert refused is None or "line" in refused.details


@given(st.text(max_size=40))
def test_any_text_is_planned_or_refused_with_a_place(text: str) -> None:
    refused = refusal(text, empty_catalog())
    assert refused is None or "line" in refused.details


_WORLD = World()
_WORLD.run(SCHEMA)
