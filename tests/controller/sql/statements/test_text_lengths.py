"""varchar(n): what is written is no longer, or is refused, by whatever statement."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.appends import prepare
from antiphon.controller.catalog import ColumnLength, ItemKind
from antiphon.controller.sql.statement import Insert, InsertSelect, Merge, Update
from antiphon.protocol.errors import ComputeError, ConstraintViolation
from tests.controller.sql.world import World

TOO_LONG = r"value too long for type character varying\(3\)"


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE t (id int PRIMARY KEY, s varchar(3) DEFAULT 'x', u text)")
    made.run("INSERT INTO t VALUES (1, 'abc', 'any length'), (2, NULL, NULL), (3, 'é😀e', '')")
    return made


def texts(world: World) -> list[str | None]:
    return [s for _, s in world.select("SELECT id, s FROM t ORDER BY id LIMIT 99")]


def test_characters_are_counted_not_bytes(world: World) -> None:
    assert texts(world) == ["abc", None, "é😀e"]
    found = world.catalog.find("t")
    assert found is not None
    assert found.lengths == (ColumnLength(column=1, characters=3),)


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO t VALUES (4, 'abcd', '')",
        "INSERT INTO t VALUES (4, 'abc', ''), (5, 'abc e', '')",
        "INSERT INTO t (id, s) VALUES (4, upper('abcd'))",
        "INSERT INTO t (id, s) VALUES (4, 12345)",
        "INSERT INTO t (id, s) SELECT id + 9, s || 'd' FROM t",
        "INSERT INTO t (id, s) SELECT 4, 'abcd'",
        "INSERT INTO t VALUES (4, 'abcd', '') ON CONFLICT DO NOTHING",
        "INSERT INTO t VALUES (1, 'a', '') ON CONFLICT (id) DO UPDATE SET s = t.s || 'd'",
        "INSERT INTO t VALUES (4, 'abcd', '') RETURNING id",
        "UPDATE t SET s = s || 'd' WHERE id = 1",
        "UPDATE t SET s = 'abcd'",
    ],
)
def test_what_is_too_long_is_refused(world: World, change: str) -> None:
    before = world.select("SELECT * FROM t")
    with pytest.raises(ComputeError, match=TOO_LONG):
        world.run(change)
    assert world.select("SELECT * FROM t") == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("INSERT INTO t VALUES (4, 'ab     ', '') RETURNING s", "ab "),
        ("INSERT INTO t (id, s) SELECT 4, s || '  ' FROM t WHERE id = 1 RETURNING s", "abc"),
        ("UPDATE t SET s = s || '  ' WHERE id = 1 RETURNING s", "abc"),
        ("INSERT INTO t VALUES (1, 'd    ', '') ON CONFLICT (id) DO UPDATE SET s = excluded.s "
         "RETURNING s", "d  "),
    ],
)  # fmt: skip
def test_blanks_at_the_end_are_cut_off(world: World, change: str, expected: str) -> None:
    planned = world.plan(change)
    assert isinstance(planned, Insert | InsertSelect | Merge | Update)
    returned = world.returned(planned)
    assert returned is not None
    assert returned.column(0).to_pylist() == [expected]
    world.perform(planned)
    assert expected in texts(world)


def test_a_key_is_compared_as_it_is_written() -> None:
    world = World()
    world.run("CREATE TABLE k (s varchar(3) PRIMARY KEY); INSERT INTO k VALUES ('abc')")
    world.run("INSERT INTO k VALUES ('abc   '), ('de    ') ON CONFLICT DO NOTHING")
    assert sorted(world.select("SELECT s FROM k")) == [("abc",), ("de ",)]


def test_a_default_has_its_columns_length(world: World) -> None:
    world.run("INSERT INTO t (id) VALUES (4)")
    assert texts(world)[-1] == "x"
    with pytest.raises(ComputeError, match=TOO_LONG):
        world.run("CREATE TABLE bad (s varchar(3) DEFAULT 'abcd')")
    world.run("CREATE TABLE late (id int, s varchar(3) DEFAULT repeat('ab', 2))")
    with pytest.raises(ComputeError, match=TOO_LONG):
        world.run("INSERT INTO late (id) VALUES (1)")


@pytest.mark.parametrize("kind", ["TABLE", "FEED"])
def test_appended_rows_have_the_length_too(kind: str) -> None:
    world = World()
    world.run(f"CREATE {kind} a (id int PRIMARY KEY, s varchar(3))")
    item = world.catalog.find("a")
    assert item is not None
    assert item.kind is (ItemKind.TABLE if kind == "TABLE" else ItemKind.FEED)
    sent = pa.table({"s": ["é😀e", "ab   ", None], "id": [1, 2, 3]})
    assert prepare(item, sent).column("s").to_pylist() == ["é😀e", "ab ", None]
    for wrong in ("abcd", "abc d", "    a"):
        with pytest.raises(ConstraintViolation, match=TOO_LONG):
            prepare(item, pa.table({"s": ["", wrong], "id": [1, 2]}))


def test_what_is_made_of_the_table_has_no_length(world: World) -> None:
    world.run("CREATE TABLE c AS SELECT id, s FROM t; INSERT INTO c VALUES (9, 'any length')")
    assert (9, "any length") in world.select("SELECT * FROM c")


def test_show_columns_tells_the_length(world: World) -> None:
    assert ("s", "varchar(3)", True, None) in world.select("SHOW COLUMNS FROM t")
