"""Calls of aggregates: the type of each, and which arguments none has."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.statement import CreateView
from antiphon.protocol.errors import InvalidSql, TypeMismatch
from tests.controller.sql.world import World, plan_one

TABLE = "CREATE TABLE t (i smallint, n bigint, d numeric(10,2), f real, s text, b boolean)"
TYPES = {
    "count(*)": "bigint",
    "sum(i)": "bigint",
    "sum(n)": "numeric(38,0)",
    "sum(d)": "numeric(38,2)",
    "sum(f)": "real",
    "avg(f)": "double precision",
    "avg(i)": "numeric(38,16)",
    "every(b)": "boolean",
    "string_agg(s, NULL)": "text",
    "array_agg(DISTINCT d ORDER BY d)": "numeric(10,2)[]",
    "median(d)": "double precision",
    "stddev(n)": "double precision",
    "bit_or(i)": "smallint",
    "any_value(s)": "text",
}
WRONG = {
    "sum(s)": TypeMismatch,
    "bit_xor(d)": TypeMismatch,
    "max(b)": TypeMismatch,
    "sum(*)": InvalidSql,
    "percentile_disc(0.5)": InvalidSql,
    "array_agg(DISTINCT s ORDER BY i)": InvalidSql,
}


def world() -> World:
    made = World()
    made.run(TABLE)
    return made


@pytest.mark.parametrize("call", TYPES)
def test_a_call_has_its_type(call: str) -> None:
    statement = plan_one(f"CREATE VIEW v AS SELECT {call} FROM t", world().catalog)
    assert isinstance(statement, CreateView)
    assert [str(kind) for kind in statement.item.schema.types] == [TYPES[call]]


@pytest.mark.parametrize("call", WRONG)
def test_a_call_without_a_meaning_is_refused(call: str) -> None:
    with pytest.raises(WRONG[call]):
        plan_one(f"SELECT {call} FROM t", world().catalog)
