"""Appends to views that come in pieces: all of them count, at once, or none of them ever did."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.io.sqlite.verification import verify_store
from antiphon.history.store import Refused
from antiphon.protocol.errors import (
    CollectionMissing,
    InvalidArgument,
    NotComplete,
    StoreFull,
    Unavailable,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.row_hash import hash_rows
from tests.history.stores import (
    BAG,
    SHARDS,
    VIEW,
    Disk,
    Driver,
    SqliteDriver,
    errors_of,
    inserted,
    open_queued,
)
from tests.history.test_sqlite_folding import count, eventually

FAILURE = ("data_error", "division by zero", "a / b")


def test_the_pieces_are_there_with_the_last_one(driver: Driver) -> None:
    driver.commit(drafted=(driver.piece(7, 0, (1, "a", 4, 1), errors=((*FAILURE, 4, 1),)),))
    driver.commit(drafted=(driver.piece(7, 1, (2, "b", 4, 1)),))
    with pytest.raises(NotComplete):
        driver.store.snapshot(VIEW, 4)
    assert driver.changes(VIEW, 1, 10) == []
    assert driver.store.snapshot_rows(VIEW, 0) == 0
    assert driver.append_last(driver.piece(7, 2, (3, "c", 4, 1), (1, "a", 6, -1))) == (
        True,
        Frontier(10),
    )
    assert driver.content(VIEW, 3) == []
    assert driver.content(VIEW, 4) == [(1, "a", 1), (2, "b", 1), (3, "c", 1)]
    assert driver.content(VIEW, 9) == [(2, "b", 1), (3, "c", 1)]
    assert errors_of(driver.store.snapshot(VIEW, 9)) == [(*FAILURE, 9, 1)]


def test_who_comes_second_adds_nothing(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    driver.commit(drafted=(driver.piece(7, 0, (1, "a", 4, 1)),))
    driver.commit(drafted=(driver.piece(8, 0, (1, "a", 4, 1)),))
    assert driver.append_view(1, 10, (1, "a", 4, 1)) == (True, Frontier(10))
    assert driver.append_last(driver.piece(7, 1, (2, "b", 4, 1))) == (False, Frontier(10))
    assert driver.append_last(driver.piece(8, 1, (2, "b", 4, 1))) == (False, Frontier(10))
    assert driver.content(VIEW, 9) == [(1, "a", 1)]
    assert disk.open().content(VIEW, 9) == [(1, "a", 1)]


def test_what_was_appended_in_pieces_is_durable_and_folds(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    for place in range(5):
        driver.commit(drafted=(driver.piece(7, place, (place, "a", 4, 1)),))
    # Out of order, as a stranger may send them.
    driver.commit(drafted=(driver.piece(7, 5, (5, "a", 8, 1)),))
    driver.append_last(driver.piece(7, 6, (6, "a", 3, 1), (5, "a", 9, -1)))
    expected = [(number, "a", 1) for number in (0, 1, 2, 3, 4, 6)]
    assert driver.content(VIEW, 9) == expected
    again = disk.open()
    assert again.content(VIEW, 9) == expected
    again.append_view(10, 20, (7, "a", 15, 1))
    again.allow(VIEW=15)
    assert again.content(VIEW, 19) == [*expected, (7, "a", 1)]


def test_a_piece_after_one_that_was_lost_is_refused(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    driver.commit(drafted=(driver.piece(7, 0, (1, "a", 4, 1)),))
    assert isinstance(driver.refuse(drafted=(driver.piece(7, 2),)), Unavailable)
    assert isinstance(driver.refuse(shard_appends=(driver.piece(7, 0),)), Unavailable)
    again = disk.open()
    assert isinstance(again.refuse(shard_appends=(again.piece(7, 1),)), Unavailable)
    assert again.append_last(again.piece(7, 0, (9, "z", 4, 1))) == (True, Frontier(10))
    assert again.content(VIEW, 9) == [(9, "z", 1)], "nothing is left of the process before"


def test_what_is_discarded_or_dropped_never_was(driver: Driver) -> None:
    driver.commit(drafted=(driver.piece(7, 0, (1, "a", 4, 1)),))
    driver.commit(discarded=(7, 99))
    assert isinstance(driver.refuse(shard_appends=(driver.piece(7, 1),)), Unavailable)
    driver.commit(drafted=(driver.piece(8, 0, (1, "a", 4, 1)),))
    driver.commit(dropped_shards=(VIEW,))
    assert isinstance(driver.refuse(drafted=(driver.piece(8, 1),)), CollectionMissing)
    driver.commit(new_shards=(SHARDS[2],))
    assert isinstance(driver.refuse(shard_appends=(driver.piece(8, 1),)), Unavailable)


def test_a_piece_is_checked_as_an_append_is(driver: Driver) -> None:
    assert isinstance(
        driver.refuse(drafted=(driver.piece(7, 0, (1, "a", 10, 1)),)), InvalidArgument
    )
    driver.commit(drafted=(driver.piece(7, 0, (1, "a", 4, 1)),))
    other = driver.piece(7, 1, interval=(1, 11))
    assert isinstance(driver.refuse(drafted=(other,)), InvalidArgument)


PARTS = "SELECT count(*) FROM part"


def drafted(tmp_path: Path, pieces: int = 4, rows: int = 100) -> SqliteDriver:
    """A view whose append has come but for its last piece, in the order of the rows' hashes."""
    driver = SqliteDriver(*open_queued(tmp_path))
    driver.commit(new_shards=SHARDS)
    for place, batch in enumerate(sorted_pieces(pieces, rows)):
        driver.commit(drafted=(driver.piece(7, place, *batch),))
    return driver


def sorted_pieces(pieces: int, rows: int) -> list[list[tuple[object, ...]]]:
    ids = pa.array(range(pieces * rows), pa.int64())
    names = pa.array(["x"] * (pieces * rows))
    _, low = hash_rows([ids, names])
    order = low.argsort().tolist()
    return [
        [(ids[at].as_py(), "x", 4, 1) for at in order[place * rows : (place + 1) * rows]]
        for place in range(pieces)
    ]


def test_pieces_in_the_order_of_hashes_are_one_sorted_run(tmp_path: Path) -> None:
    driver = drafted(tmp_path)
    driver.append_last(driver.piece(7, 4))
    assert count(tmp_path, "SELECT count(*) FROM run") == 1
    assert count(tmp_path, "SELECT row_count FROM run") == 400
    assert len(driver.content(VIEW, 9)) == 400
    driver.store.close()
    again = SqliteDriver(*open_queued(tmp_path))
    assert len(again.content(VIEW, 9)) == 400
    again.store.verify()
    again.store.close()


def test_a_draft_of_a_process_that_died_is_deleted(tmp_path: Path) -> None:
    driver = drafted(tmp_path)
    driver.store.verify()
    driver.store.close()
    assert count(tmp_path, PARTS) == 4
    again = SqliteDriver(*open_queued(tmp_path))
    eventually(lambda: count(tmp_path, PARTS) == 0)
    assert count(tmp_path, "SELECT count(*) FROM run") == 0
    again.store.close()


def test_a_draft_that_is_given_up_is_deleted(tmp_path: Path) -> None:
    driver = drafted(tmp_path)
    driver.commit(discarded=(7,))
    eventually(lambda: count(tmp_path, PARTS) == 0)
    driver.store.close()


def test_a_draft_that_begins_before_the_first_cleaning_stays(tmp_path: Path) -> None:
    """A store that was opened cleans up when it is idle, which may be later."""
    driver = drafted(tmp_path, pieces=1)
    writer = driver.store._writer
    assert writer is not None
    writer._maintenance._has_unfinished = True
    driver.append(5, BAG, inserted((1, "a")))
    eventually(lambda: not writer._maintenance.is_due)
    assert driver.append_last(driver.piece(7, 1)) == (True, Frontier(10))
    assert len(driver.content(VIEW, 9)) == 100
    driver.store.close()


def test_a_full_disk_ends_a_draft_and_leaves_nothing(tmp_path: Path) -> None:
    driver = drafted(tmp_path, pieces=1)
    connection = driver.store._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    batches = sorted_pieces(40, 100)
    place, refused = 1, None
    while refused is None:
        completion = driver.submit(drafted=(driver.piece(7, place, *batches[place]),))
        if isinstance(completion, Refused):
            refused = completion.error
        place += 1
    assert isinstance(refused, StoreFull)
    connection.execute("PRAGMA max_page_count = 1000000")
    again = driver.refuse(drafted=(driver.piece(7, place - 1, *batches[place]),))
    assert isinstance(again, Unavailable), "what the store held of it is gone"
    assert driver.append_last(driver.piece(8, 0, (1, "a", 4, 1))) == (True, Frontier(10))
    assert driver.content(VIEW, 9) == [(1, "a", 1)]

    def is_clean() -> bool:
        driver.commit()  # it rests until it is asked for something
        return count(tmp_path, PARTS) == 1

    eventually(is_clean)
    driver.store.close()


def test_an_offline_look_finds_no_damage_in_a_draft(tmp_path: Path) -> None:
    driver = drafted(tmp_path)
    assert verify_store(tmp_path).damage == ()
    driver.store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
