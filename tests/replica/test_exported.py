"""Exports that other dataflows look up by a key of their own."""

from __future__ import annotations

from collections import Counter

from antiphon.protocol.expression import ColumnReference
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject
from antiphon.protocol.schema import TEXT
from tests.replica.bench import Bench, X, compact, filled, rows, schedule
from tests.replica.scripted import TABLE, at, get, index, index_import, table

WORDS, MORE = 20, 21


def by_word() -> MapFilterProject:
    """The table's rows beside the index's of the same word: the table's k, its v."""
    key = (ColumnReference(index=1, type=TEXT),)
    join = Join(
        kind=JoinKind.INNER, left=get(TABLE), right=get(X), left_keys=key, right_keys=key
    )  # fmt: skip
    return MapFilterProject(input=join, maps=(), filters=(), project=(0, 1))


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
