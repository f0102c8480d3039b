"""Of an index only what is asked for is read, where the statement says all of the key."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.controller.sql.statement import Delete, InsertSelect, Merge, Select, Update
from antiphon.controller.sql.statements.key_lookup import JOINED_KEYS_MAX
from antiphon.protocol.command import IndexTarget
from tests.controller.sql.world import World


@pytest.fixture
def world() -> World:
    made = World()
    made.run("CREATE TABLE k (id int, part text, n int, PRIMARY KEY (id, part))")
    made.run("CREATE TABLE u (id int); CREATE INDEX k_key ON k (part, id)")
    made.run("INSERT INTO k VALUES (1, 'a', 10), (2, 'a', 20), (2, 'b', 30)")
    return made


def keys(world: World, text: str) -> list[tuple[object, ...]] | None:
    """Those that are looked up, sorted; None: all of the index is read, or something else."""
    planned = world.plan(text)
    assert isinstance(planned, Select | InsertSelect | Merge | Update | Delete)
    target = planned.read.target
    if not isinstance(target, IndexTarget) or target.keys is None:
        return None
    rows = pa.ipc.open_stream(target.keys).read_all().to_pylist()
    return sorted((row["part"], row["id"]) for row in rows)


UPSERT = "INSERT INTO k VALUES (1, 'a', 1), (3, 'c', 3)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{UPSERT} ON CONFLICT (id, part) DO UPDATE SET n = k.n + 1", [("a", 1), ("c", 3)]),
        (f"{UPSERT} ON CONFLICT DO NOTHING", [("a", 1), ("c", 3)]),
        (f"{UPSERT} ON CONFLICT DO NOTHING RETURNING *", [("a", 1), ("c", 3)]),
        ("UPDATE k SET n = 0 WHERE id = 2 AND part = 'b'", [("b", 2)]),
        ("DELETE FROM k WHERE id IN (1, 2) AND part = 'a'", [("a", 1), ("a", 2)]),
        (
            "UPDATE k SET n = v.n FROM (VALUES (1, 'a', 7), (2, 'b', 8), (2, NULL, 9)) v(id, p, n) "
            "WHERE k.id = v.id AND k.part = v.p",
            [("a", 1), ("b", 2)],
        ),
        (
            "DELETE FROM k USING (VALUES (1, 'a')) v(id, p) WHERE k.id = v.id AND k.part = v.p",
            [("a", 1)],
        ),
        # The known rows are cast to what the key is, or computed.
        (
            "UPDATE k SET n = 0 FROM (VALUES (1::smallint, 'a')) v(id, p) "
            "WHERE k.id = v.id AND k.part = v.p",
            [("a", 1)],
        ),
        (
            "DELETE FROM k USING (VALUES (1, 'a')) v(id, p) "
            "WHERE k.id = v.id + 1 AND k.part = v.p || 'b'",
            [("ab", 2)],
        ),
        (
            "SELECT v.x, k.n FROM (VALUES (1, 'a')) v(x, p) "
            "LEFT JOIN k ON k.id = v.x AND k.part = v.p",
            [("a", 1)],
        ),
    ],
)
def test_the_keys_of_known_rows_are_looked_up(
    world: World, text: str, expected: list[tuple[object, ...]]
) -> None:
    assert keys(world, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        # Rows without a match are in the answer as well.
        "SELECT k.n FROM k LEFT JOIN (VALUES (1, 'a')) v(x, p) ON k.id = v.x AND k.part = v.p",
        "SELECT k.n FROM k FULL JOIN (VALUES (1, 'a')) v(x, p) ON k.id = v.x AND k.part = v.p",
        "SELECT n FROM k WHERE (id, part) NOT IN (VALUES (1, 'a'))",
        # A part of the key is not all of it.
        "SELECT k.n FROM k JOIN (VALUES (1)) v(x) ON k.id = v.x",
        # Nobody knows the rows, or one table is read twice.
        "INSERT INTO k SELECT id, 'a', 0 FROM u ON CONFLICT DO NOTHING",
        "SELECT k.n FROM k JOIN (VALUES (1, 'a')) v(x, p) ON k.id = v.x AND k.part = v.p "
        "JOIN k o ON o.n = k.n",
    ],
)
def test_where_others_matter_they_are_read(world: World, text: str) -> None:
    assert keys(world, text) is None


def test_too_many_rows_are_joined_with_all_of_it(world: World) -> None:
    def upsert(count: int) -> str:
        rows = ", ".join(f"({i}, 'a', 0)" for i in range(count))
        return f"INSERT INTO k VALUES {rows} ON CONFLICT DO NOTHING"

    found = keys(world, upsert(2_000))
    assert found is not None
    assert len(found) == 2_000
    assert keys(world, upsert(JOINED_KEYS_MAX + 1)) is None
