"""ANY and ALL of what is no plain comparison, and rows beside the row of a query."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import DataError, InvalidSql
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (a int, c text); CREATE TABLE none (a int, c text)")
    made.run("INSERT INTO t VALUES (1, 'x'), (2, NULL), (2, 'y')")
    return made


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("'xy' LIKE ANY (SELECT c || '%' FROM t)", True),
        ("'z' LIKE ANY (SELECT c FROM t)", None),
        ("'z' LIKE ANY (SELECT c FROM t WHERE c IS NOT NULL)", False),
        ("'z' LIKE ANY (SELECT c FROM none)", False),
        ("'z' LIKE ALL (SELECT c FROM none)", True),
        ("'x' NOT LIKE ALL (SELECT c FROM t)", False),
        ("'z' NOT LIKE ALL (SELECT c FROM t)", None),
        ("'y' ~ ANY (ARRAY['^x', NULL, 'y'])", True),
        ("'y' !~ ALL (ARRAY['^x', 'z'])", True),
        ("'y' !~ ANY (ARRAY['y', 'y'])", False),
        ("'y' !~ ALL (ARRAY['y', 'z'])", False),
        ("'y' !~* ANY (ARRAY['Y', 'z'])", True),
        ("NOT 'y' ~ ALL (ARRAY['y', 'z'])", True),
        ("'y' ILIKE ANY ('{X,Y}')", True),
        ("'y' LIKE ANY (NULL::text[])", None),
        ("'y' LIKE ANY (ARRAY[]::text[])", False),
        ("(2, 'x') > ALL (SELECT a, c FROM t WHERE c = 'x')", True),
        ("(2, 'x') < ANY (SELECT a, c FROM t)", True),
        ("(2, 'x') <> ANY (SELECT a, c FROM none)", False),
        ("(1, NULL) = (SELECT a, c FROM t WHERE a = 1)", None),
        ("(3, NULL) = (SELECT a, c FROM t WHERE a = 1)", False),
        ("(1, 'x') = (SELECT * FROM none)", None),
        ("(1, 'x') <= (SELECT a, c FROM t WHERE a = 1)", True),
        ("true = ANY (SELECT a > 1 FROM t)", True),
        ("false >= ALL (SELECT a > 1 FROM t)", False),
    ],
)
def test_the_answer_is_that_of_postgresql(world: World, condition: str, value: object) -> None:
    assert world.select(f"SELECT {condition}") == [(value,)]


def test_a_list_of_each_row(world: World) -> None:
    query = "SELECT a, 'x' LIKE ANY (string_to_array(c, ',')) FROM t"
    assert sorted(world.select(query), key=str) == [(1, True), (2, False), (2, None)]


def test_as_many_values_as_columns(world: World) -> None:
    for query in ("SELECT a, c FROM t", "SELECT * FROM t"):
        with pytest.raises(InvalidSql, match="3 values are compared with 2 columns"):
            world.select(f"SELECT (1, 2, 3) = ({query})")
    with pytest.raises(InvalidSql, match="1 values are compared with 2 columns"):
        world.select("SELECT 'x' LIKE ANY (SELECT a, c FROM t)")


def test_several_rows_are_an_error_of_the_row(world: World) -> None:
    with pytest.raises(DataError, match="more than one row"):
        world.select("SELECT (1, 'x') = (SELECT a, c FROM t)")
