"""DEFAULT: computed at each INSERT, wherever no value is given."""

from __future__ import annotations

import datetime as dt

import pytest

from antiphon.controller.sql.statements.defaults import default_of
from antiphon.protocol.errors import ConstraintViolation
from antiphon.protocol.expression import Literal
from tests.controller.sql.world import World, plan_one

TABLE = """
CREATE TABLE d (
    id int PRIMARY KEY, a int DEFAULT 3 NOT NULL, b text DEFAULT 'x' || 'y', c text DEFAULT NULL,
    at timestamptz DEFAULT now(), l int[] DEFAULT ARRAY[1, 2], m text DEFAULT md5('m')
)
"""
WHEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
NOW_MS = int(WHEN.timestamp() * 1000)
MD5 = "6f8f57715090da2632453988d9a1501b"


@pytest.fixture
def world() -> World:
    made = World()
    made.perform(plan_one(TABLE, made.catalog))
    return made


def insert(world: World, text: str) -> None:
    world.perform(plan_one(f"INSERT INTO d {text}", world.catalog, NOW_MS))


def test_what_is_not_given_has_its_default(world: World) -> None:
    insert(world, "(id) VALUES (1)")
    insert(world, "(b, id) SELECT 'given', 2")
    insert(
        world, "VALUES (DEFAULT, 4, DEFAULT, 'c', DEFAULT, NULL, 'm')".replace("(DEFAULT", "(3", 1)
    )
    insert(world, "VALUES (2 + 2, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT, DEFAULT)")
    assert sorted(world.select("SELECT * FROM d")) == [
        (1, 3, "xy", None, WHEN, [1, 2], MD5),
        (2, 3, "given", None, WHEN, [1, 2], MD5),
        (3, 4, "xy", "c", WHEN, None, "m"),
        (4, 3, "xy", None, WHEN, [1, 2], MD5),
    ]


def test_default_is_no_value_where_none_was_said(world: World) -> None:
    with pytest.raises(ConstraintViolation, match='column "id" of "d" is NOT NULL'):
        insert(world, "DEFAULT VALUES")
    with pytest.raises(ConstraintViolation, match='column "id" of "d" is NOT NULL'):
        insert(world, "(a) SELECT 1 FROM d RIGHT JOIN (SELECT 1) q ON true")


def test_a_column_is_set_to_its_default(world: World) -> None:
    insert(world, "VALUES (1, 9, 'b', 'c', NULL, NULL, NULL)")
    world.perform(plan_one("UPDATE d SET a = DEFAULT, (b, c) = (DEFAULT, a::text)", world.catalog))
    assert world.select("SELECT a, b, c FROM d") == [(3, "xy", "9")]


def test_the_time_is_that_of_the_insert(world: World) -> None:
    item = world.catalog.find("d")
    assert item is not None
    assert default_of(item, 4, 5) == Literal(value=5, type=item.schema.types[4])
