"""Identifiers."""

from __future__ import annotations

import pytest

from antiphon.protocol.ids import (
    TRANSIENT_BIT,
    ClaimId,
    CollectionId,
    PeekId,
    is_transient,
    show,
    transient,
)


def test_a_transient_id_has_the_top_bit() -> None:
    assert transient(1) == TRANSIENT_BIT | 1
    assert is_transient(transient(1))
    assert not is_transient(CollectionId(1))
    assert transient(TRANSIENT_BIT - 1) < 2**64


@pytest.mark.parametrize("counter", [0, -1, TRANSIENT_BIT])
def test_a_counter_stays_below_the_top_bit(counter: int) -> None:
    with pytest.raises(AssertionError, match="not a counter"):
        transient(counter)


def test_ids_are_shown_by_kind_and_number() -> None:
    assert show(CollectionId(7)) == "u7"
    assert show(transient(7)) == "t7"


def test_a_random_id_has_16_bytes_and_shows_the_first_four() -> None:
    assert str(PeekId(b"\xab" * 16)) == "abababab"
    with pytest.raises(AssertionError, match="an id of 3 bytes"):
        PeekId(b"abc")


def test_ids_of_different_kinds_are_never_equal() -> None:
    assert PeekId(b"x" * 16) != ClaimId(b"x" * 16)
    assert PeekId(b"x" * 16) == PeekId(b"x" * 16)
    assert len({PeekId(b"x" * 16), PeekId(b"x" * 16)}) == 1
