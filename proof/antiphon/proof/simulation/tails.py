"""The ticks that a simulated controller pushes to its replicas.

Ticks are hints: some are lost, some arrive twice, and the replica must not mind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from antiphon.proof.simulation.network import Stream
from antiphon.proof.simulation.world import World
from antiphon.protocol.delta import Delta, encode_batch
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.replica.ports import EncodedDelta, OpenTail, TailReceived

LOST_PERCENT: Final = 3
DOUBLED_PERCENT: Final = 3
RECENT_TICKS: Final = 8  # that may be pushed once more with the next one

Tick = tuple[Frontier, Frontier, Mapping[CollectionId, Delta]]  # lower, upper, changes


class Tails:
    """The driver's `TailPort`: pushes every tick into every open tail."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tails: list[tuple[Stream, OpenTail]] = []
        self._recent: deque[Tick] = deque(maxlen=RECENT_TICKS)
        self.overlapping_percent = 0  # of the ticks come with some of those before them

    def open(self, stream: Stream, request: OpenTail) -> None:
        self._tails.append((stream, request))

    def beat(self, upper: Frontier) -> None:
        """What a quiet tail says: how far it is."""
        for stream, request in self._tails:
            stream.send(1, tail_batch(request, upper, upper, {}))

    def clear(self) -> None:
        self._tails.clear()
        self._recent.clear()

    def push(self, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]) -> None:
        self._tails = [(stream, request) for stream, request in self._tails if stream.is_open]
        self._recent.append((lower, upper, deltas))
        for stream, request in self._tails:
            if self._world.random.chance(LOST_PERCENT):
                continue
            batch = tail_batch(request, lower, upper, deltas)
            if self.overlapping_percent and self._world.random.chance(self.overlapping_percent):
                count = self._world.random.between(1, len(self._recent))
                batch = _in_one(request, list(self._recent)[-count:])
            stream.send(1, batch)
            if self._world.random.chance(DOUBLED_PERCENT):
                stream.send(1, batch)


def tail_batch(
    request: OpenTail, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]
) -> TailReceived:
    wanted: dict[CollectionId, EncodedDelta] = {
        collection: encode(delta)
        for collection, delta in deltas.items()
        if collection in request.collections
    }
    return TailReceived(tail=request.tail, lower=lower, upper=upper, deltas=wanted)


def _in_one(request: OpenTail, ticks: list[Tick]) -> TailReceived:
    """Ticks once more, in one piece with the latest; some may be before what was asked for."""
    both: dict[CollectionId, Delta] = {}
    for _, _, deltas in ticks:
        for collection, delta in deltas.items():
            before = both.get(collection, Delta())
            both[collection] = Delta(
                rows=(*before.rows, *delta.rows), errors=(*before.errors, *delta.errors)
            )
    return tail_batch(request, ticks[0][0], ticks[-1][1], both)


def encode(delta: Delta) -> EncodedDelta:
    return EncodedDelta(
        rows=tuple(encode_batch(batch) for batch in delta.rows),
        errors=tuple(encode_batch(batch) for batch in delta.errors),
    )
