"""What outlives a connection, and what does not."""

from __future__ import annotations

from antiphon.protocol.command import AllowCompaction
from antiphon.protocol.dataflow import (
    SubscribeExport,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import (
    Dropped,
    Frontiers,
)
from antiphon.replica.held import COMPACTIONS_MAX, REPORT_WAIT_MS
from antiphon.replica.ports import ReadSnapshot
from tests.replica.bench import (
    Bench,
    S,
    X,
    compact,
    counted,
    filled,
    schedule,
)
from tests.replica.scripted import (
    TABLE,
    at,
    dataflow,
    index,
    peek_id,
    read_index,
)


def test_dataflows_run_on_while_nobody_is_connected() -> None:
    bench = filled()
    bench.disconnect()
    bench.take()
    bench.tick(30, ((4, "d"), 1))
    assert not bench.responses
    dataflow_ = bench.worker._held.installed.dataflows[0]
    assert dataflow_.frontier == at(31)


def test_61_what_a_full_set_leaves_out_is_gone_without_a_word() -> None:
    bench = filled()
    bench.take()
    bench.connect()
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    assert not bench.responses
    assert bench.opened()[-1].collections == {}, "the tail is closed"


def test_62_waiting_peeks_die_with_their_connection() -> None:
    bench = filled()
    bench.send(read_index(1, X, 40), read_index(2, X, 40))
    bench.disconnect()
    bench.connect(index(X), schedule(X), read_index(2, X, 40))
    bench.run()
    bench.tick(40, ((4, "d"), 1))
    assert list(bench.answers()) == [peek_id(2)]


def test_63_a_subscribe_starts_over_on_a_new_connection() -> None:
    bench = filled()
    subscribe = dataflow((S, SubscribeExport()), as_of=15)
    bench.send(subscribe, schedule(S))
    bench.run()
    bench.take()
    bench.connect(index(X), schedule(X), subscribe, schedule(S))
    bench.run()
    first, *_ = bench.batches(S)
    assert first.lower == at(0)
    assert not [r for r in bench.responses if isinstance(r, Dropped)]


def test_reports_are_gathered_over_several_ticks_and_none_is_lost() -> None:
    views = [CollectionId(100 + number) for number in range(3)]
    bench = Bench()
    bench.connect(*map(index, views), *map(schedule, views))
    bench.run()
    bench.take()
    for time in (20, 30, 40):
        bench.tick(time, ((time, "a"), 1))
    assert told(bench) == []
    bench.wait(REPORT_WAIT_MS)
    assert told(bench) == [(at(41), tuple(views))]


def told(bench: Bench) -> list[tuple[Frontier | None, tuple[CollectionId, ...]]]:
    reports = (r for r in bench.responses if isinstance(r, Frontiers))
    return [(report.output_frontier, report.collections) for report in reports]


def test_who_starts_late_reads_what_was_read_for_those_before() -> None:
    views = [CollectionId(100 + number) for number in range(3)]
    bench = Bench()
    bench.store.append(10, TABLE, ((1, "a"), 1))
    bench.store.upper = 11
    bench.connect(*map(index, views))
    for view in views:
        bench.send(schedule(view))
        bench.run()
        bench.tick(bench.store.upper + 5, ((bench.store.upper, "b"), 1))
    assert len([r for r in bench.requests if isinstance(r, ReadSnapshot)]) == 1
    time = bench.store.upper - 1
    bench.send(*(read_index(number, view, time) for number, view in enumerate(views)))
    expected = bench.store.content(TABLE, time)
    assert [counted(answer) for answer in bench.answers().values()] == [expected] * 3


def test_many_traces_forget_a_few_at_a_time() -> None:
    """A thousand views that move together must not keep a read waiting."""
    bench = Bench()
    first, *others = [CollectionId(100 + number) for number in range(2 * COMPACTIONS_MAX + 1)]
    every = [first, *others]
    bench.connect(*map(index, every), *map(schedule, every))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    bench.run()

    def behind() -> int:
        found = map(bench.worker._held.installed.find, every)
        return sum(e is not None and e.kept is not None and e.kept.since == at(10) for e in found)

    assert behind() == len(every)
    bench.send(AllowCompaction(collection=first, frontier=at(20), others=tuple(others)))
    assert behind() == len(every) - COMPACTIONS_MAX
    assert bench.last.busy
    bench.send(read_index(1, others[-1], 25))
    bench.run()
    assert behind() == 0
    assert not bench.last.busy
    assert counted(bench.answers()[peek_id(1)])[(4, "d")] == 0


def test_a_trace_that_goes_before_its_turn_is_not_told_to_forget() -> None:
    bench = Bench()
    every = [CollectionId(100 + number) for number in range(2 * COMPACTIONS_MAX)]
    bench.connect(*map(index, every), *map(schedule, every))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    allowed = AllowCompaction(collection=every[0], frontier=at(20), others=tuple(every[1:]))
    bench.send(allowed, compact(every[-1], None))
    bench.run()
    assert bench.dropped() == [every[-1]]
    assert not bench.last.busy
