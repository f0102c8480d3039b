"""Results too large for the session, kept until they are fetched, cancelled or too old.

The front owns them, not the worker: serving bytes must not wait for a computation.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.protocol.ids import PeekId
from antiphon.protocol.limits import STASH_BYTES_MAX, STASH_RETAIN_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class StashedResult:
    batches: tuple[bytes, ...]
    row_counts: tuple[int, ...]  # of each batch
    byte_count: int
    kept_at_ms: int


class Stashes:
    """Bounded in bytes and age; each result is taken at most once."""

    def __init__(self, bytes_max: int = STASH_BYTES_MAX, age_ms_max: int = STASH_RETAIN_MS) -> None:
        self._results: dict[PeekId, StashedResult] = {}
        self._bytes_max = bytes_max
        self._age_ms_max = age_ms_max
        self.byte_count = 0

    def put(
        self, peek_id: PeekId, batches: tuple[bytes, ...], row_counts: tuple[int, ...], now_ms: int
    ) -> bool:
        """False, and nothing kept, if it does not fit. A repeated peek replaces its result."""
        self.take(peek_id)
        byte_count = sum(len(batch) for batch in batches)
        if self.byte_count + byte_count > self._bytes_max:
            return False
        self._results[peek_id] = StashedResult(
            batches=batches, row_counts=row_counts, byte_count=byte_count, kept_at_ms=now_ms
        )
        self.byte_count += byte_count
        return True

    def take(self, peek_id: PeekId) -> StashedResult | None:
        """The result, which is then gone from here; None if there is none."""
        result = self._results.pop(peek_id, None)
        if result is not None:
            self.byte_count -= result.byte_count
        return result

    def expire(self, now_ms: int) -> tuple[PeekId, ...]:
        """Drops what is too old; says which."""
        old = tuple(
            peek_id
            for peek_id, result in self._results.items()
            if now_ms - result.kept_at_ms > self._age_ms_max
        )
        for peek_id in old:
            self.take(peek_id)
        return old
