"""What is said of a plan is what our engine does with it."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.statement import Subscribe
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.looked_up import looked_up
from antiphon.protocol.plan import imports_of
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from tests.controller.sql.world import World, plan_one

TABLES = "CREATE TABLE a (k int, l int, v text); CREATE TABLE b (k int, l int, v text)"
QUERIES = (
    "SELECT a.v FROM a JOIN b ON a.k = b.k",
    "SELECT a.v FROM a JOIN b ON a.l = b.l AND a.k = b.k",
    "SELECT a.v FROM a JOIN b ON a.k = b.l AND b.k = a.l",
    "SELECT a.v FROM a JOIN b ON a.k + 1 = b.l AND b.k = a.l",
    "SELECT a.v FROM a JOIN b ON a.k = b.k WHERE a.l > 1",
    "SELECT a.v FROM a JOIN b ON a.k = b.k WHERE 1 < a.l AND b.v LIKE 'x%' AND a.v IS NOT NULL",
    "SELECT a.v FROM a JOIN b ON a.k = b.k WHERE a.l % 10 = 3 AND 10 % b.l = 3",
    "SELECT a.v FROM a JOIN b ON a.k = b.k WHERE a.k = 7 AND b.l IN (1, 2, 3)",
    "SELECT a.v FROM (SELECT * FROM a WHERE l > 1) a LEFT JOIN b ON a.k = b.k AND b.l > 1",
    "SELECT a.v FROM (SELECT * FROM a WHERE l > 1) a FULL JOIN b ON a.k = b.k",
    "SELECT x.v FROM a x JOIN a y ON x.l = y.k WHERE x.v = 'a' AND y.v = 'a'",
    "SELECT v FROM a WHERE l > 2 AND NOT EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND b.l > 1)",
    "SELECT v FROM a WHERE l > 2 AND k NOT IN (SELECT k FROM b WHERE l > 1)",
    "WITH c AS (SELECT k, l FROM a WHERE v = 'x') SELECT b.v FROM b LEFT JOIN c ON b.k = c.k "
    "JOIN c d ON b.l = d.l",
    "SELECT a.v, b.v AS w FROM a, b",
    "SELECT a.v, b.v AS w FROM a, b WHERE a.k <= b.k AND a.l >= b.l",
    "SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.k < b.k",
    "SELECT x.v, y.v AS w FROM a x JOIN a y ON x.l = y.k",
    "SELECT a.v FROM a LEFT JOIN b ON a.k = b.k",
    "SELECT a.v, b.v AS w FROM a FULL JOIN b ON a.k = b.k",
    "SELECT a.v, b.v AS w FROM a RIGHT JOIN b ON a.k = b.k",
    "SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.l = b.k AND a.k = b.l",
    "SELECT a.v, b.v AS w FROM a RIGHT JOIN b ON a.l = b.k AND a.k = b.l",
    "SELECT a.v, b.v AS w FROM a FULL JOIN b ON a.l = b.k AND a.k = b.l",
    "SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.l = b.k AND a.k = b.l + 1",
    "SELECT a.v, b.v AS w FROM a LEFT JOIN b ON a.l + 1 = b.k",
    "SELECT x.v, y.v AS w FROM a x LEFT JOIN a y ON x.l = y.k",
    "SELECT a.v FROM a LEFT JOIN b ON a.k = b.k UNION ALL "
    "SELECT b.v FROM b LEFT JOIN a ON a.l = b.l",
    "SELECT a.v FROM a LEFT JOIN b ON a.k = b.k LEFT JOIN a c ON a.l = c.l",
    "SELECT a.v FROM a LEFT JOIN (SELECT b.k FROM b LEFT JOIN a ON a.k = b.k) d ON a.k = d.k",
    "WITH c AS (SELECT k, l FROM a) SELECT b.v FROM b LEFT JOIN c ON b.k = c.k JOIN c d "
    "ON b.l = d.l",
    "SELECT v FROM a WHERE k IN (SELECT k FROM b)",
    "SELECT v FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND b.l > a.l)",
    "SELECT v FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE a.k = b.k)",
    "SELECT v FROM a WHERE k NOT IN (SELECT k FROM b)",
    "SELECT a.v, n FROM a JOIN (SELECT k, count(*) AS n FROM b GROUP BY k) c ON a.k = c.k",
    "WITH RECURSIVE r (k) AS (SELECT k FROM a UNION SELECT b.l FROM r JOIN b ON b.k = r.k) "
    "SELECT a.v FROM r JOIN a ON a.k = r.k",
)  # fmt: skip


def outcomes(query: str) -> tuple[set[object], set[object], bool]:
    """(what is said, what the engine asks for, whether a join has a residual)."""
    world = World()
    world.run(TABLES)
    planned = plan_one(f"SUBSCRIBE TO ({query})", world.catalog)
    assert isinstance(planned, Subscribe)
    plan = plan_from_bytes(planned.dataflow.plan)
    imports = {c: ImportSpec(schema=world.catalog.get(c).schema) for c in imports_of(plan)}
    engine = Dataflow.build(plan, imports, shares=True)
    asked = {(side.collection, side.key, side.selection) for side in engine.imported}
    return set(looked_up(plan)), asked, "residual=Call" in repr(plan)


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_said_is_what_is_done(query: str) -> None:
    said, asked, has_residual = outcomes(query)
    if has_residual:  # then whole rows are looked up as well, to find which have a match
        assert said <= asked
    else:
        assert said == asked


def test_the_queries_look_up_something() -> None:
    assert sum(bool(outcomes(query)[0]) for query in QUERIES) > len(QUERIES) // 2
