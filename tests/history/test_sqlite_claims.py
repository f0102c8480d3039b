"""Who may write a data directory: one live controller, and of two epochs the later."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from antiphon.history.io.liveness import LOCK, Liveness
from antiphon.history.io.sqlite import open_store
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.store import Committed, Lease, Refused
from antiphon.protocol.errors import EpochFenced, StoreLocked
from antiphon.protocol.ids import Position
from tests.history.stores import (
    CHECKED,
    SHARDS,
    TABLE,
    WAIT_S,
    SqliteDriver,
    inserted,
    open_queued,
    without_checksums,
)

HOLDER = """
import sys
from pathlib import Path
from typing import Any
from antiphon.history.io.sqlite import open_store
store = open_store(Path(sys.argv[1]), deliver=lambda completions: None)
print("open", flush=True)
sys.stdin.read()
"""


def driver(directory: Path, **options: object) -> SqliteDriver:
    return SqliteDriver(*open_queued(directory, **options))


def test_the_data_directory_is_the_owners_alone(tmp_path: Path) -> None:
    store = driver(tmp_path / "deep" / "data").store
    store.close()  # type: ignore[union-attr]
    directory = tmp_path / "deep" / "data"
    names = {path.name for path in directory.iterdir()}
    assert names - {LOCK} == {DATABASE, "blobs", "replicas"}, "nothing is left that was for running"
    for path in (directory, directory / "blobs", directory / "replicas"):
        assert path.stat().st_mode & 0o777 == 0o700


def test_a_second_live_controller_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    first = driver(tmp_path)
    with pytest.raises(StoreLocked) as caught:
        open_queued(tmp_path)
    assert caught.value.details["process"] == str(os.getpid())
    first.commit(new_shards=SHARDS)
    first.store.close()  # type: ignore[union-attr]
    second = driver(tmp_path)
    assert second.opened.epoch == 2
    second.store.close()  # type: ignore[union-attr]


def test_after_a_kill_the_next_controller_claims_at_once(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == b"open\n"
    with pytest.raises(StoreLocked) as caught:
        open_queued(tmp_path)
    assert caught.value.details["process"] == str(holder.pid)
    holder.kill()
    holder.wait()
    store, _ = open_queued(tmp_path)
    assert store.opened.epoch == 2
    store.close()
    holder.stdin.close()
    holder.stdout.close()


def test_a_standby_reads_and_claims_nothing(tmp_path: Path) -> None:
    active = driver(tmp_path)
    active.commit(new_shards=SHARDS)
    standby, _ = open_queued(tmp_path, standby=True)
    assert standby.fence is None
    assert standby.opened.epoch == 1
    active.append(10, TABLE, inserted((1, "a")))
    assert standby.read().timeline_upper == 11
    assert [delta.row_count for delta in standby.snapshot(TABLE, 10)] == [1]
    active.append(11, TABLE, inserted((2, "b")))
    standby.close()
    active.store.close()  # type: ignore[union-attr]


def test_a_promoted_standby_fences_the_controller_before_it(tmp_path: Path) -> None:
    old = driver(tmp_path)
    old.commit(new_shards=SHARDS)
    old.append(10, TABLE, inserted((1, "a")))
    store, answers = open_queued(tmp_path, standby=True)
    opened = store.promote()
    assert opened.epoch == 2
    assert opened.timeline_upper == 11
    new = SqliteDriver(store, answers)
    new.append(11, TABLE, inserted((2, "b")))
    error = old.refuse(catalog=())
    assert isinstance(error, EpochFenced)
    assert error.details["epoch"] == "2"
    assert new.content(TABLE, 11) == [(1, "a", 1), (2, "b", 1)]
    # Until the old one has ended it may answer reads. Then the new one takes the lock, in a second.
    assert not store._liveness.is_held
    old.store.close()  # type: ignore[union-attr]
    deadline = time.monotonic() + WAIT_S
    while not store._liveness.is_held and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(StoreLocked):
        open_queued(tmp_path)
    store.close()


def test_racing_claims_get_different_epochs(tmp_path: Path) -> None:
    open_queued(tmp_path)[0].close()
    standbys = [open_queued(tmp_path, standby=True)[0] for _ in range(4)]
    epochs = [standby.promote().epoch for standby in standbys]
    assert epochs == [2, 3, 4, 5]
    fences = [standby.fence for standby in standbys]
    assert len({fence.claim_id for fence in fences if fence}) == 4
    for standby in standbys:
        standby.close()


def test_a_writer_that_was_fenced_in_the_middle_of_a_group_refuses_all_of_it(
    tmp_path: Path,
) -> None:
    old = driver(tmp_path)
    new, _ = open_queued(tmp_path, standby=True)
    new.promote()
    store = old.store
    for _ in range(10):
        store.submit(old.submission(new_shards=SHARDS))  # type: ignore[union-attr]
    completions = [old._answers.get(timeout=WAIT_S) for _ in range(10)]
    assert all(isinstance(each, Refused) for each in completions)
    assert not any(isinstance(each, Committed) for each in completions)
    assert new.read().shards == {}
    assert list(new.commands(Position(1))) == []
    store.close()  # type: ignore[union-attr]
    new.close()


def test_liveness_is_one_at_a_time_and_ends_with_release(tmp_path: Path) -> None:
    first, second = (Liveness(tmp_path / LOCK) for _ in range(2))
    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    assert second.holder() == str(os.getpid())
    first.release()
    assert second.acquire()
    second.release()


def test_a_promotion_waits_until_the_older_process_has_ended(tmp_path: Path) -> None:
    old = driver(tmp_path)
    new, _ = open_queued(tmp_path, standby=True)
    is_told = threading.Event()

    def end() -> None:
        is_told.set()
        old.store.close()  # type: ignore[union-attr]

    threading.Timer(0.2, end).start()
    new.promote(wait_s=WAIT_S)
    assert new._liveness.is_held
    assert is_told.is_set()
    new.close()


def test_a_promotion_waits_no_longer_than_it_is_told(tmp_path: Path) -> None:
    old = driver(tmp_path)
    new, _ = open_queued(tmp_path, standby=True)
    new.promote(wait_s=0.05)
    assert not new._liveness.is_held
    assert isinstance(old.refuse(catalog=()), EpochFenced)
    old.store.close()  # type: ignore[union-attr]
    new.close()


def test_a_lease_of_a_standby_holds_back_every_since(tmp_path: Path) -> None:
    live = driver(tmp_path)
    live.commit(new_shards=SHARDS)
    live.append(100, TABLE, inserted((1, "a")))
    standby, _ = open_queued(tmp_path, standby=True)
    standby.keep(Lease(holder=b"s" * 16, since=40, expires_at_ms=2_000))
    live.commit(since={TABLE: 90}, now_ms=1_999)
    assert standby.read().shards[TABLE].since == 40
    standby.keep(Lease(holder=b"s" * 16, since=50, expires_at_ms=3_000))
    live.commit(since={TABLE: 90}, now_ms=2_000)
    assert standby.read().shards[TABLE].since == 50
    live.commit(since={TABLE: 90}, now_ms=3_000)
    assert standby.read().shards[TABLE].since == 90, "who is silent for so long holds nothing"
    live.store.close()  # type: ignore[union-attr]
    standby.keep(Lease(holder=b"s" * 16, since=0, expires_at_ms=10**15))
    standby.promote()
    standby.close()
    again = driver(tmp_path)
    again.commit(since={TABLE: 95})
    assert again.store.read().shards[TABLE].since == 95, "its own lease ended with the promotion"  # type: ignore[union-attr]
    again.store.close()  # type: ignore[union-attr]


def test_a_standby_notices_that_others_write(tmp_path: Path) -> None:
    live = driver(tmp_path)
    live.store.announce("127.0.0.1:9")  # type: ignore[union-attr]
    standby, _ = open_queued(tmp_path, standby=True)
    assert standby.live_address() == "127.0.0.1:9"
    before = standby.moment()
    assert standby.moment() == before
    live.commit(new_shards=SHARDS)
    assert standby.moment() != before
    assert standby.owner() == live.fence
    live.store.close()  # type: ignore[union-attr]
    standby.close()


def test_a_store_that_knows_no_leases_is_brought_to_this_format(tmp_path: Path) -> None:
    live = driver(tmp_path)
    live.commit(new_shards=SHARDS)
    live.store.close()  # type: ignore[union-attr]
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as connection:
        connection.execute("DROP TABLE lease")
        without_checksums(connection, *CHECKED)
        connection.execute("PRAGMA user_version = 2")
    again = driver(tmp_path)
    again.commit(since={TABLE: 0})
    assert set(again.opened.shards) == {shard.collection for shard in SHARDS}
    again.store.close()  # type: ignore[union-attr]


def _opens(directory: Path, standby: bool, together: Any, said: Any) -> None:
    together.wait()
    try:
        store = open_store(directory, deliver=lambda completions: None, standby=standby)
        said.put("")
        together.wait()
        store.close()
    except Exception as error:
        together.abort()
        said.put(repr(error))


def test_a_controller_and_its_standby_may_begin_a_directory_together(tmp_path: Path) -> None:
    # Not by fork: other tests leave threads, with which it is not safe.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for number in range(20):
        together, said = context.Barrier(2), context.Queue()
        both = [
            context.Process(target=_opens, args=(tmp_path / str(number), standby, together, said))
            for standby in (False, True)
        ]
        for process in both:
            process.start()
        assert [said.get(timeout=WAIT_S) for _ in both] == ["", ""]
        for process in both:
            process.join(WAIT_S)
