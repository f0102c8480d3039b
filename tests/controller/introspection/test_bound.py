"""A query of introspection collections is refused before it takes everybody's memory."""

from __future__ import annotations

import pytest

from antiphon.controller.catalog import empty_catalog
from antiphon.controller.introspection.bound import INTROSPECTION_ROWS_MAX, check
from antiphon.controller.introspection.system import SystemCollection
from antiphon.controller.sql.planner import plan_statement
from antiphon.controller.sql.statement import Inspect, StatementText
from antiphon.protocol.codec.plan import plan_from_bytes
from antiphon.protocol.command import PlanTarget
from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.plan import Plan

SIZES = {one.id: 1_000 for one in SystemCollection}


def plan(sql: str) -> Plan:
    statement = plan_statement(StatementText(text=sql), empty_catalog())
    assert isinstance(statement, Inspect)
    assert isinstance(statement.read.target, PlanTarget)
    return plan_from_bytes(statement.read.target.plan)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM antiphon.frontiers",
        "SELECT kind, count(*) FROM antiphon.frontiers GROUP BY kind ORDER BY 2 LIMIT 3",
        "SELECT 1 FROM antiphon.frontiers AS a JOIN antiphon.replicas AS b ON a.replica = b.name",
        "SELECT name FROM antiphon.replicas UNION SELECT name FROM antiphon.frontiers",
        "SELECT name FROM antiphon.replicas AS r WHERE EXISTS "
        "(SELECT 1 FROM antiphon.history AS a, antiphon.peeks AS b WHERE a.name = r.name)",
        "WITH x AS (SELECT * FROM antiphon.history) SELECT count(*) FROM x",
    ],
)
def test_what_stays_small_is_served(sql: str) -> None:
    check(plan(sql), SIZES)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM antiphon.frontiers AS a, antiphon.frontiers AS b, antiphon.replicas AS c",
        "SELECT 1 FROM antiphon.history AS a JOIN antiphon.history AS b ON a.kind = b.kind "
        "JOIN antiphon.history AS c ON a.kind = c.kind",
        "SELECT 1 FROM antiphon.history AS a FULL JOIN antiphon.history AS b ON a.kind = b.kind "
        "FULL JOIN antiphon.peeks AS c ON true",
    ],
)
def test_what_may_explode_is_refused_by_name(sql: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        check(plan(sql), SIZES)
    assert caught.value.details["limit"] == "INTROSPECTION_ROWS_MAX"


def test_a_collection_alone_may_be_too_large() -> None:
    sizes = {**SIZES, SystemCollection.HISTORY.id: INTROSPECTION_ROWS_MAX + 1}
    with pytest.raises(LimitExceeded):
        check(plan("SELECT kind FROM antiphon.history"), sizes)
