"""What stands in FROM by itself. What WITH defines means, wherever it is read, what it meant."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import ComputeError
from tests.controller.sql.world import Row, World

TABLES = """
CREATE TABLE t (a int, b int);
CREATE TABLE u (a int, b int);
INSERT INTO t VALUES (1, 2), (2, 5), (2, 5), (NULL, 3);
INSERT INTO u VALUES (1, 5), (2, 3), (3, 2);
"""


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (  # "t" inside is another table than the one that x reads
            "SELECT t.a, (WITH x AS (SELECT t.a AS z) "
            "SELECT (SELECT count(*) FROM x WHERE z = t.a) FROM u t WHERE t.b = 5) FROM t",
            [(1, 1), (2, 0), (2, 0), (None, 0)],
        ),
        (  # one reads another; both are named anew
            "SELECT t.b, s.m FROM t, LATERAL (WITH x(p) AS (SELECT u.a FROM u WHERE u.b <= t.b), "
            "y(q) AS (SELECT max(p) FROM x) SELECT q AS m FROM y AS z(q)) s",
            [(2, 3), (5, 3), (5, 3), (3, 3)],
        ),
        (  # on either side of an outer join
            "SELECT t.a, (WITH x AS (SELECT u.a FROM u WHERE u.a >= t.a) "
            "SELECT count(*) FROM u FULL JOIN x ON x.a = u.b) FROM t",
            [(1, 4), (2, 3), (2, 3), (None, 3)],
        ),
        (  # a function of a subquery
            "SELECT t.a, q FROM t LEFT JOIN unnest(ARRAY(SELECT u.b FROM u WHERE u.a = t.a)) q "
            "ON q > 3",
            [(1, 5), (2, None), (2, None), (None, None)],
        ),
    ],
)
def test_what_is_read_means_what_it_meant(query: str, rows: list[Row]) -> None:
    world = World()
    world.run(TABLES)
    assert sorted(world.select(query), key=repr) == sorted(rows, key=repr)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT 1 FROM t, LATERAL (SELECT t.a AS z) q FULL JOIN u ON u.a = q.z",
            "a FULL JOIN to what reads from before a comma is not supported",
        ),
        (
            "SELECT 1 FROM t FULL JOIN LATERAL (SELECT t.a) q ON true",
            "a FULL JOIN cannot read its left side in FROM",
        ),
        (
            "SELECT 1 FROM t, unnest(ARRAY(SELECT a FROM u)) WITH ORDINALITY",
            "a subquery in a function in FROM is not supported",
        ),
        ("WITH x AS (SELECT 1), x AS (SELECT 2) SELECT 1", 'WITH defines "x" twice'),
    ],
)
def test_what_cannot_be_read_is_named(query: str, message: str) -> None:
    world = World()
    world.run(TABLES)
    with pytest.raises(ComputeError, match=message):
        world.select(query)
