"""Installed dataflows: their frontiers, their dependencies, their end."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from antiphon.protocol.dataflow import (
    IndexExport,
    SubscribeExport,
)
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.response import (
    Dropped,
    Failure,
    HydrationProgress,
    PeekRows,
)
from antiphon.replica.installing.installed import HYDRATION_FUEL
from antiphon.replica.ports import ReadSnapshot
from tests.replica.bench import Bench, J, S, X, compact, counted, filled, rows, schedule, total
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
from tests.replica.stored import Store


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
    bench.wait(1_000)
    assert set(bench.told.dataflows) == {(J,)}, "a later session could go on with it"
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


def test_15_a_later_session_goes_on_with_what_is_left_beside_a_dropped_export() -> None:
    bench = Bench(Store(upper=20))
    two = dataflow((X, IndexExport(key_columns=(0,))), (J, IndexExport(key_columns=(1,))))
    bench.connect(two, schedule(X))
    bench.send(index(S, imports=(index_import(X),), plan=above(get(X), 1), as_of=15), schedule(S))
    bench.run()
    bench.send(compact(X, None))
    bench.run()
    bench.wait(1_000)
    assert not bench.dropped(), "another dataflow still reads it"
    assert set(bench.told.dataflows) == {(J,), (S,)}


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


# Hydration, which is computed in parts: three rows each, with the least fuel.


def hydrating() -> Bench:
    """J is there; X has received its 40 rows, and nothing of it is computed yet."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows(*((number % 7, f"w{number}") for number in range(40))))
    store.upper = 11
    bench = Bench(store)
    bench.connect(index(J, plan=above(get(TABLE), 5)), schedule(J))
    bench.run()
    bench.fuel = 1
    bench.holds_snapshots = True
    bench.send(index(X), schedule(X))
    bench.run()
    bench.holds_snapshots = False
    waiting, bench.held_back = bench.held_back, []
    for request in waiting:
        bench._snapshot(request)
    return bench


def progress(bench: Bench) -> HydrationProgress | None:
    found = bench.worker._held.installed.find(X)
    assert found is not None
    return None if found.owner.hydrated else found.owner.progress(bench.now_ms)


def test_the_content_at_as_of_is_computed_in_parts_that_add_up() -> None:
    bench = hydrating()
    seen = []
    while (found := progress(bench)) is not None:
        seen.append((found.rows_done, found.rows_received, found.rows_total))
        bench.now_ms += 1
        bench.work()
    done = [rows_done for rows_done, _, _ in seen]
    assert done == sorted(done)
    assert len(set(done)) > 40 // (2 * HYDRATION_FUEL)
    assert {(received, whole) for _, received, whole in seen} == {(40, 40)}
    bench.run()
    bench.tick(20, ((1, "w1"), -1), ((9, "new"), 1))
    bench.send(read_index(1, X, 10), read_index(2, X, 20))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 10)
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 20)


def test_other_reads_are_answered_between_two_parts_of_a_hydration() -> None:
    bench = hydrating()
    bench.work()
    bench.send(read_index(1, J, 10))
    assert counted(bench.answers()[peek_id(1)]) == Counter(
        {row: n for row, n in bench.store.content(TABLE, 10).items() if row[0] > 5}
    )
    bench.store.append(20, TABLE, ((8, "y"), 1))
    bench.store.upper = 21
    bench.push()
    # What is up to date stays so: its ticks run between the parts.
    for _ in range(4):
        bench.work()
    other = bench.worker._held.installed.find(J)
    assert other is not None
    assert other.owner.frontier == at(21)
    assert progress(bench) is not None


def test_a_drop_ends_a_hydration_before_its_next_part() -> None:
    bench = hydrating()
    bench.work()
    bench.send(compact(X, None))
    assert bench.dropped() == [X]
    assert bench.worker._held.installed.find(X) is None
    bench.run()
    bench.send(read_index(1, J, 10))
    assert isinstance(bench.answers()[peek_id(1)], PeekRows)


def test_no_part_of_a_hydration_is_seen_before_the_whole() -> None:
    bench = hydrating()
    bench.send(
        dataflow((S, SubscribeExport(with_snapshot=True)), as_of=10),
        schedule(S),
        index(21, imports=(index_import(X),), plan=get(X)),
        schedule(21),
        read_index(1, X, 10),
    )
    bench.run()
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 10)
    first = bench.batches(S)[0]
    assert (first.lower, first.upper) == (at(0), at(11))
    assert total(bench.batches(S), 10) == bench.store.content(TABLE, 10)
    bench.send(read_index(2, 21, 10))
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 10)
