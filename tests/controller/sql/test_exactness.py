"""Planned queries, run by the engine, give what DuckDB gives over the same rows."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.errors import UnsupportedSql
from tests.controller.sql.flights import flights_world
from tests.controller.sql.random_queries import random_query
from tests.controller.sql.world import World, difference

FOLDER = Path(__file__).parent / "exact"
QUERIES = [
    piece.text
    for path in sorted(FOLDER.glob("*.sql"))
    for piece in split_statements(path.read_text())
]


SEEDS = int(os.environ.get("RANDOM_QUERIES", "200"))


@cache
def small(seed: int) -> World:
    return flights_world(seed, count=10)


@cache
def world(seed: int) -> World:
    return flights_world(seed, count=60 * seed + 40)


@pytest.mark.parametrize("query", QUERIES)
def test_the_answer_is_that_of_duckdb(query: str) -> None:
    for seed in (1, 2):
        assert difference(world(seed).select(query), world(seed).duck(query)) == ""


@pytest.mark.parametrize("start", range(0, SEEDS, 25))
def test_random_queries_give_what_duckdb_gives(start: int) -> None:
    for seed in range(start, start + 25):
        query = random_query(seed)
        try:
            ours = small(seed % 2).select(query)
        except UnsupportedSql as refused:
            reason = refused.message
        else:
            reason = difference(ours, small(seed % 2).duck(query))
        assert reason == "" or reason.endswith("is not supported"), f"seed {seed}: {query}"


def test_an_ordered_answer_is_in_order() -> None:
    query = "SELECT a, b FROM t ORDER BY a DESC NULLS LAST, b LIMIT 9 OFFSET 1"
    assert world(1).select(query) == world(1).duck(query)


def test_changes_read_what_they_change() -> None:
    changed = flights_world(3)
    changed.run(
        "INSERT INTO t SELECT a + 100, b, 'new' FROM t WHERE a = 1;"
        "UPDATE t SET b = coalesce(b, 0) + 10, c = upper(c) WHERE a > 100;"
        "DELETE FROM t WHERE c IS NULL;"
    )
    before = flights_world(3)
    kept = [row for row in before.select("SELECT * FROM t") if row[2] is not None]
    fresh = [
        (a + 100, (b or 0) + 10, "NEW") for a, b, _ in before.select("SELECT * FROM t") if a == 1
    ]
    assert difference(changed.select("SELECT * FROM t"), kept + fresh) == ""
