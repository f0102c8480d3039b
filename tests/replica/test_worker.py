"""The worker against a scripted controller and an honest store. Numbers are those of the
behaviours that the protocol promises."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.dataflow import (
    SubscribeExport,
)
from antiphon.protocol.errors import SinceViolation
from antiphon.protocol.ids import CollectionId
from antiphon.replica.ports import EndSession, TailFailed
from tests.replica.bench import Bench, J, S, X, compact, counted, filled, rows, schedule
from tests.replica.scripted import (
    FEED,
    TABLE,
    Row,
    above,
    at,
    complete,
    create_instance,
    dataflow,
    feed,
    get,
    index,
    index_import,
    peek_id,
    read_index,
    sent,
    table,
)
from tests.replica.stored import Store


def test_4_everything_owed_follows_once_initialization_is_complete() -> None:
    bench = Bench(Store(upper=20))
    bench.begin(index(X), schedule(X), read_index(1, X, 15))
    bench.run()
    assert not bench.responses
    assert not bench.requests, "nothing is applied before"
    bench.say(complete(1))
    bench.run()
    assert counted(bench.answers()[peek_id(1)]) == Counter()
    assert bench.frontiers(X)["output"][-1] == at(20)


def test_64_a_connection_that_dies_half_way_changes_nothing() -> None:
    bench = filled()
    bench.begin(compact(X, None), index(J))
    bench.disconnect()
    bench.tick(30, ((4, "d"), 1))
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
    bench.send(read_index(1, X, 30))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 30)
    assert bench.worker._held.installed.find(J) is None


def test_57_a_full_set_keeps_what_is_unchanged_and_reports_frontiers_again() -> None:
    bench = filled()
    bench.take()
    read = len(bench.snapshots())
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
    assert len(bench.snapshots()) == read, "nothing is hydrated again"
    assert [str(verdict) for verdict in bench.told.verdicts] == ["u7 kept"]
    reports = bench.frontiers(X)
    assert all(at(15).less_equal(frontier) for kind in reports.values() for frontier in kind)
    assert reports["output"][-1] == at(20)
    assert not bench.dropped()


def test_59_a_changed_plan_gives_the_new_results() -> None:
    bench = filled()
    bench.connect(index(X, plan=above(get(TABLE), 1), as_of=15), schedule(X))
    bench.run()
    bench.send(read_index(1, X, 15))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(2, "b"): 1, (3, "c"): 1})


def test_68_after_many_connections_the_state_is_that_of_the_last() -> None:
    bench = filled()
    for turn in range(5):
        bench.begin(index(CollectionId(20 + turn)), schedule(20 + turn))
        if turn % 2:
            bench.say(complete(1))
        bench.disconnect()
    bench.connect(index(J, as_of=15), schedule(J))
    bench.run()
    assert [d.exports[0].collection for d in bench.worker._held.installed.dataflows] == [J]
    bench.send(read_index(1, J, 15))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 15)


def test_a_tail_that_cannot_be_served_ends_the_session() -> None:
    bench = filled()
    assert bench.tail is not None
    bench.handle(TailFailed(tail=bench.tail.tail, error=SinceViolation("gone")))
    assert isinstance(bench.requests[-1], EndSession)
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
    assert bench.frontiers(X)["output"][-1] == at(20)


def test_the_progress_counts_the_rows_of_hydration() -> None:
    store = Store(upper=1)
    store.append(5, TABLE, *rows(*((number, "x") for number in range(10))))
    store.upper = 20
    bench = Bench(store)
    bench.holds_snapshots = True
    bench.connect(index(X), schedule(X))
    bench.run()
    bench.now_ms += 1_000
    bench.work()
    assert bench.last.progress is not None or bench.worker._progress is not None
    progress = bench.worker._progress
    assert progress is not None
    assert [one.collection for one in progress.hydration] == [X]
    bench.release()
    bench.wait(1_000)
    done = bench.worker._progress
    assert done is not None
    assert done.hydration == ()
    assert bench.told.dataflows[(X,)].hydrated


CHANGES = st.lists(
    st.tuples(
        st.sampled_from([TABLE, FEED]),
        st.integers(0, 4),
        st.sampled_from("abc"),
        st.sampled_from([1, 1, 1, -1]),
        st.integers(0, 2),
    ),
    max_size=25,
)
DISTURBANCES = st.lists(
    st.sampled_from(["push", "lose", "double", "connect", "work", "install", "hold"]), max_size=25
)


@settings(max_examples=60)
@given(CHANGES, DISTURBANCES)
def test_every_view_equals_its_input_at_every_time_it_may_be_read(
    changes: list[tuple[CollectionId, int, str, int, int]], disturbances: list[str]
) -> None:
    bench = Bench(Store(upper=11))
    commands = [
        index(7, imports=(table(),), plan=get(TABLE)),
        index(8, imports=(feed(),), plan=get(FEED)),
        index(9, imports=(index_import(CollectionId(8)),), plan=above(get(CollectionId(8)), 1)),
    ]
    started = [schedule(number) for number in (7, 8, 9)]
    bench.connect(*commands, *started)
    time = 11
    late = 20
    for number, (collection, key, word, diff, step) in enumerate(changes):
        time += step
        _append(bench, time, collection, (key, word), diff)
        time += 1
        disturbance = disturbances[number] if number < len(disturbances) else "push"
        match disturbance:
            case "push":
                bench.push()
            case "lose":
                bench.tail_reached = bench.store.upper
            case "double":
                bench.push()
                bench.push(lower=max(bench.tail_reached - 5, 0))
            case "work":
                bench.run()
            case "hold":
                bench.holds_snapshots = not bench.holds_snapshots
            case "connect":
                bench.connect(*commands, *started)
            case "install":
                late += 1
                bench.send(
                    index(late, imports=(feed(),), plan=get(FEED), as_of=bench.store.upper - 1),
                    schedule(late),
                )
    bench.release()
    bench.tick(time + 1, ((9, "last"), 1), collection=TABLE)
    bench.run()
    for number, collection in ((7, TABLE), (8, FEED)):
        for when in range(10, time + 2):
            bench.send(read_index(number * 1_000 + when, number, when))
            answer = bench.answers()[peek_id(number * 1_000 + when)]
            assert counted(answer) == bench.store.content(collection, when)
    bench.send(read_index(1, 9, time))
    expected = bench.store.content(FEED, time)
    assert counted(bench.answers()[peek_id(1)]) == Counter(
        {row: count for row, count in expected.items() if row[0] > 1}
    )


def _append(bench: Bench, time: int, collection: CollectionId, row: Row, diff: int) -> None:
    """A legal change: a table never deletes what is not there."""
    store = bench.store
    if collection == TABLE and diff < 0 and not store.content(TABLE, time)[row]:
        diff = 1
    store.append(time, collection, (row, diff))
    store.upper = time + 1


def test_the_same_events_give_the_same_responses() -> None:
    def run() -> list[object]:
        bench = filled()
        bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S), read_index(1, X, 30))
        for time in (25, 30):
            bench.tick(time, ((time, "x"), 1))
        return [*bench.responses, *bench.requests]

    assert run() == run()


def test_commands_of_another_connection_are_ignored() -> None:
    bench = filled()
    bench.take()
    bench.begin()
    bench.disconnect()
    bench.say(create_instance(), sent(read_index(1, X, 15)), complete(0))
    bench.run()
    assert not bench.responses
