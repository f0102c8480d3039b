"""Views kept up to date through random ticks, each tick compared with DuckDB from scratch, and with
DataFusion where that is asked for."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

import duckdb
import numpy as np
import pyarrow as pa

from antiphon.controller.sql.statement import Subscribe
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.one_zero import with_one_zero
from antiphon.protocol.plan import imports_of
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.controller.sql.postgres_functions import register, spelt
from tests.controller.sql.second_oracle import SecondOracle
from tests.controller.sql.world import Row, World, difference, plan_one, tuples

PLAIN = """
CREATE TABLE r (
    id bigint, g int, o int, x bigint, y smallint, f double precision, n numeric(10,2), s text,
    ts timestamp, day date, b boolean
)
"""
NESTED = """
CREATE TABLE r (
    id bigint, g int, a int[], f double precision[], w text[], s struct(x int, y text),
    m int[][], p struct(q int[], z double precision)[]
)
"""
FUNCTIONS = """
CREATE TABLE r (
    id bigint, g int, s text, w text, i int, n bigint, f double precision, h double precision,
    d numeric(10,3), ts timestamp, day date, v interval, b boolean
)
"""
START = dt.datetime(2024, 1, 30)


@dataclass
class Rows:
    """The content of `r`: rows come, change and go."""

    random: random.Random
    table: ClassVar[str] = PLAIN
    present: dict[int, Row] = field(default_factory=dict)
    last: int = 0

    def row(self) -> Row:
        pick, maybe, self.last = self.random, self.maybe, self.last + 1
        return (
            self.last,
            maybe(pick.randrange(3)),
            maybe(pick.randrange(6)),
            maybe(pick.choice([0, 1, 2, 3, -5, 10_000_000_000])),
            maybe(pick.randrange(-3, 4)),
            maybe(pick.choice([0.0, 0.5, 1.25, -2.0, 3.5])),
            maybe(Decimal(pick.randrange(-300, 300)) / 100),
            maybe(pick.choice(["a", "b", "ab", "", "zz"])),
            maybe(START + dt.timedelta(hours=pick.randrange(120))),
            maybe(START.date() + dt.timedelta(days=pick.randrange(60))),
            maybe(pick.random() < 0.5),
        )

    def maybe(self, value: Any) -> Any:
        return None if self.random.random() < 0.12 else value

    def tick(self, count: int) -> list[tuple[Row, int]]:
        """What changes, as (row, diff)."""
        changes: list[tuple[Row, int]] = []
        for _ in range(count):
            chance = self.random.random()
            if self.present and chance < 0.45:
                gone = self.random.choice(sorted(self.present))
                changes.append((self.present.pop(gone), -1))
            if chance > 0.2:
                row = self.row()
                self.present[row[0]] = row
                changes.append((row, 1))
        return changes

    def clear(self) -> list[tuple[Row, int]]:
        changes = [(row, -1) for row in self.present.values()]
        self.present.clear()
        return changes


class NestedRows(Rows):
    """Lists and structs: null, empty, with nulls, with floats that are equal and look different."""

    table: ClassVar[str] = NESTED

    def row(self) -> Row:
        pick, maybe, self.last = self.random, self.maybe, self.last + 1

        def some(make: Callable[[], Any], most: int = 3) -> Any:
            return maybe([maybe(make()) for _ in range(pick.randrange(most + 1))])

        def number() -> int:
            return pick.randrange(3)

        def real() -> float:
            return pick.choice([0.0, -0.0, 1.5, -2.0, math.nan, math.inf])

        def word() -> str:
            return pick.choice(["", "a", "b c", "NULL", 'q"'])

        return (
            self.last,
            maybe(pick.randrange(3)),
            some(number),
            some(real, 2),
            some(word, 2),
            maybe({"x": maybe(number()), "y": maybe(word())}),
            some(lambda: some(number, 2), 2),
            some(lambda: {"q": some(number, 1), "z": maybe(real())}, 1),
        )


class FunctionRows(Rows):
    """Values at the edges of their types: of text, of floats, of times before 1970."""

    table: ClassVar[str] = FUNCTIONS

    def row(self) -> Row:
        pick, maybe, self.last = self.random, self.maybe, self.last + 1

        def word() -> str:
            alphabet = ["a", "B", "é", "e\u0301", "😀", "Ж", " ", "-", "'", "\\", "1", "ab"]
            return "".join(pick.choice(alphabet) for _ in range(pick.randrange(9)))

        def real() -> float:
            edges = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-300, 1e15 + 0.5]
            return pick.choice([*edges, *(pick.uniform(-50, 50) for _ in edges)])

        def moment() -> dt.datetime:
            return dt.datetime(1960, 1, 1) + dt.timedelta(
                days=pick.randrange(-20_000, 40_000), microseconds=pick.randrange(86_400_000_000)
            )

        return (
            self.last,
            maybe(pick.randrange(3)),
            maybe(word()),
            maybe(word()),
            maybe(pick.choice([0, 1, -1, 6, -4, 12, 2**31 - 1, pick.randrange(100)])),
            maybe(pick.choice([0, 1, -1, 10, -15, 2**40, pick.randrange(100)])),
            maybe(real()),
            maybe(real()),
            maybe(Decimal(pick.randrange(-30_000, 30_000)) / 1000),
            maybe(moment()),
            maybe(moment().date()),
            maybe(pa.MonthDayNano([
                pick.randrange(-30, 30), pick.randrange(-70, 70),
                pick.randrange(-200_000_000_000, 200_000_000_000) * 1000,
            ])),
            maybe(pick.random() < 0.5),
        )  # fmt: skip


KINDS = {"nested": NestedRows, "functions": FunctionRows}


def columns_of(rows: list[Row], schema: pa.Schema) -> tuple[pa.Array, ...]:
    return tuple(
        pa.array([row[index] for row in rows], kind.type) for index, kind in enumerate(schema)
    )


def stored(rows: list[Row], schema: pa.Schema) -> tuple[pa.Array, ...]:
    """As a table has them."""
    return tuple(with_one_zero(column) for column in columns_of(rows, schema))


def world(table: str = PLAIN) -> World:
    made = World()
    made.run(table)
    return made


class View:
    """A view's dataflow, and what it holds."""

    def __init__(self, over: World, query: str) -> None:
        statement = plan_one(f"SUBSCRIBE TO ({query})", over.catalog)
        assert isinstance(statement, Subscribe)
        plan = plan_from_bytes(statement.dataflow.plan)
        imports = {c: ImportSpec(schema=over.catalog.get(c).schema) for c in imports_of(plan)}
        self.query = query
        self.flow = Dataflow.build(plan, imports)
        self.content = Zset.empty(self.flow.schema)
        self.time = 0
        self.failed: set[str] = set()  # functions of which there has been an error

    def step(self, inputs: dict[CollectionId, Zset]) -> None:
        self.time += 1
        change = self.flow.step(self.time, inputs)
        if change.errors is not None:
            self.failed.update(change.errors.columns[2].to_pylist())
        self.content = Zset.concat(self.flow.schema, [self.content, change]).consolidated()
        assert all(self.content.diffs > 0), "a row is there less than never"
        self.flow.maintain(50)

    @property
    def errors(self) -> Counter[str]:
        """Messages of the errors that are there now."""
        found = self.content.errors
        if found is None:
            return Counter()
        return Counter(dict(zip(found.columns[1].to_pylist(), found.diffs.tolist(), strict=True)))

    def rows(self) -> list[Row]:
        schema = arrow_schema(self.flow.schema)
        copies = np.repeat(np.arange(self.content.row_count), self.content.diffs)
        columns = [column.take(pa.array(copies)) for column in self.content.columns]
        names = [str(index) for index in range(len(schema))]
        return tuples(pa.RecordBatch.from_arrays(columns, names))


def left_behind(over: World, view: View) -> list[str]:
    """The operators of a view over empty tables that hold more than those of a new one do: rows,
    or memory. Sums stay as wide as they once had to be, for the groups there is room for."""
    fresh = View(over, view.query)
    fresh.step({})
    for each in (fresh, view):
        while each.flow.maintain(1 << 20):
            pass
    pairs = zip(fresh.flow.operators(), view.flow.operators(), strict=True)
    return [
        f"{counters.name}: {held.state_rows} rows, {held.state_bytes} bytes"
        for (_, before), (counters, held) in pairs
        if held.state_rows != before.state_rows
        or (held.state_bytes > before.state_bytes and counters.name != "reduce")
    ]


def duck(table: str = PLAIN) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET integer_division = true")
    connection.execute("SET TimeZone = 'UTC'; SET default_null_order = 'postgres'")
    register(connection)
    connection.execute(table)
    return connection


def are_close(ours: list[Row], theirs: list[Row]) -> bool:
    """Whether rows are equal but for the last digits of numbers, which may fall on either side of
    where `difference` rounds."""

    def number(value: Any) -> bool:
        return isinstance(value, int | float | Decimal) and not isinstance(value, bool)

    def key(row: Row) -> str:
        return repr([f"{float(value):.6g}" if number(value) else value for value in row])

    def same(a: Any, b: Any) -> bool:
        if number(a) and number(b):
            return math.isclose(float(a), float(b), rel_tol=1e-9)
        return bool(a == b)

    pairs = zip(sorted(ours, key=key), sorted(theirs, key=key), strict=False)
    return len(ours) == len(theirs) and all(
        same(a, b) for left, right in pairs for a, b in zip(left, right, strict=True)
    )


def check(
    queries: list[str],
    seed: int,
    ticks: int = 8,
    kind: type[Rows] = Rows,
    second: SecondOracle | None = None,
) -> None:
    """Every query's view is, at every tick, what DuckDB says, and a second engine where there is
    one; the last tick empties the table."""
    over = world(kind.table)
    table = over.catalog.find("r")
    assert table is not None
    schema = arrow_schema(table.schema)
    views = [(query, View(over, query)) for query in queries]
    rows, oracle = kind(random.Random(seed)), duck(kind.table)
    for tick in range(ticks + 1):
        changes = rows.clear() if tick == ticks else rows.tick(1 + (seed + tick) % 9)
        columns = stored([row for row, _ in changes], schema)
        diffs = np.array([diff for _, diff in changes], np.int64)
        inputs = {table.id: Zset(columns, diffs).consolidated()} if changes else {}
        present = stored(list(rows.present.values()), schema)
        oracle.execute("DELETE FROM r")
        oracle.register("incoming", pa.Table.from_arrays(list(present), schema=schema))
        oracle.execute("INSERT INTO r SELECT * FROM incoming")
        if second is not None:
            second.fill("r", pa.Table.from_arrays(list(present), schema=schema))
        for query, view in views:
            view.step(inputs)
            assert not view.errors, f"seed {seed}, tick {tick}: {query}"
            theirs = [tuple(row) for row in oracle.execute(spelt(query)).fetchall()]
            ours = view.rows()
            found = "" if are_close(ours, theirs) else difference(ours, theirs)
            if second is not None:
                found = found or second.difference(query, ours)
            assert found == "", f"seed {seed}, tick {tick}: {query}: {found}"
    for query, view in views:
        assert left_behind(over, view) == [], f"seed {seed}: {query}"
