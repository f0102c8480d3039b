"""A store is checked whole without a controller: each damage is named, and none hides another."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from antiphon.history.io.sqlite import StoreUnusable, open_store, verify_store
from antiphon.history.io.sqlite.layout import DATABASE, FORMAT_VERSION
from antiphon.history.journal import new_command
from antiphon.history.store import CatalogChange
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.errors import VersionMismatch
from antiphon.protocol.ids import Epoch, InstanceId, Position
from tests.history.stores import BAG, SHARDS, TABLE, SqliteDriver, deleted, inserted, open_queued


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact")
    driver = SqliteDriver(*open_queued(directory))
    driver.commit(new_shards=SHARDS, catalog=(CatalogChange(collection=TABLE, content=b"a table"),))
    driver.append(10, TABLE, inserted((1, "a"), (2, "b")))
    driver.append(11, TABLE, deleted((1, "a")))
    driver.append(12, TABLE, inserted((1, "c")))
    driver.append(13, BAG, inserted((7, "x"), (7, "x")))
    for position in range(1, 5):
        command = new_command(
            UpdateConfiguration(values={"a": str(position)}),
            instance_id=InstanceId(7), epoch=Epoch(1), position=Position(position), now_ms=1,
        )  # fmt: skip
        driver.commit(commands=(command,))
    driver.store.close()
    return directory


@pytest.fixture
def store(intact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(intact, tmp_path / "store"))


def edit(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_whole_store_has_no_damage_and_is_not_written_to(store: Path) -> None:
    before = (store / DATABASE).read_bytes()
    found = verify_store(store)
    assert found.damage == ()
    assert (found.commands, found.shards) == (4, len(SHARDS))
    assert found.parts > 0
    assert (store / DATABASE).read_bytes() == before


def test_a_store_in_use_is_checked_as_it_is_at_one_moment(store: Path) -> None:
    driver = SqliteDriver(*open_queued(store))
    driver.append(20, TABLE, inserted((3, "d")))
    assert verify_store(store).damage == ()
    driver.store.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE meta SET timeline_upper = 5", "the row of facts in `meta`"),
        ("UPDATE meta SET head = 9, checksum = NULL", "position 5: the command is missing"),
        (f"UPDATE catalog SET content = x'00' WHERE collection = {TABLE}", "the catalog's entry 1"),
        ("UPDATE command SET digest = zeroblob(32) WHERE position = 2", "damaged at position 2"),
        ("DELETE FROM command_payload WHERE position = 3", "command 3 has no payload"),
        ("DELETE FROM command WHERE position = 3", "the payload of command 3 has no command"),
        (f"UPDATE shard SET kind = 3 WHERE collection = {BAG}", "the shard 4 is not what was"),
        (
            f"UPDATE shard SET since = 99 WHERE collection = {BAG}",
            "shard 4: its since 99 is beyond",
        ),
        (
            "UPDATE part SET content = x'00' WHERE id = (SELECT min(id) FROM part)",
            "of run 1 is not",
        ),
        ("DELETE FROM part WHERE id = (SELECT max(id) FROM part)", "a part of it is missing"),
        ("UPDATE run SET time_last = 99 WHERE number = 1", "run 1 is of the times 10 to 99"),
        ("UPDATE run SET row_count = 99 WHERE number = 1", "run 1 has 2 rows of 99"),
        ("UPDATE run SET collection = 77 WHERE number = 1", "run 1 is of no shard"),
        ("UPDATE run SET state = 2 WHERE number = 1", "unique keys are not those of its rows"),
        ("DELETE FROM run WHERE number = 1", "is of no run"),
        (f"DELETE FROM shard WHERE collection = {TABLE}", "the unique keys of 1 are of no shard"),
        ("UPDATE unique_key SET row_low = row_low + 1", "shard 1: its unique keys are not those"),
        ("DELETE FROM unique_key", "shard 1: its unique keys are not those of its rows"),
        (f"INSERT INTO dropped VALUES ({TABLE})", "shard 1 is there, and dropped"),
    ],
)
def test_each_damage_names_its_record(store: Path, statement: str, said: str) -> None:
    edit(store, statement)
    damage = verify_store(store).damage
    assert any(said in line for line in damage), damage
    assert not any("\n" in line or "restore" in line for line in damage)


def test_one_damage_hides_no_other(store: Path) -> None:
    edit(
        store,
        "UPDATE command SET kind = 'x' WHERE position = 1",
        "UPDATE part SET content = x'00'",
        "DELETE FROM catalog",
        "UPDATE meta SET epoch = 7",
    )
    damage = "\n".join(verify_store(store).damage)
    for said in ("position 1", "shard 1: part", "shard 4: part", "the row of facts"):
        assert said in damage


def test_pages_that_are_no_pages_are_told_beside_what_they_held(store: Path) -> None:
    with closing(sqlite3.connect(store / DATABASE)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'unique_key'"
        ).fetchone()
    with (store / DATABASE).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    damage = verify_store(store).damage
    assert damage
    assert all("the database file: " in line or "shard 1" in line for line in damage)


def test_what_is_no_store_of_this_format_is_told_so(store: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="there is no store in"):
        verify_store(tmp_path / "nowhere")
    edit(store, f"PRAGMA user_version = {FORMAT_VERSION - 1}")
    with pytest.raises(StoreUnusable, match=f"this version reads {FORMAT_VERSION}"):
        verify_store(store)
    (store / DATABASE).write_bytes(b"no database at all" * 100)
    with pytest.raises(VersionMismatch, match="not a database"):
        verify_store(store)


@pytest.mark.parametrize("size", [4_096, 30_000])
def test_a_database_that_was_cut_off_says_what_to_do_and_what_is_lost(
    store: Path, size: int
) -> None:
    with (store / DATABASE).open("r+b") as file:
        file.truncate(size)
    with pytest.raises(StoreUnusable, match=r"malformed; restore .* from a copy: what is written"):
        open_store(store, deliver=lambda _: None)


def test_a_log_that_was_cut_off_ends_at_its_last_whole_commit(store: Path, tmp_path: Path) -> None:
    driver = SqliteDriver(*open_queued(store))
    for time in range(20, 40):
        driver.append(time, BAG, inserted((time, "x")))
    crashed = Path(shutil.copytree(store, tmp_path / "crashed"))
    driver.store.close()
    log = crashed / f"{DATABASE}-wal"
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size * 2 // 3)
    again = SqliteDriver(*open_queued(crashed))
    upper = again.opened.timeline_upper
    assert 13 < upper < 40
    assert len(again.content(BAG, upper - 1)) == max(upper - 20, 0) + 1
    assert verify_store(crashed).damage == ()
    again.store.close()
