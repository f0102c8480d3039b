"""The columns of a select list, and what is left of a star."""

from __future__ import annotations

import pytest

from tests.controller.sql.recorded import check
from tests.controller.sql.world import World, difference


def test_stars_are_planned_or_refused_as_recorded() -> None:
    check("output")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * EXCLUDE (b) REPLACE (a + 1 AS a) FROM t",
        "SELECT t.* EXCLUDE (c), u.* REPLACE (upper(d) AS d) FROM t JOIN u USING (a)",
        "SELECT * EXCLUDE (a) FROM t JOIN u USING (a)",
        "SELECT * RENAME (a AS x) FROM t WHERE a > 1",
        "FROM t",
        "FROM t SELECT c, count(*) GROUP BY c",
        "SELECT q.n FROM (FROM t SELECT count(*) AS n) q",
        "SELECT a, b FROM t ORDER BY ALL LIMIT 2",
        "SELECT j.d FROM (t JOIN u USING (a)) AS j WHERE j.a > 1",
        "SELECT 'abcdef'::varchar(3), 'é😀x'::varchar(2)",
    ],
)
def test_it_is_what_duckdb_makes_of_it(query: str) -> None:
    world = World()
    world.run("CREATE TABLE t (a int, b int, c text); CREATE TABLE u (a int, d text)")
    world.run("INSERT INTO t VALUES (1, 5, 'x'), (2, 3, 'y'), (2, 1, 'x')")
    world.run("INSERT INTO u VALUES (1, 'p'), (2, 'q')")
    theirs = query
    if "varchar(" in query:  # DuckDB keeps what is longer; PostgreSQL cuts
        theirs = "SELECT 'abc', 'é😀'"
    assert difference(world.select(query), world.duck(theirs)) == ""
