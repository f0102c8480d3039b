"""The 22 queries of TPC-H as views, as they stand in the benchmark, through refresh streams: after
every tick each is what DuckDB computes from scratch, at the last what DataFusion does, and no tick
computes from scratch."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.algebra.plans import walk_plan
from antiphon.controller.sql.statement import CreateMaterializedView
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Join, Plan
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.controller.sql.second_oracle import SecondOracle
from tests.controller.sql.tpch.data import Row, Tpch
from tests.controller.sql.world import World, bag, plan_one, tuples

FOLDER = Path(__file__).parent / "tpch"
TICKS, ORDERS_A_TICK = 6, 5


def queries() -> dict[str, str]:
    blocks = re.split(r"(?m)^-- (q\d+)\n", (FOLDER / "queries.sql").read_text())
    return {
        name: text.strip().rstrip(";")
        for name, text in zip(blocks[1::2], blocks[2::2], strict=True)
    }


def zset(schema: Schema, changes: list[tuple[Row, int]]) -> Zset:
    rows = [row for row, _ in changes]
    columns = tuple(
        pa.array([row[place] for row in rows], column.type)
        for place, column in enumerate(arrow_schema(schema))
    )
    return Zset(columns, np.array([diff for _, diff in changes], np.int64))


class View:
    """One query, kept up to date."""

    def __init__(self, sql: str, catalog: Catalog) -> None:
        statement = plan_one(f"CREATE MATERIALIZED VIEW v AS {sql}", catalog)
        assert isinstance(statement, CreateMaterializedView)
        self.schema = statement.item.schema
        self.plan: Plan = plan_from_bytes(statement.dataflow.plan)
        imports = {i.collection: ImportSpec(schema=i.schema) for i in statement.dataflow.imports}
        self.flow = Dataflow.build(self.plan, imports)
        self.content: Counter[Row] = Counter()

    def step(self, time: int, changes: dict[CollectionId, Zset]) -> int:
        """The rows that all operators took in."""
        before = sum(counter.rows_in for counter in self.flow.counters())
        change = self.flow.step(time, changes)
        assert change.errors is None
        names = arrow_schema(self.schema)
        batch = pa.RecordBatch.from_arrays(list(change.columns), schema=names)
        for row, diff in zip(tuples(batch), change.diffs.tolist(), strict=True):
            self.content[row] += diff
        assert min(self.content.values(), default=0) >= 0
        return sum(counter.rows_in for counter in self.flow.counters()) - before

    def rows(self) -> list[Row]:
        return list(self.content.elements())


def test_all_queries_are_exact_after_every_tick_and_follow_the_change() -> None:
    world = World()
    world.run((FOLDER / "schema.sql").read_text())
    views = {name: View(sql, world.catalog) for name, sql in queries().items()}
    assert len(views) == 22
    stream = Tpch(seed=22)
    oracle = duckdb.connect()
    oracle.execute((FOLDER / "schema.sql").read_text())
    first = {name: 0 for name in views}
    work = {name: 0 for name in views}
    for time in range(1, TICKS + 2):
        changes = stream.load() if time == 1 else stream.refresh(ORDERS_A_TICK)
        refill(oracle, world, stream, set(changes))
        deltas = {}
        for table, found in changes.items():
            item = world.catalog.find(table)
            assert item is not None
            deltas[item.id] = zset(item.schema, found)
        for name, view in views.items():
            taken = view.step(time, deltas)
            if time == 1:
                first[name] = taken
            else:
                work[name] += taken
            expected = [tuple(row) for row in oracle.execute(queries()[name]).fetchall()]
            assert expected, f"{name} finds nothing: it proves nothing"
            assert bag(view.rows()) == bag(expected), f"{name} at tick {time}"
    second = second_oracle(world, stream)
    for name, view in views.items():
        assert second.difference(queries()[name], view.rows()) == "", f"{name}, a second engine"
    assert second.answered == len(views)
    for name in views:
        assert work[name] / TICKS < first[name] / 4, f"{name} computes from scratch"


def whole(world: World, stream: Tpch, table: str) -> pa.Table:
    item = world.catalog.find(table)
    assert item is not None
    rows = zset(item.schema, [(row, 1) for row in stream.tables[table]])
    return pa.Table.from_arrays(list(rows.columns), schema=arrow_schema(item.schema))


def second_oracle(world: World, stream: Tpch) -> SecondOracle:
    oracle = SecondOracle()
    for table in stream.tables:
        oracle.fill(table, whole(world, stream, table))
    return oracle


def refill(oracle: duckdb.DuckDBPyConnection, world: World, stream: Tpch, tables: set[str]) -> None:
    for table in sorted(tables):
        oracle.register("incoming", whole(world, stream, table))
        oracle.execute(f"DELETE FROM {table}")
        oracle.execute(f"INSERT INTO {table} SELECT * FROM incoming")
        oracle.unregister("incoming")


def test_no_query_has_a_cross_product_that_a_key_would_avoid() -> None:
    world = World()
    world.run((FOLDER / "schema.sql").read_text())
    for name, sql in queries().items():
        plan = View(sql, world.catalog).plan
        crosses = [n for n in walk_plan(plan) if isinstance(n, Join) and not n.left_keys]
        # A scalar subquery of one row is joined without a key.
        allowed = {"q11": 1, "q22": 1}.get(name, 0)
        assert len(crosses) <= allowed, f"{name} has {len(crosses)} joins without keys"
