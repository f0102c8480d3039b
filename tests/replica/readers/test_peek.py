"""Peeks: what they wait for, what they hold, and how they are answered, exactly once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from antiphon.protocol.command import (
    CancelPeek,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    Finishing,
)
from antiphon.protocol.plan import Negate
from antiphon.protocol.response import (
    Failure,
    PeekCanceled,
    PeekResponse,
    PeekStashed,
)
from antiphon.replica.ports import DropStash, Stash
from tests.replica.bench import (
    J,
    X,
    compact,
    counted,
    filled,
    schedule,
)
from tests.replica.scripted import (
    TABLE,
    above,
    dividing,
    get,
    index,
    index_import,
    peek_id,
    read_index,
    read_plan,
    table,
)


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
