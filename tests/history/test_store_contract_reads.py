"""The contract's other half: views of their own upper, since, and what readers see."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.history.store import (
    ShardAppend,
)
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    CollectionMissing,
    InvalidArgument,
    NotComplete,
    SinceViolation,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId
from tests.history.stores import (
    BAG,
    SHARDS,
    TABLE,
    VIEW,
    Disk,
    Driver,
    deleted,
    entries_of,
    errors_of,
    inserted,
    updates,
)

# Materialized views.


def test_compare_and_append_moves_only_from_the_expected_upper(driver: Driver) -> None:
    assert driver.append_view(1, 10, (1, "a", 4, 1)) == (True, Frontier(10))
    assert driver.append_view(1, 12, (2, "b", 11, 1)) == (False, Frontier(10))
    assert driver.append_view(10, 12, (1, "a", 11, -1), (2, "b", 10, 1)) == (True, Frontier(12))
    assert driver.content(VIEW, 9) == [(1, "a", 1)]
    assert driver.content(VIEW, 10) == [(1, "a", 1), (2, "b", 1)]
    assert driver.content(VIEW, 11) == [(2, "b", 1)]
    with pytest.raises(NotComplete):
        driver.store.snapshot(VIEW, 12)
    assert [entry[2] for entry in driver.changes(VIEW, 1, 12)] == [4, 10, 11]


def test_a_view_may_progress_without_a_change_and_may_close(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    assert driver.append_view(1, 500) == (True, Frontier(500))
    assert driver.append_view(500, None, (1, "a", 600, 1)) == (True, CLOSED)
    assert driver.content(VIEW, 10_000) == [(1, "a", 1)]
    assert disk.open().opened.shards[VIEW].upper == CLOSED


def test_the_rows_of_a_snapshot_are_estimated_from_above(driver: Driver) -> None:
    assert driver.store.snapshot_rows(VIEW, 0) == 0
    driver.append_view(1, 10, (1, "a", 4, 1), (2, "b", 4, 1), errors=(("e", "m", "x", 4, 1),))
    driver.append_view(10, 20, (1, "a", 15, -1))
    assert driver.store.snapshot_rows(VIEW, 9) == 2
    assert driver.store.snapshot_rows(VIEW, 19) >= len(driver.content(VIEW, 19)) == 1
    with pytest.raises(NotComplete):
        driver.store.snapshot_rows(VIEW, 20)


def test_errors_are_stored_beside_the_rows(driver: Driver) -> None:
    failure = ("data_error", "division by zero", "a / b")
    driver.append_view(1, 10, (1, "a", 4, 1), errors=((*failure, 5, 1), (*failure, 8, -1)))
    assert errors_of(driver.store.snapshot(VIEW, 4)) == []
    assert errors_of(driver.store.snapshot(VIEW, 5)) == [(*failure, 5, 1)]
    assert errors_of(driver.store.snapshot(VIEW, 9)) == []
    assert [entry[3] for entry in errors_of(driver.store.listen(VIEW, 1, 10))] == [5, 8]


@pytest.mark.parametrize(
    ("lower", "upper", "time"), [(1, 10, 10), (5, 10, 4), (1, 1, 1), (10, 5, 7)]
)
def test_an_update_outside_of_its_interval_is_refused(
    driver: Driver, lower: int, upper: int, time: int
) -> None:
    append = ShardAppend(
        collection=VIEW,
        expected_upper=Frontier(lower),
        new_upper=Frontier(upper),
        delta=Delta(rows=(updates((1, "a", time, 1)),)),
    )
    assert isinstance(driver.refuse(shard_appends=(append,)), InvalidArgument)


def test_compare_and_append_is_for_existing_views_alone(driver: Driver) -> None:
    for collection, expected in ((TABLE, InvalidArgument), (CollectionId(99), CollectionMissing)):
        append = ShardAppend(
            collection=collection,
            expected_upper=Frontier(1),
            new_upper=Frontier(2),
            delta=Delta(),
        )
        assert isinstance(driver.refuse(shard_appends=(append,)), expected)


# Since.


def test_detail_before_since_is_gone_and_the_rest_is_exact(driver: Driver) -> None:
    for time in range(2, 8):
        driver.append(time, BAG, inserted((time, "t")))
    driver.allow(BAG=5)
    with pytest.raises(SinceViolation):
        driver.store.snapshot(BAG, 4)
    with pytest.raises(SinceViolation):
        driver.store.listen(BAG, 5, 8)
    assert [row[0] for row in driver.content(BAG, 5)] == [2, 3, 4, 5]
    assert [entry[0] for entry in driver.changes(BAG, 6, 8)] == [6, 7]


def test_since_never_moves_back_and_never_passes_the_last_complete_time(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    driver.append(10, TABLE, inserted((1, "a")))
    driver.allow(TABLE=8)
    driver.allow(TABLE=3, VIEW=100)
    driver.commit(since={CollectionId(99): 5})  # dropped meanwhile: passed over
    assert disk.open().opened.shards[TABLE].since == 8
    again = disk.open()
    again.allow(TABLE=1_000)
    found = disk.open().opened.shards
    assert (found[TABLE].since, found[VIEW].since) == (10, 0)


def test_reads_of_missing_collections_say_so(driver: Driver) -> None:
    with pytest.raises(CollectionMissing):
        driver.store.snapshot(CollectionId(99), 0)
    with pytest.raises(CollectionMissing):
        driver.store.listen(CollectionId(99), 1, 2)


def test_a_reader_keeps_its_moment(driver: Driver) -> None:
    for number in range(2, 5):
        driver.append(number, TABLE, inserted((number, "t")))
    reading = driver.store.snapshot(TABLE, 4)
    first = next(reading)
    driver.append(5, TABLE, deleted((2, "t"), (3, "t"), (4, "t")))
    driver.allow(TABLE=5)
    driver.commit(dropped_shards=(TABLE,))
    assert sorted(entry[0] for entry in entries_of([first, *reading])) == [2, 3, 4]


def test_large_content_comes_in_bounded_chunks(driver: Driver) -> None:
    count = 200_000
    numbers = pa.array(range(count), pa.int64())
    names = pa.array([None] * count, pa.string())
    batch = pa.record_batch(
        {"id": numbers, "name": names, "antiphon_diff": pa.array([1] * count, pa.int64())}
    )
    assert driver.append(2, TABLE, batch).row_count == count
    for chunks in (list(driver.store.snapshot(TABLE, 2)), list(driver.store.listen(TABLE, 2, 3))):
        assert len(chunks) >= 4
        assert max(chunk.row_count for chunk in chunks) <= 65_536
        total = sum(pa.compute.sum(chunk.rows[0].column(0)).as_py() for chunk in chunks)
        assert total == count * (count - 1) // 2
