"""What happens when the medium fails, is damaged, or is of another version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from queue import Queue
from threading import Event

import pytest

from antiphon.history.digest import ChainBroken
from antiphon.history.io.sqlite import StoreUnusable, open_store
from antiphon.history.io.sqlite.layout import DATABASE, FORMAT_VERSION
from antiphon.history.io.sqlite.writer import commit_transaction
from antiphon.history.journal import new_command
from antiphon.history.limits import SUBMISSIONS_QUEUED_MAX
from antiphon.history.store import Append, Committed, Completion, Refused, Tick
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.errors import LimitExceeded, StoreFull, StorePoisoned, VersionMismatch
from antiphon.protocol.ids import Epoch, InstanceId, Position
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


class Disk:
    """A commit that fails on demand, before or after the data has reached the file."""

    def __init__(self) -> None:
        self.fails = False
        self.too_late = False

    def commit(self, connection: sqlite3.Connection) -> None:
        if self.too_late:
            commit_transaction(connection)
        if self.fails:
            raise sqlite3.OperationalError("disk I/O error")
        if not self.too_late:
            commit_transaction(connection)


@pytest.mark.parametrize("too_late", [False, True])
def test_a_failed_commit_poisons_the_writer_and_reads_go_on(tmp_path: Path, too_late: bool) -> None:
    disk = Disk()
    driver = SqliteDriver(*open_queued(tmp_path, commit=disk.commit))
    store = driver.store
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    disk.fails, disk.too_late = True, too_late
    errors = [driver.refuse(catalog=())]
    disk.fails = False
    errors += [driver.refuse(catalog=()) for _ in range(3)]
    for error in errors:
        assert isinstance(error, StorePoisoned)
        assert not error.definite
        assert "disk I/O error" in error.details["cause"]
    assert driver.content(TABLE, 10) == [(1, "a", 1)]
    store.close()  # type: ignore[union-attr]
    # Opened again, it writes, and knows what really is on the disk.
    again = SqliteDriver(*open_queued(tmp_path))
    again.append(11, TABLE, inserted((2, "b")))
    assert again.content(TABLE, 11) == [(1, "a", 1), (2, "b", 1)]
    again.store.close()  # type: ignore[union-attr]


def test_everything_that_waits_with_a_failed_commit_is_indefinite(tmp_path: Path) -> None:
    disk = Disk()
    driver = SqliteDriver(*open_queued(tmp_path, commit=disk.commit))
    driver.commit(new_shards=SHARDS)
    disk.fails = True
    tokens = []
    for _ in range(20):
        submission = driver.submission(catalog=())
        tokens.append(submission.token)
        driver.store.submit(submission)  # type: ignore[union-attr]
    completions = [driver._answers.get(timeout=WAIT_S) for _ in tokens]
    assert [each.token for each in completions] == tokens
    for each in completions:
        assert isinstance(each, Refused)
        assert not each.error.definite
    driver.store.close()  # type: ignore[union-attr]


def test_a_full_disk_refuses_what_is_written_and_takes_it_once_there_is_space(
    tmp_path: Path,
) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    connection = driver.store._writer._connection  # type: ignore[union-attr]
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    refused, upper = [], 11
    while len(refused) < 5:
        completion = driver.submit(tick=hundred(upper))
        if isinstance(completion, Refused):
            refused.append(completion.error)
        else:
            assert not refused, "a disk without space takes nothing that needs it"
            upper += 1
        assert len(driver.content(TABLE, upper - 1)) == 1 + 100 * (upper - 11)
    for error in refused:
        assert isinstance(error, StoreFull)
        assert error.definite
        assert "free space" in error.message
    connection.execute("PRAGMA max_page_count = 1000000")
    assert isinstance(driver.submit(tick=hundred(upper)), Committed)  # the very same, as its keys
    assert len(driver.content(TABLE, upper)) == 1 + 100 * (upper - 10)
    driver.store.close()  # type: ignore[union-attr]
    again = SqliteDriver(*open_queued(tmp_path))
    again.store.verify()
    assert again.opened.timeline_upper == upper + 1
    assert len(again.content(TABLE, upper)) == 1 + 100 * (upper - 10)
    again.store.close()  # type: ignore[union-attr]


def hundred(time: int) -> object:
    return driver_tick(time, inserted(*((time * 1_000 + at, "x" * 50) for at in range(100))))


def driver_tick(time: int, batch: object) -> object:
    return Tick(time=time, appends=(Append(collection=TABLE, rows=batch),))


def test_a_callback_that_fails_does_not_stop_the_store(tmp_path: Path) -> None:
    answers: Queue[Completion] = Queue()

    def deliver(completions: tuple[Completion, ...]) -> None:
        for completion in completions:
            answers.put(completion)
        raise RuntimeError("the loop is closed")

    driver = SqliteDriver(open_store(tmp_path, deliver=deliver), answers)
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    driver.store.close()  # type: ignore[union-attr]


def test_a_full_queue_refuses_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Event()

    def commit(connection: sqlite3.Connection) -> None:
        gate.wait(WAIT_S)
        commit_transaction(connection)

    driver = SqliteDriver(*open_queued(tmp_path, commit=commit))
    count = SUBMISSIONS_QUEUED_MAX + 2_000
    for _ in range(count):
        driver.store.submit(driver.submission())  # type: ignore[union-attr]
    gate.set()
    completions = [driver._answers.get(timeout=WAIT_S) for _ in range(count)]
    assert [each.token for each in completions] == list(range(1, count + 1))
    refused = [each for each in completions if isinstance(each, Refused)]
    assert refused
    assert all(isinstance(each.error, LimitExceeded) for each in refused)
    assert sum(isinstance(each, Committed) for each in completions) >= SUBMISSIONS_QUEUED_MAX
    driver.store.close()  # type: ignore[union-attr]


# Formats.


def closed_store(directory: Path, command_count: int = 0) -> None:
    driver = SqliteDriver(*open_queued(directory))
    for position in range(1, command_count + 1):
        command = new_command(
            UpdateConfiguration(values={"a": str(position)}),
            instance_id=InstanceId(7), epoch=Epoch(1), position=Position(position), now_ms=1,
        )  # fmt: skip
        driver.commit(commands=(command,))
    driver.store.close()  # type: ignore[union-attr]


def edit(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / DATABASE, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_newer_format_is_refused_without_a_change(tmp_path: Path) -> None:
    closed_store(tmp_path)
    edit(tmp_path, f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(VersionMismatch) as caught:
        open_queued(tmp_path)
    assert caught.value.details["found"] == str(FORMAT_VERSION + 1)
    assert (tmp_path / DATABASE).read_bytes() == before
    edit(tmp_path, f"PRAGMA user_version = {FORMAT_VERSION}")
    open_queued(tmp_path)[0].close()  # and the lock was given back


@pytest.mark.parametrize(
    "statements",
    [("CREATE TABLE other (a)",), ("CREATE TABLE other (a)", "PRAGMA user_version = 1")],
)
def test_a_database_of_something_else_is_refused(
    tmp_path: Path, statements: tuple[str, ...]
) -> None:
    edit(tmp_path, *statements)
    with pytest.raises(VersionMismatch):
        open_queued(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database at all" * 100)
    with pytest.raises(VersionMismatch, match=str(tmp_path / DATABASE)):
        open_queued(tmp_path)


def test_a_medium_that_refuses_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(StoreUnusable, match="cannot be opened"):
        open_queued(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnusable, match=r"cannot be opened: Not a directory$"):
        open_queued(tmp_path / "file" / "data")


# Damage.

EDITS = [
    ("UPDATE command SET kind = 'other' WHERE position = 3", 3),
    ("UPDATE command SET digest = zeroblob(32) WHERE position = 3", 3),
    ("UPDATE command_payload SET envelope = x'00' WHERE position = 4", 4),
    ("DELETE FROM command WHERE position = 2", 2),
    ("DELETE FROM command_payload WHERE position = 5", 5),
    ("UPDATE meta SET head = 6, checksum = NULL", 6),
]


@pytest.fixture
def damaged(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    closed_store(tmp_path, command_count=5)
    edit(tmp_path, request.param)
    return tmp_path


@pytest.mark.parametrize(("damaged", "position"), EDITS, indirect=["damaged"])
def test_a_damaged_history_does_not_open(damaged: Path, position: int) -> None:
    with pytest.raises(ChainBroken) as caught:
        open_queued(damaged)
    assert caught.value.position == position
    standby, _ = open_queued(damaged, standby=True)  # which reads, and claims nothing
    with pytest.raises(ChainBroken):
        standby.verify()
    standby.close()


def test_an_edited_payload_is_found(tmp_path: Path) -> None:
    closed_store(tmp_path, command_count=5)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        (envelope,) = connection.execute(
            "SELECT envelope FROM command_payload WHERE position = 2"
        ).fetchone()
        assert envelope.endswith(b"2")
        connection.execute(
            "UPDATE command_payload SET envelope = ? WHERE position = 2", (envelope[:-1] + b"9",)
        )
        connection.commit()
    with pytest.raises(ChainBroken) as caught:
        open_queued(tmp_path)
    assert caught.value.position == 2


@pytest.mark.parametrize("at", [-1, -100, 40])
def test_a_flipped_bit_in_stored_rows_is_no_other_row(tmp_path: Path, at: int) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted(*((key, "x" * 50) for key in range(20))))
    driver.store.close()  # type: ignore[union-attr]
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        place, content = connection.execute("SELECT id, content FROM part").fetchone()
        damaged = bytearray(content)
        damaged[at] ^= 1
        connection.execute("UPDATE part SET content = ? WHERE id = ?", (bytes(damaged), place))
    again = SqliteDriver(*open_queued(tmp_path))
    with pytest.raises(StoreUnusable, match=f"damaged: part {place} of run"):
        again.content(TABLE, 10)
    again.store.close()  # type: ignore[union-attr]


def test_rows_of_the_format_before_checksums_are_read(tmp_path: Path) -> None:
    driver = SqliteDriver(*open_queued(tmp_path))
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    driver.store.close()  # type: ignore[union-attr]
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        without_checksums(connection, *CHECKED)
        connection.execute("PRAGMA user_version = 3")
    again = SqliteDriver(*open_queued(tmp_path))
    again.append(11, TABLE, inserted((2, "b")))
    assert again.content(TABLE, 11) == [(1, "a", 1), (2, "b", 1)]
    again.store.close()  # type: ignore[union-attr]
