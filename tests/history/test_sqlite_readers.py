"""Readers on many threads, beside a writer: each sees one moment, and none waits."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from antiphon.history.io.sqlite import SqliteStore
from antiphon.history.limits import READERS_IDLE_MAX
from antiphon.protocol.errors import SinceViolation
from antiphon.protocol.ids import Position
from tests.history.stores import BAG, SHARDS, SqliteDriver, open_queued, rows

ACCOUNTS = 10
TOTAL = 1_000


def test_every_snapshot_is_of_one_moment(tmp_path: Path) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    store = driver.store
    assert isinstance(store, SqliteStore)
    driver.commit(new_shards=SHARDS)
    driver.append(2, BAG, rows(*((account, "m", TOTAL // ACCOUNTS) for account in range(ACCOUNTS))))
    done = threading.Event()

    def read() -> int:
        count = 0
        while not done.is_set() or count == 0:
            upper = store.read().timeline_upper
            try:
                snapshot = list(store.snapshot(BAG, upper - 1))
            except SinceViolation:
                continue  # since moved between the two reads
            diffs = [delta.rows[0].column(3) for delta in snapshot]
            assert sum(sum(column.to_pylist()) for column in diffs) == TOTAL
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(read) for _ in range(4)]
        for time in range(3, 150):
            moved = rows((time % ACCOUNTS, "m", -1), ((time + 1) % ACCOUNTS, "m", 1))
            driver.append(time, BAG, moved)
            if time % 10 == 0:
                driver.allow(BAG=time - 2)
        done.set()
        assert sum(each.result() for each in reads) > 4
    store.close()


def test_connections_are_kept_up_to_a_limit_and_closed_in_the_end(tmp_path: Path) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    store = driver.store
    assert isinstance(store, SqliteStore)
    driver.commit(new_shards=SHARDS)
    driver.append(2, BAG, rows((1, "a", 1)))
    readings = [store.snapshot(BAG, 2) for _ in range(2 * READERS_IDLE_MAX)]
    firsts = [next(reading) for reading in readings]
    assert len(firsts) == 2 * READERS_IDLE_MAX
    for reading in readings:
        assert list(reading) == []
    assert len(store._reader._idle) == READERS_IDLE_MAX
    store.close()
    assert store._reader._idle == []


def test_an_abandoned_read_gives_its_connection_back(tmp_path: Path) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    store = driver.store
    assert isinstance(store, SqliteStore)
    driver.commit(new_shards=SHARDS)
    driver.append(2, BAG, rows((1, "a", 1)))
    reading = store.snapshot(BAG, 2)
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert [connection.in_transaction for connection in store._reader._idle] == [False]
    assert list(store.commands(Position(1))) == []
    store.close()
