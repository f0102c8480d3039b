"""Stashes: bounded whoever reads how slowly, taken once, forgotten in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.errors import Unavailable
from antiphon.replica.serving.stash import Fetch, Stashes
from tests.replica.scripted import peek_id


def fetch_of(stashes: Stashes, number: int, now_ms: int = 0) -> Fetch:
    result = stashes.take(peek_id(number), now_ms)
    assert result is not None
    return Fetch(stashes, result)


def test_a_result_is_taken_once_and_handed_on_in_order() -> None:
    stashes = Stashes()
    assert stashes.put(peek_id(1), (b"ab", b"c"), (2, 1), 0)
    assert stashes.byte_count == 3
    fetch = fetch_of(stashes, 1)
    assert stashes.take(peek_id(1), 0) is None
    assert [fetch.next_chunk(0) for _ in range(3)] == [(b"ab", 2), (b"c", 1), None]
    fetch.close()
    assert stashes.byte_count == 0


def test_what_does_not_fit_is_refused_and_leaves_the_rest_alone() -> None:
    stashes = Stashes(bytes_max=4)
    assert stashes.put(peek_id(1), (b"abc",), (1,), 0)
    assert not stashes.put(peek_id(2), (b"ab",), (1,), 0)
    assert stashes.take(peek_id(2), 0) is None
    assert stashes.byte_count == 3


def test_a_repeated_peek_replaces_its_result() -> None:
    stashes = Stashes(bytes_max=4)
    assert stashes.put(peek_id(1), (b"abc",), (1,), 0)
    assert stashes.put(peek_id(1), (b"xyzw",), (1,), 0)
    assert stashes.byte_count == 4


def test_old_results_go_but_not_from_under_a_reader() -> None:
    stashes = Stashes(age_ms_max=10)
    for number, now_ms in ((1, 0), (2, 5), (3, 0)):
        stashes.put(peek_id(number), (b"a",), (1,), now_ms)
    fetch = fetch_of(stashes, 3)
    assert stashes.expire(10) == ()
    assert stashes.expire(11) == (peek_id(1),)
    assert stashes.byte_count == 2
    assert fetch.next_chunk(99) == (b"a", 1)


def test_what_is_being_fetched_counts_until_it_is_handed_on() -> None:
    stashes = Stashes(bytes_max=4)
    stashes.put(peek_id(1), (b"ab", b"cd"), (1, 1), 0)
    fetch = fetch_of(stashes, 1)
    assert not stashes.put(peek_id(2), (b"x",), (1,), 0)
    fetch.next_chunk(0)
    assert stashes.put(peek_id(2), (b"xy",), (1,), 0)
    assert stashes.byte_count == 4


def test_a_reader_that_goes_frees_what_it_did_not_read() -> None:
    stashes = Stashes()
    stashes.put(peek_id(1), (b"ab", b"cd"), (1, 1), 0)
    fetch = fetch_of(stashes, 1)
    fetch.next_chunk(0)
    fetch.close()
    assert stashes.byte_count == 0


def test_a_reader_that_stops_gives_way_when_the_room_is_needed() -> None:
    stashes = Stashes(bytes_max=4, age_ms_max=10)
    stashes.put(peek_id(1), (b"ab", b"cd"), (1, 1), 0)
    stopped = fetch_of(stashes, 1)
    assert not stashes.put(peek_id(2), (b"xy",), (1,), 10), "it may go on at any moment"
    assert stashes.put(peek_id(2), (b"xy",), (1,), 11)
    with pytest.raises(Unavailable, match="gave way"):
        stopped.next_chunk(12)
    stopped.close()
    assert stashes.byte_count == 2


def test_a_reader_that_stops_while_there_is_room_is_left_alone() -> None:
    stashes = Stashes(bytes_max=9, age_ms_max=10)
    stashes.put(peek_id(1), (b"ab", b"cd"), (1, 1), 0)
    stopped = fetch_of(stashes, 1)
    assert stashes.put(peek_id(2), (b"xy",), (1,), 99)
    assert stopped.next_chunk(99) == (b"ab", 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "take", "next", "close", "drop"]), st.integers(1, 4)),
        max_size=40,
    )
)
def test_whatever_happens_the_count_is_what_is_held(events: list[tuple[str, int]]) -> None:
    stashes = Stashes(bytes_max=10, age_ms_max=3)
    fetches: dict[int, Fetch] = {}
    for now_ms, (event, number) in enumerate(events):
        if event == "put":
            stashes.put(peek_id(number), (b"x" * number, b"y"), (1, 1), now_ms)
        elif event == "take" and number not in fetches:
            result = stashes.take(peek_id(number), now_ms)
            if result is not None:
                fetches[number] = Fetch(stashes, result)
        elif event == "next" and number in fetches:
            try:
                fetches[number].next_chunk(now_ms)
            except Unavailable:
                fetches.pop(number).close()
        elif event == "close" and number in fetches:
            fetches.pop(number).close()
        elif event == "drop":
            stashes.drop(peek_id(number))
        assert 0 <= stashes.byte_count <= 10
    for fetch in fetches.values():
        fetch.close()
    stashes.expire(len(events) + 100)
    assert stashes.byte_count == 0
