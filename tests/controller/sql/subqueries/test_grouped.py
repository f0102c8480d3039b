"""Aggregates of a subquery for each row of the query around it: exactly that row's, however tied.

What they give is held to DuckDB by `exact/subqueries.sql`; here, what they are made of."""

from __future__ import annotations

from antiphon.controller.sql.algebra.plans import walk_plan
from antiphon.controller.sql.statement import Select
from antiphon.protocol.plan import Distinct, Join, JoinKind, Let, Plan
from tests.controller.sql.world import World, plan_one


def planned(query: str) -> Plan:
    world = World()
    world.run("CREATE TABLE t (a int, b int); CREATE TABLE u (a int, b int)")
    statement = plan_one(query, world.catalog)
    assert isinstance(statement, Select)
    return world.plan_of(statement.read)


def test_equalities_alone_group_the_subquery_once_for_all() -> None:
    plan = planned("SELECT (SELECT sum(u.b) FROM u WHERE u.a = t.a) FROM t")
    assert not [node for node in walk_plan(plan) if isinstance(node, Let | Distinct)]


def test_each_combination_of_what_is_mentioned_is_asked_once() -> None:
    plan = planned("SELECT (SELECT sum(u.b) FROM u WHERE u.a = t.a AND u.b < t.b) FROM t")
    assert [node for node in walk_plan(plan) if isinstance(node, Distinct)]
    joins = [node for node in walk_plan(plan) if isinstance(node, Join)]
    assert [j.kind for j in joins] == [JoinKind.LEFT, JoinKind.INNER]
    assert all(join.left_keys for join in joins), "the equality is still a key"
    assert joins[0].nulls_match, "a null is a combination too"
