"""Reservations: a statement that others overtake again and again is let through once.

`UPDATE` and `DELETE` read first, and append if nothing they read has changed since. Beside a writer
that never rests that may fail for ever. So after a few attempts such a statement reserves what it
reads from: appends of others to it wait, in order, until the statement is done or its time is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from antiphon.history.store import Append
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.limits import MIB

RESERVED_MS_MAX: Final = 5_000  # others do not wait longer for one statement
WAITING_APPENDS_MAX: Final = 65_536  # beyond it an append is refused rather than kept waiting
WAITING_BYTES_MAX: Final = 256 * MIB  # of columns, for the same reason

Resume = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Wish:
    owner: int
    collections: frozenset[CollectionId]
    granted: Resume


class Reservations:
    """Who may append to what. Owners are requests; grants are in the order of the wishes."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[frozenset[CollectionId], int]] = {}  # until when, in ms
        self._wishes: deque[_Wish] = deque()
        self._waiting: deque[tuple[CollectionId, Resume, int]] = deque()
        self._waiting_bytes = 0

    @property
    def wake_at_ms(self) -> int | None:
        """When the first reservation is over."""
        return min((until_ms for _, until_ms in self._held.values()), default=None)

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    def holds(self, owner: int) -> bool:
        return owner in self._held

    def wish(
        self, owner: int, collections: tuple[CollectionId, ...], now_ms: int, granted: Resume
    ) -> None:
        """Reserve these for `owner`, at once or when whoever has them is done."""
        assert owner not in self._held, f"request {owner} has its reservation"
        self._wishes.append(_Wish(owner, frozenset(collections), granted))
        self._grant(now_ms)

    def blocks(self, append: Append, owner: int | None) -> bool:
        """Whether an append has to wait."""
        return any(
            append.collection in collections
            for holder, (collections, _) in self._held.items()
            if holder != owner
        )

    def wait(self, append: Append, resume: Resume) -> bool:
        """Keep an append that is blocked; False: too much waits already."""
        size = append.rows.nbytes
        if len(self._waiting) >= WAITING_APPENDS_MAX:
            return False
        if self._waiting and self._waiting_bytes + size > WAITING_BYTES_MAX:
            return False
        self._waiting.append((append.collection, resume, size))
        self._waiting_bytes += size
        return True

    def release(self, owner: int, now_ms: int) -> None:
        """The statement is done, or gives up: those who waited go on, then the next is let in."""
        self._wishes = deque(wish for wish in self._wishes if wish.owner != owner)
        if self._held.pop(owner, None) is not None:
            self._resume()
            self._grant(now_ms)

    def expire(self, now_ms: int) -> None:
        """Nobody keeps others waiting for longer than he may."""
        over = [owner for owner, (_, until_ms) in self._held.items() if until_ms <= now_ms]
        for owner in over:
            self.release(owner, now_ms)

    def _grant(self, now_ms: int) -> None:
        for wish in list(self._wishes):
            taken = any(wish.collections & collections for collections, _ in self._held.values())
            if not taken:
                self._wishes.remove(wish)
                self._held[wish.owner] = (wish.collections, now_ms + RESERVED_MS_MAX)
                wish.granted()

    def _resume(self) -> None:
        """In the order in which they came; what another reservation blocks waits on."""
        waiting, self._waiting = self._waiting, deque()
        self._waiting_bytes = 0
        for collection, resume, size in waiting:
            if any(collection in collections for collections, _ in self._held.values()):
                self._waiting.append((collection, resume, size))
                self._waiting_bytes += size
            else:
                resume()
