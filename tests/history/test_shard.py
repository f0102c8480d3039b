"""The rules of shards."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.history.shard import (
    FIRST_UPPER,
    allowed_since,
    at_time,
    check_listen,
    check_shard_append,
    check_snapshot,
    create,
    schema_problem,
)
from antiphon.history.store import NewShard, ShardAppend
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    InvalidArgument,
    NotComplete,
    SchemaMismatch,
    SinceViolation,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.schema import INT64, Column, Schema
from tests.history.stores import SHARDS, TABLE, VIEW, updates

KEYED, FEED_SHARD, VIEW_SHARD, _ = SHARDS


def test_time_zero_is_complete_and_empty_everywhere() -> None:
    for new in SHARDS:
        state = create(new).state(FIRST_UPPER)
        assert (state.since, state.upper) == (0, Frontier(1))
        check_snapshot(state, 0)


def test_tables_and_feeds_follow_the_timeline_and_views_do_not() -> None:
    assert create(KEYED).upper(77) == create(FEED_SHARD).upper(77) == Frontier(77)
    assert create(VIEW_SHARD).upper(77) == Frontier(1)
    assert create(KEYED).is_appendable
    assert not create(VIEW_SHARD).is_appendable


def test_reserved_column_names_are_refused() -> None:
    schema = Schema((Column(name="antiphon_time", type=INT64),))
    new = NewShard(collection=TABLE, kind=CollectionKind.TABLE, schema=schema)
    with pytest.raises(InvalidArgument, match="reserved"):
        create(new)


def test_a_read_is_within_since_and_upper() -> None:
    shard = create(KEYED)
    shard.since = 5
    state = shard.state(10)
    check_snapshot(state, 5)
    check_snapshot(state, 9)
    check_listen(state, 6)
    with pytest.raises(SinceViolation):
        check_snapshot(state, 4)
    with pytest.raises(NotComplete):
        check_snapshot(state, 10)
    with pytest.raises(SinceViolation):
        check_listen(state, 5)


@pytest.mark.parametrize(
    ("since", "requested", "expected"), [(0, 5, 5), (7, 5, 7), (0, 9, 9), (0, 10, 9), (9, 50, 9)]
)
def test_since_goes_forward_up_to_the_last_complete_time(
    since: int, requested: int, expected: int
) -> None:
    shard = create(KEYED)
    shard.since = since
    assert allowed_since(shard, requested, 10) == expected


def test_a_closed_shard_lets_since_go_anywhere() -> None:
    shard = create(VIEW_SHARD)
    shard.own_upper = CLOSED
    assert allowed_since(shard, 1_000, 1) == 1_000


def append(delta: Delta, lower: int = 1, upper: int | None = 10) -> ShardAppend:
    return ShardAppend(
        collection=VIEW, expected_upper=Frontier(lower), new_upper=Frontier(upper), delta=delta
    )


def test_a_view_takes_updates_of_its_interval() -> None:
    shard = create(VIEW_SHARD)
    check_shard_append(shard, append(Delta(rows=(updates((1, "a", 1, 1), (1, "a", 9, 1)),))))
    check_shard_append(shard, append(Delta(rows=(updates(),))))
    check_shard_append(shard, append(Delta(rows=(updates((1, "a", 99, 1)),)), upper=None))


@pytest.mark.parametrize(
    ("batch", "error"),
    [
        (updates((1, "a", 0, 1)), InvalidArgument),
        (updates((1, "a", 10, 1)), InvalidArgument),
        (updates((1, "a", None, 1)), InvalidArgument),
        (updates((1, "a", 5, None)), InvalidArgument),
        (pa.record_batch({"id": [1]}), SchemaMismatch),
    ],
)
def test_a_view_takes_nothing_else(batch: pa.RecordBatch, error: type[Exception]) -> None:
    with pytest.raises(error):
        check_shard_append(create(VIEW_SHARD), append(Delta(rows=(batch,))))


def test_schemas_are_equal_whatever_their_metadata_and_nullability() -> None:
    schema = create(KEYED).columns
    batch = updates((1, "a", 5, 1))
    loose = pa.RecordBatch.from_arrays(batch.columns, schema.names).replace_schema_metadata(
        {"k": "v"}
    )
    assert schema_problem(TABLE, loose, schema) is None


def test_stamping_replaces_every_time() -> None:
    batch = at_time(updates((1, "a", 5, 1), (2, "b", 6, 1)), 9)
    assert batch.column("antiphon_time").to_pylist() == [9, 9]
    assert batch.schema == create(KEYED).columns
