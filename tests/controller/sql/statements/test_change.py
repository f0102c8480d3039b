"""What was read becomes what is appended."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.catalog import CatalogItem
from antiphon.controller.sql.statement import Delete, InsertSelect, Merge, Update
from antiphon.controller.sql.statements.change import (
    change_schema,
    deleted_rows,
    inserted_rows,
    merged_rows,
    signed_rows,
    updated_rows,
)
from antiphon.protocol.errors import ConstraintViolation
from tests.controller.sql.world import World, plan_one, tuples


def world() -> World:
    made = World()
    made.run("CREATE TABLE x (a int NOT NULL, b text); CREATE FEED y (id int PRIMARY KEY, v text)")
    return made


def item(name: str) -> CatalogItem:
    found = world().catalog.find(name)
    assert found is not None
    return found


def batch(*columns: list[object]) -> pa.RecordBatch:
    arrays = [pa.array(c, pa.int32() if i % 2 == 0 else pa.string()) for i, c in enumerate(columns)]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])


def test_an_update_of_a_table_takes_the_old_rows_back() -> None:
    statement = plan_one("UPDATE x SET a = a + 1", world().catalog)
    assert isinstance(statement, Update)
    rows = updated_rows(statement, batch([1, 2], ["p", "q"], [2, 3], ["p", "q"]))
    assert tuples(rows) == [(1, "p", -1), (2, "q", -1), (2, "p", 1), (3, "q", 1)]
    assert rows.schema == change_schema(statement.item.schema)


def test_an_update_of_nothing_changes_nothing() -> None:
    statement = plan_one("UPDATE x SET a = 1", world().catalog)
    assert isinstance(statement, Update)
    assert updated_rows(statement, batch([], [], [], [])).num_rows == 0


def test_an_update_of_a_feed_upserts() -> None:
    statement = plan_one("UPDATE y SET v = 'z'", world().catalog)
    assert isinstance(statement, Update)
    assert tuples(updated_rows(statement, batch([1], ["p"], [1], ["z"]))) == [(1, "z", 1)]


def test_a_delete_from_a_feed_keeps_the_key_alone() -> None:
    statement = plan_one("DELETE FROM y", world().catalog)
    assert isinstance(statement, Delete)
    assert tuples(deleted_rows(statement, batch([1, 2], ["p", "q"]))) == [
        (1, None, -1),
        (2, None, -1),
    ]


def test_a_delete_from_a_table_names_whole_rows() -> None:
    statement = plan_one("DELETE FROM x", world().catalog)
    assert isinstance(statement, Delete)
    assert tuples(deleted_rows(statement, batch([1], ["p"]))) == [(1, "p", -1)]


def test_a_null_where_none_may_be_is_refused() -> None:
    statement = plan_one("INSERT INTO x SELECT a, b FROM x", world().catalog)
    assert isinstance(statement, InsertSelect)
    assert tuples(inserted_rows(statement, batch([1], ["p"]))) == [(1, "p", 1)]
    with pytest.raises(ConstraintViolation, match='column "a" of "x" is NOT NULL'):
        inserted_rows(statement, batch([None], ["p"]))


def test_old_rows_are_not_checked() -> None:
    rows = signed_rows(item("x"), batch([None], ["p"]).columns, -1)
    assert tuples(rows) == [(None, "p", -1)]


def test_a_merge_takes_back_the_rows_that_were_there() -> None:
    made = World()
    made.run(
        "CREATE TABLE z (id int PRIMARY KEY, v text); CREATE FEED g (id int PRIMARY KEY, v text)"
    )
    columns: list[list[object]] = [[1, None], ["a", None], [1, 2], ["b", "c"]]
    rows = batch(*columns)
    answer = pa.RecordBatch.from_arrays(
        [pa.array([True, False]), *rows.columns], names=["matched", *rows.schema.names]
    )
    for name, expected in (
        ("z", [(1, "a", -1), (1, "b", 1), (2, "c", 1)]),
        ("g", [(1, "b", 1), (2, "c", 1)]),
    ):
        text = f"INSERT INTO {name} VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET v = 'b'"
        statement = plan_one(text, made.catalog)
        assert isinstance(statement, Merge)
        assert tuples(merged_rows(statement, answer)) == expected
