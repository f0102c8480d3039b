"""Tables whose rows come, change and go, full of what goes wrong: nulls, NaN, both zeros, values at
the ends of their types, text beyond ASCII, many copies of one row."""

from __future__ import annotations

import datetime as dt
import math
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from antiphon.controller.sql.planner import split_statements
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.one_zero import with_one_zero
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.hostile_queries import TABLES, TYPES
from tests.controller.sql.ticking import columns_of
from tests.controller.sql.world import Row, World

# What random queries seldom or never have.
EVERY = [
    piece.text
    for piece in split_statements((Path(__file__).parent / "hostile.sql").read_text("utf-8"))
]


def months_days_hours(months: int, days: int, hours: int) -> pa.MonthDayNano:
    return pa.MonthDayNano([months, days, hours * 3600 * 10**9])


VALUES: dict[str, list[Any]] = {
    "h": [0, 1, -1, 7, 32767, -32768],
    "i": [0, 1, 2, 3, 3, 2, 1, -1, 2147483647],
    "l": [0, 1, 2, -5, 2**62, 2**63 - 1, -(2**63)],
    "e": [0.0, -0.0, 0.5, math.nan, -math.inf, 16777216.0],
    "f": [0.0, -0.0, 1.0, 1.5, -2.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, 1e16, 0.1],
    "n": [Decimal(text) for text in ("0", "1.25", "-3.10", "0.01", "99999999.99")],
    "w": [Decimal(text) for text in ("0", "0.00001", "-7.5", "9" * 33 + ".99999")],
    "s": ["", "a", "A", "b", "é", "aé日本", "12", "1e3", " a", "2024-02-29"],
    "d": [dt.date(2024, 2, 29), dt.date(1969, 12, 31), dt.date(2024, 3, 31), dt.date(1, 1, 1)],
    "t": [dt.datetime(2024, 3, 31, 2, 30), dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
          dt.datetime(2024, 11, 3, 1, 30), dt.datetime(2023, 12, 31)],
    "z": [dt.datetime(2024, 3, 31, 1, 30, tzinfo=dt.UTC), dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
          dt.datetime(2024, 11, 3, 5, 30, tzinfo=dt.UTC)],
    # Some are equal and spelled otherwise: added to a date they are not the same.
    "v": [months_days_hours(0, 0, 0), months_days_hours(0, 1, 0), months_days_hours(0, 0, 24),
          months_days_hours(1, 0, 0), months_days_hours(0, 30, 0), months_days_hours(0, 29, 24),
          months_days_hours(1, -1, 24), months_days_hours(0, 0, -3)],
    "b": [True, False],
    "L": [[], [1], [1, 2], [2, 1], [None], [3, None, 3]],
    "F": [[], [0.0], [-0.0], [math.nan], [1.5, None]],
    "V": [[], [months_days_hours(1, 0, 0)], [months_days_hours(0, 30, 0)],
          [None, months_days_hours(0, 0, 24)], [None, months_days_hours(0, 1, 0)]],
    "R": [{"x": 1, "y": "a"}, {"x": None, "y": ""}, {"x": 1, "y": "b"}],
}  # fmt: skip
LAST = 9


def hostile_world() -> World:
    made = World()
    for name, columns in TABLES.items():
        typed = ", ".join(f"{column} {TYPES[kind]}" for column, kind in columns)
        made.run(f"CREATE TABLE {name} ({typed})")
    return made


class HostileRows:
    """The content of every table. `nulls`: their share."""

    def __init__(self, seed: int, *, nulls: float = 0.15) -> None:
        self.random = random.Random(seed)
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._nulls = nulls

    def _row(self, name: str) -> Row:
        return tuple(self._value(kind) for _, kind in TABLES[name])

    def _value(self, kind: str) -> Any:
        if self.random.random() < self._nulls:
            return None
        return self.random.choice(VALUES[kind])

    def tick(self, number: int) -> dict[str, list[tuple[Row, int]]]:
        """What changes at a tick. The last one takes everything away."""
        changed = {}
        for name, rows in self.rows.items():
            if number == LAST:
                gone, come = list(rows), []
            else:
                most = min(len(rows), self.random.choice([0, 0, 2, 4, 100]))
                gone = self.random.sample(rows, most)
                come = [self._row(name) for _ in range(self.random.randrange(6))]
                if come and self.random.random() < 0.3:
                    come += [come[0]] * self.random.randrange(1, 5)
                if name == "none" and number < 4:
                    come = []
            for row in gone:
                rows.remove(row)
            rows.extend(come)
            if gone or come:
                changed[name] = [*((row, -1) for row in gone), *((row, 1) for row in come)]
        return changed


def zset_of(world: World, name: str, changes: list[tuple[Row, int]]) -> tuple[CollectionId, Zset]:
    item = world.catalog.find(name)
    assert item is not None
    columns = columns_of([row for row, _ in changes], arrow_schema(item.schema))
    columns = tuple(with_one_zero(column) for column in columns)  # as the store does
    return item.id, Zset(columns, np.array([diff for _, diff in changes], np.int64))
