"""Errors as values and back."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import ComputeError, DuplicateKey, Internal, OutcomeUnknown
from antiphon.protocol.failure import ERRORS, error_of, failure_of
from antiphon.protocol.response import Failure

KINDS = sorted(ERRORS.values(), key=lambda kind: kind.code)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_error_survives_as_a_value(kind: type[ComputeError]) -> None:
    error = kind("it was so", table="t", rows=3)
    again = error_of(failure_of(error))
    assert type(again) is kind
    assert (again.message, again.details) == (error.message, error.details)
    assert failure_of(again) == failure_of(error)


def test_an_unknown_code_is_taken_for_an_indefinite_error_and_kept() -> None:
    error = error_of(Failure(code="from_the_future", message="?", details={"a": "1"}))
    assert type(error) is Internal
    assert not error.definite
    assert error.details == {"a": "1", "code": "from_the_future"}


def test_what_its_sender_calls_indefinite_stays_so() -> None:
    error = error_of(Failure(code="duplicate_key", message="?", definite=False))
    assert type(error) is OutcomeUnknown
    assert error.details == {"code": "duplicate_key"}


def test_what_we_call_indefinite_is_not_made_definite_by_its_sender() -> None:
    error = error_of(Failure(code="link_timeout", message="?", definite=True))
    assert not error.definite


def test_a_detail_may_have_any_name() -> None:
    failure = Failure(code="duplicate_key", message="x", details={"message": "y", "self": "z"})
    assert error_of(failure).details == {"message": "y", "self": "z"}


def test_the_failure_does_not_share_the_details_of_its_error() -> None:
    error = DuplicateKey("x", table="t")
    failure = failure_of(error)
    error.details["table"] = "changed"
    assert failure.details == {"table": "t"}
