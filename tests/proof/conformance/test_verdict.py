"""A failure says what was expected and what was seen, in one line."""

from __future__ import annotations

import pytest

from antiphon.proof.conformance.verdict import Failed, expect, expect_equal, one_line


def test_what_holds_raises_nothing() -> None:
    expect(True, "anything", "anything")
    expect_equal([1, 2], [1, 2], "the list")


def test_what_does_not_hold_says_both_sides() -> None:
    with pytest.raises(Failed, match=r"^expected three; seen two lines$") as found:
        expect(False, "three", "two\n  lines")
    assert (found.value.expected, found.value.seen) == ("three", "two lines")


def test_a_difference_names_what_differs() -> None:
    with pytest.raises(Failed, match="expected the head to be 3; seen 4"):
        expect_equal(4, 3, "the head")


def test_bytes_are_shown_in_hexadecimal() -> None:
    assert one_line(b"\x01\xff") == "01ff"


def test_a_long_value_is_cut() -> None:
    assert one_line("x" * 400, 10) == "xxxxxxx..."
