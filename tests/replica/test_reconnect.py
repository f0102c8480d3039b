"""A replica over several connections: what it keeps, what it forgets, what it says again. Numbers
are those of the behaviours that the protocol promises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import BaseSource, Command, Schedule, SyncDecision
from antiphon.protocol.dataflow import MaterializedViewExport, SubscribeExport
from antiphon.protocol.errors import CollectionMissing, SinceViolation
from antiphon.protocol.ids import HistoryId
from antiphon.replica.ports import AppendShard, EndSession, SnapshotPart, TailFailed
from tests.replica.bench import Bench, J, S, X, compact, counted, filled, rows, schedule
from tests.replica.scripted import (
    FEED,
    TABLE,
    above,
    at,
    complete,
    dataflow,
    delta,
    feed,
    get,
    index,
    index_import,
    peek_id,
    read_index,
)
from tests.replica.stored import Store

KEEP_UP, CATCH_UP = SyncDecision.KEEP_UP, SyncDecision.CATCH_UP


def verdicts(bench: Bench) -> list[str]:
    return [str(verdict) for verdict in bench.told.verdicts]


def test_kept_up_it_goes_on_where_it_is_and_says_all_frontiers_again() -> None:
    bench = filled()
    bench.disconnect()
    bench.tick(30, ((4, "d"), 1))
    before, requests = bench.frontiers(X), len(bench.requests)
    bench.take()
    bench.connect(schedule(X), decision=KEEP_UP)
    bench.run()
    assert before
    assert bench.frontiers(X) == {"write": [at(31)], "input": [at(31)], "output": [at(31)]}
    assert len(bench.requests) == requests, "nothing is read again"
    bench.send(read_index(1, X, 30))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 30)


def test_caught_up_it_has_what_it_missed_from_where_that_is_readable() -> None:
    bench = filled()
    bench.tick(50, ((5, "e"), 1))
    bench.disconnect()
    bench.store.since = 45
    bench.connect(
        index(J, as_of=12), compact(X, 45), compact(J, 45), schedule(J), decision=CATCH_UP
    )
    bench.run()
    assert bench.worker._applied == 2
    assert bench.frontiers(J)["output"][-1] == at(51)
    bench.send(read_index(1, J, 50))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 50)


def test_caught_up_it_drops_what_was_dropped_meanwhile() -> None:
    bench = filled()
    bench.disconnect()
    bench.take()
    bench.connect(compact(X, None), decision=CATCH_UP)
    bench.run()
    assert bench.dropped() == [X]
    assert not bench.worker._held.installed.dataflows


def test_64_a_suffix_that_dies_half_way_changes_nothing() -> None:
    bench = filled()
    bench.begin(compact(X, None), index(J), decision=CATCH_UP)
    bench.disconnect()
    bench.connect(schedule(X), decision=KEEP_UP)
    bench.send(read_index(1, X, 15))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 15)


def test_62_live_state_is_what_the_new_connection_repeats_of_it() -> None:
    bench = filled()
    subscribe = dataflow((S, SubscribeExport()), as_of=15)
    bench.send(read_index(1, X, 40), read_index(2, X, 40), subscribe, schedule(S))
    bench.run()
    bench.disconnect()
    bench.take()
    bench.connect(schedule(X), read_index(2, X, 40), decision=KEEP_UP)
    bench.tick(40, ((4, "d"), 1))
    assert list(bench.answers()) == [peek_id(2)]
    assert not bench.batches(S)
    assert not bench.dropped()
    assert len(bench.worker._held.installed.dataflows) == 1


def test_61_a_drop_that_waited_is_never_told_to_a_later_connection() -> None:
    bench = filled()
    inner = index(J, imports=(index_import(X),), plan=get(X), as_of=15)
    bench.send(inner, schedule(J), compact(X, None))
    bench.disconnect()
    bench.take()
    bench.connect(compact(J, None), decision=CATCH_UP)
    bench.run()
    assert bench.dropped() == [J], "X went with it, without a word"
    assert not bench.frontiers(X)["output"]
    assert not bench.worker._held.installed.dataflows


def test_59_an_earlier_as_of_than_was_compacted_is_built_anew() -> None:
    bench = filled()
    bench.send(compact(X, 18))
    bench.run()
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
    assert verdicts(bench) == ["u7 replaced (b: it is compacted beyond the time that is asked for)"]
    bench.send(read_index(1, X, 15))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 15)


def test_60_who_reads_a_replaced_dataflow_is_replaced_and_right() -> None:
    bench = filled()
    inner = index(J, imports=(index_import(X),), plan=get(X), as_of=15)
    bench.send(inner, schedule(J))
    bench.run()
    bench.connect(index(X, plan=above(get(TABLE), 1), as_of=15), inner, schedule(X), schedule(J))
    bench.run()
    assert [line.split(" (")[0] for line in verdicts(bench)] == ["u7 replaced", "u8 replaced"]
    bench.send(read_index(1, J, 15))
    assert set(counted(bench.answers()[peek_id(1)])) == {(2, "b"), (3, "c")}


def test_a_kept_chain_goes_on_together() -> None:
    bench = filled()
    inner = index(J, imports=(index_import(X),), plan=get(X), as_of=15)
    bench.send(inner, schedule(J))
    bench.run()
    bench.connect(index(X, as_of=15), inner, schedule(X), schedule(J))
    bench.tick(30, ((4, "d"), 1))
    assert verdicts(bench) == ["u7 kept", "u8 kept"]
    bench.send(read_index(1, J, 30))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 30)


def test_67_a_kept_view_writes_only_once_the_new_connection_allows_it() -> None:
    bench = Bench(Store(upper=20))
    view = dataflow((X, MaterializedViewExport()))
    bench.connect(view, schedule(X), writes=True)
    bench.run()
    bench.connect(view, schedule(X))
    bench.run()
    assert verdicts(bench) == ["u7 kept"]
    written = len([r for r in bench.requests if isinstance(r, AppendShard)])
    bench.tick(30, ((4, "d"), 1))
    assert len([r for r in bench.requests if isinstance(r, AppendShard)]) == written
    bench.connect(schedule(X), decision=KEEP_UP, writes=True)
    bench.run()
    assert bench.store.content(X, 30) == bench.store.content(TABLE, 30)


def test_another_history_and_a_rebuild_keep_nothing() -> None:
    bench = filled()
    bench.connect(index(X, as_of=15), schedule(X), history=HistoryId(b"o" * 16))
    assert verdicts(bench) == ["u7 replaced (h: it belongs to another history)"]
    bench.connect(
        index(X, as_of=15),
        schedule(X),
        history=HistoryId(b"o" * 16),
        decision=SyncDecision.REBUILD,
    )
    assert verdicts(bench) == ["u7 replaced (h: everything is to be built anew)"]


def test_a_controller_that_comes_anew_names_who_gives_what_has_yet_to_arrive() -> None:
    """Sync 25, 35: the one before died while a peer was giving it. Nothing of that counts now."""
    bench = Bench(Store(upper=21))
    bench.store.changes[TABLE] += [((1, "a"), 5, 1), ((2, "b"), 6, 1)]
    bench.holds_snapshots = True
    peer = (BaseSource(collection=TABLE, peer="unix:r1"),)
    bench.connect(index(X, as_of=20), Schedule(collection=X, bases=peer))
    bench.run()
    (read,) = bench.held_back
    assert read.peer == "unix:r1"
    half = SnapshotPart(
        snapshot=read.snapshot, delta=delta(((1, "a"), 20, 1)), rows_total=2, last=False,
        index=0, time=20,
    )  # fmt: skip
    bench.handle(half)
    bench.disconnect()
    bench.connect(schedule(X), decision=SyncDecision.KEEP_UP)
    bench.run()
    (again,) = bench.held_back
    assert again.peer == "", "the store, from its first part on"
    bench.release()
    bench.send(read_index(1, X, 20))
    bench.run()
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 20)


def test_what_fell_behind_is_built_anew_and_what_did_not_is_kept() -> None:
    bench = filled()
    bench.send(index(J, imports=(feed(),), plan=get(FEED)), schedule(J))
    bench.run()
    assert bench.tail is not None
    bench.disconnect()
    bench.handle(TailFailed(tail=bench.tail.tail, error=SinceViolation("gone")))
    bench.tail = None
    bench.store.append(40, TABLE, *rows((9, "z")))
    bench.store.upper, bench.store.since = 50, 30
    other = index(J, imports=(feed(),), plan=get(FEED))
    bench.connect(index(X, as_of=30), other, schedule(X), schedule(J))
    bench.run()
    assert verdicts(bench) == [
        "u7 replaced (g: what it has yet to read may be gone)",
        "u8 kept",
    ]
    bench.send(read_index(1, X, 45), read_index(2, J, 45))
    answers = bench.answers()
    assert counted(answers[peek_id(1)]) == bench.store.content(TABLE, 45)
    assert counted(answers[peek_id(2)]) == bench.store.content(FEED, 45)


def test_a_replica_that_the_store_refuses_again_asks_for_everything_anew() -> None:
    bench = filled()
    for _ in range(2):
        assert bench.tail is not None
        bench.handle(TailFailed(tail=bench.tail.tail, error=CollectionMissing("gone")))
        assert isinstance(bench.requests[-1], EndSession)
        assert not bench.requests[-1].void
        bench.connect(schedule(X), decision=KEEP_UP)
        bench.run()
    assert bench.told.count == 0, "nothing that a session could use"
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
    assert bench.frontiers(X)["output"][-1] == at(20)


COMMANDS: dict[int, Command] = {
    7: index(7),
    8: index(8, imports=(feed(),), plan=get(FEED)),
    9: index(9, imports=(index_import(8),), plan=above(get(8), 1)),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(0, 5), st.sampled_from("ab")),
        st.tuples(st.just("create"), st.sampled_from((7, 8, 9)), st.just("")),
        st.tuples(st.just("drop"), st.sampled_from((7, 9)), st.just("")),
        st.tuples(st.just("cut"), st.integers(0, 3), st.just("")),
        st.tuples(st.just("half"), st.integers(0, 3), st.just("")),
    ),
    max_size=30,
)


@settings(max_examples=80)
@given(STEPS, st.data())
def test_a_replica_that_left_answers_like_one_that_never_did(
    steps: list[tuple[str, int, str]], data: st.DataObject
) -> None:
    """Whatever happened between its connections, and however each of them began."""
    stayed, left = Bench(Store(upper=11)), Bench(Store(upper=11))
    alive: list[int] = []
    stayed.connect()
    left.connect()
    missed: list[Command] = []
    online = True

    def begin() -> list[Command]:
        """What the controller of `left` sends to a replica that returns."""
        live = [schedule(c) for c in alive]
        return [*missed, *live]

    for time, (kind, number, word) in enumerate(steps, start=20):
        commands: list[Command] = []
        if kind == "tick":
            for bench in (stayed, left):
                collection = FEED if number % 2 else TABLE
                bench.tick(time, ((number, word), 1), collection=collection)
        elif kind == "create" and number not in alive and (number != 9 or 8 in alive):
            if number in created(stayed):
                continue  # ids are never used again
            alive.append(number)
            commands = [COMMANDS[number]]
        elif kind == "drop" and number in alive:
            alive.remove(number)
            commands = [compact(number, None)]
        elif kind == "half" and not online:
            left.begin(*begin()[:number], decision=CATCH_UP)
            left._position -= len([c for c in begin()[:number] if c in missed])
            left.disconnect()
        elif kind == "cut":
            if online:
                left.disconnect()
            else:
                reconnect(left, alive, missed, data.draw(st.booleans()))
                missed = []
            online = not online
        if commands:
            starts = [schedule(number)] if kind == "create" else []
            stayed.send(*commands, *starts)
            if online:
                left.send(*commands, *starts)
            else:
                missed += commands
    if not online:
        reconnect(left, alive, missed, data.draw(st.booleans()))
    for bench in (stayed, left):
        bench.tick(100, ((9, "last"), 1))
        bench.run()
    for collection in alive:
        for when in (30, 60, 100):
            answers = []
            for bench in (stayed, left):
                number = collection * 1_000 + when
                bench.send(read_index(number, collection, when))
                answers.append(counted(bench.answers()[peek_id(number)]))
            assert answers[0] == answers[1]


def created(bench: Bench) -> set[int]:
    """Everything that was ever created there, by what it reported or dropped."""
    return {r.collection for r in bench.responses if hasattr(r, "collection")}


def reconnect(bench: Bench, alive: list[int], missed: list[Command], full: bool) -> None:
    live = [schedule(collection) for collection in alive]
    if full:
        bench._position += len([c for c in missed if c])
        bench.begin(*[COMMANDS[collection] for collection in sorted(alive)], *live)
        bench.say(complete(bench._position))
    else:
        bench.connect(*missed, *live, decision=CATCH_UP)
    bench.run()
