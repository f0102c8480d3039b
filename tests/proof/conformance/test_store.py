"""The scripted store is honest, remembers what was asked, and goes wrong only where it is told."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.proof.conformance.store import (
    FIRST_UPPER,
    Mischief,
    Push,
    ScriptedStore,
    Tail,
    TailBroken,
)
from antiphon.protocol.errors import (
    CollectionMissing,
    EpochFenced,
    NotComplete,
    SinceViolation,
)
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch

TABLE, FEED, VIEW = CollectionId(1), CollectionId(2), CollectionId(3)
WRITER = (Epoch(2), ClaimId(b"w" * 16))


def filled() -> ScriptedStore:
    store = ScriptedStore()
    store.create(TABLE)
    store.fill(TABLE, (1, "a"), (2, "b"))
    return store


def drained(tail: Tail) -> list[Push]:
    return list(tail.pushes()) if tail.is_due else []


def test_a_snapshot_is_the_content_at_its_time() -> None:
    store = filled()
    store.append(25, TABLE, ((1, "a"), -1), errors=(("bad", 1),))
    assert store.snapshot(TABLE, 20) == ([((1, "a"), 20, 1), ((2, "b"), 20, 1)], [])
    assert store.snapshot(TABLE, 25) == ([((2, "b"), 25, 1)], [("bad", 25, 1)])
    assert store.snapshots == [(TABLE, 20), (TABLE, 25)]
    assert store.reads(TABLE) == 2


def test_a_snapshot_of_what_is_not_there_is_refused() -> None:
    store = filled()
    with pytest.raises(NotComplete):
        store.snapshot(TABLE, FIRST_UPPER)
    with pytest.raises(SinceViolation):
        store.snapshot(TABLE, -1)
    with pytest.raises(CollectionMissing):
        store.snapshot(VIEW, 15)
    with pytest.raises(CollectionMissing):
        store.tail({VIEW: 0})


def test_a_feed_holds_the_last_overwrite_of_each_key() -> None:
    store = ScriptedStore()
    store.create(FEED, is_feed=True)
    store.fill(FEED, (1, "a"), (2, "b"))
    store.append(25, FEED, ((1, "new"), 1), ((2, None), -1))
    assert store.content(FEED, 20) == Counter([(1, "a"), (2, "b")])
    assert store.content(FEED, 25) == Counter([(1, "new")])


def test_a_tail_delivers_everything_once_and_in_order() -> None:
    store = filled()
    tail = store.tail({TABLE: 11})
    (first,) = drained(tail)
    assert (first.lower, first.upper, first.changes[TABLE]) == (11, FIRST_UPPER, [])
    store.append(25, TABLE, ((3, "c"), 1))
    (second,) = drained(tail)
    assert (second.lower, second.upper) == (FIRST_UPPER, 26)
    assert second.changes[TABLE] == [((3, "c"), 25, 1)]
    assert drained(tail) == []
    assert store.tails == [{TABLE: 11}]


def mischievous(mischief: Mischief) -> tuple[ScriptedStore, Tail]:
    """A tail that has caught up, and a tick that goes wrong."""
    store = filled()
    tail = store.tail({TABLE: 11})
    drained(tail)
    store.append(22, TABLE, ((3, "c"), 1))
    drained(tail)
    store.append(25, TABLE, ((4, "d"), 1))
    store.mischief = mischief
    return store, tail


def test_a_doubled_push_comes_twice() -> None:
    store, tail = mischievous(Mischief.DOUBLED)
    first, second = drained(tail)
    assert first == second
    assert store.mischief is Mischief.NONE


def test_an_overlapping_push_repeats_what_was_delivered() -> None:
    _, tail = mischievous(Mischief.OVERLAPPING)
    (push,) = drained(tail)
    assert (push.lower, push.upper) == (17, 26)
    assert push.changes[TABLE] == [((3, "c"), 22, 1), ((4, "d"), 25, 1)]


def test_an_early_store_says_again_what_was_before_what_was_asked_for() -> None:
    store = filled()
    store.append(22, TABLE, ((3, "c"), 1))
    store.append(25, TABLE, ((4, "d"), 1))
    store.is_early = True
    (push,) = drained(store.tail({TABLE: 24}))
    assert (push.lower, push.upper) == (18, 26)
    assert push.changes[TABLE] == [((3, "c"), 22, 1), ((4, "d"), 25, 1)]


def test_what_is_tampered_with_shows_in_snapshots_alone() -> None:
    store = filled()
    tail = store.tail({TABLE: 11})
    drained(tail)
    store.tamper(TABLE, (99, "late"))
    store.append(25, TABLE, ((4, "d"), 1))
    (push,) = drained(tail)
    assert push.changes[TABLE] == [((4, "d"), 25, 1)]
    assert store.content(TABLE, 11)[(99, "late")] == 1


def test_a_lost_push_leaves_a_gap_and_a_new_tail_fills_it() -> None:
    store, tail = mischievous(Mischief.LOST)
    assert drained(tail) == []
    store.append(30, TABLE, ((5, "e"), 1))
    (push,) = drained(tail)
    assert push.lower == 26
    (caught_up,) = drained(store.tail({TABLE: 23}))
    assert caught_up.changes[TABLE] == [((4, "d"), 25, 1), ((5, "e"), 30, 1)]


def test_a_broken_tail_ends() -> None:
    _, tail = mischievous(Mischief.BROKEN)
    with pytest.raises(TailBroken):
        drained(tail)


def test_a_shard_is_written_by_whoever_expects_its_upper() -> None:
    store = ScriptedStore()
    store.create_shard(VIEW)
    store.obey(*WRITER)
    changes = [((1, "a"), 5, 1)]
    assert store.compare_and_append(VIEW, START, Frontier(10), changes, WRITER) == (
        True,
        Frontier(10),
    )
    assert store.compare_and_append(VIEW, START, Frontier(12), changes, WRITER) == (
        False,
        Frontier(10),
    )
    assert store.content(VIEW, 9) == Counter([(1, "a")])
    assert store.applied(VIEW) == 1
    assert store.snapshot(VIEW, 9) == ([((1, "a"), 9, 1)], [])


def test_only_the_claim_that_is_obeyed_may_write() -> None:
    store = ScriptedStore()
    store.create_shard(VIEW)
    store.obey(Epoch(3), WRITER[1])
    with pytest.raises(EpochFenced):
        store.compare_and_append(VIEW, START, Frontier(10), [], WRITER)
    with pytest.raises(CollectionMissing):
        store.compare_and_append(TABLE, START, Frontier(10), [], WRITER)
    assert [append.applied for append in store.appends] == [False]
    assert store.shard(VIEW).upper == START
