"""WITH RECURSIVE: planned or refused as recorded, and exact."""

from __future__ import annotations

from tests.controller.sql.recorded import check
from tests.controller.sql.world import World, difference

QUERIES = (
    "WITH RECURSIVE r AS (SELECT a, b FROM e UNION SELECT r.a, e.b FROM r JOIN e ON r.b = e.a)"
    " SELECT * FROM r",
    "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50)"
    " SELECT sum(n), count(*) FROM n",
    "WITH RECURSIVE d (node, depth) AS (SELECT 1, 0 UNION ALL SELECT e.b, depth + 1 FROM d, e"
    " WHERE e.a = d.node AND depth < 6) SELECT node, min(depth), count(*) FROM d GROUP BY node",
    "WITH RECURSIVE up (a, path) AS (SELECT a, a::text FROM e WHERE a = 1 UNION ALL"
    " SELECT e.b, up.path || '>' || e.b::text FROM up JOIN e ON e.a = up.a WHERE up.a < e.b)"
    " SELECT * FROM up",
    "WITH RECURSIVE r AS (SELECT b AS x FROM e WHERE a = 1 UNION SELECT e.b FROM e"
    " WHERE e.a IN (SELECT x FROM r)) SELECT count(*) FROM r WHERE x NOT IN (SELECT a FROM e)",
)


def test_recursive_queries_are_planned_or_refused_as_recorded() -> None:
    check("recursive")


def test_recursive_queries_give_what_an_independent_engine_gives() -> None:
    world = World()
    world.run("CREATE TABLE e (a int, b int)")
    edges = [(1, 2), (2, 3), (3, 1), (3, 4), (4, 5), (7, 8), (8, 9), (5, 9)]
    world.run("INSERT INTO e VALUES " + ", ".join(map(str, edges)))
    for query in QUERIES:
        assert difference(world.select(query), world.duck(query)) == "", query
