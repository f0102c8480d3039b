"""Random queries, kept up to date: at every tick what DuckDB computes from scratch."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from antiphon.protocol.errors import UnsupportedSql
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.random_queries import random_query
from tests.controller.sql.ticking import View, columns_of
from tests.controller.sql.world import Row, World, difference

TABLES = {"t": ("a int", "b int", "c text"), "u": ("a int", "b bigint", "d text"),
          "empty": ("a int", "b int")}  # fmt: skip
VIEWS = (
    "CREATE VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a",
    "CREATE VIEW m AS SELECT a, n FROM v WHERE n > 1",
)
START = int(os.environ.get("TICKING_FROM", "5000"))
QUERIES = int(os.environ.get("TICKING_QUERIES", "100"))
A_TEST = 20
TICKS = 7


class Moving:
    """Small tables with many nulls and repeats, whose rows come and go."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}

    def row(self, columns: tuple[str, ...]) -> Row:
        texts = ["x", "y", "w", "zz", ""]
        values = [
            self.random.choice(texts) if column.endswith("text") else self.random.randrange(6)
            for column in columns
        ]
        return tuple(None if self.random.random() < 0.2 else value for value in values)

    def tick(self, number: int) -> dict[str, list[tuple[Row, int]]]:
        """What changes at a tick. The first fills, the last takes everything away."""
        changed: dict[str, list[tuple[Row, int]]] = {}
        for name, columns in TABLES.items():
            rows = self.rows[name]
            gone = list(rows) if number == TICKS else []
            if number not in (0, TICKS) and self.random.random() < 0.7:
                gone = self.random.sample(rows, min(len(rows), self.random.randrange(4)))
            count = {0: 8, TICKS: 0}.get(number, self.random.randrange(4))
            if name == "empty" and number < 3:
                count = 0
            come = [self.row(columns) for _ in range(count)]
            for row in gone:
                rows.remove(row)
            rows.extend(come)
            if gone or come:
                changed[name] = [*((row, -1) for row in gone), *((row, 1) for row in come)]
        return changed


def moving_world() -> tuple[World, duckdb.DuckDBPyConnection]:
    world, oracle = World(), duckdb.connect()
    oracle.execute("SET threads = 1; SET integer_division = true")
    oracle.execute("SET default_null_order = 'postgres'")
    for name, columns in TABLES.items():
        for run in (world.run, oracle.execute):
            run(f"CREATE TABLE {name} ({', '.join(columns)})")
    for view in VIEWS:
        world.run(view)
        oracle.execute(view)
    return world, oracle


def applied(
    world: World, oracle: duckdb.DuckDBPyConnection, moving: Moving, number: int
) -> Mapping[CollectionId, Zset]:
    """The tick's changes for us, and the tables as they are now for DuckDB."""
    inputs: dict[CollectionId, Zset] = {}
    for name, changes in moving.tick(number).items():
        item = world.catalog.find(name)
        assert item is not None
        schema = arrow_schema(item.schema)
        diffs = np.array([diff for _, diff in changes], np.int64)
        columns = columns_of([row for row, _ in changes], schema)
        inputs[item.id] = Zset(columns, diffs).consolidated()
        present = pa.Table.from_arrays(list(columns_of(moving.rows[name], schema)), schema=schema)
        oracle.execute(f"DELETE FROM {name}")
        oracle.register("incoming", present)
        oracle.execute(f"INSERT INTO {name} SELECT * FROM incoming")
    return inputs


@pytest.mark.parametrize("start", range(START, START + QUERIES, A_TEST))
def test_random_queries_are_exact_at_every_tick(start: int) -> None:
    world, oracle = moving_world()
    views: list[tuple[str, View]] = []
    for seed in range(start, start + A_TEST):
        query = random_query(seed)
        try:
            views.append((query, View(world, query)))
        except UnsupportedSql:
            continue
    assert len(views) > A_TEST // 2, "most of them are served"
    moving = Moving(start)
    for number in range(TICKS + 1):
        inputs = applied(world, oracle, moving, number)
        for query, view in views:
            view.step(dict(inputs))
            assert not view.errors, f"tick {number}: {query}"
            theirs = [tuple(row) for row in oracle.execute(query).fetchall()]
            assert difference(view.rows(), theirs) == "", f"from {start}, tick {number}: {query}"
