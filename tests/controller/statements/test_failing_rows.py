"""A data error names what was read, how many rows fail, and what helps."""

from __future__ import annotations

from antiphon.controller.statements.failing_rows import located
from antiphon.protocol.errors import DataError
from tests.controller.sql.world import World

SCHEMA = """
CREATE TABLE t (a int);
CREATE MATERIALIZED VIEW ratio AS SELECT 1 / a AS r FROM t;
CREATE VIEW kept AS SELECT a FROM t;
CREATE INDEX kept_a ON kept (a);
"""


def told(query: str, errors: int = 2) -> str:
    world = World()
    world.run(SCHEMA)
    details = {"cause": "division_by_zero", "errors": str(errors)}
    error = DataError("division by zero", expression="divide", **details)
    found = located(error, world.plan(query), world.catalog)
    assert found.details == {**details, "expression": "/"}, "as a statement says it"
    return found.message


def test_what_is_read_is_named() -> None:
    tail = "until changed, deleted or filtered out"
    said = f'division by zero: 2 rows fail in reading "ratio", {tail}'
    assert told("SELECT * FROM ratio") == said
    assert told("SUBSCRIBE ratio") == said
    assert told("SELECT * FROM ratio", 1) == said.replace("2 rows fail", "1 row fails")
    both = said.replace('"ratio"', '"ratio", "kept"')
    assert told("SELECT r FROM ratio, kept") == both, "of an index, what it is on"


def test_what_reads_nothing_says_nothing_more() -> None:
    assert told("SELECT 1 / 0") == "division by zero"
