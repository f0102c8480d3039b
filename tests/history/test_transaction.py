"""What a tick's appends may do: keys, constraints, producers, reads that must still hold."""

from __future__ import annotations

import math
from decimal import Decimal

import pyarrow as pa
import pytest

from antiphon.history.limits import PRODUCER_SEQUENCES_MAX
from antiphon.history.store import (
    Append,
    AppendApplied,
    AppendRefused,
    NewShard,
    ProducerSequence,
)
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.errors import (
    CollectionMissing,
    ConstraintViolation,
    DuplicateKey,
    InvalidArgument,
    ReadConflict,
    SchemaMismatch,
)
from antiphon.protocol.ids import CollectionId, ProducerId
from antiphon.protocol.schema import (
    FLOAT64,
    INT64,
    TEXT,
    Column,
    Schema,
    arrow_type,
    decimal,
    list_of,
    struct_of,
)
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
)

PRODUCER = ProducerId(b"p" * 16)


# Unique keys.


def test_a_duplicate_key_is_refused_by_name_and_value(driver: Driver) -> None:
    driver.append(10, TABLE, inserted((1, "a"), (5, "e")))
    error = driver.append_refused(11, TABLE, inserted((2, "b"), (5, "f")))
    assert isinstance(error, DuplicateKey)
    assert (error.details["columns"], error.details["values"]) == ("id", "5")
    assert driver.content(TABLE, 11) == [(1, "a", 1), (5, "e", 1)]
    # Nothing of the refused append stuck: its other key is free.
    driver.append(12, TABLE, inserted((2, "c")))


@pytest.mark.parametrize(
    "batch",
    [
        inserted((1, "a"), (1, "b")),
        inserted((1, "a"), (1, "a")),
        rows((1, "a", 2)),
        rows((1, "a", 1), (1, "b", 1), (1, "b", -1), (1, "c", 1)),
    ],
)
def test_one_append_does_not_hold_a_key_twice(driver: Driver, batch: pa.RecordBatch) -> None:
    assert isinstance(driver.append_refused(10, TABLE, batch), DuplicateKey)
    assert driver.content(TABLE, 10) == []


def test_a_key_may_move_from_one_row_to_another(driver: Driver) -> None:
    driver.append(10, TABLE, inserted((1, "a"), (2, "b")))
    driver.append(11, TABLE, rows((1, "a", -1), (1, "c", 1), (2, "b", -1), (3, "b", 1)))
    assert driver.content(TABLE, 11) == [(1, "c", 1), (3, "b", 1)]
    driver.append(12, TABLE, deleted((1, "c")))
    driver.append(13, TABLE, inserted((1, "a")))


@pytest.mark.parametrize(
    "batch",
    [
        deleted((1, "other")),
        deleted((9, "a")),
        deleted((1, "a"), (1, "a")),
        rows((1, "a", -1), (9, "z", -1)),
        rows((1, "a", -2)),
    ],
)
def test_a_delete_of_an_absent_row_is_refused(driver: Driver, batch: pa.RecordBatch) -> None:
    driver.append(10, TABLE, inserted((1, "a")))
    error = driver.append_refused(11, TABLE, batch)
    assert isinstance(error, ConstraintViolation)
    assert error.details["columns"] == "id"
    assert driver.content(TABLE, 11) == [(1, "a", 1)]


def test_what_an_append_deletes_and_inserts_again_needs_no_key(driver: Driver) -> None:
    driver.append(10, TABLE, rows((1, "a", 1), (1, "a", -1)))
    assert driver.content(TABLE, 10) == []


def test_later_appends_of_a_tick_see_the_keys_of_earlier_ones(driver: Driver) -> None:
    outcomes = driver.tick(
        10,
        Append(collection=TABLE, rows=inserted((1, "a"))),
        Append(collection=TABLE, rows=inserted((1, "b"))),
        Append(collection=TABLE, rows=deleted((1, "a"))),
        Append(collection=TABLE, rows=inserted((1, "c"))),
    )
    applied = [isinstance(outcome, AppendApplied) for outcome in outcomes]
    assert applied == [True, False, True, True]
    assert driver.content(TABLE, 10) == [(1, "c", 1)]


def test_keys_survive_the_controller(disk: Disk) -> None:
    first = disk.open()
    first.commit(new_shards=(NewShard(
        collection=TABLE, kind=CollectionKind.TABLE, schema=Schema((
            Column(name="a", type=TEXT, nullable=False),
            Column(name="b", type=decimal(9, 2), nullable=False),
            Column(name="c", type=INT64),
        )), unique_key=(0, 1)),))  # fmt: skip

    def batch(*entries: tuple[object, ...]) -> pa.RecordBatch:
        columns = list(zip(*entries, strict=True))
        kinds = [pa.string(), pa.decimal128(9, 2), pa.int64(), pa.int64()]
        arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, ["a", "b", "c", "antiphon_diff"])

    first.append(10, TABLE, batch(("x", Decimal("1.50"), 1, 1), ("x", Decimal("2.50"), None, 1)))
    again = disk.open()
    error = again.append_refused(11, TABLE, batch(("x", Decimal("2.50"), 7, 1)))
    assert isinstance(error, DuplicateKey)
    assert error.details["values"] == "x, 2.50"
    again.append(12, TABLE, batch(("x", Decimal("2.50"), None, -1)))


def nested_rows(*entries: tuple[object, ...]) -> pa.RecordBatch:
    columns = list(zip(*entries, strict=True))
    kinds = [arrow_type(NESTED_KEY.columns[0].type), pa.int64(), pa.int64()]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, ["k", "n", "antiphon_diff"])


NESTED_KEY = Schema(
    (
        Column(
            name="k",
            type=list_of(struct_of(Column(name="x", type=FLOAT64), Column(name="w", type=TEXT))),
            nullable=False,
        ),
        Column(name="n", type=INT64),
    )
)


@pytest.mark.parametrize("kind", [CollectionKind.TABLE, CollectionKind.FEED])
def test_what_is_in_a_list_or_a_struct_makes_the_key(disk: Disk, kind: CollectionKind) -> None:
    first = disk.open()
    new = NewShard(collection=TABLE, kind=kind, schema=NESTED_KEY, unique_key=(0,))
    first.commit(new_shards=(new,))
    nan, zero = [{"x": math.nan, "w": None}], [{"x": 0.0, "w": "z"}]
    first.append(10, TABLE, nested_rows((nan, 1, 1), (zero, 2, 1), ([], 3, 1)))
    again = disk.open()
    same = nested_rows(([{"x": -math.nan, "w": None}], 4, 1), ([{"x": -0.0, "w": "z"}], 5, 1))
    if kind is CollectionKind.FEED:
        again.append(11, TABLE, same)
        again.append(12, TABLE, nested_rows(([], None, -1)))
        assert sorted(row[1] for row in entries_of(again.store.snapshot(TABLE, 12))) == [4, 5]
        return
    assert isinstance(again.append_refused(11, TABLE, same), DuplicateKey)
    again.append(12, TABLE, nested_rows((nan, 1, -1), (nan, 6, 1), ([None], 7, 1)))
    found = entries_of(again.store.snapshot(TABLE, 12))
    assert sorted(row[1] for row in found) == [2, 3, 6, 7]


def test_without_a_key_rows_add_up(driver: Driver) -> None:
    driver.append(10, BAG, inserted((1, "a"), (1, "a")))
    driver.append(11, BAG, rows((1, "a", 3), (2, "b", -1)))
    assert driver.content(BAG, 11) == [(1, "a", 5), (2, "b", -1)]


# Schemas and constraints.


@pytest.mark.parametrize(
    ("batch", "column"),
    [
        (pa.record_batch({"id": [1], "antiphon_diff": [1]}), "name"),
        (pa.record_batch({"id": [1], "name": ["a"]}), "antiphon_diff"),
        (pa.record_batch({"id": [1], "name": [2], "antiphon_diff": [1]}), "name"),
        (pa.record_batch({"id": ["1"], "name": ["a"], "antiphon_diff": [1]}), "id"),
        (pa.record_batch({"id": [1], "name": ["a"], "antiphon_diff": [1], "x": [1]}), "x"),
        (
            pa.record_batch({
                "id": pa.array([1], pa.int32()), "name": ["a"], "antiphon_diff": [1],
            }),
            "id",
        ),
    ],
)  # fmt: skip
def test_another_schema_is_refused_by_column(
    driver: Driver, batch: pa.RecordBatch, column: str
) -> None:
    for collection in (TABLE, FEED):
        error = driver.append_refused(10 + collection, collection, batch)
        assert isinstance(error, SchemaMismatch)
        assert error.details["column"] == column


def test_columns_in_another_order_are_refused(driver: Driver) -> None:
    batch = pa.record_batch({"name": ["a"], "id": [1], "antiphon_diff": [1]})
    assert isinstance(driver.append_refused(10, TABLE, batch), SchemaMismatch)


def test_malformed_bytes_are_refused_and_not_trusted(driver: Driver) -> None:
    offsets = pa.array([0, 1], pa.int32()).buffers()[1]
    wild = pa.StringArray.from_buffers(1, offsets, pa.py_buffer(b"\xff"))
    batch = pa.RecordBatch.from_arrays(
        [pa.array([1], pa.int64()), wild, pa.array([1], pa.int64())],
        ["id", "name", "antiphon_diff"],
    )
    assert isinstance(driver.append_refused(10, TABLE, batch), SchemaMismatch)


def test_a_null_where_none_may_be_is_refused_by_column(driver: Driver) -> None:
    for collection in (TABLE, FEED, BAG):
        error = driver.append_refused(10 + collection, collection, inserted((1, "a"), (None, "b")))
        assert isinstance(error, ConstraintViolation)
        assert error.details["column"] == "id"


def test_a_delete_of_a_feed_says_only_the_key(disk: Disk) -> None:
    driver = disk.open()
    strict = Schema(
        tuple(Column(name=name, type=INT64, nullable=False) for name in ("key", "value"))
    )
    driver.commit(
        new_shards=(
            NewShard(collection=FEED, kind=CollectionKind.FEED, schema=strict, unique_key=(0,)),
        )
    )
    driver.append(10, FEED, rows((1, 2, 1), schema=strict))
    driver.append(11, FEED, rows((1, None, -1), schema=strict))
    assert driver.content(FEED, 11) == []
    error = driver.append_refused(12, FEED, rows((1, None, 1), schema=strict))
    assert isinstance(error, ConstraintViolation)
    assert error.details["column"] == "value"


@pytest.mark.parametrize(("collection", "diff"), [(FEED, 2), (FEED, 0), (TABLE, 0), (BAG, 0)])
def test_a_diff_that_means_nothing_is_refused(
    driver: Driver, collection: CollectionId, diff: int
) -> None:
    error = driver.append_refused(10, collection, rows((1, "a", diff)))
    assert isinstance(error, InvalidArgument)


def test_a_row_without_a_diff_is_refused(driver: Driver) -> None:
    error = driver.append_refused(10, BAG, rows((1, "a", None)))
    assert isinstance(error, ConstraintViolation)


def test_one_bad_append_does_not_harm_the_others_of_its_collection(driver: Driver) -> None:
    outcomes = driver.tick(
        10,
        Append(collection=BAG, rows=inserted((1, "a"))),
        Append(collection=BAG, rows=inserted((None, "b"))),
        Append(collection=BAG, rows=pa.record_batch({"x": [1]})),
        Append(collection=BAG, rows=rows((2, "c", 0))),
        Append(collection=BAG, rows=inserted((3, "d"))),
    )
    assert [isinstance(outcome, AppendApplied) for outcome in outcomes] == [
        True, False, False, False, True,
    ]  # fmt: skip
    assert driver.content(BAG, 10) == [(1, "a", 1), (3, "d", 1)]


# Producers.


def produce(
    driver: Driver, time: int, sequence: int, producer: ProducerId = PRODUCER
) -> AppendApplied | AppendRefused:
    stamp = ProducerSequence(producer_id=producer, sequence=sequence)
    (outcome,) = driver.tick(
        time, Append(collection=BAG, rows=inserted((sequence % 2**63, "p")), producer=stamp)
    )
    return outcome


def test_a_retried_sequence_is_answered_and_not_applied(disk: Disk) -> None:
    driver = disk.open()
    driver.commit(new_shards=SHARDS)
    assert produce(driver, 10, 1) == AppendApplied(time=10, row_count=1)
    assert produce(driver, 11, 2) == AppendApplied(time=11, row_count=1)
    repeated = [produce(driver, 12, 2), produce(driver, 13, 1)]
    again = disk.open()
    repeated += [produce(again, 14, 2), produce(again, 15, 1)]
    assert repeated == [
        AppendApplied(time=time, row_count=1, duplicate=True) for time in (11, 10, 11, 10)
    ]
    assert again.content(BAG, 15) == [(1, "p", 1), (2, "p", 1)]


def test_a_retry_within_one_tick_is_a_duplicate(driver: Driver) -> None:
    stamp = ProducerSequence(producer_id=PRODUCER, sequence=5)
    append = Append(collection=BAG, rows=inserted((1, "a")), producer=stamp)
    assert driver.tick(10, append, append) == (
        AppendApplied(time=10, row_count=1),
        AppendApplied(time=10, row_count=1, duplicate=True),
    )
    assert driver.content(BAG, 10) == [(1, "a", 1)]


def test_producers_do_not_know_of_each_other(driver: Driver) -> None:
    produce(driver, 10, 7)
    assert produce(driver, 11, 3, ProducerId(b"q" * 16)) == AppendApplied(time=11, row_count=1)


def test_a_sequence_that_was_skipped_is_refused_later(driver: Driver) -> None:
    produce(driver, 10, 1)
    produce(driver, 11, 5)
    outcome = produce(driver, 12, 3)
    assert isinstance(outcome, AppendRefused)
    assert isinstance(outcome.error, InvalidArgument)
    assert [row[0] for row in driver.content(BAG, 12)] == [1, 5]


def test_sequences_are_remembered_within_a_window(driver: Driver) -> None:
    produce(driver, 10, 1)
    produce(driver, 11, 2)
    produce(driver, 12, 1 + PRODUCER_SEQUENCES_MAX)
    assert isinstance(produce(driver, 13, 1), AppendRefused)
    assert produce(driver, 14, 2) == AppendApplied(time=11, row_count=1, duplicate=True)


def test_a_refused_append_does_not_use_up_its_sequence(driver: Driver) -> None:
    stamp = ProducerSequence(producer_id=PRODUCER, sequence=1)
    (outcome,) = driver.tick(10, Append(collection=BAG, rows=inserted((None, "a")), producer=stamp))
    assert isinstance(outcome, AppendRefused)
    assert produce(driver, 11, 1) == AppendApplied(time=11, row_count=1)


@pytest.mark.parametrize("sequence", [-1, 2**63])
def test_a_sequence_out_of_range_is_refused(driver: Driver, sequence: int) -> None:
    assert isinstance(produce(driver, 10, sequence), AppendRefused)


# Reads that must still hold.


def conditional(
    driver: Driver, time: int, since: int, *unchanged: CollectionId
) -> AppendApplied | AppendRefused:
    outcome, *_ = driver.tick(
        time,
        Append(
            collection=BAG,
            rows=inserted((time, "c")),
            unchanged=unchanged,
            unchanged_since=since,
        ),
    )
    return outcome


def test_an_append_whose_reads_changed_is_refused(driver: Driver) -> None:
    driver.append(10, TABLE, inserted((1, "a")))
    outcome = conditional(driver, 11, 9, TABLE)
    assert isinstance(outcome, AppendRefused)
    assert isinstance(outcome.error, ReadConflict)
    assert outcome.error.details["changed"] == "10"
    assert isinstance(conditional(driver, 12, 10, TABLE, FEED), AppendApplied)
    assert isinstance(conditional(driver, 13, 10, BAG), AppendRefused)


def test_a_change_in_the_same_tick_counts(driver: Driver) -> None:
    first, second, third = driver.tick(
        10,
        Append(collection=BAG, rows=inserted((1, "a")), unchanged=(BAG,), unchanged_since=9),
        Append(collection=BAG, rows=inserted((2, "b")), unchanged=(BAG,), unchanged_since=9),
        Append(collection=BAG, rows=inserted((3, "c")), unchanged=(TABLE,), unchanged_since=9),
    )
    assert isinstance(first, AppendApplied)
    assert isinstance(second, AppendRefused)
    assert isinstance(third, AppendApplied)


def test_changes_are_remembered_across_controllers(disk: Disk) -> None:
    first = disk.open()
    first.commit(new_shards=SHARDS)
    first.append(10, TABLE, inserted((1, "a")))
    again = disk.open()
    assert isinstance(conditional(again, 11, 9, TABLE), AppendRefused)
    assert isinstance(conditional(again, 12, 10, TABLE), AppendApplied)


def test_only_tables_and_feeds_can_be_unchanged(driver: Driver) -> None:
    for collection, expected in ((VIEW, InvalidArgument), (CollectionId(99), CollectionMissing)):
        outcome = conditional(driver, 10 + collection, 9, collection)
        assert isinstance(outcome, AppendRefused)
        assert isinstance(outcome.error, expected)
