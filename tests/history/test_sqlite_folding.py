"""Maintenance: runs are folded and garbage is collected beside the writes, and never wrongly."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from antiphon.history import limits
from antiphon.history.io.sqlite import SqliteStore, folding
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.io.sqlite.rows import RunState
from antiphon.history.store import Append, AppendApplied, ProducerSequence
from antiphon.protocol.ids import CollectionId, ProducerId
from tests.history.stores import (
    BAG,
    FEED,
    SHARDS,
    TABLE,
    WAIT_S,
    SqliteDriver,
    inserted,
    open_queued,
    rows,
)

RUNS = "SELECT count(*) FROM run"


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def count(directory: Path, query: str) -> int:
    with closing(sqlite3.connect(directory / DATABASE)) as connection:
        return int(connection.execute(query).fetchone()[0])


def opened(directory: Path) -> tuple[SqliteDriver, SqliteStore]:
    driver = SqliteDriver(*open_queued(directory))
    if not driver.opened.shards:
        driver.commit(new_shards=SHARDS)
    assert isinstance(driver.store, SqliteStore)
    return driver, driver.store


def load(driver: SqliteDriver, collection: CollectionId, start: int, number: int, at: int) -> None:
    ids = pa.array(range(start, start + number), pa.int64())
    batch = pa.record_batch(
        {
            "id": ids,
            "name": pa.array(["x" * 20] * number),
            "antiphon_diff": pa.array([1] * number, pa.int64()),
        }
    )
    driver.append(at, collection, batch)


def test_small_ticks_fold_and_their_space_is_freed(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    for at in range(2, 302):
        driver.append(at, FEED, rows((at % 7, f"v{at}", 1)))
    driver.allow(FEED=301)
    eventually(lambda: count(tmp_path, RUNS) == 1)
    eventually(lambda: count(tmp_path, "SELECT count(*) FROM part") == 1)
    assert count(tmp_path, "SELECT row_count FROM run") == 7
    expected = {at % 7: f"v{at}" for at in range(2, 302)}
    assert driver.content(FEED, 301) == sorted((key, name, 1) for key, name in expected.items())
    store.close()


def test_deletes_are_kept_while_an_older_run_has_their_keys(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    load(driver, FEED, 0, 10_000, 2)
    for at in range(3, 103):
        driver.append(at, FEED, rows((at, None, -1)))
    driver.allow(FEED=102)
    eventually(lambda: count(tmp_path, RUNS) == 2)
    assert count(tmp_path, f"{RUNS} WHERE is_folded") == 1  # the deletes alone
    kept = [row[0] for row in driver.content(FEED, 102)]
    assert kept == [0, 1, 2, *range(103, 10_000)]
    store.close()


def test_a_fold_of_many_steps_lets_writes_through_and_is_exact(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    for at in range(4):
        load(driver, BAG, at * 100_000, 100_000, at + 2)
    driver.allow(BAG=5)
    for at in range(6, 60):  # beside the fold
        driver.append(at, BAG, inserted((-at, "late")))
    eventually(
        lambda: count(tmp_path, "SELECT count(*) FROM run WHERE is_folded AND state = 0") == 1
    )
    eventually(lambda: count(tmp_path, "SELECT count(*) FROM run WHERE state <> 0") == 0)
    ids = [
        number
        for delta in store.snapshot(BAG, 59)
        for number in delta.rows[0].column(0).to_pylist()
    ]
    assert sorted(ids) == [*range(-59, -5), *range(400_000)]
    assert count(tmp_path, "SELECT max(length(content)) FROM part") <= limits.CHUNK_BYTES_MAX
    store.close()


def test_a_dropped_shards_rows_and_keys_are_deleted_in_the_end(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    load(driver, TABLE, 0, 20_000, 2)
    assert count(tmp_path, "SELECT count(*) FROM unique_key") == 20_000
    driver.commit(dropped_shards=(TABLE,))
    eventually(lambda: count(tmp_path, "SELECT count(*) FROM unique_key") == 0)
    eventually(lambda: count(tmp_path, RUNS) == 0)
    assert count(tmp_path, "SELECT count(*) FROM part") == 0
    assert count(tmp_path, "SELECT count(*) FROM dropped") == 0
    store.close()


def test_a_shard_may_be_dropped_in_the_middle_of_its_fold(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    for at in range(3):
        load(driver, BAG, at * 60_000, 60_000, at + 2)
    driver.allow(BAG=4)
    driver.commit(dropped_shards=(BAG,))
    driver.append(10, TABLE, inserted((1, "a")))
    eventually(lambda: count(tmp_path, RUNS) == 1)
    assert driver.content(TABLE, 10) == [(1, "a", 1)]
    store.close()


def test_an_unfinished_fold_of_an_earlier_process_is_garbage(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    driver.append(2, BAG, inserted((1, "a")))
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute(
            "INSERT INTO run (number, collection, side, time_first, time_last, row_count,"
            " is_folded, state) VALUES (77, ?, 0, 2, 2, 1, 1, ?)",
            (BAG, RunState.BUILDING),
        )
        connection.execute("INSERT INTO part (id, content) VALUES (77 << 20, x'00')")
        connection.commit()
    driver, store = opened(tmp_path)
    eventually(lambda: count(tmp_path, RUNS) == 1)
    assert count(tmp_path, "SELECT count(*) FROM part") == 1
    assert driver.content(BAG, 2) == [(1, "a", 1)]
    store.close()


@pytest.mark.parametrize("state", [RunState.BUILDING, RunState.GARBAGE])
def test_readers_see_live_runs_alone(tmp_path: Path, state: RunState) -> None:
    driver, store = opened(tmp_path)
    driver.append(2, BAG, inserted((1, "a")))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute(
            "INSERT INTO run SELECT 77, collection, side, time_first, time_last, row_count,"
            " is_folded, ? FROM run",
            (state,),
        )
        connection.execute("INSERT INTO part SELECT 77 << 20, content, checksum FROM part")
        connection.commit()
    assert driver.content(BAG, 2) == [(1, "a", 1)]
    assert driver.changes(BAG, 1, 3) == [(1, "a", 2, 1)]
    store.close()


def test_a_fenced_writer_folds_nothing(tmp_path: Path) -> None:
    driver, store = opened(tmp_path)
    for at in range(2, 102):
        driver.append(at, BAG, inserted((at, "a")))
    standby, _ = open_queued(tmp_path, standby=True)
    standby.promote()
    # The old controller's timers still run: it believes that its shard may fold.
    writer = store._writer
    assert writer is not None
    eventually(lambda: not writer._maintenance.is_due)
    writer._state.shards[BAG].since = 101
    writer._tables.to_fold[BAG] = None
    writer._maintenance.step()
    assert not writer._maintenance.is_due
    assert count(tmp_path, f"{RUNS} WHERE NOT is_folded AND state = 0") == 100
    store.close()
    standby.close()


def test_a_producer_that_was_silent_for_long_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "PRODUCER_RETAIN_MS", 1_000)
    driver, store = opened(tmp_path)

    def produce(name: bytes, at: int) -> AppendApplied:
        stamp = ProducerSequence(producer_id=ProducerId(name * 16), sequence=1)
        append = Append(collection=BAG, rows=inserted((at, "p")), producer=stamp)
        (outcome,) = driver.tick(at, append)
        assert isinstance(outcome, AppendApplied)
        return outcome

    produce(b"a", 2)
    produce(b"b", 1_500)
    driver.tick(62_000)
    produce(b"b", 62_001)
    driver.commit(dropped_shards=(TABLE,))  # something to clean up
    eventually(lambda: count(tmp_path, "SELECT count(*) FROM producer") == 0)
    assert not produce(b"a", 62_010).duplicate
    store.close()
