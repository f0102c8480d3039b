"""CREATE TABLE AS: what it holds is what the query gave, and DuckDB has it too."""

from __future__ import annotations

import duckdb
import pytest

from tests.controller.sql.recorded import check
from tests.controller.sql.world import World, difference

TABLES = """
CREATE TABLE t (a int, b int, c text);
INSERT INTO t VALUES (1, 2, 'x'), (1, 2, 'x'), (2, NULL, 'y'), (NULL, 3, NULL);
"""


def test_tables_are_made_or_refused_as_recorded() -> None:
    check("table_as")


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE made AS SELECT * FROM t",
        "CREATE TABLE made AS SELECT a, count(*) AS n, sum(b) AS m FROM t GROUP BY a",
        "CREATE TABLE made AS SELECT a AS x, c AS y FROM t WHERE b IS NOT NULL",
        "CREATE TABLE made AS SELECT x.a, y.b FROM t x JOIN t y ON x.a = y.b WITH NO DATA",
        "CREATE TABLE made AS SELECT a, b FROM t ORDER BY a NULLS LAST, b LIMIT 3",
        "CREATE TABLE made AS WITH q AS (SELECT 1 AS one) SELECT one, [one, 2] AS l FROM q",
        "CREATE TABLE made AS SELECT column0 FROM (VALUES (1), (2)) v(column0)",
    ],
)
def test_it_holds_what_duckdb_has(made: str) -> None:
    ours, theirs = World(), duckdb.connect()
    for run in (ours.run, theirs.execute):
        run(TABLES)
        run(made)
        run("DELETE FROM t")
    rows = [tuple(row) for row in theirs.execute("SELECT * FROM made").fetchall()]
    assert difference(ours.select("SELECT * FROM made"), rows) == ""
    ours.run("INSERT INTO made SELECT * FROM made")
    assert len(ours.select("SELECT * FROM made")) == 2 * len(rows)
