"""Every example of `docs/sql.md` as a view: at each tick of random changes to the tables it reads,
it is what DuckDB, and DataFusion where it answers, compute from scratch."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from functools import cache

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from antiphon.controller.catalog import CatalogItem
from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.flights import SCHEMA, flights_world
from tests.controller.sql.postgres_functions import register, spelt
from tests.controller.sql.second_oracle import SecondOracle
from tests.controller.sql.test_examples import is_clocked, query_of
from tests.controller.sql.ticking import View, are_close, left_behind
from tests.controller.sql.world import World, difference
from tests.sql_document import examples

pytestmark = pytest.mark.slow  # once is enough: no order of a set is in what they compare

SEEDS = int(os.environ.get("TICKING_SEEDS", "1"))
TICKS = 5
QUERIES = [query_of(example) for example in examples() if not is_clocked(example)]


@cache
def supply() -> dict[str, Zset]:
    """The rows that there may be, by table."""
    full = flights_world(5, count=40)
    return {item.name: full.content[item.id] for item in full.catalog.items.values()
            if item.id in full.content}  # fmt: skip


def tables_alone() -> World:
    """Without views and indexes, which a plan could read instead."""
    world = World()
    for piece in split_statements(SCHEMA):
        if piece.text.startswith(("CREATE TABLE", "CREATE FEED")):
            world.run(piece.text)
    return world


class Parts:
    """A random part of every table: rows come and go, and are there twice where no key forbids."""

    def __init__(self, world: World, seed: int) -> None:
        self._random = random.Random(seed)
        self._items = list(world.catalog.items.values())
        self._held = {
            item.name: np.zeros(supply()[item.name].row_count, np.int64) for item in self._items
        }

    def tick(self, number: int) -> dict[CollectionId, Zset]:
        """What changes. The last one takes everything away."""
        inputs = {}
        for item in self._items:
            held = self._held[item.name]
            wanted = self._drawn(item, held) if number < TICKS - 1 else np.zeros_like(held)
            rows = supply()[item.name].columns
            inputs[item.id] = Zset(rows, wanted - held).consolidated()
            self._held[item.name] = wanted
        return inputs

    def _drawn(self, item: CatalogItem, held: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        most = 1 if item.key_columns else 2
        drawn = [self._random.randint(0, most) for _ in held]
        changes = np.array([self._random.random() < 0.4 for _ in held], np.bool_)
        return np.where(changes, np.array(drawn, np.int64), held)

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Every table as it is now."""
        for item in self._items:
            held = self._held[item.name]
            copies = pa.array(np.repeat(np.arange(len(held)), held))
            columns = [column.take(copies) for column in supply()[item.name].columns]
            yield item.name, pa.Table.from_arrays(columns, schema=arrow_schema(item.schema))


def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    register(connection)
    connection.execute("SET threads = 1; SET integer_division = true")
    connection.execute("SET TimeZone = 'UTC'; SET default_null_order = 'postgres'")
    return connection


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_example_is_exact_at_every_tick(seed: int) -> None:
    world, first, second = tables_alone(), oracle(), SecondOracle()
    views = [(query, View(world, query)) for query in QUERIES]
    parts = Parts(world, seed)
    for number in range(TICKS):
        inputs = parts.tick(number)
        for name, table in parts.tables():
            first.register("incoming", table)
            first.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM incoming")
            second.fill(name, table)
        for query, view in views:
            view.step(inputs)
            place = f"seed {seed}, tick {number}: {query}"
            assert not view.errors, place
            ours = view.rows()
            theirs = [tuple(row) for row in first.execute(spelt(query)).fetchall()]
            found = "" if are_close(ours, theirs) else difference(ours, theirs)
            assert (found or second.difference(query, ours)) == "", place
    for query, view in views:
        assert left_behind(world, view) == [], f"seed {seed}: {query}"
    assert second.answered > second.refused, "it is asked for nothing"
    assert second.outdated(QUERIES) == []
