"""WITH in front of a change: what it defines is read by the change, and DuckDB does the same."""

from __future__ import annotations

import duckdb
import pytest

from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statements.with_before import change_after_with
from tests.controller.sql.recorded import check
from tests.controller.sql.world import World, difference, one

TABLES = """
CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (3, 31); INSERT INTO u VALUES (1, 5), (3, 7);
"""


def test_changes_are_planned_or_refused_as_recorded() -> None:
    check("with_before")


@pytest.mark.parametrize(
    "change",
    [
        "WITH q AS (SELECT a + 10 AS a, b FROM u) INSERT INTO t SELECT a, b FROM q",
        "WITH q AS (SELECT 7 AS x), r AS (SELECT x + 1 AS y FROM q) "
        "INSERT INTO t (b) SELECT x + y FROM q, r",
        "WITH q AS (SELECT max(a) AS m FROM u) INSERT INTO t VALUES ((SELECT m FROM q), 0)",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 4) "
        "INSERT INTO t SELECT n, n FROM r",
        "WITH q AS (SELECT a, sum(b)::int AS s FROM u GROUP BY a) "
        "UPDATE t SET b = q.s FROM q WHERE q.a = t.a",
        "WITH q AS (SELECT a FROM u) UPDATE t SET b = 0 WHERE a IN (SELECT a FROM q)",
        "WITH q AS (SELECT a FROM u WHERE b > 5) DELETE FROM t WHERE a IN (SELECT a FROM q)",
        "WITH q AS (SELECT a FROM u) DELETE FROM t USING q WHERE q.a = t.a AND t.b < 31",
    ],
)
def test_it_leaves_what_duckdb_has(change: str) -> None:
    ours, theirs = World(), duckdb.connect()
    for run in (ours.run, theirs.execute):
        run(TABLES)
        run(change)
    rows = [tuple(row) for row in theirs.execute("SELECT * FROM t").fetchall()]
    assert difference(ours.select("SELECT * FROM t"), rows) == ""


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("WITH q AS (SELECT 1) INSERT INTO t SELECT 1", "INSERT"),
        ("WITH update AS (SELECT 1) UPDATE t SET a = 1", "UPDATE"),
        ("WITH delete AS (SELECT 1), q (insert) AS (VALUES (1)) DELETE FROM t", "DELETE"),
        ("WITH insert AS (SELECT 1) SELECT 1 AS update", None),
        ("WITH q AS (SELECT 'DELETE FROM t') TABLE q", None),
        ("WITH q AS (DELETE FROM t) SELECT 1", None),
    ],
)
def test_a_change_is_told_from_a_name(text: str, verb: str | None) -> None:
    found = change_after_with(Source(one(text)))
    assert (None if found is None else found[0]) == verb
    assert found is None or text[found[1] :].startswith(f"{verb} ")
