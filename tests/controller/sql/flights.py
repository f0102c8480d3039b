"""A small world in the shape of the New York flights, and tables with many nulls and repeats."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import TypeVar

import pyarrow as pa

from antiphon.protocol.schema import arrow_schema
from tests.controller.sql.world import World

V = TypeVar("V")
SCHEMA = """
CREATE TABLE airlines (carrier text PRIMARY KEY, name text);
CREATE TABLE planes (tailnum text PRIMARY KEY, seats integer, model text);
CREATE TABLE weather (origin text NOT NULL, hour timestamp NOT NULL, temp numeric(8,2),
  wind double precision, PRIMARY KEY (origin, hour));
CREATE FEED flights (id bigint, carrier text, tailnum text, origin text, dest text,
  hour timestamp, dep_delay integer, arr_delay integer, distance smallint, fare numeric(10,2),
  cancelled boolean, day date, PRIMARY KEY (id));
CREATE TABLE t (a int, b int, c text);
CREATE TABLE u (a int, b bigint, d text);
CREATE TABLE empty (a int, b int);
CREATE VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
CREATE INDEX v_a ON v (a);
CREATE INDEX v_n ON v (n);
CREATE MATERIALIZED VIEW m AS SELECT a, n FROM v WHERE n > 1;
CREATE VIEW vv AS SELECT * FROM v JOIN u USING (a);
CREATE INDEX flights_id ON flights (id);
"""
CARRIERS = ["AA", "UA", "DL", "B6", "ZZ"]
ORIGINS = ["JFK", "EWR", "LGA"]
DESTINATIONS = ["LAX", "SFO", "ORD", "MIA"]
TAILS = [f"N{number}" for number in range(12)]
BEGIN = dt.datetime(2013, 1, 1)
HOURS = [BEGIN + dt.timedelta(hours=hour) for hour in range(8)]


class Draw:
    """Values, now and then null."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def maybe(self, value: V, nulls: float = 0.1) -> V | None:
        return None if self.random.random() < nulls else value

    def whole(self, low: int, high: int, nulls: float = 0.1) -> int | None:
        return self.maybe(self.random.randrange(low, high), nulls)

    def cents(self, low: int, high: int) -> Decimal | None:
        return self.maybe(Decimal(self.random.randrange(low, high)) / 100)

    def one_of(self, values: list[V], nulls: float = 0.1) -> V | None:
        return self.maybe(self.random.choice(values), nulls)

    def day(self) -> dt.date | None:
        return self.maybe(BEGIN.date() + dt.timedelta(days=self.random.randrange(60)))


def flights_world(seed: int, count: int = 300) -> World:
    world, draw = World(), Draw(seed)
    world.run(SCHEMA)
    names = ["American", "United", "Delta", None]
    _fill(world, "airlines", [(c, n) for c, n in zip(CARRIERS, names, strict=False)])
    models = ["A", "B", "C"]
    _fill(world, "planes", [(n, draw.whole(50, 300), draw.one_of(models)) for n in TAILS[:9]])
    known = [(o, h) for o in ORIGINS for h in HOURS if draw.random.random() < 0.8]
    _fill(
        world,
        "weather",
        [(*k, draw.cents(-1000, 9000), draw.maybe(draw.random.random() * 30)) for k in known],
    )
    _fill(world, "flights", [_flight(draw, number) for number in range(count)])
    texts = ["x", "y", "zz", ""]
    small = (0, 6, 0.2)
    _fill(
        world,
        "t",
        [(draw.whole(*small), draw.whole(*small), draw.one_of(texts, 0.2)) for _ in range(30)],
    )
    _fill(
        world,
        "u",
        [(draw.whole(*small), draw.whole(*small), draw.one_of(["x", "w"], 0.2)) for _ in range(20)],
    )
    return world


def _flight(draw: Draw, number: int) -> tuple[object, ...]:
    return (
        number,
        draw.one_of(CARRIERS),
        draw.one_of(TAILS),
        draw.random.choice(ORIGINS),
        draw.one_of(DESTINATIONS),
        draw.random.choice(HOURS),
        draw.whole(-20, 200),
        draw.whole(-60, 200),
        draw.whole(100, 3000),
        draw.cents(1000, 99999),
        draw.maybe(draw.random.random() < 0.2),
        draw.day(),
    )


def _fill(world: World, name: str, rows: list[tuple[object, ...]]) -> None:
    item = world.catalog.find(name)
    assert item is not None
    schema = arrow_schema(item.schema)
    columns = [
        pa.array([row[index] for row in rows], field.type) for index, field in enumerate(schema)
    ]
    world.fill(name, pa.RecordBatch.from_arrays(columns, schema=schema))
