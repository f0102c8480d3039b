"""The tree of errors."""

from __future__ import annotations

from antiphon.protocol.errors import (
    AntiphonError,
    CollectionMissing,
    ComputeError,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
)
from antiphon.protocol.failure import ERRORS


def test_a_protocol_error_is_no_answer() -> None:
    for kind in (RemoteProtocolError, LocalProtocolError):
        assert issubclass(kind, ProtocolError)
        assert not issubclass(kind, ComputeError)
    assert issubclass(ComputeError, AntiphonError)


def test_an_error_carries_names_and_numbers_not_only_prose() -> None:
    error = CollectionMissing("there is no t", name="t", id=7)
    assert str(error) == error.message == "there is no t"
    assert error.details == {"name": "t", "id": "7"}


def test_codes_are_unique_snake_case_and_stable_in_number() -> None:
    assert all(code == code.lower() and code.replace("_", "").isalpha() for code in ERRORS)
    assert len(set(ERRORS.values())) == len(ERRORS)


def test_only_these_may_have_taken_effect() -> None:
    indefinite = {code for code, kind in ERRORS.items() if not kind.definite}
    assert indefinite == {"link_timeout", "outcome_unknown", "store_poisoned", "internal"}


def test_every_error_says_what_it_means() -> None:
    assert all(kind.__dict__.get("__doc__") for kind in ERRORS.values())
