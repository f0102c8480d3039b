"""The examples of `docs/sql.md`: answers are DuckDB's, and each is kept up to date as a view."""

from __future__ import annotations

from functools import cache

import duckdb
import pytest

from antiphon.controller.sql.planner import plan_statement, split_statements
from antiphon.controller.sql.statement import CreateMaterializedView, DataStatement
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.plan import imports_of
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.controller.sql.flights import flights_world
from tests.controller.sql.world import World, difference, plan_one, tuples
from tests.sql_document import CHANGES, Example, examples


@cache
def world() -> World:
    return flights_world(4, count=80)


def query_of(example: Example) -> str:
    return example.sql.rstrip(";")


def is_clocked(example: Example) -> bool:
    return "now()" in example.sql or "current_date" in example.sql


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.sql)
def test_an_example_can_be_a_view(example: Example) -> None:
    statement = plan_one(f"CREATE MATERIALIZED VIEW made AS {query_of(example)}", world().catalog)
    assert isinstance(statement, CreateMaterializedView)
    plan = plan_from_bytes(statement.dataflow.plan)
    schemas = {c: ImportSpec(schema=world().catalog.get(c).schema) for c in imports_of(plan)}
    flow = Dataflow.build(plan, schemas)
    assert flow.schema.types == statement.item.schema.types


@pytest.mark.parametrize(
    "example", [e for e in examples() if not is_clocked(e)], ids=lambda example: example.sql
)
def test_an_example_answers_as_duckdb_does(example: Example) -> None:
    query = query_of(example)
    assert difference(world().select(query), world().duck(query)) == ""


def test_changes_leave_what_duckdb_has() -> None:
    ours, theirs = World(), duckdb.connect()
    for example in examples(CHANGES):
        returned = None
        for piece in split_statements(example.sql):
            planned = plan_statement(piece, ours.catalog)
            if isinstance(planned, DataStatement) and planned.returning is not None:
                returned = ours.returned(planned)
            ours.perform(planned)
        said = [tuple(row) for row in theirs.execute(example.sql).fetchall()]
        assert returned is None or difference(tuples(returned), said) == "", example.sql
        for name in (item.name for item in ours.catalog.items.values()):
            query = f"SELECT * FROM {name}"
            rows = [tuple(row) for row in theirs.execute(query).fetchall()]
            assert difference(ours.select(query), rows) == "", example.sql
