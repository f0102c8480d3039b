"""A flipped bit in a stored value is an error or changes nothing; it is never another answer."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from antiphon.history.digest import ChainBroken
from antiphon.history.io.sqlite import StoreUnusable
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.journal import new_command
from antiphon.history.store import CatalogChange
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.ids import Epoch, InstanceId, Position
from tests.history.stores import (
    CHECKED,
    SHARDS,
    TABLE,
    SqliteDriver,
    inserted,
    open_queued,
    without_checksums,
)

FLIPS: Final = 25
PLACES: Final = [
    ("part", "content"),
    ("catalog", "content"),
    ("shard", "schema"),
    ("shard", "unique_key"),
    ("command_payload", "envelope"),
    *(("meta", name) for name in ("instance_id", "history_id", "epoch", "claim_id", "head")),
    *(("meta", name) for name in ("digest", "timeline_upper", "next_id", "base_check")),
    ("command", "kind"),
    ("command", "subject"),
    ("command", "digest"),
    ("command", "appended_at_ms"),
]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact")
    driver = SqliteDriver(*open_queued(directory))
    driver.commit(
        new_shards=SHARDS,
        catalog=(CatalogChange(collection=TABLE, content=b"a table of two columns"),),
    )
    driver.append(10, TABLE, inserted((1, "a"), (2, "b")))
    for position in range(1, 4):
        command = new_command(
            UpdateConfiguration(values={"a": str(position)}),
            instance_id=InstanceId(7), epoch=Epoch(1), position=Position(position), now_ms=1,
        )  # fmt: skip
        driver.commit(commands=(command,))
    driver.store.close()  # type: ignore[union-attr]
    return directory


def damage(directory: Path, table: str, column: str, seed: int) -> str:
    """Flip one bit of one value. The statement's kind of value stays what it was."""
    chosen = random.Random(f"{table}.{column} {seed}")
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        found = connection.execute(
            f"SELECT rowid, {column} FROM {table} WHERE length({column}) > 0"
        ).fetchall()
        row, value = chosen.choice(found)
        if isinstance(value, int):
            changed: object = value ^ 1 << chosen.randrange(62)
        else:
            data = bytearray(value.encode() if isinstance(value, str) else value)
            # Of text the low bits alone: it stays text.
            bits = 6 if isinstance(value, str) else 8
            data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(bits)
            changed = data.decode() if isinstance(value, str) else bytes(data)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))
    return f"{table}.{column}: {value!r} -> {changed!r}"


@pytest.mark.parametrize(("table", "column"), PLACES)
def test_a_flipped_bit_is_an_error_that_names_the_remedy(
    intact: Path, tmp_path: Path, table: str, column: str
) -> None:
    for seed in range(FLIPS):
        directory = tmp_path / str(seed)
        shutil.copytree(intact, directory)
        print(damage(directory, table, column, seed))  # shown if the test fails
        with pytest.raises((ChainBroken, StoreUnusable), match="restore the data directory"):
            _open_and_verify(directory)


def _open_and_verify(directory: Path) -> None:
    store, _ = open_queued(directory)
    try:
        store.verify()
    finally:
        store.close()


def test_a_store_without_checksums_gets_them_where_it_is_written(
    intact: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "old"
    shutil.copytree(intact, directory)
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        without_checksums(connection, *CHECKED)
        connection.execute("PRAGMA user_version = 3")
    driver = SqliteDriver(*open_queued(directory))
    assert driver.store.verify() == 3
    assert driver.content(TABLE, 10) == [(1, "a", 1), (2, "b", 1)]
    driver.commit(catalog=(CatalogChange(collection=TABLE, content=b"another"),))
    driver.store.close()  # type: ignore[union-attr]
    damage(directory, "catalog", "content", 0)
    with pytest.raises(StoreUnusable, match=f"the catalog's entry {TABLE}"):
        _open_and_verify(directory)
