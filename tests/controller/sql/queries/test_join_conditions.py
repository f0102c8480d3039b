"""Subqueries in ON and elsewhere: at every tick what DuckDB computes from scratch."""

from __future__ import annotations

import os

import pytest

from tests.controller.sql.random_structures import random_structure
from tests.controller.sql.test_random_ticks import TICKS, Moving, applied, moving_world
from tests.controller.sql.ticking import View
from tests.controller.sql.world import difference

START = int(os.environ.get("TICKING_FROM", "0"))
QUERIES = int(os.environ.get("TICKING_QUERIES", "80"))
A_TEST = 20


@pytest.mark.parametrize("start", range(START, START + QUERIES, A_TEST))
def test_random_structures_are_exact_at_every_tick(start: int) -> None:
    world, oracle = moving_world()
    queries = [random_structure(seed) for seed in range(start, start + A_TEST)]
    views = [(query, theirs, View(world, query)) for query, theirs in queries]
    moving, row_count = Moving(start), 0
    for number in range(TICKS + 1):
        inputs = applied(world, oracle, moving, number)
        for query, spelled_out, view in views:
            view.step(dict(inputs))
            assert not view.errors, f"tick {number}: {query}"
            theirs = [tuple(row) for row in oracle.execute(spelled_out).fetchall()]
            row_count += len(theirs)
            assert difference(view.rows(), theirs) == "", f"from {start}, tick {number}: {query}"
    assert row_count > 100, "most of them have an answer"
