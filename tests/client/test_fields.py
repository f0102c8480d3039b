"""What no field can hold is refused by the field's name."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.client.fields import fitted
from antiphon.protocol.errors import InvalidArgument
from antiphon.v1 import control_pb2 as wire


def test_what_fits_is_the_message() -> None:
    made = fitted(wire.ExecuteRequest, sql="SELECT 1", as_of=2**64 - 1, replica="r1")
    assert made == wire.ExecuteRequest(sql="SELECT 1", as_of=2**64 - 1, replica="r1")


def test_none_leaves_a_field_unset() -> None:
    assert not fitted(wire.ExecuteRequest, sql="SELECT 1", as_of=None).HasField("as_of")


@pytest.mark.parametrize("value", [-1, 2**64, 1.5, "x", b"x"])
def test_a_time_that_is_none_is_named(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="as_of cannot be "):
        fitted(wire.ExecuteRequest, sql="SELECT 1", as_of=value)


def test_text_that_is_no_unicode_is_named_and_shortened() -> None:
    with pytest.raises(InvalidArgument, match="sql cannot be ") as caught:
        fitted(wire.ExecuteRequest, sql="x" * 10_000 + "\ud800")
    assert len(caught.value.message) < 300
    caught.value.message.encode()  # it can be printed
