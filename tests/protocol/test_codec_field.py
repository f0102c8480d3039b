"""Where decoding stopped: the path is gathered from the inside out."""

from __future__ import annotations

from enum import IntEnum

import pytest

from antiphon.protocol.codec.field import (
    TIME_LIMIT,
    MalformedMessage,
    each,
    enum,
    field,
    random_id,
    require,
    time,
)
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.ids import PeekId


class Color(IntEnum):
    RED = 1


def odd(number: int) -> int:
    require(number % 2 == 1, "number", f"{number} is even")
    return number


def odds(numbers: list[int]) -> tuple[int, ...]:
    return each("numbers", odd, numbers)


def test_a_path_goes_from_the_outside_in() -> None:
    with pytest.raises(MalformedMessage) as caught:
        field("outer", odds, [1, 3, 4])
    assert caught.value.path == "outer.numbers[2].number"
    assert str(caught.value) == "outer.numbers[2].number: 4 is even"


def test_what_is_well_formed_comes_back_as_a_tuple() -> None:
    assert field("outer", odds, [1, 3]) == (1, 3)
    assert odds([]) == ()


def test_a_malformed_message_is_the_fault_of_the_peer() -> None:
    assert issubclass(MalformedMessage, RemoteProtocolError)
    assert str(MalformedMessage("nothing in it")) == "nothing in it"


def test_an_enum_has_no_zero_and_no_unknown_number() -> None:
    assert enum("color", Color, 1) is Color.RED
    for number in (0, 2, -1):
        with pytest.raises(MalformedMessage, match=f"color: {number} is no Color"):
            enum("color", Color, number)


def test_a_random_id_has_16_bytes() -> None:
    assert random_id("id", PeekId, b"x" * 16) == PeekId(b"x" * 16)
    for size in (0, 15, 17):
        with pytest.raises(MalformedMessage, match=f"id: {size} bytes"):
            random_id("id", PeekId, b"x" * size)


def test_a_time_has_a_successor() -> None:
    assert time("t", TIME_LIMIT - 1) == TIME_LIMIT - 1
    with pytest.raises(MalformedMessage, match="t: "):
        time("t", TIME_LIMIT)
