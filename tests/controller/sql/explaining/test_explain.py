"""Plans are shown in the words of SQL."""

from __future__ import annotations

from antiphon.controller.catalog import empty_catalog
from antiphon.controller.sql.algebra.expressions import equal
from antiphon.controller.sql.algebra.plans import ONE_ROW, joined
from antiphon.controller.sql.explaining.explain import (
    column_names,
    describe_collection,
    explain_finishing,
    explain_plan,
    show_expression,
)
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Interval,
    Literal,
)
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Constant, Get, JoinKind, Recursion, TemporalFilter
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    Column,
    Schema,
)

SCHEMA = Schema((Column(name="a", type=INT32), Column(name="b", type=TEXT)))
GET = Get(collection=CollectionId(7), schema=SCHEMA)
A, B = ColumnReference(index=0, type=INT32), ColumnReference(index=1, type=TEXT)


def shown(expression: object) -> str:
    return show_expression(expression, ["a", "b"])  # type: ignore[arg-type]


def test_expressions_look_like_sql() -> None:
    assert shown(equal(A, Literal(value=3, type=INT32))) == "(a = 3)"
    assert shown(Literal(value="it's", type=TEXT)) == "'it''s'"
    assert shown(Literal(value=None, type=TEXT)) == "NULL"
    assert shown(Literal(value=0, type=TIMESTAMP)) == "1970-01-01 00:00:00"
    assert shown(Literal(value=b"x", type=BYTEA)) == "b'x'"
    assert shown(Cast(input=A, type=INT64)) == "a::bigint"
    assert shown(Call(function="lower", arguments=(B,), type=TEXT)) == "lower(b)"
    assert shown(Call(function="is_null", arguments=(B,), type=BOOLEAN)) == "(b IS NULL)"
    branch = Branch(condition=equal(A, A), value=B)
    assert shown(Case(branches=(branch,), otherwise=B, type=TEXT)) == (
        "CASE WHEN (a = a) THEN b ELSE b END"
    )


def test_intervals_are_in_units() -> None:
    value = Interval(months=14, days=-3, microseconds=1_500_000)
    assert shown(Literal(value=value, type=INTERVAL)) == "14 months -3 days 1.5 seconds"
    assert shown(Literal(value=Interval(), type=INTERVAL)) == "0 seconds"


def test_columns_that_share_a_name_are_numbered() -> None:
    assert column_names(joined(JoinKind.INNER, GET, GET)) == ["#0", "#1", "#2", "#3"]
    assert column_names(joined(JoinKind.SEMI, GET, GET)) == ["a", "b"]


def test_a_collection_that_is_gone_is_shown_by_its_id() -> None:
    assert describe_collection(CollectionId(7), empty_catalog()) == "u7"


def test_every_node_has_a_line() -> None:
    rows = tuple(((index, "x"), 1) for index in range(5))
    for plan, line in (
        (Constant(schema=SCHEMA, rows=rows), "Constant (0, 'x'), (1, 'x'), (2, 'x'), 2 more"),
        (Constant(schema=SCHEMA, rows=()), "Constant no rows"),
        (ONE_ROW, "Constant ()"),
        (TemporalFilter(input=GET, valid_from=None, valid_until=None), "TemporalFilter"),
        (Recursion(binding=1, schema=SCHEMA, value=GET, body=GET), "Recursion binding 1"),
    ):
        assert explain_plan(plan, empty_catalog())[0].startswith(line)


def test_the_finishing_is_a_line_if_there_is_any() -> None:
    assert explain_finishing(Finishing(), ["a"]) is None
    finishing = Finishing(order_by=((0, True, False),), offset=2, limit=3)
    shown = explain_finishing(finishing, ["a"])
    assert shown == "Finish order by a desc nulls last offset 2 limit 3"
