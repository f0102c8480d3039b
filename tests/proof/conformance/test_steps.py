"""What answers mean to a check, and how they are told."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.proof.conformance.steps import counted, expect_content, expect_failure, shown
from antiphon.proof.conformance.verdict import Failed, NotApplicable
from antiphon.protocol.response import Failure, PeekCanceled, PeekRows, PeekStashed

NOT_SERVED = Failure(code="not_served", message="no windows yet")
GONE = Failure(code="since_violation", message="it is gone")


def test_an_answer_that_is_not_served_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no windows yet"):
        counted(NOT_SERVED)
    with pytest.raises(NotApplicable):
        expect_failure(NOT_SERVED, "since_violation")


def test_rows_are_counted_and_their_number_is_believed_to_nobody() -> None:
    assert counted(PeekRows(batches=(), row_count=0)) == Counter()
    with pytest.raises(Failed, match="row_count"):
        counted(PeekRows(batches=(), row_count=1))


def test_what_is_not_rows_fails_in_few_words() -> None:
    with pytest.raises(Failed, match="expected rows; seen the failure since_violation"):
        counted(GONE)
    with pytest.raises(Failed, match="seen 3 rows, stashed"):
        counted(PeekStashed(row_count=3, byte_count=9))


def test_a_failure_is_known_by_its_code() -> None:
    expect_failure(GONE, "since_violation", "not_complete")
    with pytest.raises(Failed, match="a failure data_error; seen the failure since_violation"):
        expect_failure(GONE, "data_error")
    with pytest.raises(Failed, match="seen Canceled"):
        expect_failure(PeekCanceled(), "data_error")


def test_contents_are_compared_as_multisets() -> None:
    expect_content(Counter({(1, "a"): 2}), Counter([(1, "a"), (1, "a")]), "at 5")
    with pytest.raises(Failed, match=r"expected \(1, 'a'\)x1 at 5; seen no rows"):
        expect_content(Counter(), Counter([(1, "a")]), "at 5")


def test_many_rows_are_told_by_their_number() -> None:
    many = Counter({(number, "x"): 2 for number in range(9)})
    with pytest.raises(Failed, match="9 distinct rows, 18 in all"):
        expect_content(many, Counter(), "at 5")


def test_answers_are_told_without_their_bytes() -> None:
    assert shown(PeekRows(batches=(b"secret",), row_count=4)) == "4 rows"
