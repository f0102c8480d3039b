"""Materialized views: written only when allowed, by compare-and-append, and self-correcting."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import AllowWrites, CreateDataflow
from antiphon.protocol.dataflow import MaterializedViewExport
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    CancelAppend,
    ShardAppended,
    ShardPieceWanted,
)
from antiphon.replica.readers.sink import RETRY_MS
from tests.replica.bench import Bench, X, compact, schedule
from tests.replica.scripted import TABLE, Change, Row, at, dataflow
from tests.replica.stored import Shard, Store


def view(collection: int = X, **options: Any) -> CreateDataflow:
    return dataflow((collection, MaterializedViewExport()), **options)


def test_18_a_view_is_written_only_once_that_is_allowed() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1)]
    bench = Bench(store)
    bench.connect(view(), schedule(X))
    bench.run()
    bench.tick(30, ((2, "b"), 1))
    assert X not in store.shards
    assert bench.frontiers(X)["output"][-1] == at(31)
    bench.connect(view(), schedule(X), writes=True)
    bench.run()
    bench.tick(40, ((1, "a"), -1))
    assert store.shards[X].upper == at(41)
    for time in (10, 30, 40):
        assert store.content(X, time) == store.content(TABLE, time)
    assert bench.frontiers(X)["write"][-1] == at(41)


def test_67_a_connection_that_may_not_write_reverts_nothing() -> None:
    store = Store(upper=20)
    bench = Bench(store)
    bench.connect(view(), schedule(X), writes=True)
    bench.run()
    bench.tick(30, ((2, "b"), 1))
    written = list(store.shards[X].changes)
    bench.connect(view(), schedule(X))
    bench.run()
    bench.tick(40, ((3, "c"), 1))
    assert store.shards[X].changes == written
    assert store.shards[X].upper == at(31)


def writing(store: Store, **options: object) -> Bench:
    """A replica that keeps the view X of the table in the store."""
    bench = Bench(store)
    bench.connect(view(**options), schedule(X), writes=True)
    bench.run()
    return bench


def agree(store: Store, times: range) -> None:
    """The view is its table at all these times."""
    for time in times:
        assert store.content(X, time) == store.content(TABLE, time), f"at {time}"


def test_two_replicas_write_one_view_together() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1)]
    one, other = writing(store), writing(store)
    for time in range(20, 40):
        store.append(time, TABLE, ((time % 4, "x"), 1))
        store.upper = time + 1
        # Each is the faster one half of the time, and sometimes sees several ticks at once.
        for bench in (one, other) if time % 3 else (other, one):
            if time % 5:
                bench.run()
    one.run()
    other.run()
    assert store.shards[X].upper == at(40)
    agree(store, range(10, 40))


def test_who_always_comes_second_reads_the_shard_once() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1)]
    one, other = writing(store), writing(store)
    read, asked = len(other.snapshots()), appends(other)
    for time in range(20, 30):
        store.append(time, TABLE, ((time % 4, "x"), 1))
        store.upper = time + 1
        one.run()
        other.run()
    assert store.shards[X].upper == at(30)
    assert appends(other) > asked + 1, "it tried, and was late, more than once"
    assert len(other.snapshots()) == read, "what the shard holds was seen to be right"
    agree(store, range(19, 30))
    # The first is gone, and who was second goes on.
    other.tick(40, ((4, "z"), 1))
    assert store.shards[X].upper == at(41)
    agree(store, range(29, 41))


def appends(bench: Bench) -> int:
    return sum(isinstance(request, AppendShard) for request in bench.requests)


def test_the_first_write_corrects_what_the_shard_holds() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1), ((2, "b"), 16, 1)]
    store.shards[X] = Shard(upper=at(15), changes=[((9, "wrong"), 5, 2)])
    writing(store, as_of=14)
    agree(store, range(15, 20))
    assert store.content(X, 14) == Counter({(9, "wrong"): 2}), "the past stays what it was"


PIECE_BYTES = 100  # a few rows


def many(time: int) -> list[Change]:
    """More rows than one piece holds, and one that is larger than a piece."""
    rows: list[Row] = [*((number, "a") for number in range(20)), (20, "b" * 2 * PIECE_BYTES)]
    return [(row, time, 1) for row in rows]


def in_pieces(store: Store) -> Bench:
    """A replica that keeps the view X of the table in the store, in small pieces."""
    bench = Bench(store, piece_bytes=PIECE_BYTES)
    bench.connect(view(as_of=17), schedule(X), writes=True)
    return bench


def pieces(bench: Bench) -> list[AppendShard | AppendPiece]:
    return [one for one in bench.requests if isinstance(one, AppendShard | AppendPiece)]


def test_a_large_first_write_is_one_append_in_pieces() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = many(5)
    bench = in_pieces(store)
    bench.run()
    assert store.shards[X].upper == at(20)
    agree(store, range(17, 20))
    assert {time for _, time, _ in store.shards[X].changes} == {17}
    asked, first, *rest = pieces(bench)
    assert len(rest) >= 4
    assert [one.last for one in (asked, first, *rest)] == [True, *[False] * len(rest), True]
    sizes = [sum(map(len, one.delta.rows)) for one in rest]
    assert max(sizes[:-1]) < 1_000, "nor is the frame of a message large"
    assert [s.collection for s in bench.snapshots()] == [TABLE], (
        "what was written is not read again"
    )


def test_a_large_tick_is_one_append_in_pieces() -> None:
    """Beside small ones, and as a correction of others' mistakes."""
    store = Store(upper=20)
    store.shards[X] = Shard(upper=at(16), changes=[((9, "wrong"), 5, 2)])
    bench = in_pieces(store)
    bench.run()
    before = len(pieces(bench))
    store.append(40, TABLE, *[(row, diff) for row, _, diff in many(40)])
    store.append(41, TABLE, ((1, "c"), 1))
    store.append(42, TABLE, *[(row, -diff) for row, _, diff in many(40)])
    store.upper = 43
    bench.push()
    bench.run()
    assert store.shards[X].upper == at(43)
    agree(store, range(17, 43))
    assert len(pieces(bench)) > before + 10
    assert sum(isinstance(one, AppendShard) for one in pieces(bench)[before:]) == 1


def test_nothing_of_a_half_sent_append_stays_if_it_may_not_be_written_any_more() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = many(5)
    bench = in_pieces(store)
    while not any(isinstance(one, AppendPiece) for one in bench.requests):
        bench.run(1)
    begun = next(one for one in bench.requests if isinstance(one, AppendShard) and not one.last)
    bench.disconnect()
    assert bench.requests[-1] == CancelAppend(append=begun.append)
    bench.handle(ShardPieceWanted(append=begun.append))
    bench.run()
    assert not store.shards[X].changes
    # The next session begins it again.
    bench.connect(view(as_of=17), schedule(X), writes=True)
    bench.run()
    agree(store, range(17, 20))


def test_who_hears_half_way_that_another_was_faster_adds_nothing() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = many(5)
    bench = in_pieces(store)
    while not any(isinstance(one, AppendPiece) for one in bench.requests):
        bench.run(1)
    other = in_pieces(store)
    other.run()
    begun = next(one for one in bench.requests if isinstance(one, AppendShard) and not one.last)
    bench._drafts.clear()
    bench._waiting.clear()
    bench.handle(ShardAppended(append=begun.append, collection=X, applied=False, upper=at(20)))
    bench.run()
    assert store.shards[X].upper == at(20)
    agree(store, range(17, 20))


def test_two_replicas_write_pieces_together() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = many(5)
    one, other = in_pieces(store), in_pieces(store)
    for _ in range(200):
        one.run(1)
        other.run(1)
    assert store.shards[X].upper == at(20)
    agree(store, range(17, 20))


def test_a_shard_behind_as_of_is_corrected_at_as_of() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1), ((2, "b"), 16, 1)]
    store.shards[X] = Shard(upper=at(6), changes=[((1, "a"), 5, 1)])
    writing(store, as_of=17)
    agree(store, range(17, 20))
    assert store.shards[X].upper == at(20)


def test_a_shard_that_is_ahead_is_waited_for() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1), ((2, "b"), 24, 1)]
    store.shards[X] = Shard(upper=at(30), changes=[((1, "a"), 5, 1), ((2, "b"), 24, 1)])
    bench = writing(store)
    assert store.shards[X].upper == at(30)
    assert bench.frontiers(X)["write"][-1] == at(30)
    store.changes[TABLE] = [((1, "a"), 5, 1), ((2, "b"), 24, 1)]
    bench.tick(35, ((3, "c"), 1))
    agree(store, range(24, 36))


def test_a_restart_goes_on_where_the_shard_stands() -> None:
    store = Store(upper=20)
    first = writing(store)
    first.tick(25, ((1, "a"), 1))
    written = len(store.shards[X].changes)
    writing(store, as_of=25)
    assert len(store.shards[X].changes) == written, "nothing was wrong, nothing is added"
    assert store.shards[X].upper == at(26)


def test_a_fenced_writer_stops_until_a_new_connection_allows_it() -> None:
    store = Store(upper=20)
    bench = writing(store)
    store.fenced = True
    bench.tick(25, ((1, "a"), 1))
    appends = len([r for r in bench.requests if isinstance(r, AppendShard)])
    bench.tick(30, ((2, "b"), 1))
    bench.wait(10_000)
    assert len([r for r in bench.requests if isinstance(r, AppendShard)]) == appends
    store.fenced = False
    bench.connect(view(as_of=19), schedule(X), writes=True)
    bench.run()
    agree(store, range(20, 31))


def test_a_view_that_is_handed_over_in_the_middle_adds_up_once() -> None:
    """The older epoch's replica has computed what it may not write any more; the newer one's has
    computed the same, read-only, and writes it."""
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1)]
    older = writing(store)
    newer = Bench(store)
    newer.connect(view(), schedule(X))
    newer.run()
    for time in range(20, 40):
        if time == 30:
            store.fenced = True  # the next epoch was claimed: nothing of the older one is taken
        store.append(time, TABLE, ((time % 4, "x"), 1))
        store.upper = time + 1
        older.run()
        newer.run()
    assert store.shards[X].upper == at(30)
    store.fenced = False
    newer.connect(view(as_of=19), schedule(X), writes=True)
    newer.run()
    older.wait(10_000)
    assert store.shards[X].upper == at(40)
    agree(store, range(19, 40))


def test_a_failure_that_may_pass_is_tried_again() -> None:
    store = Store(upper=20)
    store.shards[X] = Shard(upper=at(15))
    store.changes[TABLE] = [((1, "a"), 12, 1)]
    store.since = 16  # the shard cannot be read where it stands
    bench = writing(store, as_of=17)
    assert store.shards[X].upper == at(15)
    assert bench.last.wake_at_ms is not None
    store.since = 0
    bench.wait(RETRY_MS)
    agree(store, range(17, 20))


def test_repeating_the_permission_changes_nothing() -> None:
    store = Store(upper=20)
    bench = writing(store)
    count = len(bench.requests)
    bench.send(AllowWrites(), AllowWrites())
    bench.run()
    assert len(bench.requests) == count


def test_a_dropped_view_writes_no_more() -> None:
    store = Store(upper=20)
    bench = writing(store)
    bench.send(compact(X, None))
    bench.run()
    bench.tick(30, ((1, "a"), 1))
    assert store.shards[X].upper == at(20)
    assert bench.dropped() == [X]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=20),
    st.integers(0, 2**30),
)
def test_whoever_writes_when_the_view_is_its_table(
    steps: list[tuple[int, int, bool]], order: int
) -> None:
    store = Store(upper=11)
    benches = [writing(store), writing(store)]
    time = 11
    for number, (key, who, restart) in enumerate(steps):
        time += 1 + key
        present = store.content(TABLE, time)
        row = (key, "x")
        store.append(time, TABLE, (row, -1 if present[row] and order >> number & 1 else 1))
        store.upper = time + 1
        if who < 2:
            benches[who].run()
        if restart:
            upper = store.shards[X].upper.time
            assert upper is not None
            as_of = max(upper - 1, 10)
            benches[who % 2].connect(view(as_of=as_of), schedule(X), writes=True)
            if who:
                benches[who % 2].run()
    for bench in benches:
        bench.run()
    assert store.shards[X].upper == at(store.upper)
    agree(store, range(10, store.upper))
