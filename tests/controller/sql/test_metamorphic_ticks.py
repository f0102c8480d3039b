"""Relations that hold between queries whatever their answers are: one view or two of them on top of
each other; a condition, its opposite, and neither."""

from __future__ import annotations

import os
import random

import pytest

from antiphon.protocol.errors import UnsupportedSql
from tests.controller.sql.random_queries import Writer, random_query
from tests.controller.sql.test_passing_errors import change
from tests.controller.sql.test_random_ticks import TICKS, Moving, moving_world
from tests.controller.sql.ticking import View
from tests.controller.sql.world import World, bag

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

START = int(os.environ.get("TICKING_FROM", "7000"))
QUERIES = 12


def follow(world: World, seed: int, groups: list[list[View]]) -> None:
    """In every group the first view is, at each tick, what the others are together."""
    moving = Moving(seed)
    for number in range(TICKS + 1):
        inputs = dict(change(world, name, rows) for name, rows in moving.tick(number).items())
        for whole, *parts in groups:
            for view in (whole, *parts):
                view.step(dict(inputs))
            together = [row for part in parts for row in part.rows()]
            assert bag(whole.rows()) == bag(together), f"seed {seed}, tick {number}"


@pytest.mark.parametrize("seed", [START, START + 1])
def test_a_condition_its_opposite_and_neither_are_all_rows(seed: int) -> None:
    world, _ = moving_world()
    writer, groups = Writer(random.Random(seed)), []
    while len(groups) < QUERIES:
        source, columns = writer.source(1)
        condition = writer.test(columns, 2, subqueries=True)
        text = f"select {columns[0][0]} as c0, {columns[-1][0]} as c1 from {source}"
        wheres = ["", *(f" where ({condition}) {rest}" for rest in ("", "is false", "is null"))]
        try:
            groups.append([View(world, text + where) for where in wheres])
        except UnsupportedSql:
            continue
    follow(world, seed, groups)


@pytest.mark.parametrize("seed", [START, START + 1])
def test_views_on_views_are_the_query_in_one(seed: int) -> None:
    """By name, in FROM and by WITH; also twice in one query."""
    world, _ = moving_world()
    groups = []
    for number in range(seed * QUERIES, (seed + 1) * QUERIES):
        query = random_query(number)
        try:
            world.run(f"CREATE VIEW named{number} AS {query}")
            above = "select * from {0} x where c0 is not null union all select * from {0} y"
            if " as c0" not in query.partition(" from ")[0]:
                above = "select * from {0} x except all select * from {0} y where 1 = 0"
            one = View(world, above.format(f"({query})"))
            groups += [
                [one, View(world, above.format(f"named{number}"))],
                [View(world, above.format(f"({query})")), View(world, with_query(above, query))],
            ]
        except UnsupportedSql:
            continue
    assert len(groups) > QUERIES, "most of them are served"
    follow(world, seed, groups)


def with_query(above: str, query: str) -> str:
    return f"with q as ({query}) {above.format('q')}"
