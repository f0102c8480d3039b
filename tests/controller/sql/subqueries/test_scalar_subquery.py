"""Subqueries that are one value: of several rows an error, as data, for as long as there are."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.protocol.errors import DataError
from antiphon.protocol.schema import arrow_schema
from antiphon.replica.dataflow.columns.zset import Zset
from tests.controller.sql.ticking import View, columns_of
from tests.controller.sql.world import Row, World

MESSAGE = "more than one row returned by a subquery used as an expression"
TABLES = "CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int)"


class Changing:
    """Two tables, a view over them, and what it says after each change."""

    def __init__(self, query: str) -> None:
        self.world = World()
        self.world.run(TABLES)
        self.view = View(self.world, query)

    def change(self, table: str, row: Row, diff: int = 1) -> tuple[list[Row], int]:
        """The rows, and how many errors there are."""
        item = self.world.catalog.find(table)
        assert item is not None
        columns = columns_of([row], arrow_schema(item.schema))
        self.view.step({item.id: Zset(columns, np.array([diff]))})
        assert not self.view.errors.keys() - {MESSAGE}
        return sorted(self.view.rows(), key=repr), self.view.errors[MESSAGE]


def test_the_error_is_there_while_the_second_row_is() -> None:
    view = Changing("SELECT a, (SELECT b FROM u) FROM t")
    assert view.change("u", (1, 10)) == ([], 0)
    assert view.change("t", (1, 1)) == ([(1, 10)], 0)
    assert view.change("u", (1, 10)) == ([], 1)  # the same value twice is two rows
    assert view.change("t", (2, 1)) == ([], 2)
    assert view.change("u", (1, 10), -1) == ([(1, 10), (2, 10)], 0)
    assert view.change("u", (1, 10), -1) == ([(1, None), (2, None)], 0)


@pytest.mark.parametrize(
    "tie", ["u.a = t.a", "u.a >= t.a AND u.a < t.a + 1", "u.a IN (SELECT t.a)"]
)
def test_the_error_is_of_the_rows_that_ask_for_it(tie: str) -> None:
    view = Changing(f"SELECT a, (SELECT b FROM u WHERE {tie}) FROM t")
    view.change("u", (1, 10))
    view.change("u", (1, 11))
    assert view.change("u", (2, 20)) == ([], 0)  # nobody asks
    assert view.change("t", (2, 0)) == ([(2, 20)], 0)
    assert view.change("t", (1, 0)) == ([(2, 20)], 1)
    assert view.change("t", (3, 0)) == ([(2, 20), (3, None)], 1)
    assert view.change("u", (1, 11), -1) == ([(1, 10), (2, 20), (3, None)], 0)
    assert view.change("t", (None, 0)) == ([(1, 10), (2, 20), (3, None), (None, None)], 0)


def test_what_is_not_evaluated_is_no_error() -> None:
    view = Changing(
        "SELECT a, CASE WHEN b = 1 THEN (SELECT u.b FROM u WHERE u.a = t.a) ELSE 0 END FROM t"
    )
    view.change("u", (1, 10))
    view.change("u", (1, 11))
    assert view.change("t", (1, 2)) == ([(1, 0)], 0)
    assert view.change("t", (1, 1)) == ([(1, 0)], 1)
    assert view.change("t", (1, 1), -1) == ([(1, 0)], 0)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a FROM t WHERE b < (SELECT u.b FROM u WHERE u.a = t.a)",
        "SELECT a FROM t WHERE b < (SELECT DISTINCT u.b FROM u WHERE u.a <= t.a)",
        "SELECT a FROM t WHERE b < (SELECT u.b FROM u WHERE u.a = t.a LIMIT 2)",
        "SELECT a FROM t WHERE b < (SELECT max(u.b) FROM u WHERE u.a = t.a GROUP BY u.b)",
        "SELECT a FROM t WHERE b < (SELECT b FROM u UNION SELECT 5 WHERE t.a = 9)",
        "SELECT a FROM t GROUP BY a HAVING min(b) < (SELECT u.b FROM u WHERE u.a = t.a)",
        "SELECT a FROM t WHERE b < (SELECT rank() OVER (ORDER BY b) + 9 FROM u WHERE u.a = t.a)",
    ],
)
def test_every_form_is_found_out(query: str) -> None:
    view = Changing(query)
    view.change("t", (1, 1))
    assert view.change("u", (1, 10)) == ([(1,)], 0)
    assert view.change("u", (1, 11)) == ([], 1)
    assert view.change("u", (1, 10), -1) == ([(1,)], 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("boolean", "true"), ("text", "'x'"), ("interval", "'1 day'"), ("int[]", "ARRAY[1, 2]")],
)
def test_the_value_may_have_any_type(kind: str, value: str) -> None:
    world = World()
    world.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2)")
    # Where nothing says that it is one row.
    query = f"SELECT (SELECT {value}::{kind} FROM t WHERE a = 1)"
    assert world.select(query) == world.select(f"SELECT {value}::{kind}")


def test_a_change_that_meets_several_rows_is_refused() -> None:
    world = World()
    world.run(f"{TABLES}; INSERT INTO t VALUES (1, 1); INSERT INTO u VALUES (1, 2), (1, 3)")
    with pytest.raises(DataError, match="more than one row"):
        world.run("UPDATE t SET b = (SELECT b FROM u)")
    world.run("UPDATE t SET b = (SELECT b FROM u WHERE b > 2)")
    assert world.select("SELECT b FROM t") == [(3,)]
