"""Results too large for the session, kept until they are fetched, cancelled or too old.

The front owns them, not the worker: serving bytes must not wait for a computation. A result that is
being fetched counts until it has been handed on, chunk by chunk, so that readers who stop reading
have a share of one bound, not memory of their own. One who has stopped for long gives way when a
newer result needs the room.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from antiphon.protocol.errors import Unavailable
from antiphon.protocol.ids import PeekId
from antiphon.protocol.limits import STASH_BYTES_MAX, STASH_RETAIN_MS


@dataclass(slots=True, kw_only=True)
class StashedResult:
    """What is left of a result. `moved_at_ms`: when it was kept, or a chunk last taken."""

    peek_id: PeekId
    chunks: deque[tuple[bytes, int]]  # each with its rows
    byte_count: int
    moved_at_ms: int
    is_evicted: bool = False


class Stashes:
    """Bounded in bytes and age; each result is taken at most once."""

    def __init__(self, bytes_max: int = STASH_BYTES_MAX, age_ms_max: int = STASH_RETAIN_MS) -> None:
        self._results: dict[PeekId, StashedResult] = {}  # nobody fetches these yet
        self._fetched: list[StashedResult] = []  # somebody does
        self._bytes_max = bytes_max
        self._age_ms_max = age_ms_max
        self.byte_count = 0

    def put(
        self, peek_id: PeekId, batches: tuple[bytes, ...], row_counts: tuple[int, ...], now_ms: int
    ) -> bool:
        """False, and nothing kept, if it does not fit. A repeated peek replaces its result."""
        self.drop(peek_id)
        byte_count = sum(len(batch) for batch in batches)
        self._make_room(byte_count, now_ms)
        if self.byte_count + byte_count > self._bytes_max:
            return False
        self._results[peek_id] = StashedResult(
            peek_id=peek_id,
            chunks=deque(zip(batches, row_counts, strict=True)),
            byte_count=byte_count,
            moved_at_ms=now_ms,
        )
        self.byte_count += byte_count
        return True

    def drop(self, peek_id: PeekId) -> None:
        """Nobody wants it, unless it is being fetched already."""
        result = self._results.pop(peek_id, None)
        if result is not None:
            self._free(result)

    def take(self, peek_id: PeekId, now_ms: int) -> StashedResult | None:
        """The result, to be fetched with `next_chunk` and then closed; None if there is none."""
        result = self._results.pop(peek_id, None)
        if result is not None:
            result.moved_at_ms = now_ms
            self._fetched.append(result)
        return result

    def next_chunk(self, result: StashedResult, now_ms: int) -> tuple[bytes, int] | None:
        """A batch and its rows; None at the end.

        Raises:
            Unavailable: its reader had stopped for so long that it gave way to others.
        """
        if result.is_evicted:
            raise Unavailable(
                f"the result of peek {result.peek_id} gave way: its reader had stopped",
                peek=str(result.peek_id),
            )
        if not result.chunks:
            return None
        result.moved_at_ms = now_ms
        batch, row_count = result.chunks.popleft()
        result.byte_count -= len(batch)
        self.byte_count -= len(batch)
        return batch, row_count

    def close(self, result: StashedResult) -> None:
        """Its reader is done, or gone."""
        self._fetched = [other for other in self._fetched if other is not result]
        self._free(result)

    def expire(self, now_ms: int) -> tuple[PeekId, ...]:
        """Drops what is too old; says which. What is being fetched is not."""
        old = tuple(
            peek_id
            for peek_id, result in self._results.items()
            if now_ms - result.moved_at_ms > self._age_ms_max
        )
        for peek_id in old:
            self.drop(peek_id)
        return old

    def _make_room(self, byte_count: int, now_ms: int) -> None:
        """Evict readers that have stopped for too long, the longest first, as far as needed."""
        for result in sorted(self._fetched, key=lambda found: found.moved_at_ms):
            fits = self.byte_count + byte_count <= self._bytes_max
            if fits or now_ms - result.moved_at_ms <= self._age_ms_max:
                return
            result.is_evicted = True
            self._free(result)

    def _free(self, result: StashedResult) -> None:
        self.byte_count -= result.byte_count
        result.byte_count = 0
        result.chunks.clear()


class Fetch:
    """One result on its way to its reader. Close it, however that ends."""

    def __init__(self, stashes: Stashes, result: StashedResult) -> None:
        self._stashes = stashes
        self._result = result

    def next_chunk(self, now_ms: int) -> tuple[bytes, int] | None:
        """See `Stashes.next_chunk`."""
        return self._stashes.next_chunk(self._result, now_ms)

    def close(self) -> None:
        self._stashes.close(self._result)
