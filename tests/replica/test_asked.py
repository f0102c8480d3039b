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
)
from antiphon.protocol.ids import CollectionId
from antiphon.replica import asked
from antiphon.replica.ports import (
    DigestsAsked,
    DigestsTold,
    StateAsked,
    StateEnded,
    StatePart,
    StateTold,
    StateWanted,
)
from tests.replica.bench import Bench, J, X
from tests.replica.scripted import FEED, TABLE, Row, changes_of
from tests.replica.test_rebuild import V, digest, serving, tamper


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


@pytest.mark.parametrize(("collection", "source"), [(X, TABLE), (FEED, FEED)])
def test_state_goes_out_in_chunks_one_at_a_time(
    collection: CollectionId, source: CollectionId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked, "CHUNK_ROWS", 4)
    bench = serving()
    bench.handle(StateAsked(ask=1, collection=collection, time=25))
    bench.run()
    assert len(told(bench, 1)) == 1, "the next one is asked for"
    while not (last := told(bench, 1)[-1]).last:  # type: ignore[union-attr]
        bench.handle(StateWanted(ask=1))
    parts = told(bench, 1)
    assert len(parts) > 1
    assert [part.index for part in parts if isinstance(part, StatePart)] == list(range(len(parts)))
    assert isinstance(last, StatePart)
    assert last.time == (25 if collection == X else 31), "a feed is given as it is now"
    whole = bench.store.content(source, last.time)
    assert content(parts) == whole
    assert (last.digest, last.rows_total) == (digest(whole), len(whole))
    # It goes on where it is asked to, with the same chunks.
    bench.handle(StateAsked(ask=2, collection=collection, time=25, first_chunk=1))
    assert told(bench, 2) == parts[1:2]
    bench.handle(StateEnded(ask=2))
    bench.handle(StateWanted(ask=2))
    assert len(told(bench, 2)) == 1


@pytest.mark.parametrize(
    ("collection", "time", "error"),
    [
        (X, 9, SinceViolation),
        (X, 32, NotComplete),
        (FEED, 32, CollectionMissing),
        (TABLE, 25, CollectionMissing),
    ],
)
def test_state_that_is_not_here_is_refused(
    collection: CollectionId, time: int, error: type[ComputeError]
) -> None:
    bench = serving()
    bench.handle(StateAsked(ask=1, collection=collection, time=time))
    (answer,) = told(bench, 1)
    assert isinstance(answer, error)


def test_no_more_than_so_many_are_served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "CHUNK_ROWS", 4)
    bench = serving()
    for ask in range(asked.ASKS_MAX + 1):
        bench.handle(StateAsked(ask=ask, collection=X, time=25))
    answers = [told(bench, ask)[0] for ask in range(asked.ASKS_MAX + 1)]
    refused = [isinstance(answer, LimitExceeded) for answer in answers]
    assert refused == [*([False] * asked.ASKS_MAX), True]
