"""The contract of `antiphon.history.store`, on every store that there is."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.journal import new_command
from antiphon.history.store import (
    Append,
    AppendRefused,
    CatalogChange,
    Committed,
    Fence,
    NewCommand,
    NewShard,
    Tick,
)
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import (
    CollectionExists,
    CollectionMissing,
    ComputeError,
    ConstraintViolation,
    EpochFenced,
    InvalidArgument,
    NotComplete,
    ReadConflict,
    StaleFacts,
    UpperMismatch,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch, InstanceId, Position
from tests.history.stores import (
    BAG,
    FEED,
    SHARDS,
    TABLE,
    VIEW,
    Disk,
    Driver,
    deleted,
    entries_of,
    inserted,
    rows,
    shard,
)


def configuration(position: int, **values: str) -> NewCommand:
    return new_command(
        UpdateConfiguration(values=values),
        instance_id=InstanceId(7),
        epoch=Epoch(1),
        position=Position(position),
        now_ms=5,
    )


def raw_command(kind: str, subject: CollectionId = TABLE) -> NewCommand:
    return NewCommand(kind=kind, subject=subject, payload=b"", envelope=b"")


# Opening and claiming.


def test_a_fresh_store_is_empty(disk: Disk) -> None:
    opened = disk.open().opened
    assert opened.epoch == 1
    assert opened.instance_id != 0
    assert (opened.head, opened.head_digest) == (0, EMPTY_DIGEST)
    assert (opened.timeline_upper, opened.next_id) == (1, 1)
    assert (opened.catalog, opened.compaction, opened.shards) == ({}, {}, {})


def test_everything_committed_is_found_again(disk: Disk) -> None:
    first = disk.open()
    committed = first.commit(
        commands=(configuration(1, a="1"), configuration(2, b="2")),
        new_shards=SHARDS,
        catalog=(CatalogChange(collection=TABLE, content=b"table"),),
        next_id=9,
        tick=Tick(time=50, appends=(Append(collection=TABLE, rows=inserted((1, "one"))),)),
        compaction={TABLE: Frontier(40)},
    )
    first.append_view(1, 60, (1, "one", 50, 1))
    first.allow(TABLE=40, VIEW=45)
    again = disk.open()
    found = again.opened
    assert (found.head, found.head_digest) == (2, committed.digest)
    assert (found.timeline_upper, found.next_id) == (51, 9)
    assert found.catalog == {TABLE: b"table"}
    assert found.compaction == {TABLE: Frontier(40)}
    assert found.shards[TABLE].upper == found.shards[FEED].upper == Frontier(51)
    assert found.shards[TABLE].since == 40
    assert found.shards[TABLE].unique_key == (0,)
    assert found.shards[VIEW].upper == Frontier(60)
    assert found.shards[VIEW].since == 45
    assert found.shards[VIEW].kind is CollectionKind.MATERIALIZED_VIEW
    assert [command.position for command in again.store.commands(Position(1))] == [1, 2]
    assert again.content(TABLE, 50) == [(1, "one", 1)]
    assert found.instance_id == first.opened.instance_id
    assert found.history_id == first.opened.history_id


def test_each_claim_takes_the_next_epoch(disk: Disk) -> None:
    assert [disk.open().opened.epoch for _ in range(3)] == [1, 2, 3]


def test_an_older_claim_and_another_claim_of_the_epoch_are_fenced(disk: Disk) -> None:
    disk.open()
    driver = disk.open()
    for fence in (
        Fence(epoch=Epoch(1), claim_id=driver.fence.claim_id),
        Fence(epoch=driver.fence.epoch, claim_id=ClaimId(b"x" * 16)),
        Fence(epoch=Epoch(3), claim_id=driver.fence.claim_id),
    ):
        error = driver.refuse(fence=fence, new_shards=SHARDS)
        assert isinstance(error, EpochFenced)
    assert driver.store.digest_at(Position(0)) == EMPTY_DIGEST
    driver.commit(new_shards=SHARDS)


# Commands.


def test_commands_get_dense_positions_and_a_digest_chain(driver: Driver) -> None:
    digest = EMPTY_DIGEST
    for position in range(1, 6):
        command = configuration(position, key=str(position))
        committed = driver.commit(commands=(command,), expected_head=Position(position - 1))
        digest = extend(digest, Position(position), command.kind, command.payload)
        assert (committed.head, committed.digest) == (position, digest)
        assert driver.store.digest_at(Position(position)) == digest
    assert driver.store.digest_at(Position(6)) is None
    assert driver.store.verify() == 5


def test_stored_commands_come_back_byte_for_byte(driver: Driver) -> None:
    commands = [configuration(position, key=str(position)) for position in range(1, 8)]
    driver.commit(commands=tuple(commands), now_ms=123)
    stored = list(driver.store.commands(Position(1)))
    assert [command.envelope for command in stored] == [each.envelope for each in commands]
    assert {command.appended_at_ms for command in stored} == {123}
    assert {command.kind for command in stored} == {"update_configuration"}


def test_commands_are_read_by_range(driver: Driver) -> None:
    driver.commit(commands=tuple(configuration(position) for position in range(1, 8)))

    def positions(start: int, stop: int | None) -> list[int]:
        end = None if stop is None else Position(stop)
        return [command.position for command in driver.store.commands(Position(start), end)]

    assert positions(3, 6) == [3, 4, 5]
    assert positions(6, None) == [6, 7]
    assert positions(0, 2) == [1]
    assert positions(8, None) == positions(5, 5) == positions(1, 0) == []
    assert positions(6, 100) == [6, 7]


def test_commands_that_follow_another_head_are_refused(driver: Driver) -> None:
    driver.commit(commands=(configuration(1),), expected_head=Position(0))
    error = driver.refuse(commands=(configuration(1),), expected_head=Position(0))
    assert isinstance(error, StaleFacts)
    assert error.details["head"] == "1"
    assert len(list(driver.store.commands(Position(1)))) == 1


def test_a_refused_submission_leaves_nothing(driver: Driver) -> None:
    before = driver.store.digest_at(Position(1))
    error = driver.refuse(
        commands=(configuration(1),),
        new_shards=(shard(CollectionId(9), CollectionKind.TABLE, 0), SHARDS[0]),
        catalog=(CatalogChange(collection=CollectionId(9), content=b"x"),),
        next_id=99,
        tick=Tick(time=10, appends=(Append(collection=TABLE, rows=inserted((1, "a"))),)),
    )
    assert isinstance(error, CollectionExists)
    assert driver.store.digest_at(Position(1)) == before is None
    with pytest.raises(CollectionMissing):
        driver.store.snapshot(CollectionId(9), 0)
    with pytest.raises(NotComplete):
        driver.store.snapshot(TABLE, 10)


@pytest.mark.parametrize(
    "parts",
    [
        *({"commands": (raw_command(kind),)} for kind in ("a\0b", "\ud800", "", "a\n")),
        {"commands": (raw_command("a", CollectionId(1 << 63)),)},
        {"catalog": (CatalogChange(collection=CollectionId(1 << 63), content=b""),)},
        {"compaction": {CollectionId(1 << 63 | 1): Frontier(1)}},
        {"compaction": {TABLE: Frontier(1 << 63)}},
        {"since": {TABLE: 1 << 63}},
        {"since": {TABLE: -1}},
        {"next_id": 1 << 63},
        {"now_ms": 1 << 63},
        {"tick": Tick(time=1 << 63, appends=())},
    ],
    ids=str,
)
def test_what_no_store_can_hold_is_refused_and_stops_nothing(
    driver: Driver, parts: dict[str, object]
) -> None:
    assert isinstance(driver.refuse(**parts), InvalidArgument)
    driver.commit(commands=(raw_command("later"),))


# The catalog, shards, the compaction map.


def test_catalog_items_are_replaced_and_deleted(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(
        catalog=tuple(CatalogChange(collection=each, content=b"1") for each in (TABLE, FEED))
    )
    driver.commit(
        catalog=(
            CatalogChange(collection=TABLE, content=b"2"),
            CatalogChange(collection=FEED, content=None),
            CatalogChange(collection=VIEW, content=None),
        )
    )
    assert disk.open().opened.catalog == {TABLE: b"2"}


def test_the_next_id_never_moves_back(driver: Driver) -> None:
    driver.commit(next_id=10)
    assert isinstance(driver.refuse(next_id=9), InvalidArgument)
    driver.commit(next_id=10)


@pytest.mark.parametrize(
    "new",
    [
        shard(CollectionId(9), CollectionKind.FEED),
        shard(CollectionId(9), CollectionKind.MATERIALIZED_VIEW, 0),
        shard(CollectionId(9), CollectionKind.INDEX),
        shard(CollectionId(9), CollectionKind.TABLE, 2),
        shard(CollectionId(9), CollectionKind.TABLE, 0, 0),
        shard(CollectionId(1 << 63 | 9), CollectionKind.TABLE),
    ],
)
def test_a_shard_that_makes_no_sense_is_refused(driver: Driver, new: object) -> None:
    assert isinstance(driver.refuse(new_shards=(new,)), InvalidArgument)


def test_a_dropped_shard_is_gone_with_its_content_and_its_keys(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    driver.commit(dropped_shards=(TABLE,))
    with pytest.raises(CollectionMissing):
        driver.store.snapshot(TABLE, 10)
    assert isinstance(driver.append_refused(11, TABLE, inserted((1, "a"))), CollectionMissing)
    assert isinstance(driver.refuse(dropped_shards=(TABLE,)), CollectionMissing)
    again = disk.open()
    assert TABLE not in again.opened.shards
    # Ids are never reused; another shard keeps keys of its own.
    other = CollectionId(9)
    again.commit(new_shards=(shard(other, CollectionKind.TABLE, 0),))
    again.append(12, other, inserted((1, "a")))
    assert again.content(other, 12) == [(1, "a", 1)]


def filled(batch: pa.RecordBatch, time: int, *unchanged: CollectionId) -> NewShard:
    """A table with content that was made of these tables, as they were at `time`."""
    content = Append(
        collection=CollectionId(9), rows=batch, unchanged=unchanged, unchanged_since=time
    )
    return replace(shard(CollectionId(9), CollectionKind.TABLE), content=content)


def test_a_table_is_there_with_its_content_or_not_at_all(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a"), (2, "b")))
    driver.append(20, BAG, inserted((7, "x")))
    driver.commit(new_shards=(filled(inserted((1, "a"), (1, "a")), 15, TABLE),))
    for found in (driver, disk.open()):
        assert found.content(CollectionId(9), 14) == []
        assert found.content(CollectionId(9), 15) == [(1, "a", 2)]
    assert entries_of(disk.open().store.listen(CollectionId(9), 1, 21)) == [(1, "a", 15, 2)]


@pytest.mark.parametrize(
    ("new", "error"),
    [
        (filled(inserted((1, "a")), 9, TABLE), ReadConflict),
        (filled(inserted((1, "a")), 11), InvalidArgument),
        (filled(inserted((None, "a")), 10), ConstraintViolation),
        (filled(inserted((1, "a")), 10, CollectionId(99)), CollectionMissing),
        (replace(filled(inserted((1, "a")), 10), unique_key=(0,)), InvalidArgument),
        (replace(filled(inserted((1, "a")), 10), kind=CollectionKind.FEED), InvalidArgument),
    ],
)
def test_content_that_cannot_be_refuses_the_table(
    driver: Driver, new: NewShard, error: type[ComputeError]
) -> None:
    driver.append(10, TABLE, inserted((1, "a")))
    assert isinstance(driver.refuse(new_shards=(new,)), error)
    driver.commit(new_shards=(shard(CollectionId(9), CollectionKind.TABLE),))


def test_the_compaction_map_only_advances_and_forgets_what_is_closed(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(compaction={TABLE: Frontier(9), FEED: Frontier(5), VIEW: CLOSED})
    driver.commit(compaction={TABLE: Frontier(7), FEED: CLOSED})
    assert disk.open().opened.compaction == {TABLE: Frontier(9)}


# Ticks.


def test_a_tick_makes_its_time_complete_for_all_tables_and_feeds(driver: Driver) -> None:
    driver.append(10, TABLE, inserted((1, "a")))
    assert driver.content(TABLE, 10) == [(1, "a", 1)]
    assert driver.content(FEED, 10) == []
    assert driver.content(TABLE, 9) == []
    for collection in (TABLE, FEED):
        with pytest.raises(NotComplete):
            driver.store.snapshot(collection, 11)


def test_a_tick_before_the_upper_is_refused(driver: Driver) -> None:
    driver.append(10, TABLE, inserted((1, "a")))
    error = driver.refuse(tick=Tick(time=10, appends=()))
    assert isinstance(error, UpperMismatch)
    assert error.details["upper"] == "11"


def test_the_appends_of_a_tick_are_applied_or_refused_one_by_one(driver: Driver) -> None:
    committed = driver.commit(
        tick=Tick(
            time=10,
            appends=(
                Append(collection=TABLE, rows=inserted((1, "a"), (2, "b"))),
                Append(collection=TABLE, rows=inserted((3, "c"), (2, "x"))),
                Append(collection=BAG, rows=inserted((7, "g"))),
                Append(collection=CollectionId(99), rows=inserted((1, "a"))),
                Append(collection=VIEW, rows=inserted((1, "a"))),
                Append(collection=TABLE, rows=inserted((3, "d"))),
            ),
        )
    )
    applied = [not isinstance(outcome, AppendRefused) for outcome in committed.outcomes]
    assert applied == [True, False, True, False, False, True]
    assert driver.content(TABLE, 10) == [(1, "a", 1), (2, "b", 1), (3, "d", 1)]
    assert driver.content(BAG, 10) == [(7, "g", 1)]
    # The deltas of the completion are what a reader finds.
    assert set(committed.deltas) == {TABLE, BAG}
    for collection, delta in committed.deltas.items():
        assert entries_of([delta]) == driver.changes(collection, 10, 11)


def test_a_tick_whose_appends_are_all_refused_still_moves_the_upper(driver: Driver) -> None:
    driver.append_refused(10, CollectionId(99), inserted((1, "a")))
    assert driver.content(TABLE, 10) == []


def test_an_append_without_rows_applies(driver: Driver) -> None:
    assert driver.append(10, TABLE, rows()).row_count == 0
    assert driver.changes(TABLE, 1, 11) == []


def test_what_cancels_within_a_tick_leaves_no_delta(driver: Driver) -> None:
    committed = driver.commit(
        tick=Tick(
            time=10,
            appends=(
                Append(collection=BAG, rows=inserted((1, "a"))),
                Append(collection=BAG, rows=deleted((1, "a"))),
            ),
        )
    )
    assert committed.deltas == {}


def test_snapshot_and_listen_agree_at_every_time(driver: Driver) -> None:
    for time in range(2, 12):
        driver.append(time, BAG, rows((time % 3, "x", 1), (time, "y", 1)))
    driver.append(12, BAG, deleted((2, "x"), (2, "y")))
    for as_of in range(1, 13):
        total: dict[tuple[object, ...], int] = {}
        for *row, _, diff in driver.changes(BAG, 1, as_of + 1):
            total[tuple(row)] = total.get(tuple(row), 0) + diff
        expected = sorted((*row, diff) for row, diff in total.items() if diff)
        assert driver.content(BAG, as_of) == expected


def test_listen_gives_exactly_the_interval_in_time_order(driver: Driver) -> None:
    for time in (3, 5, 9):
        driver.append(time, BAG, inserted((time, "t")))
    assert driver.changes(BAG, 5, 9) == [(5, "t", 5, 1)]
    assert [entry[2] for entry in driver.changes(BAG, 1, 10)] == [3, 5, 9]
    assert driver.changes(BAG, 6, 9) == []


# Feeds.


def test_the_last_overwrite_of_a_key_wins(driver: Driver) -> None:
    driver.append(10, FEED, inserted((1, "a"), (2, "b"), (1, "c")))
    driver.append(11, FEED, rows((2, "ignored", -1), (3, None, 1)))
    assert driver.content(FEED, 10) == [(1, "c", 1), (2, "b", 1)]
    assert sorted(driver.content(FEED, 11), key=lambda row: row[0]) == [(1, "c", 1), (3, None, 1)]
    assert sorted(driver.changes(FEED, 11, 12), key=lambda row: row[0]) == [
        (2, None, 11, -1),
        (3, None, 11, 1),
    ]


def test_overwrites_of_one_tick_meet_in_the_order_of_its_appends(driver: Driver) -> None:
    driver.tick(
        10,
        Append(collection=FEED, rows=inserted((1, "first"))),
        Append(collection=FEED, rows=deleted((1, None))),
        Append(collection=FEED, rows=inserted((1, "last"))),
        Append(collection=FEED, rows=inserted((2, "gone"))),
        Append(collection=FEED, rows=deleted((2, None))),
    )
    assert driver.content(FEED, 10) == [(1, "last", 1)]
    assert sorted(driver.changes(FEED, 10, 11)) == [(1, "last", 10, 1), (2, None, 10, -1)]


def test_completions_come_in_order_of_submission(driver: Driver) -> None:
    for time in range(2, 20):
        completion = driver.submit(tick=Tick(time=time, appends=()))
        assert isinstance(completion, Committed)
