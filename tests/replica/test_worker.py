"""The worker against a scripted controller and an honest store. Numbers are those of the
behaviours that the protocol promises."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.protocol.command import (
    AllowCompaction,
    CancelPeek,
    Schedule,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    CopyToExport,
    Finishing,
    IndexExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.errors import SinceViolation
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, SessionId, transient
from antiphon.protocol.plan import Constant, Negate
from antiphon.protocol.response import (
    CopyToResponse,
    Dropped,
    Failure,
    PeekCanceled,
    PeekResponse,
    PeekStashed,
    RebuildResult,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.ports import DropStash, EndSession, ReadSnapshot, Stash, TailFailed
from tests.replica.bench import Bench, Store, counted, rows, total
from tests.replica.scripted import (
    FEED,
    PAIRS,
    TABLE,
    Row,
    above,
    at,
    complete,
    create_instance,
    dataflow,
    dividing,
    feed,
    get,
    index,
    index_import,
    peek_id,
    read_index,
    read_plan,
    sent,
    table,
)

X = CollectionId(7)
J = CollectionId(8)
S = transient(1)


def schedule(collection: int) -> Schedule:
    return Schedule(collection=CollectionId(collection))


def compact(collection: int, time: int | None) -> AllowCompaction:
    return AllowCompaction(collection=CollectionId(collection), frontier=Frontier(time))


def filled() -> Bench:
    """A table with three rows at 5, an index of it from 10 on, upper 20."""
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b"), (3, "c")))
    store.upper = 20
    bench = Bench(store)
    bench.connect(index(X), schedule(X))
    bench.run()
    return bench


# Initialization.


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


def test_dataflows_run_on_while_nobody_is_connected() -> None:
    bench = filled()
    bench.disconnect()
    bench.take()
    bench.tick(30, ((4, "d"), 1))
    assert not bench.responses
    dataflow_ = bench.worker._held.installed.dataflows[0]
    assert dataflow_.frontier == at(31)


def test_57_a_full_set_rebuilds_and_reports_frontiers_again() -> None:
    bench = filled()
    bench.take()
    bench.connect(index(X, as_of=15), schedule(X))
    bench.run()
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


# Frontiers.


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


CONSTANT = Constant(schema=PAIRS, rows=(((1, "a"), 2),))


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


def test_21_a_command_about_nothing_ends_the_session_and_changes_nothing() -> None:
    bench = filled()
    bench.send(schedule(99))
    assert isinstance(bench.requests[-1], EndSession)
    bench.send(compact(X, None))
    bench.run()
    assert not bench.dropped(), "nothing counts after it"


# Peeks.


def test_22_a_peek_answers_with_the_rows_at_its_time() -> None:
    bench = filled()
    bench.tick(30, ((1, "a"), -1))
    bench.send(read_index(1, X, 15), read_index(2, X, 30))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 15)
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 30)


def test_23_a_peek_waits_for_its_time() -> None:
    bench = filled()
    bench.send(read_index(1, X, 30))
    bench.tick(29, ((4, "d"), 1))
    assert not bench.answers()
    bench.tick(30, ((5, "e"), 1))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 30)


def test_24_a_peek_before_since_is_an_error() -> None:
    bench = filled()
    bench.send(compact(X, 15))
    bench.run()
    bench.send(read_index(1, X, 12))
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "since_violation"


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


def test_25_a_canceled_peek_is_answered_once() -> None:
    bench = filled()
    bench.send(read_index(1, X, 30), CancelPeek(peek_id=peek_id(1)))
    bench.tick(30, ((4, "d"), 1))
    assert bench.answers() == {peek_id(1): PeekCanceled()}


def test_26_a_cancel_after_the_answer_is_silent() -> None:
    bench = filled()
    bench.send(read_index(1, X, 15))
    bench.take()
    bench.send(CancelPeek(peek_id=peek_id(1)))
    bench.run()
    assert not [r for r in bench.responses if isinstance(r, PeekResponse)]


@pytest.mark.parametrize("frontier", [20, None])
def test_27_a_peek_survives_a_compaction_right_behind_it(frontier: int | None) -> None:
    bench = filled()
    bench.send(read_index(1, X, 25), read_index(2, X, 19), compact(X, frontier))
    bench.run()
    bench.tick(30, ((1, "a"), -1))
    assert counted(bench.answers()[peek_id(1)]) == bench.store.content(TABLE, 25)
    assert counted(bench.answers()[peek_id(2)]) == bench.store.content(TABLE, 19)
    assert bench.dropped() == ([] if frontier else [X])


def test_a_compaction_behind_a_waiting_peek_takes_effect_once_it_is_answered() -> None:
    bench = filled()
    bench.send(read_index(1, X, 25), compact(X, 40))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    bench.tick(45, ((5, "e"), 1))
    found = bench.worker._held.installed.readable(X)
    assert found is not None
    assert found.trace.since == at(40)


def test_29_a_lowered_limit_counts_for_peeks_that_wait() -> None:
    bench = filled()
    bench.send(read_index(1, X, 30))
    bench.send(UpdateConfiguration(values={"result_bytes_max": "1"}))
    bench.tick(30, ((4, "d"), 1))
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "limit_exceeded"


def test_30_keys_may_be_absent_doubled_and_unsorted() -> None:
    bench = filled()
    bench.send(read_index(1, X, 15, keys=[3, 9, 1, 3]), read_index(2, X, 15, keys=[9]))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(1, "a"): 1, (3, "c"): 1})
    assert counted(bench.answers()[peek_id(2)]) == Counter()


def test_malformed_keys_are_an_error() -> None:
    bench = filled()
    peek = read_index(1, X, 15)
    bench.send(replace(peek, target=replace(peek.target, keys=b"junk")))
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "invalid_argument"


def test_31_an_error_at_the_time_wins_over_rows() -> None:
    bench = filled()
    bench.send(index(J, plan=dividing(get(TABLE), 6), as_of=15), schedule(J))
    bench.run()
    bench.send(read_index(1, J, 15))
    bench.tick(30, ((0, "zero"), 1))
    bench.send(read_index(2, J, 30), read_index(3, J, 15, keys=[6]))
    bench.tick(40, ((0, "zero"), -1))
    bench.send(read_index(4, J, 40))
    answers = bench.answers()
    assert counted(answers[peek_id(1)]) == Counter({(6, "a"): 1, (3, "b"): 1, (2, "c"): 1})
    failure = answers[peek_id(2)]
    assert isinstance(failure, Failure)
    assert failure.code == "data_error"
    assert counted(answers[peek_id(3)]) == Counter({(6, "a"): 1})
    assert counted(answers[peek_id(4)]) == counted(answers[peek_id(1)])


def test_a_negative_multiplicity_is_an_error() -> None:
    bench = filled()
    bench.send(index(J, plan=Negate(input=get(TABLE)), as_of=15), schedule(J))
    bench.run()
    bench.send(read_index(1, J, 15))
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "data_error"


def test_a_peek_may_filter_and_order_on_the_replica() -> None:
    bench = filled()
    finishing = Finishing(order_by=((0, True, False),), limit=1)
    bench.send(read_index(1, X, 15, plan=above(get(X), 1), finishing=finishing))
    assert counted(bench.answers()[peek_id(1)]) == Counter({(3, "c"): 1})


def test_a_plan_may_read_an_index_and_a_table_together() -> None:
    bench = filled()
    plan = above(get(TABLE), 2)
    bench.send(read_plan(1, plan, (table(),), 15))
    bench.send(read_plan(2, above(get(X), 2), (index_import(X),), 15))
    bench.run()
    assert counted(bench.answers()[peek_id(1)]) == Counter({(3, "c"): 1})
    assert counted(bench.answers()[peek_id(2)]) == Counter({(3, "c"): 1})


def test_a_canceled_plan_read_stops_its_snapshot() -> None:
    bench = filled()
    bench.holds_snapshots = True
    bench.send(read_plan(1, get(TABLE), (table(),), 15))
    bench.run()
    assert bench.held_back
    bench.send(CancelPeek(peek_id=peek_id(1)))
    bench.run()
    assert not bench.held_back
    assert bench.answers() == {peek_id(1): PeekCanceled()}


def test_a_peek_of_nothing_is_an_error() -> None:
    bench = filled()
    bench.send(read_index(1, 99, 15))
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "collection_missing"


def test_32_a_large_answer_is_stashed_and_a_cancel_frees_it() -> None:
    bench = filled()
    bench.send(UpdateConfiguration(values={"inline_bytes_max": "1"}))
    bench.send(read_index(1, X, 15))
    answer = bench.answers()[peek_id(1)]
    stashes = [request for request in bench.requests if isinstance(request, Stash)]
    assert isinstance(answer, PeekStashed)
    assert answer.row_count == sum(stashes[0].row_counts) == 3
    assert answer.byte_count == sum(len(batch) for batch in stashes[0].batches)
    bench.send(CancelPeek(peek_id=peek_id(1)))
    assert bench.requests[-1] == DropStash(peek_id=peek_id(1))


# Subscribes.


def test_40_a_subscribe_is_contiguous_from_the_beginning() -> None:
    bench = filled()
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((1, "a"), -1), ((4, "d"), 1))
    bench.tick(31, ((5, "e"), 1))
    batches = bench.batches(S)
    assert batches[0].lower == at(0)
    assert all(a.upper == b.lower for a, b in pairwise(batches))
    assert all(batch.lower.less_than(batch.upper) for batch in batches)
    assert batches[-1].upper == at(32)
    for time in (15, 29, 30, 31):
        assert total(batches, time) == bench.store.content(TABLE, time)


def test_a_resumed_subscribe_sends_only_what_follows() -> None:
    bench = filled()
    export = SubscribeExport(with_snapshot=False)
    bench.send(dataflow((S, export), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    assert total(bench.batches(S), 30) == Counter({(4, "d"): 1})
    assert bench.batches(S)[0].lower == at(0)


def test_41_a_dropped_subscribe_says_so_once_and_then_nothing() -> None:
    bench = filled()
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    last = bench.batches(S)[-1].upper
    bench.take()
    bench.send(compact(S, None))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    about = [r for r in bench.responses if getattr(r, "collection", None) == S]
    assert about == [
        SubscribeResponse(collection=S, result=SubscribeDropped(at=last)),
        Dropped(collection=S),
    ]


def test_42_a_finished_subscribe_has_had_its_last_word() -> None:
    bench = Bench()
    bench.connect(
        dataflow((S, SubscribeExport()), imports=(), plan=CONSTANT, as_of=15), schedule(S)
    )
    bench.run()
    assert bench.batches(S)[-1].upper == CLOSED
    bench.take()
    bench.send(compact(S, None))
    bench.run()
    assert bench.responses == [Dropped(collection=S)]


def test_43_a_batch_that_is_too_large_is_a_final_failure_with_valid_bounds() -> None:
    bench = filled()
    bench.send(UpdateConfiguration(values={"subscribe_bytes_max": "1"}))
    bench.send(dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    bench.run()
    bench.tick(30, ((4, "d"), 1))
    (batch,) = bench.batches(S)
    assert batch.failure is not None
    assert batch.failure.code == "limit_exceeded"
    assert batch.lower.less_than(batch.upper)
    bench.send(compact(S, None))
    bench.run()
    assert bench.dropped() == [S]


def test_a_data_error_ends_a_subscribe() -> None:
    bench = filled()
    export = dataflow((S, SubscribeExport()), plan=dividing(get(TABLE), 6), as_of=15)
    bench.send(export, schedule(S))
    bench.run()
    bench.tick(30, ((0, "zero"), 1))
    assert bench.batches(S)[-1].failure is not None
    count = len(bench.batches(S))
    bench.tick(31, ((0, "zero"), -1))
    assert len(bench.batches(S)) == count


# Materialized views.


def view(collection: int = X, **options: object) -> object:
    return dataflow((collection, MaterializedViewExport()), **options)  # type: ignore[arg-type]


def test_18_a_view_is_written_only_once_that_is_allowed() -> None:
    store = Store(upper=20)
    store.changes[TABLE] = [((1, "a"), 5, 1)]
    bench = Bench(store)
    bench.connect(view(), schedule(X))  # type: ignore[arg-type]
    bench.run()
    bench.tick(30, ((2, "b"), 1))
    assert X not in store.shards
    assert bench.frontiers(X)["output"][-1] == at(31)
    bench.connect(view(), schedule(X), writes=True)  # type: ignore[arg-type]
    bench.run()
    bench.tick(40, ((1, "a"), -1))
    assert store.shards[X].upper == at(41)
    for time in (10, 30, 40):
        assert store.content(X, time) == store.content(TABLE, time)
    assert bench.frontiers(X)["write"][-1] == at(41)


def test_67_a_connection_that_may_not_write_reverts_nothing() -> None:
    store = Store(upper=20)
    bench = Bench(store)
    bench.connect(view(), schedule(X), writes=True)  # type: ignore[arg-type]
    bench.run()
    bench.tick(30, ((2, "b"), 1))
    written = list(store.shards[X].changes)
    bench.connect(view(), schedule(X))  # type: ignore[arg-type]
    bench.run()
    bench.tick(40, ((3, "c"), 1))
    assert store.shards[X].changes == written
    assert store.shards[X].upper == at(31)


# What cannot run.


def test_a_dataflow_that_cannot_run_says_so_to_whoever_reads_it() -> None:
    bench = filled()
    other = Schema((Column(name="k", type=INT64), Column(name="v", type=INT64)))
    bench.send(index(J, schema=other, as_of=15), schedule(J), read_index(1, J, 15))
    bench.run()
    failure = bench.answers()[peek_id(1)]
    assert isinstance(failure, Failure)
    assert failure.code == "invalid_argument"
    bench.send(dataflow((S, SubscribeExport()), schema=other, as_of=15), schedule(S))
    bench.run()
    (batch,) = bench.batches(S)
    assert batch.failure is not None
    assert (batch.lower, batch.upper) == (at(0), at(16))
    bench.send(compact(J, None), compact(S, None))
    bench.run()
    assert bench.dropped() == [S, J]


def test_copy_to_is_answered_with_what_is_not_served() -> None:
    bench = filled()
    bench.send(dataflow((S, CopyToExport(uri="x", format="csv")), as_of=15))
    bench.run()
    (answer,) = [r for r in bench.responses if isinstance(r, CopyToResponse)]
    assert isinstance(answer.result, Failure)
    assert answer.result.code == "not_served"


def test_a_rebuild_session_is_answered_with_what_is_not_served() -> None:
    bench = filled()
    bench.send(
        StartRebuild(
            session_id=SessionId(1), collections=(X,), base_time=1, target_time=2, deadline_ms=3
        )
    )
    (answer,) = [r for r in bench.responses if isinstance(r, RebuildResult)]
    assert isinstance(answer.result, Failure)


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
    assert done.dataflows[0].hydrated


# Everything together.

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
