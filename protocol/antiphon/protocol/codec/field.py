"""Where in a message decoding stopped.

Decoders take a protobuf message and return a value, or raise `MalformedMessage`. Nobody tracks the
path on the way down, which costs nothing while all is well; it is gathered while the error
travels up through `field` and `each`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import TypeVar, cast

from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.ids import RANDOM_ID_BYTES, CollectionId, RandomId

M = TypeVar("M")
V = TypeVar("V")
E = TypeVar("E", bound=IntEnum)
R = TypeVar("R", bound=RandomId)

TIME_LIMIT = 2**64 - 1  # the one u64 that is a frontier but not a time


class MalformedMessage(RemoteProtocolError):
    """A message that breaks the format: `path` names the field, outermost first."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def inside(self, name: str) -> MalformedMessage:
        """The same error, seen from the message that holds it as the field `name`."""
        if not self.path:
            return MalformedMessage(self.reason, name)
        separator = "" if self.path.startswith("[") else "."
        return MalformedMessage(self.reason, name + separator + self.path)


def field(name: str, decode: Callable[[M], V], message: M) -> V:
    """Decode one field; an error inside it names it."""
    try:
        return decode(message)
    except MalformedMessage as error:
        raise error.inside(name) from None


def each(name: str, decode: Callable[[M], V], messages: Iterable[M]) -> tuple[V, ...]:
    """Decode a repeated field; an error inside it names it and the place in it."""
    values: list[V] = []
    try:
        for message in messages:
            values.append(decode(message))
    except MalformedMessage as error:
        raise error.inside(f"{name}[{len(values)}]") from None
    return tuple(values)


def enum(name: str, kind: type[E], number: int) -> E:
    """An enum value; the unspecified zero and unknown numbers are errors."""
    try:
        return kind(number)
    except ValueError:
        raise MalformedMessage(f"{number} is no {kind.__name__}", name) from None


def random_id(name: str, kind: type[R], value: bytes) -> R:
    """Exactly 16 bytes."""
    if len(value) != RANDOM_ID_BYTES:
        raise MalformedMessage(f"{len(value)} bytes, not {RANDOM_ID_BYTES}", name)
    return kind(value)


def time(name: str, value: int) -> int:
    """A time that has a successor."""
    if value >= TIME_LIMIT:
        raise MalformedMessage(f"{value} is no time", name)
    return value


def collections(name: str, values: Iterable[int]) -> tuple[CollectionId, ...]:
    """Ids, none of them zero."""
    found = tuple(values)
    if 0 in found:
        raise MalformedMessage("missing", f"{name}[{found.index(0)}]")
    return cast(tuple[CollectionId, ...], found)


def require(condition: bool, name: str, reason: str) -> None:
    """`condition`, or the field `name` is malformed for `reason`."""
    if not condition:
        raise MalformedMessage(reason, name)
