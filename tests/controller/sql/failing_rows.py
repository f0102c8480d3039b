"""Rows that make queries fail, and go again; and what DuckDB says of the queries meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa

from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.schema import arrow_schema
from tests.controller.sql.ticking import columns_of
from tests.controller.sql.world import Row, World

QUERIES = [
    piece.text
    for piece in split_statements((Path(__file__).parent / "failing.sql").read_text("utf-8"))
]
TABLES = """
CREATE TABLE r (id int, g int, i int, l bigint, s text);
CREATE TABLE o (g int, j int);
"""
# A remainder by zero is null there; casts and overflows fail as with us.
MODULO = """
CREATE MACRO mod(a, b) AS
    CASE WHEN b = 0 THEN ('division by ' || b)::bigint ELSE a % b END
"""
FAILS = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfRangeException)
Changes = dict[str, list[tuple[Row, int]]]
BAD = ["i", "l", "s"]  # columns whose value fails
# Every row that fails has a partner, lest it depend on the order of joins whether it is computed.
PARTNERS: list[Row] = [(0, 1), (1, 2), (2, 3)]


@dataclass
class FailingRows:
    """The content of `r` and `o`: now and then a row fails, and goes soon after."""

    random: random.Random
    rows: dict[str, list[Row]] = field(default_factory=lambda: {"r": [], "o": []})
    last: int = 0

    def tick(self, number: int, *, is_last: bool = False) -> Changes:
        """What changes. Of three ticks one has every kind of failure, and one has none; the last
        takes everything away."""
        found: Changes = {}
        calm, kinds = number % 3 == 2, BAD if number % 3 == 1 and not is_last else []
        for name, rows in self.rows.items():
            gone = [row for row in rows if is_last or self._goes(row, calm=calm)]
            count = 0 if is_last else self.random.randrange(4)
            bad = [self.random.choice([*BAD, "", "", ""]) for _ in range(count)]
            come = [self._row(name, "" if calm else kind) for kind in [*bad, *kinds]]
            come += come[:1] if self.random.random() < 0.2 else []
            come += PARTNERS if name == "o" and not rows and not is_last else []
            for row in gone:
                rows.remove(row)
            rows.extend(come)
            if gone or come:
                found[name] = [*((row, -1) for row in gone), *((row, 1) for row in come)]
        return found

    def _goes(self, row: Row, *, calm: bool) -> bool:
        if row in PARTNERS:
            return False
        fails = len(row) == 5 and (row[2] == 0 or row[3] == 2**62 or row[4] == "x")
        return self.random.random() < 0.2 or (fails and calm)

    def _row(self, name: str, bad: str) -> Row:
        pick = self.random.choice
        if name == "o":
            return (pick([0, 1, 2, None]), pick([4, 5, None]))
        self.last += 1
        return (
            self.last,
            pick([0, 1, 2] if bad else [0, 1, 2, None]),
            0 if bad == "i" else pick([1, 1, 2, 3, None]),
            2**62 if bad == "l" else pick([1, 2, 2**60, None]),
            "x" if bad == "s" else pick(["1", "2", "3", None]),
        )


class FailingOracle:
    """DuckDB over the same rows."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET threads = 1; SET integer_division = true")
        self._connection.execute("SET default_null_order = 'postgres'")
        self._connection.execute(MODULO + ";" + TABLES)

    def fill(self, world: World, rows: FailingRows) -> None:
        for name, present in rows.rows.items():
            item = world.catalog.find(name)
            assert item is not None
            schema = arrow_schema(item.schema)
            columns = list(columns_of(present, schema))
            self._connection.execute(f"DELETE FROM {name}")
            self._connection.register("incoming", pa.Table.from_arrays(columns, schema=schema))
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM incoming")

    def answer(self, query: str) -> list[Row] | None:
        """Its rows; None: it fails."""
        try:
            return [tuple(row) for row in self._connection.execute(query).fetchall()]
        except FAILS:
            return None


def failing_world() -> World:
    world = World()
    world.run(TABLES)
    return world
