"""Installed dataflows: their frontiers, their dependencies, their end."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from antiphon.protocol.dataflow import (
    IndexExport,
)
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.response import (
    Dropped,
    Failure,
)
from antiphon.replica.ports import ReadSnapshot
from tests.replica.bench import (
    Bench,
    J,
    Store,
    X,
    compact,
    counted,
    filled,
    schedule,
)
from tests.replica.scripted import (
    CONSTANT,
    TABLE,
    above,
    at,
    dataflow,
    get,
    index,
    index_import,
    peek_id,
    read_index,
)


def test_10_no_frontier_is_before_as_of() -> None:
    bench = filled()
    reports = bench.frontiers(X)
    assert all(kind and at(10).less_equal(kind[0]) for kind in reports.values())


def test_11_frontiers_never_move_back_and_closed_is_never_repeated() -> None:
    bench = filled()
    for time in (25, 30, 31):
        bench.tick(time, ((time, "x"), 1))
    for kind in bench.frontiers(X).values():
        assert all(a.less_than(b) for a, b in pairwise(kind))
        assert kind[-1] == at(32)


def test_12_finite_inputs_close_every_frontier_exactly_once() -> None:
    bench = Bench()
    bench.connect(index(X, imports=(), plan=CONSTANT), schedule(X))
    bench.run()
    for kind in bench.frontiers(X).values():
        assert kind.count(CLOSED) == 1
        assert kind[-1] == CLOSED
    bench.send(read_index(1, X, 1_000_000))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(1, "a"): 2})


def test_14_a_finished_collection_that_is_dropped_says_only_that() -> None:
    bench = Bench()
    bench.connect(index(X, imports=(), plan=CONSTANT), schedule(X))
    bench.run()
    bench.take()
    bench.send(compact(X, None))
    bench.run()
    assert bench.responses == [Dropped(collection=X)]


def test_13_a_drop_is_acknowledged_exactly_once() -> None:
    bench = filled()
    bench.take()
    bench.send(compact(X, None))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    assert bench.responses == [Dropped(collection=X)]
    assert bench.opened()[-1].collections == {}, "it has stopped reading"


def test_a_drop_before_the_schedule_is_acknowledged_too() -> None:
    bench = Bench(Store(upper=20))
    bench.connect(index(X))
    bench.run()
    bench.send(compact(X, None))
    bench.run()
    assert bench.dropped() == [X]


def test_15_other_exports_outlive_a_dropped_one() -> None:
    bench = Bench(Store(upper=20))
    two = dataflow((X, IndexExport(key_columns=(0,))), (J, IndexExport(key_columns=(1,))))
    bench.connect(two, schedule(X))
    bench.run()
    bench.send(compact(X, None))
    bench.run()
    assert bench.dropped() == [X]
    bench.tick(30, ((4, "d"), 1))
    bench.send(read_index(1, J, 30))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(4, "d"): 1})


def test_16_an_index_that_is_dropped_lives_on_for_its_dependents() -> None:
    bench = filled()
    bench.send(index(J, imports=(index_import(X),), plan=above(get(X), 1), as_of=15), schedule(J))
    bench.run()
    bench.send(compact(X, None))
    bench.run()
    assert not bench.dropped()
    bench.tick(30, ((4, "d"), 1), ((2, "b"), -1))
    bench.send(read_index(1, J, 30))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(3, "c"): 1, (4, "d"): 1})
    bench.send(compact(J, None))
    bench.run()
    assert sorted(bench.dropped()) == [X, J]


def test_17_nothing_is_read_before_the_schedule() -> None:
    bench = Bench(Store(upper=20))
    bench.connect(index(X))
    bench.run()
    assert not bench.requests
    assert bench.frontiers(X)["output"] == [at(10)]
    bench.send(schedule(X), schedule(X))
    bench.run()
    assert bench.frontiers(X)["output"][-1] == at(20)
    assert len([r for r in bench.requests if isinstance(r, ReadSnapshot)]) == 1


def test_20_nothing_at_or_after_until_is_ever_seen() -> None:
    bench = filled()
    bench.send(index(J, as_of=15, until=25), schedule(J))
    bench.run()
    bench.tick(24, ((4, "d"), 1))
    bench.tick(25, ((5, "e"), 1))
    bench.tick(30, ((6, "f"), 1))
    assert bench.frontiers(J)["output"][-1] == CLOSED
    bench.send(read_index(1, J, 30))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 24)


def test_19_compaction_beyond_upper_is_kept_until_then() -> None:
    bench = filled()
    bench.send(compact(X, 40))
    bench.run()
    bench.send(read_index(1, X, 30))
    bench.tick(35, ((4, "d"), 1))
    assert isinstance(bench.answers()[peek_id(1)], Failure)
    bench.tick(45, ((5, "e"), 1))
    assert bench.frontiers(X)["write"][-1] == at(46)
    bench.send(read_index(2, X, 45))
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 45)


def test_a_compaction_behind_a_waiting_peek_takes_effect_once_it_is_answered() -> None:
    bench = filled()
    bench.send(read_index(1, X, 25), compact(X, 40))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    bench.tick(45, ((5, "e"), 1))
    found = bench.worker._held.installed.readable(X)
    assert found is not None
    assert found.trace.since == at(40)
