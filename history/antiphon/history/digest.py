"""The digest chain over the numbered commands, independent of how a record is enveloped.

The digest at a position covers every command up to and with it, so two parties with equal digests
at one position hold the same commands there. The chain of nothing is 32 zero bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.ids import Position

DIGEST_BYTES: Final = 32
EMPTY_DIGEST: Final = bytes(DIGEST_BYTES)


class ChainBroken(AntiphonError):
    """The stored commands do not give the stored digests: the store was damaged or edited."""

    def __init__(self, position: Position, reason: str) -> None:
        super().__init__(
            f"the history is damaged at position {position}: {reason};"
            " stop the controller and restore the data directory from a copy"
        )
        self.position = position
        self.reason = reason


def extend(previous: bytes, position: Position, kind: str, payload: bytes) -> bytes:
    """SHA-256 of (previous, position as 8 bytes little-endian, kind, one zero byte, payload).

    The zero byte ends the kind, so that no other (kind, payload) gives the same bytes.
    """
    assert len(previous) == DIGEST_BYTES, f"a digest of {len(previous)} bytes"
    assert position > 0, "positions begin at 1"
    assert "\0" not in kind, "a kind holds no zero byte"
    digest = hashlib.sha256(previous)
    digest.update(position.to_bytes(8, "little"))
    digest.update(kind.encode())
    digest.update(b"\0")
    digest.update(payload)
    return digest.digest()


def chain(
    commands: Iterable[tuple[str, bytes]], *, start: bytes = EMPTY_DIGEST, after: Position
) -> bytes:
    """The digest after (kind, payload) pairs that follow the position `after`."""
    digest = start
    for position, (kind, payload) in enumerate(commands, after + 1):
        digest = extend(digest, Position(position), kind, payload)
    return digest
