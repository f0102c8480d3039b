"""Configuration: what is set wins, what is not set stays, what is unknown is nobody's harm."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import RemoteProtocolError
from antiphon.replica.configuration import Configuration


def test_absent_keys_keep_their_value() -> None:
    first = Configuration().updated({"result_bytes_max": "5"})
    second = first.updated({"inline_bytes_max": "6"})
    assert second.result_bytes_max == 5
    assert second.inline_bytes_max == 6


def test_unknown_keys_are_ignored() -> None:
    assert Configuration().updated({"of_a_later_version": "x"}) == Configuration()


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1.5", "²"])
def test_what_is_no_positive_number_is_refused(value: str) -> None:
    with pytest.raises(RemoteProtocolError, match="result_bytes_max"):
        Configuration().updated({"result_bytes_max": value})


def test_a_setting_can_be_taken_back() -> None:
    changed = Configuration().updated({"result_bytes_max": "5", "inline_bytes_max": "6"})
    assert changed.updated({"result_bytes_max": "default"}) == Configuration(inline_bytes_max=6)
