"""EXPLAIN of changes: recorded whole in `table_as.txt`; here, that nothing is performed."""

from __future__ import annotations

from antiphon.controller.sql.explaining.explain_change import explain_change
from antiphon.controller.sql.statement import Rows, Update
from tests.controller.sql.world import World, plan_one


def test_what_is_explained_is_the_statement_that_would_run() -> None:
    world = World()
    world.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    explained = plan_one("EXPLAIN UPDATE t SET a = 2 RETURNING a", world.catalog)
    assert isinstance(explained, Rows)
    planned = plan_one("UPDATE t SET a = 2 RETURNING a", world.catalog)
    assert isinstance(planned, Update)
    lines = explain_change(planned, world.catalog)
    assert explained.rows.column(0).to_pylist() == lines
    assert lines[0] == "Update table t (u1), returning a"
    world.perform(explained)
    assert world.select("SELECT a FROM t") == [(1,)]
