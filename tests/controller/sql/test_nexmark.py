"""The queries of Nexmark that are standard SQL, as views: exact while rows come and go."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.second_oracle import SecondOracle
from tests.controller.sql.ticking import View, columns_of
from tests.controller.sql.world import Row, World, difference

TABLES = (
    "CREATE TABLE person (id int, name text, city text, state text, date_time timestamp)",
    "CREATE TABLE auction (id int, seller int, category int, date_time timestamp,"
    " expires timestamp)",
    "CREATE TABLE bid (auction int, bidder int, price bigint, url text, date_time timestamp)",
)
BEGIN = dt.datetime(2024, 1, 1, 7, 59)
QUERIES = [
    piece.text
    for piece in split_statements((Path(__file__).parent / "nexmark.sql").read_text("utf-8"))
]


def moment(pick: random.Random) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=pick.randrange(240))


def row_of(pick: random.Random, table: str) -> Row:
    number, now = pick.randrange(6), moment(pick)
    if table == "person":
        return (number, f"n{number}", "Boise", pick.choice(["OR", "ID", "CA", "NY"]), now)
    if table == "auction":
        return (number, pick.randrange(6), pick.randrange(3), now, now + dt.timedelta(minutes=2))
    url = f"https://x.org/{pick.choice(['apple', 'pear'])}/{number}"
    return (number, pick.randrange(5), pick.randrange(60), url, now)


@pytest.mark.parametrize("seed", range(2))
def test_nexmark_is_exact_at_every_tick(seed: int) -> None:
    world, oracle, pick = World(), duckdb.connect(), random.Random(seed)
    second = SecondOracle()
    oracle.execute("SET threads = 1; SET integer_division = true")
    oracle.execute("SET default_null_order = 'postgres'")
    for table in TABLES:
        world.run(table)
        oracle.execute(table)
    views = [(query, View(world, query)) for query in QUERIES]
    answered: set[str] = set()
    present: dict[str, list[Row]] = {"person": [], "auction": [], "bid": []}
    for tick in range(8):
        inputs = {}
        for name, rows in present.items():
            gone = pick.sample(rows, min(len(rows), 2)) if tick else []
            come = [row_of(pick, name) for _ in range(8 if name == "bid" else 3)]
            for row in gone:
                rows.remove(row)
            rows.extend(come)
            item = world.catalog.find(name)
            assert item is not None
            schema = arrow_schema(item.schema)
            diffs = np.array([-1] * len(gone) + [1] * len(come), np.int64)
            inputs[item.id] = Zset(columns_of([*gone, *come], schema), diffs).consolidated()
            whole = pa.Table.from_arrays(list(columns_of(rows, schema)), schema=schema)
            oracle.execute(f"DELETE FROM {name}")
            oracle.register("incoming", whole)
            oracle.execute(f"INSERT INTO {name} SELECT * FROM incoming")
            second.fill(name, whole)
        for query, view in views:
            view.step(inputs)
            theirs = [tuple(row) for row in oracle.execute(query).fetchall()]
            assert difference(view.rows(), theirs) == "", f"tick {tick}: {query}"
            assert second.difference(query, view.rows()) == "", f"tick {tick}: {query}, a second"
            if theirs:
                answered.add(query)
    assert answered == set(QUERIES), "no query is empty all the time"
