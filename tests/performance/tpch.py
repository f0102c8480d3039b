"""TPC-H through refresh streams: all 22 queries as views, fresh together after every tick.

    make bench NAME=tpch
    python -m tests.performance.tpch [--scale 0.1] [--ticks 20] [--check] [--json]

The data is that of `tpchgen-cli`, in an environment of its own. Each tick is a refresh: as many new
orders with their lines as the benchmark has (0.1 % of them), and as many old ones taken away. The
new ones were held back from the load. One process and one thread run all views' dataflows, as a
replica's worker does, with the same share of merging after each. `--check` compares all views with
DuckDB in the end.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from antiphon.controller.catalog import Catalog
from antiphon.controller.sql.statement import CreateMaterializedView
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.controller.sql.world import World, plan_one
from tests.performance.sides import environment

SQL: Final = Path(__file__).parent.parent / "controller/sql/tpch"
TABLES: Final = (
    "region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem",
)  # fmt: skip
FUEL_ROWS: Final = 65_536
REFRESH_SHARE: Final = 0.001  # of the orders, as TPC-H refreshes
WARM_UP_TICKS: Final = 2


@dataclass(slots=True)
class View:
    name: str
    flow: Dataflow
    content: list[Zset]
    loaded_rows: int = 0
    times_ms: list[float] = field(default_factory=list)

    def processed(self) -> int:
        """Rows that its operators took in, ever."""
        return sum(counters.rows_in for counters in self.flow.counters())


def queries() -> dict[str, str]:
    blocks = re.split(r"(?m)^-- (q\d+)\n", (SQL / "queries.sql").read_text())
    pairs = zip(blocks[1::2], blocks[2::2], strict=True)
    return {name: text.strip().rstrip(";") for name, text in pairs}


def generated(scale: float, folder: Path, catalog: Catalog) -> dict[str, pa.Table]:
    """Every table, in the collections' types."""
    program = environment("tpchgen").parent / "tpchgen-cli"
    command = [str(program), "parquet", "-s", str(scale), f"--output-dir={folder}"]
    subprocess.run(command, check=True, capture_output=True)
    found = {}
    for name in TABLES:
        item = catalog.find(name)
        assert item is not None, f"no table {name}"
        table = pq.read_table(folder / f"{name}.parquet")
        wanted = arrow_schema(item.schema)
        found[name] = table.select(wanted.names).cast(wanted).combine_chunks()
    return found


def zset(table: pa.Table, sign: int) -> Zset:
    columns = tuple(
        pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        for column in table.columns
    )
    return Zset(columns, np.full(table.num_rows, sign, np.int64), is_distinct=True)


class Stream:
    """The tables, and which orders are in them."""

    def __init__(self, tables: dict[str, pa.Table], catalog: Catalog, ticks: int) -> None:
        self.tables = tables
        self._schemas: dict[str, tuple[CollectionId, Schema]] = {}
        for name in TABLES:
            item = catalog.find(name)
            assert item is not None, f"no table {name}"
            self._schemas[name] = (item.id, item.schema)
        self._keys = np.sort(np.asarray(tables["orders"]["o_orderkey"]))
        self._size = max(1, round(len(self._keys) * REFRESH_SHARE))
        spread = np.random.default_rng(22).permutation(len(self._keys))
        self._new = spread[: self._size * ticks].reshape(ticks, self._size)
        self._old = spread[self._size * ticks : 2 * self._size * ticks].reshape(ticks, self._size)
        self._present = np.ones(len(self._keys), np.bool_)
        self._present[self._new.ravel()] = False

    def load(self) -> dict[CollectionId, Zset]:
        found = {}
        for name, table in self._present_tables().items():
            found[self._schemas[name][0]] = zset(table, 1)
        return found

    def refresh(self, tick: int) -> dict[CollectionId, Zset]:
        self._present[self._new[tick]] = True
        self._present[self._old[tick]] = False
        found = {}
        for name in ("orders", "lineitem"):
            collection, schema = self._schemas[name]
            parts = [
                zset(self._of(name, self._keys[rows]), sign)
                for rows, sign in ((self._new[tick], 1), (self._old[tick], -1))
            ]
            change = Zset.concat(schema, parts)
            found[collection] = Zset(change.columns, change.diffs, is_distinct=True)
        return found

    def _of(self, name: str, keys: np.ndarray[Any, Any]) -> pa.Table:
        table = self.tables[name]
        column = table["o_orderkey" if name == "orders" else "l_orderkey"]
        return table.filter(pc.is_in(column, pa.array(keys, column.type)))

    def _present_tables(self) -> dict[str, pa.Table]:
        keys = self._keys[self._present]
        changing = {name: self._of(name, keys) for name in ("orders", "lineitem")}
        return {**self.tables, **changing}

    def database(self) -> duckdb.DuckDBPyConnection:
        database = duckdb.connect()
        database.execute((SQL / "schema.sql").read_text())
        for name, table in self._present_tables().items():
            database.register("incoming", table)
            columns = ", ".join(column.name for column in self._schemas[name][1].columns)
            database.execute(f"INSERT INTO {name} SELECT {columns} FROM incoming")
            database.unregister("incoming")
        return database


def build(name: str, sql: str, catalog: Catalog) -> View:
    statement = plan_one(f"CREATE MATERIALIZED VIEW v AS {sql}", catalog)
    assert isinstance(statement, CreateMaterializedView)
    imports = {i.collection: ImportSpec(schema=i.schema) for i in statement.dataflow.imports}
    flow = Dataflow.build(plan_from_bytes(statement.dataflow.plan), imports)
    return View(name=name, flow=flow, content=[])


def wrong(views: list[View], stream: Stream) -> list[str]:
    """The views whose content is not what DuckDB computes."""
    database = stream.database()
    found = []
    for view in views:
        total = Zset.concat(view.flow.schema, view.content).consolidated()
        names = [f"c{i}" for i in range(len(total.columns))]
        ours = pa.table([*total.columns, pa.array(total.diffs)], names=[*names, "n"])
        database.register("ours", ours)
        theirs = database.sql(queries()[view.name]).to_arrow_table().rename_columns(names)
        database.register("theirs", theirs)

        mine = f"SELECT {_rounded(ours, names)} FROM ours, range(n) WHERE n > 0"
        other = f"SELECT {_rounded(theirs, names)} FROM theirs"
        difference = f"(({mine}) EXCEPT ALL ({other})) UNION ALL (({other}) EXCEPT ALL ({mine}))"
        ((count,),) = database.sql(f"SELECT count(*) FROM ({difference})").fetchall()
        if count or len(theirs) != int(total.diffs.sum()):
            found.append(f"{view.name} ({count} rows differ)")
    return found


def _rounded(table: pa.Table, names: list[str]) -> str:
    """The columns; averages and sums of decimals, whose types differ there, to the cent."""
    found = []
    for name, kind in zip(names, table.schema.types, strict=False):
        number = pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        found.append(f"round({name}::double, 2) AS {name}" if number else name)
    return ", ".join(found)


def run(views: list[View], stream: Stream, ticks: int, *, checks: bool) -> dict[str, Any]:
    started = time.perf_counter()
    content = stream.load()
    loaded = sum(change.row_count for change in content.values())
    step_all(views, 1, content, checks=checks)
    for view in views:
        while view.flow.maintain(FUEL_ROWS * 16):
            pass
        view.loaded_rows = view.processed()
    load_s = time.perf_counter() - started
    rows, times = 0, []
    for tick in range(ticks):
        change = stream.refresh(tick)
        started = time.perf_counter()
        step_all(views, tick + 2, change, checks=checks)
        if tick >= WARM_UP_TICKS:
            times.append(time.perf_counter() - started)
            rows += sum(part.row_count for part in change.values())
    return {
        "load_rows": loaded,
        "load_s": load_s,
        "tick_rows": rows // max(1, len(times)),
        "tick_p50_ms": statistics.median(times) * 1_000,
        "tick_worst_ms": max(times) * 1_000,
        "rows_per_s": rows / sum(times),
        "state_mb": sum(view.flow.state_bytes for view in views) / 1e6,
        "views": {
            view.name: {
                "p50_ms": statistics.median(view.times_ms[WARM_UP_TICKS + 1 :]),
                # 1 would be as much work as a load: computed from scratch.
                "work_per_load": (view.processed() - view.loaded_rows) / ticks / view.loaded_rows,
            }
            for view in views
        },
    }


def step_all(views: list[View], at: int, change: dict[CollectionId, Zset], *, checks: bool) -> None:
    for view in views:
        started = time.perf_counter()
        output = view.flow.step(at, change)
        view.flow.maintain(FUEL_ROWS)
        view.times_ms.append((time.perf_counter() - started) * 1_000)
        assert output.errors is None, f"{view.name} has errors"
        if checks:
            view.content.append(output)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.tpch")
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--ticks", type=int, default=20)
    parser.add_argument("--check", action="store_true", help="compare with DuckDB in the end")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    world = World()
    world.run((SQL / "schema.sql").read_text())
    with tempfile.TemporaryDirectory(prefix="antiphon-tpch-") as folder:
        tables = generated(options.scale, Path(folder), world.catalog)
    stream = Stream(tables, world.catalog, options.ticks)
    views = [build(name, sql, world.catalog) for name, sql in queries().items()]
    found = run(views, stream, options.ticks, checks=options.check)
    if options.json:
        print(json.dumps(found))
    else:
        for name, view in found["views"].items():
            print(
                f"{name:4} p50 {view['p50_ms']:8.2f} ms  work {view['work_per_load']:.4%} of a load"
            )
        print(", ".join(f"{k} {v:,.4g}" for k, v in found.items() if k != "views"))
    scratch = [n for n, v in found["views"].items() if v["work_per_load"] > 0.5]
    assert not scratch, f"computed from scratch: {scratch}"
    if options.check and (differing := wrong(views, stream)):
        print(f"not what DuckDB computes: {', '.join(differing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
