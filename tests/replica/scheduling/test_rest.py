"""Dataflows at rest answer as if they ran, and cost nothing while nothing concerns them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import SyncDecision
from antiphon.protocol.dataflow import SubscribeExport
from antiphon.protocol.expression import Expression
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Join, JoinKind, MapFilterProject
from antiphon.replica.installing.installed import InstalledDataflow
from tests.replica.bench import Bench, S, compact, counted, rows, schedule, total
from tests.replica.filters import K, V, compared, modulo, number, ratio, text, where
from tests.replica.scripted import (
    FEED,
    TABLE,
    at,
    dataflow,
    feed,
    get,
    index,
    index_import,
    peek_id,
    read_index,
    table,
)
from tests.replica.stored import Store

FILTERS: dict[int, Expression] = {
    11: compared(K, number(1)),
    12: compared(K, number(2)),
    13: compared(modulo(3), number(1)),
    14: compared(V, text("a")),
    15: compared(ratio(10), number(5)),  # an error where k is 0
    16: compared(K, number(2), "less"),
}
VIEWS = sorted(FILTERS)
KEEP_UP = SyncDecision.KEEP_UP


def filled(*, rests: bool) -> Bench:
    """The views, filled, upper 20; one that may not rest takes every tick."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b"), (4, "c")))
    store.upper = 20
    bench = Bench(store)
    if not rests:
        bench.worker._held.rests.enter = ignore  # type: ignore[method-assign]
    views = [index(view, plan=where(condition)) for view, condition in FILTERS.items()]
    bench.connect(*views, *map(schedule, VIEWS))
    bench.run()
    bench.wait(1_000)
    return bench


def ignore(dataflow: InstalledDataflow) -> None:
    """It goes on as if nobody ever rested."""


def installed(bench: Bench, view: int) -> InstalledDataflow:
    found = bench.worker._held.installed.find(CollectionId(view))
    assert found is not None
    return found.owner


def at_rest(bench: Bench) -> list[int]:
    return [view for view in VIEWS if installed(bench, view).rest is not None]


def steps(bench: Bench, view: int) -> int:
    """How often it ran."""
    engine = installed(bench, view)._engine
    assert engine is not None
    return max(counters.steps for counters in engine.counters())


def test_a_change_runs_those_that_it_concerns_and_nobody_else() -> None:
    bench = filled(rests=True)
    assert at_rest(bench) == VIEWS
    before = {view: steps(bench, view) for view in VIEWS}
    bench.tick(30, ((4, "b"), 1))  # 4 % 3 = 1, 10 / 4 = 2
    ran = {view for view in VIEWS if steps(bench, view) > before[view]}
    assert ran == {13, 16}, "the one whose constant it is, and the one that has none"
    assert at_rest(bench) == VIEWS, "and then they rest again"


def test_those_at_rest_are_complete_where_their_table_is() -> None:
    bench = filled(rests=True)
    bench.take()
    bench.tick(30, ((4, "b"), 1))
    bench.wait(100)
    for view in VIEWS:
        assert bench.frontiers(view)["output"] == [at(31)]
    bench.send(read_index(1, 11, 30))
    assert bench.answers()[peek_id(1)].row_count == 1  # type: ignore[attr-defined]


def test_time_that_passes_without_a_change_is_told_of_all_at_once() -> None:
    bench = filled(rests=True)
    bench.take()
    bench.tick(30, collection=FEED)
    bench.wait(100)
    (report,) = bench.take()
    assert sorted(report.collections) == VIEWS  # type: ignore[union-attr]


def test_a_new_connection_is_told_of_those_at_rest_again() -> None:
    bench = filled(rests=True)
    bench.tick(30, collection=FEED)
    bench.wait(100)
    bench.take()
    bench.connect(*map(schedule, VIEWS), decision=KEEP_UP)
    bench.run()
    assert at_rest(bench) == VIEWS
    for view in VIEWS:
        assert bench.frontiers(view) == {kind: [at(31)] for kind in ("write", "input", "output")}


def test_one_that_is_followed_does_not_rest() -> None:
    bench = filled(rests=True)
    source = index_import(CollectionId(11))
    follower = dataflow((S, SubscribeExport(with_snapshot=True)), imports=(source,), as_of=19,
                        plan=get(CollectionId(11)))  # fmt: skip
    bench.send(follower, schedule(S))
    bench.run()
    assert at_rest(bench) == VIEWS[1:]
    bench.tick(30, ((9, "z"), 1))
    assert bench.batches(S)[-1].upper == at(31), "time passes for its reader, too"
    bench.send(compact(S, None))
    bench.run()
    bench.tick(40, ((9, "z"), 1))
    assert at_rest(bench) == VIEWS


def test_two_tables_are_waited_for_together() -> None:
    store = Store(upper=20)
    bench = Bench(store)
    joined = where(compared(K, number(1)))
    both = index(30, imports=(feed(),), plan=get(FEED))
    bench.connect(index(11, plan=joined), both, schedule(11), schedule(30))
    bench.run()
    found = {installed(bench, view).rest for view in (11, 30)}
    assert len(found) == 2, "they read different things"
    bench.tick(30, ((1, "f"), 1), collection=FEED)
    bench.send(read_index(1, 11, 30), read_index(2, 30, 30))
    bench.run()
    answers = bench.answers()
    assert [answers[peek_id(n)].row_count for n in (1, 2)] == [0, 1]  # type: ignore[attr-defined]


def part(name: CollectionId, value: int) -> MapFilterProject:
    """Rows of one number."""
    return MapFilterProject(input=get(name), maps=(), filters=(compared(K, number(value)),),
                            project=(0, 1))  # fmt: skip


def test_a_join_of_two_parts_rests_and_so_does_what_is_arranged_for_it() -> None:
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b")))
    store.append(5, FEED, *rows((1, "f"), (2, "g")))
    store.upper = 20
    bench = Bench(store)
    views = {}
    for view in (11, 12):
        left, right = (part(name, view - 10) for name in (TABLE, FEED))
        join = Join(kind=JoinKind.INNER, left=left, right=right, left_keys=(K,), right_keys=(K,))
        plan = MapFilterProject(input=join, maps=(), filters=(), project=(0, 3))
        views[view] = index(view, imports=(table(), feed()), plan=plan)
    bench.connect(*views.values(), *map(schedule, views))
    bench.run()
    bench.tick(30, ((9, "x"), 1))
    assert all(installed(bench, view).rest is not None for view in views)
    arranged = [arranging for _, arranging in bench.worker._held.arranged]
    assert len(arranged) == 5, "two parts of each, and all of the feed"
    assert [one.is_at_rest for one in arranged if one.collection == TABLE] == [True, True]
    before = {view: steps(bench, view) for view in views}
    for time, row in ((40, (2, "c")), (50, (7, "y")), (60, (2, "d"))):
        bench.tick(time, (row, 1))
        bench.tick(time + 5, (row, 1), collection=FEED)
    assert [steps(bench, view) - before[view] for view in views] == [0, 4]
    bench.send(read_index(1, 11, 65), read_index(2, 12, 65))
    answers = bench.answers()
    assert counted(answers[peek_id(1)]) == {(1, "f"): 1}
    assert counted(answers[peek_id(2)]) == {(2, "d"): 3}


KEYS = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.just("tick"), st.lists(st.tuples(KEYS, st.sampled_from("ab")), max_size=3)),
    st.tuples(st.sampled_from(["read", "wait", "compact", "drop"]), st.integers(0, 5)),
    st.tuples(st.sampled_from(["pass", "subscribe", "reconnect", "later"]), st.just(0)),
)


class Story:
    """The same told to a worker that lets dataflows rest, and to one that does not."""

    def __init__(self) -> None:
        self.benches = (filled(rests=True), filled(rests=False))
        self.views = list(VIEWS)
        self.present: Counter[tuple[int, str]] = Counter()
        self.reads = 0
        self.subscribed = False

    def step(self, kind: str, value: object) -> None:
        if kind == "tick":
            assert isinstance(value, list)
            changes = []
            for row in value:
                diff = -1 if self.present[row] else 1
                self.present[row] += diff
                changes.append((row, diff))
            for bench in self.benches:
                bench.tick(bench.store.upper + 3, *changes)
            return
        assert isinstance(value, int)
        view = self.views[value % len(self.views)] if self.views else None
        if kind == "drop" and view is not None and not self.subscribed:
            self.views.remove(view)
        if kind in ("read", "wait"):
            self.reads += 1
        for bench in self.benches:
            self.tell(bench, kind, view)
        self.subscribed = self.subscribed or (kind == "subscribe" and bool(self.views))

    def tell(self, bench: Bench, kind: str, view: int | None) -> None:
        if kind == "pass":
            bench.wait(300)
        elif kind == "later":
            bench.tick(bench.store.upper + 5, collection=FEED)
        elif kind == "reconnect":
            bench.connect(*map(schedule, self.views), decision=KEEP_UP)
        elif view is None:
            return
        elif kind == "read":
            bench.send(read_index(self.reads, view, bench.store.upper - 1))
        elif kind == "wait":
            bench.send(read_index(self.reads, view, bench.store.upper + 2))
        elif kind == "compact":
            bench.send(compact(view, max(19, bench.store.upper - 5)))
        elif kind == "drop" and not self.subscribed:
            bench.send(compact(view, None))
        elif kind == "subscribe" and not self.subscribed:
            source = index_import(CollectionId(self.views[0]))
            bench.send(
                dataflow((S, SubscribeExport(with_snapshot=True)), imports=(source,),
                         as_of=bench.store.upper - 1, plan=get(source.collection)),
                schedule(S),
            )  # fmt: skip
        bench.run()

    def compare(self) -> None:
        """What the two have said so far, once they have said all."""
        resting, plain = self.benches
        for bench in self.benches:
            bench.wait(1_000)
        assert resting.answers() == plain.answers()
        assert resting.dropped() == plain.dropped()
        for view in self.views:
            assert reached(resting, view) == reached(plain, view)
        time = resting.store.upper
        assert total(resting.batches(S), time) == total(plain.batches(S), time)
        assert resting.told.count == plain.told.count
        for key in plain.told.dataflows:
            assert resting.told.find(key) == plain.told.find(key)


def reached(bench: Bench, view: int) -> dict[str, Frontier | None]:
    return {kind: (told or [None])[-1] for kind, told in bench.frontiers(view).items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=14))
def test_nobody_can_tell_who_rests(told: list[tuple[str, object]]) -> None:
    story = Story()
    for kind, value in told:
        story.step(kind, value)
    story.compare()
