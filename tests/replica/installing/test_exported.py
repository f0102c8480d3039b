"""Exports that other dataflows look up by a key of their own."""

from __future__ import annotations

from collections import Counter

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject
from antiphon.protocol.schema import INT64, TEXT
from tests.replica.bench import Bench, X, compact, filled, rows, schedule
from tests.replica.scripted import TABLE, above, at, get, index, index_import, table
from tests.replica.stored import Store

WORDS, MORE = 20, 21


def by_word() -> MapFilterProject:
    """The table's rows beside the index's of the same word: the table's k, its v."""
    key = (ColumnReference(index=1, type=TEXT),)
    join = Join(
        kind=JoinKind.INNER, left=get(TABLE), right=get(X), left_keys=key, right_keys=key
    )  # fmt: skip
    return MapFilterProject(input=join, maps=(), filters=(), project=(0, 1))


def by_key() -> MapFilterProject:
    """The index's rows beside themselves: its k, and v of the other."""
    key = (ColumnReference(index=0, type=INT64),)
    join = Join(
        kind=JoinKind.INNER, left=get(X), right=get(X), left_keys=key, right_keys=key
    )  # fmt: skip
    return MapFilterProject(input=join, maps=(), filters=(), project=(0, 3))


def joined(bench: Bench, collection: int, as_of: int = 15) -> None:
    bench.send(
        index(
            collection, imports=(table(), index_import(X)), plan=by_word(), as_of=as_of
        ),
        schedule(collection),
    )  # fmt: skip
    bench.run()


def content(bench: Bench, collection: int, time: int) -> Counter[object]:
    found = bench.worker._held.installed.find(index(collection).dataflow.exports[0].collection)
    assert found is not None
    snapshot = found.trace.snapshot(time)
    lines = zip(*(column.to_pylist() for column in snapshot.columns), strict=True)
    return Counter(dict(zip(lines, snapshot.diffs.tolist(), strict=True)))


def test_an_index_is_arranged_once_for_all_who_look_it_up_by_another_key() -> None:
    bench = filled()
    joined(bench, WORDS)
    bench.tick(25, *rows((4, "a")))
    joined(bench, MORE)
    export = bench.worker._held.installed.find(X)
    assert export is not None
    (arranging,) = export.arrangements
    assert (arranging.arrangement.key, len(arranging.readings)) == ((1,), 2)
    bench.tick(30, *rows((5, "b")))
    assert content(bench, WORDS, 30) == content(bench, MORE, 30)
    assert content(bench, WORDS, 30)[(4, "a")] == 2, "1 and 4 have the word"


def test_the_arrangement_goes_with_its_readers_and_the_index_forgets_what_it_held() -> None:
    bench = filled()
    joined(bench, WORDS)
    bench.tick(25, *rows((4, "a")))
    export = bench.worker._held.installed.find(X)
    assert export is not None
    assert len(export.dependents) == 2, "the dataflow, and what it looks up"
    bench.send(compact(WORDS, None), compact(X, 22))
    bench.run()
    assert list(export.arrangements) == []
    assert export.dependents == []
    assert export.trace.since == at(22)


def test_an_index_that_is_dropped_is_looked_up_until_its_readers_go() -> None:
    bench = filled()
    joined(bench, WORDS)
    bench.send(compact(X, None))
    bench.tick(25, *rows((4, "a")))
    assert content(bench, WORDS, 25)[(4, "a")] == 2
    assert bench.dropped() == []
    bench.send(compact(WORDS, None))
    bench.run()
    assert sorted(bench.dropped()) == sorted([X, WORDS])


def test_an_index_on_a_view_and_a_join_by_its_key_are_one_arrangement() -> None:
    """Whichever was there first: its own rows become those that the join looks up."""
    bench = filled(above(get(TABLE), 0))
    held = bench.worker._held
    export = held.installed.find(X)
    assert export is not None
    before = export.trace.row_count
    plan = by_key()
    bench.send(index(WORDS, imports=(index_import(X),), plan=plan, as_of=15), schedule(WORDS))
    bench.run()
    ((_, arranging),) = held.arranged
    assert export.trace.shared is arranging.arrangement
    assert (export.trace.row_count, arranging.arrangement.row_count) == (0, before)
    assert arranging.reader_count == 2, "the index, and the join"
    bench.tick(25, *rows((4, "a")))
    bench.tick(26, ((4, "a"), -1))
    for time in (20, 25, 26):
        assert content(bench, WORDS, time) == content(bench, X, time)
    bench.send(compact(WORDS, None))
    bench.tick(27, *rows((5, "b")))
    assert arranging.reader_count == 1, "its rows stay where they are"
    assert content(bench, X, 27) == Counter(
        {row: n for row, n in bench.store.content(TABLE, 27).items() if row[0] > 0}
    )
    bench.send(compact(X, None))
    bench.run()
    assert sorted(bench.dropped()) == sorted([X, WORDS])


def test_an_index_may_forget_beyond_what_it_is_filled_with_and_be_looked_up() -> None:
    """It begins at 10, and is to forget until 18 before it has read anything."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b")))
    for time in range(12, 25, 2):
        store.append(time, TABLE, *rows((time, "x")))
    store.upper = 25
    bench = Bench(store)
    bench.connect(index(X, plan=above(get(TABLE), 0)), compact(X, 18))
    bench.send(index(WORDS, imports=(index_import(X),), plan=by_key(), as_of=20), schedule(WORDS))
    bench.run()
    bench.send(schedule(X))
    bench.run()
    for time in range(20, 25):
        assert content(bench, WORDS, time) == store.content(TABLE, time)
        assert content(bench, X, time) == store.content(TABLE, time)
