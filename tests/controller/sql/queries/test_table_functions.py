"""Functions that return sets: what DuckDB has no words for, and what is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from antiphon.protocol.errors import DataError
from tests.controller.sql.recorded import check
from tests.controller.sql.ticking import View
from tests.controller.sql.world import Row, World

SETUP = """
CREATE TABLE t (id int, a int, s text);
INSERT INTO t VALUES (1, 1, 'x'), (1, 2, NULL), (2, 3, 'z'), (3, NULL, 'n');
CREATE VIEW l AS
SELECT id, array_agg(a ORDER BY a) AS xs, array_agg(s) FILTER (WHERE s IS NOT NULL) AS ss
FROM t GROUP BY id;
"""


@pytest.fixture(scope="module")
def world() -> World:
    made = World()
    made.run(SETUP)
    return made


def test_calls_are_planned_or_refused_as_recorded() -> None:
    check("table_functions")


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "SELECT id, x, s, n FROM l, unnest(xs, ss) WITH ORDINALITY AS u(x, s, n)",
            [(1, 1, "x", 1), (1, 2, None, 2), (2, 3, "z", 1), (3, None, "n", 1)],
        ),
        (
            "SELECT id, x, v FROM l, ROWS FROM (unnest(xs), generate_series(7, 8)) AS u(x, v)",
            [(1, 1, 7), (1, 2, 8), (2, 3, 7), (2, None, 8), (3, None, 7), (3, None, 8)],
        ),
        (  # in a select list, side by side, the shorter one continued with nulls
            "SELECT id, unnest(xs), generate_series(1, id) FROM l",
            [(1, 1, 1), (1, 2, None), (2, 3, 1), (2, None, 2), (3, None, 1), (3, None, 2),
             (3, None, 3)],
        ),
        ("SELECT id, generate_series(1, a) + 1 FROM t WHERE id = 1", [(1, 2), (1, 2), (1, 3)]),
        ("SELECT v, n FROM string_to_table('a,,b', ',') WITH ORDINALITY AS s(v, n)",
         [("a", 1), ("", 2), ("b", 3)]),
        ("SELECT string_to_table FROM t, string_to_table(s || '-', '-', '') WHERE id = 1",
         [("x",), (None,)]),
        ("SELECT string_to_table('', ','), string_to_table(NULL, ',')", []),
        ("SELECT id FROM t WHERE EXISTS (SELECT unnest(xs) FROM l WHERE id = 9)", []),
        ("SELECT id FROM t WHERE a IN (SELECT generate_series(2, 3))", [(1,), (2,)]),
        ("SELECT g FROM generate_series(1, 2) g", [(1,), (2,)]),
        ("SELECT g, ordinality FROM generate_series(5, 6) WITH ORDINALITY g", [(5, 1), (6, 2)]),
        (
            "SELECT generate_series FROM generate_series(date '2024-01-31', '2024-02-01', '1 day')",
            [(dt.datetime(2024, 1, 31),), (dt.datetime(2024, 2, 1),)],
        ),
    ],
)  # fmt: skip
def test_sets_are_what_postgresql_makes_of_them(world: World, query: str, rows: list[Row]) -> None:
    assert sorted(world.select(query), key=repr) == sorted(rows, key=repr)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT generate_series(1, 2, a - 2) FROM t", "step size cannot equal zero"),
        ("SELECT generate_series(1, 1000001)", "more than 1000000 rows"),
        (
            "SELECT generate_series(timestamp '2000-01-01', '2100-01-01', '1 month -29 days')",
            "by months and days gives more than 10000 rows",
        ),
    ],
)
def test_what_cannot_be_spread_out_is_a_data_error(world: World, query: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        world.select(query)


def test_an_error_of_a_row_goes_with_the_row(world: World) -> None:
    view = View(world, "SELECT id, v FROM t, generate_series(1, 3, t.a - 2) AS s(v)")
    item = world.catalog.find("t")
    assert item is not None
    content = world.content[item.id]
    view.step({item.id: content})
    assert view.errors == {"step size cannot equal zero": 1}
    assert sorted(view.rows()) == [(2, 1), (2, 2), (2, 3)]
    view.step({item.id: content.negated()})
    assert not view.errors
    assert not view.rows()
