"""The contract of the history's base, on every store: what folding leaves, and what it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.history.digest import EMPTY_DIGEST, ChainBroken
from antiphon.history.envelope import EnvelopeV1, EpochDedup, encode, payload_of
from antiphon.history.io.sqlite import layout
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.journal import Record, record_of
from antiphon.history.reduction import reduce
from antiphon.history.store import NewCommand
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import CollectionId, Epoch, InstanceId, Position
from tests.history.histories import configure, create, drop, histories, numbered
from tests.history.stores import Disk, Driver, MemoryDisk, SqliteDisk, open_queued

EXAMPLE = numbered(create(1), configure(a="1"), create(2), drop(1), configure(b="2"), create(3))


def new(record: Record) -> NewCommand:
    envelope = EnvelopeV1(
        instance_id=InstanceId(7),
        dedup=EpochDedup(epoch=Epoch(1), sequence=record.position),
        payload=record.payload,
        appended_at_ms=5,
    )
    return NewCommand(
        kind=record.kind,
        subject=record.subject,
        payload=record.payload,
        envelope=encode(envelope),
    )


def append(driver: Driver, records: tuple[Record, ...]) -> None:
    driver.commit(commands=tuple(new(record) for record in records))


def history(driver: Driver) -> tuple[Record, ...]:
    return tuple(record_of(command) for command in driver.store.history())


def test_folding_keeps_head_digest_and_meaning(driver: Driver) -> None:
    append(driver, EXAMPLE)
    head, digest = driver.commit().head, driver.commit().digest
    at_four = driver.store.digest_at(Position(4))
    committed = driver.commit(fold_to=Position(4))
    assert (committed.base, committed.head, committed.digest) == (4, head, digest)
    assert [command.position for command in driver.store.commands(Position(1))] == [5, 6]
    assert history(driver) == (*reduce(EXAMPLE[:4], {}), *EXAMPLE[4:])
    assert reduce(history(driver), {}) == reduce(EXAMPLE, {})
    assert driver.store.digest_at(Position(4)) == at_four
    assert driver.store.digest_at(Position(6)) == digest
    assert driver.store.digest_at(Position(3)) is None
    assert driver.store.verify() == head


def test_a_base_outlives_its_controller(disk: Disk) -> None:
    first = disk.open()
    append(first, EXAMPLE)
    first.commit(fold_to=Position(5))
    before = history(first)
    again = disk.open()
    assert (again.opened.base, again.opened.head) == (5, 6)
    assert again.opened.base_digest == again.store.digest_at(Position(5))
    assert history(again) == before
    assert again.store.verify() == 6
    append(again, tuple(numbered(create(4))))
    assert again.commit(fold_to=Position(7)).base == 7
    assert list(again.store.commands(Position(1))) == []


def test_a_fold_that_was_done_before_changes_nothing(driver: Driver) -> None:
    append(driver, EXAMPLE)
    driver.commit(fold_to=Position(4))
    before = history(driver)
    for to in (0, 2, 4):
        assert driver.commit(fold_to=Position(to)).base == 4
    assert history(driver) == before


def test_nothing_beyond_the_head_is_folded(driver: Driver) -> None:
    append(driver, EXAMPLE)
    assert isinstance(driver.refuse(fold_to=Position(7)), InvalidArgument)
    # But commands of the same submission are before it.
    more = tuple(new(record) for record in numbered(create(4)))
    assert driver.commit(commands=more, fold_to=Position(7)).base == 7


def test_what_cannot_be_read_is_not_folded(driver: Driver) -> None:
    append(driver, EXAMPLE[:1])
    damaged = Record(
        position=Position(2), kind="create_dataflow", subject=CollectionId(9), payload=b"x"
    )
    append(driver, (damaged,))
    assert driver.commit(fold_to=Position(1)).base == 1
    assert driver.commit(fold_to=Position(2)).base == 1
    assert [command.position for command in driver.store.commands(Position(1))] == [2]


@pytest.mark.parametrize("make", [MemoryDisk, SqliteDisk])
@settings(max_examples=20, deadline=None)
@given(records=histories(), data=st.data())
def test_folds_of_any_length_at_any_moment_change_nothing_that_is_seen(
    make: Callable[..., Disk],
    records: tuple[Record, ...],
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Sync 9 and 10, in the store: commands, folds and restarts in any order."""
    disk = make() if make is MemoryDisk else make(tmp_path_factory.mktemp("data"))
    driver = disk.open()
    base = 0
    for record in records:
        append(driver, (record,))
        if data.draw(st.integers(0, 2)) == 0:
            base = data.draw(st.integers(base, record.position))
            driver.commit(fold_to=Position(base))
        if data.draw(st.integers(0, 5)) == 0:
            driver = disk.open()
    assert reduce(history(driver), {}) == reduce(records, {})
    assert tuple(record_of(c) for c in driver.store.commands(Position(1))) == records[base:]
    assert driver.store.verify() == len(records)
    disk.close()


def test_a_damaged_base_is_found(tmp_path: Path) -> None:
    disk = SqliteDisk(tmp_path)
    driver = disk.open()
    append(driver, EXAMPLE)
    driver.commit(fold_to=Position(6))
    disk.close()
    with sqlite3.connect(tmp_path / DATABASE) as database:
        (envelope,) = database.execute("SELECT envelope FROM base_payload LIMIT 1").fetchone()
        other = envelope.replace(payload_of(envelope), payload_of(envelope)[:-1] + b"\x7f")
        database.execute("UPDATE base_payload SET envelope = ? WHERE position = 2", (other,))
    database.close()
    with pytest.raises(ChainBroken):
        open_queued(tmp_path)


def test_a_reader_that_is_under_way_sees_the_history_of_its_moment(tmp_path: Path) -> None:
    driver = SqliteDisk(tmp_path).open()
    append(driver, EXAMPLE)
    reading = driver.store.commands(Position(1))
    assert next(reading).position == 1
    driver.commit(fold_to=Position(6))
    assert [command.position for command in reading] == [2, 3, 4, 5, 6]
    driver.store.close()  # type: ignore[union-attr]


def test_a_store_of_the_format_before_folding_opens_with_an_empty_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(layout, "FORMAT_VERSION", 1)
        layout.make_directory(tmp_path)
        connection = layout.connect(tmp_path)
        layout.prepare(connection)
        connection.close()
    driver = SqliteDisk(tmp_path).open()
    append(driver, EXAMPLE)
    assert (driver.opened.base, driver.opened.base_digest) == (0, EMPTY_DIGEST)
    assert driver.commit(fold_to=Position(6)).base == 6
    driver.store.close()  # type: ignore[union-attr]
