"""Producers, and which errors may be tried again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.client.session import (
    Attempts,
    Lease,
    Producers,
    explain,
    is_harmless,
    is_known,
    may_repeat,
)
from antiphon.client.statements import Effect
from antiphon.protocol.errors import (
    AntiphonError,
    CollectionMissing,
    DuplicateKey,
    Internal,
    LinkTimeout,
    OutcomeUnknown,
    RemoteProtocolError,
    StorePoisoned,
    Unavailable,
)


def producers() -> Producers:
    counter = itertools.count(1)
    return Producers(lambda: next(counter).to_bytes(16, "big"))


def test_appends_one_after_another_share_a_producer_with_rising_sequences() -> None:
    pool = producers()
    first = pool.lease()
    pool.settle(first, known=True)
    second = pool.lease()
    assert (second.producer, second.sequence) == (first.producer, first.sequence + 1)


@given(st.lists(st.sampled_from(["lease", "known", "unknown"]), max_size=60))
def test_no_producer_is_leased_twice_at_once_and_no_pair_ever_twice(steps: list[str]) -> None:
    pool = producers()
    out: list[Lease] = []
    seen: set[Lease] = set()
    given_up = set()
    for step in steps:
        if step == "lease":
            lease = pool.lease()
            assert lease not in seen, "a pair was used for two changes"
            assert lease.producer not in {other.producer for other in out}
            assert lease.producer not in given_up, "an unknown change may still arrive"
            seen.add(lease)
            out.append(lease)
        elif out:
            lease = out.pop(0)
            pool.settle(lease, known=step == "known")
            if step == "unknown":
                given_up.add(lease.producer)


@pytest.mark.parametrize("error", [LinkTimeout("x"), OutcomeUnknown("x"), StorePoisoned("x")])
def test_an_indefinite_error_is_repeated_only_if_that_is_harmless(error: AntiphonError) -> None:
    assert may_repeat(error, harmless=True)
    assert not may_repeat(error, harmless=False)


def test_unavailable_may_always_be_repeated_because_nothing_was_done() -> None:
    assert may_repeat(Unavailable("x"), harmless=False)


def test_what_the_server_has_waited_for_is_not_waited_for_again() -> None:
    assert not may_repeat(Unavailable("no replica was connected", waited_s=30), harmless=True)


@pytest.mark.parametrize(
    "error", [DuplicateKey("x"), Internal("x"), RemoteProtocolError("x"), ValueError("x")]
)
def test_nothing_else_is_repeated(error: Exception) -> None:
    assert not may_repeat(error, harmless=True)


def test_only_a_definite_error_says_that_nothing_happened() -> None:
    assert is_known(DuplicateKey("x"))
    assert not is_known(OutcomeUnknown("x"))
    assert not is_known(RemoteProtocolError("x"))


def test_changes_are_harmless_with_a_sequence_and_catalog_statements_never() -> None:
    assert is_harmless(Effect.READ, sequenced=False)
    assert is_harmless(Effect.CHANGE, sequenced=True)
    assert not is_harmless(Effect.CHANGE, sequenced=False)
    assert not is_harmless(Effect.CATALOG, sequenced=True)


def test_an_error_is_explained_in_one_line_without_repeating_itself() -> None:
    error = CollectionMissing("there is no\n collection 'x'", name="x", position=7)
    assert explain(error) == "there is no collection 'x' (position=7)"


def test_a_refusal_after_a_lost_answer_leaves_the_outcome_open() -> None:
    attempts = Attempts()
    attempts.failed(OutcomeUnknown("lost"))
    last = Unavailable("nobody there")
    attempts.failed(last)
    assert not attempts.is_known
    told = attempts.outcome(last)
    assert isinstance(told, OutcomeUnknown)
    assert not told.definite
    assert "nobody there" in told.message


def test_a_refusal_alone_and_one_by_the_store_are_certain() -> None:
    attempts = Attempts()
    last = Unavailable("nobody there")
    attempts.failed(last)
    assert attempts.is_known
    assert attempts.outcome(last) is last
    attempts.failed(OutcomeUnknown("lost"))
    duplicate = DuplicateKey("taken")
    attempts.failed(duplicate)
    assert attempts.is_known
    assert attempts.outcome(duplicate) is duplicate


def test_a_success_settles_everything() -> None:
    attempts = Attempts()
    attempts.failed(OutcomeUnknown("lost"))
    attempts.succeeded()
    assert attempts.is_known
