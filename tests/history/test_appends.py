"""One tick's appends to one collection, as a group."""

from __future__ import annotations

import pyarrow as pa

from antiphon.history.appends import Group, KeyConflict
from antiphon.history.shard import create
from antiphon.history.store import Append
from antiphon.protocol.errors import ConstraintViolation, DuplicateKey, SchemaMismatch
from tests.history.stores import BAG, FEED, SHARDS, TABLE, deleted, entries_of, inserted, rows

KEYED, FEEDS, _, PLAIN = (create(new) for new in SHARDS)


def appends(*batches: pa.RecordBatch) -> list[tuple[int, Append]]:
    """At every second place of the tick, as if others were between."""
    return [(2 * at, Append(collection=TABLE, rows=batch)) for at, batch in enumerate(batches)]


def test_only_appends_that_were_counted_in_reach_the_delta() -> None:
    group = Group(PLAIN, appends(inserted((1, "a")), inserted((2, "b")), inserted((3, "c"))))
    for index in (0, 4):
        group.apply(index)
    delta = group.delta(9)
    assert sorted(entries_of([delta])) == [(1, "a", 9, 1), (3, "c", 9, 1)]


def test_nothing_counted_in_is_an_empty_delta() -> None:
    assert Group(PLAIN, appends(inserted((1, "a")))).delta(9).rows == ()


def test_problems_are_of_the_append_that_has_them() -> None:
    group = Group(
        KEYED, appends(inserted((1, "a")), pa.record_batch({"x": [1]}), inserted((None, "b")))
    )
    assert group.problem(0) is None
    assert isinstance(group.problem(2), SchemaMismatch)
    assert isinstance(group.problem(4), ConstraintViolation)


def test_hashes_are_those_of_the_append_alone() -> None:
    group = Group(KEYED, appends(inserted((1, "a"), (2, "b")), deleted((1, "a"))))
    first, second = group.keyed_rows(0), group.keyed_rows(2)
    assert first is not None
    assert second is not None
    assert [len(first[0].keys), len(first[1].keys)] == [0, 2]
    assert [len(second[0].keys), len(second[1].keys)] == [1, 0]
    assert second[0].keys.low[0] == first[1].keys.low[0]
    assert second[0].rows.high[0] == first[1].rows.high[0]


def test_an_empty_append_has_no_keyed_rows() -> None:
    keyed = Group(KEYED, appends(rows(), inserted((1, "a")))).keyed_rows(0)
    assert keyed is not None
    assert len(keyed[0].keys) == len(keyed[1].keys) == 0


def test_tables_without_a_key_and_feeds_check_no_keys() -> None:
    for shard in (PLAIN, FEEDS):
        assert Group(shard, appends(inserted((1, "a")))).keyed_rows(0) is None


def test_a_conflict_is_told_with_the_key_of_its_row() -> None:
    group = Group(KEYED, appends(inserted((7, "a")), rows((8, "b", -1), (9, "c", 1))))
    keyed = group.keyed_rows(2)
    assert keyed is not None
    removed, added = keyed
    taken = group.conflict(KeyConflict(True, 0), added)
    absent = group.conflict(KeyConflict(False, 0), removed)
    assert isinstance(taken, DuplicateKey)
    assert taken.details["values"] == "9"
    assert isinstance(absent, ConstraintViolation)
    assert absent.details["values"] == "8"


def test_deletes_of_a_feed_keep_only_the_key() -> None:
    group = Group(FEEDS, appends(rows((1, "a", 1), (2, "b", -1))))
    group.apply(0)
    assert sorted(entries_of([group.delta(3)])) == [(1, "a", 3, 1), (2, None, 3, -1)]


def test_batches_are_stored_under_the_collections_own_schema() -> None:
    loose = pa.record_batch({"id": [1], "name": ["a"], "antiphon_diff": [1]})
    for shard in (KEYED, FEEDS, PLAIN):
        group = Group(shard, appends(loose))
        group.apply(0)
        assert group.delta(3).rows[0].schema == shard.columns
    assert {shard.collection for shard in (KEYED, FEEDS, PLAIN)} == {TABLE, FEED, BAG}
