"""The peer that gives the base of a rebuild: what it says, chunk by chunk, as a check has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.proof.conformance.content import Change, Row
from antiphon.protocol.ids import CollectionId, Epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One message of a FetchState. `changes`: all at `time`."""

    index: int
    changes: tuple[Change, ...]
    time: int
    rows_total: int = 0
    last: bool = False
    digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a replica asked the peer for."""

    collection: CollectionId
    time: int
    epoch: Epoch


class ScriptedPeer:
    """`chunks`: what it answers, in this order; then the stream ends."""

    def __init__(self) -> None:
        self.chunks: Sequence[Chunk] = ()
        self.asked: list[Asked] = []


def chunks_of(content: Counter[Row], time: int, digest: bytes, count: int = 3) -> list[Chunk]:
    """The content as an honest peer gives it."""
    rows = sorted(content.items())
    size = -(-len(rows) // count)
    return [
        Chunk(
            index=index,
            changes=tuple((row, time, n) for row, n in rows[index * size : (index + 1) * size]),
            time=time,
            rows_total=len(rows),
            last=index == count - 1,
            digest=digest if index == count - 1 else b"",
        )
        for index in range(count)
    ]
