"""When a part of an expression is computed; `random_structures` has what follows of it."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.algebra.expressions import FALSE, TRUE
from antiphon.controller.sql.subqueries import correlation
from antiphon.controller.sql.subqueries.taken import read_when
from antiphon.protocol.errors import DataError
from antiphon.protocol.expression import Branch, Call, Case, ColumnReference, Expression
from antiphon.protocol.schema import BOOLEAN, INT64
from tests.controller.sql.world import World

A, B, C = (ColumnReference(index=index, type=INT64) for index in range(3))


def is_so(column: ColumnReference) -> Expression:
    return correlation.test("is_null", column)


def nothing(part: Expression) -> bool:
    return False


def test_a_branch_is_computed_where_it_is_taken() -> None:
    whole = Case(branches=(Branch(condition=is_so(A), value=B),), otherwise=C, type=INT64)
    so = Case(branches=(Branch(condition=is_so(A), value=TRUE),), otherwise=FALSE, type=BOOLEAN)
    other = Case(branches=(Branch(condition=is_so(A), value=FALSE),), otherwise=TRUE, type=BOOLEAN)
    assert read_when([whole], nothing) == {0: None, 1: so, 2: other}


def test_what_is_read_elsewhere_too_is_always_computed() -> None:
    whole = Call(function="coalesce", arguments=(A, B), type=INT64)
    found = read_when([whole], nothing)
    assert found[0] is None
    assert found[1] is not None
    assert read_when([whole, B], nothing)[1] is None
    assert read_when([whole], lambda part: part == whole) == {}


def test_a_row_that_asks_has_the_error() -> None:
    world = World()
    world.run("CREATE TABLE t (a int); CREATE TABLE u (b int); INSERT INTO u VALUES (1), (4)")
    query = "SELECT a, CASE WHEN a < 3 THEN (SELECT max(b / (a - 3)) FROM u WHERE b > a) END FROM t"
    world.run("INSERT INTO t VALUES (1), (3)")
    assert sorted(world.select(query)) == [(1, -2), (3, None)]
    with pytest.raises(DataError, match="division by zero"):
        world.select(query.replace("a < 3", "a < 4"))
