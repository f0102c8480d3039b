"""Identifiers. Those of the catalog are `u64`, never reused; transient ones have the top bit set,
those of introspection collections the next.

Peeks, producers, claims, connections, incarnations and histories are named by 16 random bytes,
which the caller draws: pure code never makes an id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NewType

from antiphon.protocol.errors import InvalidArgument

CollectionId = NewType("CollectionId", int)
InstanceId = NewType("InstanceId", int)
ReplicaId = NewType("ReplicaId", str)  # its name: stable across restarts and addresses
Position = NewType("Position", int)  # in an instance's history, from 1
SessionId = NewType("SessionId", int)  # strictly increasing for a replica
Epoch = NewType("Epoch", int)  # of controllers, from 1

NO_POSITION: Final = Position(0)
NO_EPOCH: Final = Epoch(0)
NO_SESSION: Final = SessionId(0)
TRANSIENT_BIT: Final = 1 << 63
SYSTEM_BIT: Final = 1 << 62
RANDOM_ID_BYTES: Final = 16
REPLICA_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # it names a directory, too


def is_transient(collection: CollectionId) -> bool:
    """Whether the id names ad-hoc work, which no history holds."""
    return collection & TRANSIENT_BIT != 0


def transient(counter: int) -> CollectionId:
    assert 0 < counter < TRANSIENT_BIT, f"not a counter: {counter}"
    return CollectionId(TRANSIENT_BIT | counter)


def system(counter: int) -> CollectionId:
    """Of an introspection collection, which only the controller knows."""
    assert 0 < counter < SYSTEM_BIT, f"not a counter: {counter}"
    return CollectionId(SYSTEM_BIT | counter)


def show(collection: CollectionId) -> str:
    """`u7` for a catalog id, `t7` for a transient one, `s7` for an introspection collection."""
    if is_transient(collection):
        return f"t{collection & ~TRANSIENT_BIT}"
    if collection & SYSTEM_BIT:
        return f"s{collection & ~SYSTEM_BIT}"
    return f"u{collection}"


def check_replica_name(name: str) -> None:
    """Raises InvalidArgument: no replica can be called so."""
    if REPLICA_NAME.fullmatch(name) is None:
        raise InvalidArgument(
            f"not a replica's name: {name!r} (a-z, 0-9, _ and -, up to 63, not - or _ first)",
            name=name,
        )


@dataclass(frozen=True, slots=True)
class RandomId:
    """16 bytes that somebody drew; shown by its first eight hex digits."""

    value: bytes

    def __post_init__(self) -> None:
        assert len(self.value) == RANDOM_ID_BYTES, f"an id of {len(self.value)} bytes"

    def __str__(self) -> str:
        return self.value.hex()[:8]


class PeekId(RandomId):
    __slots__ = ()


class ProducerId(RandomId):
    __slots__ = ()


class ClaimId(RandomId):
    __slots__ = ()


class ConnectionId(RandomId):
    __slots__ = ()


class Incarnation(RandomId):
    __slots__ = ()


class HistoryId(RandomId):
    __slots__ = ()
