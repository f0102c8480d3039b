"""LATERAL and subqueries of every shape: at every tick what DuckDB computes from scratch."""

from __future__ import annotations

import os

import pytest

from tests.controller.sql.random_laterals import random_lateral
from tests.controller.sql.recorded import check
from tests.controller.sql.test_random_ticks import TICKS, Moving, applied, moving_world
from tests.controller.sql.ticking import View
from tests.controller.sql.world import World, difference

START = int(os.environ.get("TICKING_FROM", "100"))
QUERIES = int(os.environ.get("TICKING_QUERIES", "60"))
A_TEST = 20


def test_laterals_are_planned_or_refused_as_recorded() -> None:
    check("lateral")


@pytest.mark.parametrize("start", range(START, START + QUERIES, A_TEST))
def test_random_laterals_are_exact_at_every_tick(start: int) -> None:
    world, oracle = moving_world()
    queries = [random_lateral(seed) for seed in range(start, start + A_TEST)]
    views = [(query, plain, View(world, query)) for query, plain in queries]
    moving, row_count = Moving(start), 0
    for number in range(TICKS + 1):
        inputs = applied(world, oracle, moving, number)
        for query, plain, view in views:
            view.step(dict(inputs))
            assert not view.errors, f"tick {number}: {query}"
            theirs = [tuple(row) for row in oracle.execute(plain).fetchall()]
            row_count += len(theirs)
            assert difference(view.rows(), theirs) == "", f"from {start}, tick {number}: {query}"
    assert row_count > 100, "most of them have an answer"


# What DuckDB has no answer for.
@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "SELECT t.a, s.k, s.n FROM t, LATERAL ("
            "SELECT t.b, count(*) FROM t o WHERE o.a = t.a GROUP BY ROLLUP (t.b)) s(k, n)",
            [(1, 2, 2), (1, 3, 2), (1, None, 2), (1, None, 2)],
        ),
        (
            "SELECT a FROM t WHERE (a, b) IN "
            "(SELECT o.a, max(o.b) FROM t o WHERE o.b >= t.b GROUP BY o.a)",
            [(1,)],
        ),
        (  # a group of nothing, for each row
            "SELECT t.b, s.n FROM t, LATERAL (SELECT count(*) FROM t o WHERE o.b > t.b) s(n)",
            [(2, 1), (3, 0)],
        ),
        ("SELECT s.* FROM t, LATERAL (SELECT t.*) s", [(1, 2), (1, 3)]),
    ],
)
def test_what_is_around_is_a_constant_inside(query: str, rows: list[tuple[int, ...]]) -> None:
    world = World()
    world.run("CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2), (1, 3)")
    assert sorted(world.select(query), key=repr) == sorted(rows, key=repr)
