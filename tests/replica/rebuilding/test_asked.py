"""Digests and state that others ask a worker for."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    LimitExceeded,
    NotComplete,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import STATE_RETAIN_MS
from antiphon.replica.importing import source
from antiphon.replica.ports import (
    DigestsAsked,
    DigestsTold,
    StateAsked,
    StateEnded,
    StatePart,
    StateTold,
    StateWanted,
)
from antiphon.replica.rebuilding import asked
from antiphon.replica.rebuilding.chunks import CHUNK_ROWS
from tests.replica.bench import Bench, J, X, compact, counted, schedule
from tests.replica.rebuilding.test_rebuild import V, digest, serving, tamper
from tests.replica.scripted import (
    FEED,
    TABLE,
    Row,
    above,
    changes_of,
    feed,
    get,
    index,
    peek_id,
    read_index,
)
from tests.replica.stored import Store


def digests(bench: Bench, time: int, *collections: int) -> dict[CollectionId, bytes]:
    ask = len(bench.requests)
    wanted = tuple(CollectionId(one) for one in collections)
    bench.handle(DigestsAsked(ask=ask, collections=wanted, time=time))
    bench.run()
    (told,) = [r for r in bench.requests if isinstance(r, DigestsTold) and r.ask == ask]
    return dict(told.digests)


def told(bench: Bench, ask: int) -> list[StatePart | ComputeError]:
    return [r.answer for r in bench.requests if isinstance(r, StateTold) and r.ask == ask]


def content(parts: list[StatePart | ComputeError]) -> Counter[Row]:
    found: Counter[Row] = Counter()
    for part in parts:
        assert isinstance(part, StatePart)
        for row, time, diff in changes_of(part.delta.rows):
            assert time == part.time
            found[row] += diff
    return found


def test_a_digest_is_that_of_the_content_at_its_time() -> None:
    bench = serving()
    for time in (25, 28, 31):
        found = digests(bench, time, X, J, V)
        assert found[X] == digest(bench.store.content(TABLE, time))
        assert found[J] == digest(bench.store.content(FEED, time))
    bench.tick(40, ((3, "y"), 1))
    assert digests(bench, 40, X)[X] == digest(bench.store.content(TABLE, 40))
    assert digests(bench, 31, X)[X] == digest(bench.store.content(TABLE, 31))


def test_what_cannot_be_told_is_absent() -> None:
    bench = serving()
    assert digests(bench, 9, X) == {}, "before since"
    assert digests(bench, 32, X) == {}, "not complete"
    assert digests(bench, 31, 99) == {}, "not here"


def test_two_replicas_agree_and_a_tampered_one_does_not() -> None:
    """Sync 27"""
    one, other = serving(), serving()
    assert digests(one, 31, X, J, V) == digests(other, 31, X, J, V)
    tamper(other, X)
    assert digests(one, 31, X) != digests(other, 31, X), "though it was summed before"


@pytest.mark.parametrize(
    ("collection", "source"), [(X, TABLE), (FEED, FEED), (TABLE, TABLE), (J, FEED)]
)
def test_state_goes_out_in_chunks_one_at_a_time(
    collection: CollectionId, source: CollectionId
) -> None:
    bench = serving(chunk_rows=4)
    bench.handle(StateAsked(ask=1, collection=collection, time=25))
    bench.run()
    assert len(told(bench, 1)) == 1, "the next one is asked for"
    while not (last := told(bench, 1)[-1]).last:  # type: ignore[union-attr]
        bench.handle(StateWanted(ask=1))
        bench.run()
    parts = told(bench, 1)
    assert len(parts) > 1
    assert [part.index for part in parts if isinstance(part, StatePart)] == list(range(len(parts)))
    assert isinstance(last, StatePart)
    assert last.time == 25
    whole = bench.store.content(source, last.time)
    assert content(parts) == whole
    assert (last.digest, last.rows_total) == (digest(whole), len(whole))
    # It goes on where it is asked to, with the same chunks.
    bench.handle(StateAsked(ask=2, collection=collection, time=25, first_chunk=1))
    bench.run()
    assert told(bench, 2) == parts[1:2]
    bench.handle(StateEnded(ask=2))
    bench.handle(StateWanted(ask=2))
    bench.run()
    assert len(told(bench, 2)) == 1


@pytest.mark.parametrize(
    ("collection", "time", "error"),
    [
        (X, 9, SinceViolation),
        (X, 32, NotComplete),
        (FEED, 32, NotComplete),
        (V, 9, SinceViolation),
        (99, 25, CollectionMissing),
    ],
)
def test_state_that_is_not_here_is_refused(
    collection: CollectionId, time: int, error: type[ComputeError]
) -> None:
    bench = serving()
    bench.handle(StateAsked(ask=1, collection=collection, time=time))
    (answer,) = told(bench, 1)
    assert isinstance(answer, error)


def test_a_table_is_given_by_an_index_that_holds_it_as_it_is() -> None:
    """An index of some of it is none of it, and one that was dropped is not here any more."""
    bench = serving()
    bench.send(compact(V, None), compact(X, None))
    bench.run()
    bench.handle(StateAsked(ask=1, collection=TABLE, time=25))
    assert isinstance(told(bench, 1)[0], CollectionMissing)


def test_a_feed_whose_changes_are_forgotten_is_given_as_it_is_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source, "RECENT_ROWS_MAX", 1)
    bench = serving()
    bench.send(compact(J, None))
    bench.connect(
        index(J, imports=(feed(),), plan=above(get(FEED), 0), as_of=31),
        schedule(J),
    )
    bench.run()
    for time in (40, 50):
        bench.tick(time, ((1, f"at {time}"), 1), collection=FEED)
    bench.handle(StateAsked(ask=1, collection=FEED, time=35))
    bench.run()
    (answer,) = told(bench, 1)
    assert isinstance(answer, StatePart)
    assert answer.time == 50
    assert content([answer]) == bench.store.content(FEED, 50)


def test_no_more_than_so_many_are_served_at_once() -> None:
    bench = serving(chunk_rows=4)
    for ask in range(asked.ASKS_MAX + 1):
        bench.handle(StateAsked(ask=ask, collection=X, time=25))
    bench.run()
    answers = [told(bench, ask)[0] for ask in range(asked.ASKS_MAX + 1)]
    refused = [isinstance(answer, LimitExceeded) for answer in answers]
    assert refused == [*([False] * asked.ASKS_MAX), True]


def large(chunk_rows: int = CHUNK_ROWS) -> Bench:
    """X over a table of 2,000 rows, up to date; a slice of work is 100 rows."""
    store = Store(upper=11)
    store.changes[TABLE] += [((number, f"w{number}"), 4, 1) for number in range(2_000)]
    bench = Bench(store, chunk_rows)
    bench.connect(index(X), schedule(X))
    bench.run()
    bench.fuel = 100
    bench.take()
    return bench


def test_large_state_is_made_in_slices_and_reads_and_ticks_go_on_between_them() -> None:
    bench = large()
    bench.handle(StateAsked(ask=1, collection=X, time=10))
    for time in range(20, 30):
        assert bench.last.busy, "there is more to do"
        assert not told(bench, 1), "2,000 rows are no slice of 100"
        bench.store.append(time, TABLE, ((time, "tick"), 1))
        bench.store.upper = time + 1
        bench.push()
        bench.work()
        bench.send(read_index(time, X, time))
        assert counted(bench.answers()[peek_id(time)]) == bench.store.content(TABLE, time)
    bench.run()
    (part,) = told(bench, 1)
    assert isinstance(part, StatePart)
    assert part.last
    assert content([part]) == bench.store.content(TABLE, 10), "of the time that was asked for"


def test_nothing_is_computed_for_who_does_not_ask_for_more() -> None:
    bench = large(chunk_rows=64)
    bench.handle(StateAsked(ask=1, collection=X, time=10))
    bench.run()
    assert not bench.last.busy
    assert len(told(bench, 1)) == 1
    bench.handle(StateWanted(ask=1))
    bench.run()
    assert len(told(bench, 1)) == 2


@pytest.mark.parametrize("slices", [0, 1, 15])
def test_who_is_gone_is_not_computed_for_and_holds_nothing(slices: int) -> None:
    bench = large()
    bench.handle(StateAsked(ask=1, collection=X, time=10))
    for _ in range(slices):
        bench.work()
    assert bench.worker._asks._sending
    bench.handle(StateEnded(ask=1))
    bench.run()
    assert not bench.last.busy
    assert not told(bench, 1)
    assert not bench.worker._asks._sending


def test_who_stops_reading_loses_what_was_held_for_it() -> None:
    bench = large(chunk_rows=64)
    bench.handle(StateAsked(ask=1, collection=X, time=10))
    bench.run()
    bench.wait(STATE_RETAIN_MS - 1)
    assert bench.worker._asks._sending
    bench.wait(1)
    assert isinstance(told(bench, 1)[-1], Unavailable)
    assert not bench.worker._asks._sending
    bench.handle(StateWanted(ask=1))
    bench.run()
    assert len(told(bench, 1)) == 2, "the refusal was the last word"


def test_those_who_ask_together_share_the_slices() -> None:
    bench = large()
    for ask in range(4):
        bench.handle(StateAsked(ask=ask, collection=X, time=10))
    for _ in range(200):
        if not bench.last.busy:
            break
        bench.work()
    parts = [told(bench, ask) for ask in range(4)]
    assert all(part == parts[0] for part in parts)
    assert isinstance(parts[0][0], StatePart)
