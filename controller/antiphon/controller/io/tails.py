"""Tails: durable ticks on their way to replicas.

A tick is encoded once, however many tails carry it. Each tail has a queue that is bounded in bytes;
one that overflows is ended, and its replica opens another from where it stands. Ticks that wait
together leave together. A quiet tail says once a second how far it is, so that a replica which
missed the last tick of all learns of the gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from antiphon.protocol.codec import delta_to_proto, frontier_to_proto
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError, LimitExceeded
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import HEARTBEAT_INTERVAL_MS, MIB, TAIL_QUEUE_BYTES_MAX
from antiphon.v1 import collections_pb2 as pb

MERGED_BYTES_MAX: Final = 4 * MIB  # of ticks that share a message
_TICK_BYTES: Final = 64  # what a tick costs beside its deltas


@dataclass(frozen=True, slots=True)
class Piece:
    """Some deltas of an interval of time, encoded."""

    lower: Frontier
    upper: Frontier
    deltas: tuple[pb.CollectionDelta, ...]
    bytes: int


class Tail:
    """What one replica is about to be sent."""

    def __init__(self, collections: frozenset[CollectionId], upper: Frontier) -> None:
        self.collections = collections
        self._upper = upper  # of the last tick that was pushed
        self._queue: deque[Piece] = deque()
        self._bytes = 0
        self._end: ComputeError | None = None
        self._wake = asyncio.Event()

    def push(self, piece: Piece) -> None:
        if self._end is not None:
            return
        self._bytes += piece.bytes
        if self._bytes > TAIL_QUEUE_BYTES_MAX:
            limit = LimitExceeded(
                f"the tail fell {TAIL_QUEUE_BYTES_MAX} bytes behind", limit="TAIL_QUEUE_BYTES_MAX"
            )
            self.end(limit)
        else:
            self._queue.append(piece)
            self._wake.set()

    def end(self, error: ComputeError) -> None:
        """Nothing more leaves; the reader is told why."""
        self._end = error
        self._queue.clear()
        self._wake.set()

    async def next_batch(self) -> pb.TailBatch:
        """Everything that waits, as far as it fits one message; after a second of quiet, nothing
        but where the tail is.

        Raises:
            ComputeError: the tail was ended. A replica that fell too far behind opens another,
                from where it stands.
        """
        while not self._queue and self._end is None:
            self._wake.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_INTERVAL_MS / 1000):
                    await self._wake.wait()
            except TimeoutError:
                return merge([Piece(lower=self._upper, upper=self._upper, deltas=(), bytes=0)])
        if self._end is not None:
            raise self._end
        pieces = [self._queue.popleft()]
        merged_bytes = pieces[0].bytes
        while self._queue and merged_bytes + self._queue[0].bytes <= MERGED_BYTES_MAX:
            pieces.append(self._queue.popleft())
            merged_bytes += pieces[-1].bytes
        self._bytes -= merged_bytes
        return merge(pieces)


def merge(pieces: list[Piece]) -> pb.TailBatch:
    """Neighbouring intervals as one. Deltas of a collection stay in time order."""
    by_collection: dict[int, pb.CollectionDelta] = {}
    if len(pieces) == 1:
        by_collection = {delta.collection: delta for delta in pieces[0].deltas}
    else:
        for piece in pieces:
            for delta in piece.deltas:
                merged = by_collection.get(delta.collection)
                if merged is None:
                    merged = pb.CollectionDelta(collection=delta.collection)
                    by_collection[delta.collection] = merged
                merged.batches.extend(delta.batches)
                merged.error_batches.extend(delta.error_batches)
    return pb.TailBatch(
        lower=frontier_to_proto(pieces[0].lower),
        upper=frontier_to_proto(pieces[-1].upper),
        deltas=by_collection.values(),
    )


def encode(collection: CollectionId, delta: Delta) -> tuple[pb.CollectionDelta, int]:
    """The delta on the wire, and its size in bytes."""
    message = delta_to_proto(collection, delta)
    size = sum(len(batch) for batch in (*message.batches, *message.error_batches))
    return message, size


class Tails:
    """The driver's `TailPort`."""

    def __init__(self) -> None:
        self._tails: list[Tail] = []

    def open(self, collections: frozenset[CollectionId], upper: Frontier) -> Tail:
        """Gets every tick from now, `upper`, on."""
        tail = Tail(collections, upper)
        self._tails.append(tail)
        return tail

    def collections(self) -> frozenset[CollectionId]:
        """What any tail follows."""
        return frozenset().union(*(tail.collections for tail in self._tails))

    def close(self, tail: Tail) -> None:
        self._tails.remove(tail)

    def push(self, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]) -> None:
        if not self._tails:
            return
        encoded = {collection: encode(collection, delta) for collection, delta in deltas.items()}
        for tail in self._tails:
            wanted = [
                encoded_delta
                for collection, encoded_delta in encoded.items()
                if collection in tail.collections
            ]
            tail.push(
                Piece(
                    lower=lower,
                    upper=upper,
                    deltas=tuple(message for message, _ in wanted),
                    bytes=_TICK_BYTES + sum(size for _, size in wanted),
                )
            )

    def end_all(self, error: ComputeError) -> None:
        for tail in self._tails:
            tail.end(error)
