"""What ties a subquery to the query around it."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import columns_of, equal
from antiphon.controller.sql.algebra.plans import width_of
from antiphon.controller.sql.subqueries.correlation import (
    COUNT_ROWS,
    SubqueryJoin,
    SubqueryValue,
    is_null,
    key_pair,
    marked_join,
    of_empty_group,
    outer_of,
    resolved,
)
from antiphon.protocol.expression import Call, ColumnReference
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Aggregate, AggregateFunction, Get, JoinKind
from antiphon.protocol.schema import BOOLEAN, INT32, INT64, Column, Schema

SCHEMA = Schema((Column(name="a", type=INT32), Column(name="b", type=INT32)))
GET = Get(collection=CollectionId(1), schema=SCHEMA)
A, B = (ColumnReference(index=index, type=INT32) for index in range(2))


def test_an_equality_of_the_two_sides_is_a_key_whichever_comes_first() -> None:
    assert key_pair(equal(outer_of(A), B)) == (A, B)
    assert key_pair(equal(B, outer_of(A))) == (A, B)
    assert key_pair(equal(A, B)) is None
    assert key_pair(equal(outer_of(A), outer_of(B))) is None
    mixed = Call(function="add", arguments=(A, outer_of(B)), type=INT32)
    assert key_pair(equal(outer_of(A), mixed)) is None
    assert key_pair(is_null(outer_of(A))) is None


def test_both_kinds_of_columns_find_their_places() -> None:
    expression = equal(outer_of(A), B)
    assert resolved(expression, lambda column: column, 7) == equal(
        A, ColumnReference(index=8, type=INT32)
    )


def test_a_marker_is_there_where_the_keys_match() -> None:
    join, marker = marked_join(GET, ((A, B),))
    assert join.kind is JoinKind.LEFT
    assert width_of(join.right) == 2
    assert (marker.index, marker.type) == (1, BOOLEAN)


def test_a_count_of_nothing_is_zero_and_other_aggregates_are_null() -> None:
    column = ColumnReference(index=3, type=INT64)
    assert of_empty_group(COUNT_ROWS, column) != column
    total = Aggregate(function=AggregateFunction.SUM, arguments=(A,), type=INT64)
    assert of_empty_group(total, column) == column


def test_a_value_reads_the_columns_that_its_joins_append() -> None:
    join = SubqueryJoin(kind=JoinKind.LEFT, right=GET, keys=((A, A),))
    value = SubqueryValue(joins=(join, join), value=equal(outer_of(B), B))
    plan, placed = value.join_to(GET, lambda expression: expression)
    assert width_of(plan) == 6
    assert columns_of(placed) == {1, 3}
