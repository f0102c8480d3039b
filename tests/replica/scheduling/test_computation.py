"""Slices: what runs when, and what is merged beside it."""

from __future__ import annotations

from antiphon.protocol.frontier import Frontier
from antiphon.replica.dataflow.arrangements.trace import _TimedSpine
from antiphon.replica.installing.installed import HYDRATION_FUEL
from antiphon.replica.scheduling.computation import (
    HYDRATION_PARTS,
    MAINTAIN_IDLE_MS,
    MAINTAIN_SLICES,
)
from tests.replica.bench import Bench, J, X, counted, filled, rows, schedule
from tests.replica.scripted import TABLE, above, get, index, peek_id, read_index
from tests.replica.stored import Store


def test_merges_wait_for_a_pause_or_for_several_slices_of_work() -> None:
    bench = filled(above(get(TABLE), -1))
    bench.wait(MAINTAIN_IDLE_MS)
    found = bench.worker._held.installed.readable(X)
    assert found is not None
    assert isinstance(found.trace._rows, _TimedSpine)
    spine = found.trace._rows.spine
    before = len(spine.batches)
    for number in range(MAINTAIN_SLICES - 1):
        bench.tick(30 + number, ((number, "x"), 1))
        assert len(spine.batches) == before + number + 1, "who looks has it sorted, not merged"
    bench.wait(MAINTAIN_IDLE_MS)
    assert len(spine.batches) < before + MAINTAIN_SLICES - 1


def test_a_hydration_pauses_to_merge_and_others_go_on() -> None:
    store = Store(upper=1)
    store.append(5, TABLE, *rows(*((number, "w") for number in range(1_000))))
    store.upper = 11
    bench = Bench(store)
    bench.connect(index(J, plan=above(get(TABLE), 998)), schedule(J))
    bench.run()
    bench.fuel = 4
    bench.send(index(X), schedule(X))
    bench._perform(bench._waiting.pop(0))
    found, other = (bench.worker._held.installed.find(export) for export in (X, J))
    assert found is not None
    assert other is not None
    assert found.trace.shared is not None
    spine = found.trace.shared._spine
    lengths = []
    reached = []
    time = 20
    while not found.owner.hydrated:
        time += 1
        store.append(time, TABLE, ((2_000 + time, "x"), 1))
        store.upper = time + 1
        bench.push()
        bench.work()
        lengths.append(len(spine.batches))
        reached.append(other.owner.frontier)
    assert len(lengths) > 1_000 // (HYDRATION_FUEL * bench.fuel), "some slices only merged"
    assert max(lengths) <= 2 * HYDRATION_PARTS
    assert reached[-1].less_equal(Frontier(time + 1))
    assert len(set(reached)) > len(lengths) // 2, "its ticks ran meanwhile"
    bench.run()
    bench.send(read_index(1, X, time))
    assert counted(bench.answers()[peek_id(1)]) == store.content(TABLE, time)


def test_filling_waits_for_its_own_merges_and_not_for_those_of_others() -> None:
    """The other is given more than it can merge, without end; by counts of slices."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows(*((number, "w") for number in range(300))))
    store.upper = 11
    bench = Bench(store)
    bench.connect(index(J, plan=above(get(TABLE), -(10**6))), schedule(J))
    bench.run()
    other = bench.worker._held.installed.find(J)
    assert other is not None
    bench.fuel = 4
    bench.send(index(X, plan=above(get(TABLE), 0)), schedule(X))
    bench._perform(bench._waiting.pop(0))
    found = bench.worker._held.installed.find(X)
    assert found is not None
    slices = 0
    while not found.owner.hydrated:
        time = 20 + slices
        store.append(time, TABLE, *((((-time * 100 - number), "x"), 1) for number in range(20)))
        store.upper = time + 1
        bench.push()
        bench.work()
        slices += 1
        assert slices < 300, "it is never filled"
    assert other.owner.hydrated, "it took its turns meanwhile"


def test_merging_keeps_up_with_ticks_larger_than_a_slice() -> None:
    """Even without a pause, none of them finds the spine so long that it must merge it at once."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows(*((number, "w") for number in range(1_000))))
    store.upper = 11
    bench = Bench(store)
    bench.connect(index(X, plan=above(get(TABLE), -1)), schedule(X))
    bench.run()
    bench.wait(MAINTAIN_IDLE_MS)
    found = bench.worker._held.installed.readable(X)
    assert found is not None
    assert isinstance(found.trace._rows, _TimedSpine)
    spine = found.trace._rows.spine
    bench.fuel = 20
    most = 0
    for time in range(20, 320):
        change = [((time * 1_000 + number, "x"), 1) for number in range(100)]
        store.append(time, TABLE, *change)
        store.upper = time + 1
        before = spine.moved_rows
        bench.push()
        bench.work()
        most = max(most, spine.moved_rows - before)
    assert found.owner.frontier == Frontier(320), "all of them ran"
    assert most <= 3_000
