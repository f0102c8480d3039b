"""Stashes: bounded, taken once, forgotten in time."""

from __future__ import annotations

from antiphon.replica.stash import Stashes
from tests.replica.scripted import peek_id


def test_a_result_is_taken_once() -> None:
    stashes = Stashes()
    assert stashes.put(peek_id(1), (b"ab", b"c"), (2, 1), 0)
    assert stashes.byte_count == 3
    found = stashes.take(peek_id(1))
    assert found is not None
    assert found.batches == (b"ab", b"c")
    assert stashes.take(peek_id(1)) is None
    assert stashes.byte_count == 0


def test_what_does_not_fit_is_refused_and_leaves_the_rest_alone() -> None:
    stashes = Stashes(bytes_max=4)
    assert stashes.put(peek_id(1), (b"abc",), (1,), 0)
    assert not stashes.put(peek_id(2), (b"ab",), (1,), 0)
    assert stashes.take(peek_id(2)) is None
    assert stashes.byte_count == 3


def test_a_repeated_peek_replaces_its_result() -> None:
    stashes = Stashes(bytes_max=4)
    assert stashes.put(peek_id(1), (b"abc",), (1,), 0)
    assert stashes.put(peek_id(1), (b"xyzw",), (1,), 0)
    assert stashes.byte_count == 4


def test_old_results_go() -> None:
    stashes = Stashes(age_ms_max=10)
    stashes.put(peek_id(1), (b"a",), (1,), 0)
    stashes.put(peek_id(2), (b"b",), (1,), 5)
    assert stashes.expire(10) == ()
    assert stashes.expire(11) == (peek_id(1),)
    assert stashes.byte_count == 1
