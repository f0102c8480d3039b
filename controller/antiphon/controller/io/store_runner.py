"""The SQLite store beside the event loop: submissions go out, completions come back in order.

The store's writer is a thread of its own; a completion costs one wake-up of the loop for each
group, however many it answers. Reads that block run on a small pool.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from antiphon.history.io.sqlite.store import SqliteStore, open_store
from antiphon.history.store import (
    Completion,
    Fence,
    Lease,
    Opened,
    Refused,
    StoredCommand,
    Submission,
)
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import Unavailable
from antiphon.protocol.ids import CollectionId, Position

READ_THREADS: Final = 2  # snapshots and tails of replicas, history for people

V = TypeVar("V")
OnCompletions = Callable[[tuple[Completion, ...]], None]


class StoreRunner:
    """The driver's `StorePort`, and the store's reads for the services."""

    def __init__(self, store: SqliteStore, on_completions: OnCompletions) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-reader")
        # Looks are short, and reads depend on them: they do not queue behind snapshots.
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="store-look")
        self._on_completions = on_completions
        self._closing = False
        self._late: list[Refused] = []

    @classmethod
    async def open(
        cls, directory: Path, on_completions: OnCompletions, *, standby: bool = False
    ) -> StoreRunner:
        """Open, and claim unless to stand by.

        Raises:
            StoreLocked, VersionMismatch, ChainBroken
        """
        loop = asyncio.get_running_loop()

        def deliver(completions: tuple[Completion, ...]) -> None:
            loop.call_soon_threadsafe(on_completions, completions)

        store = await asyncio.to_thread(
            lambda: open_store(directory, deliver=deliver, standby=standby)
        )
        return cls(store, on_completions)

    @property
    def opened(self) -> Opened:
        return self._store.opened

    @property
    def fence(self) -> Fence | None:
        """This process's claim; None: it stands by."""
        return self._store.fence

    @property
    def is_standby(self) -> bool:
        return self._store.fence is None

    async def look(self, what: Callable[[], V]) -> V:
        """One of the short questions below, or a lease."""
        return await asyncio.get_running_loop().run_in_executor(self._looks, what)

    def read_now(self) -> Opened:
        return self._store.read()

    def owner_now(self) -> Fence:
        return self._store.owner()

    def moment(self) -> int:
        return self._store.moment()

    def live_address(self) -> str:
        return self._store.live_address()

    def keep(self, lease: Lease) -> None:
        self._store.keep(lease)

    async def announce(self, address: str) -> None:
        """Leave a note of where the live controller listens."""
        await self.look(lambda: self._store.announce(address))

    async def promote(self, wait_s: float) -> Opened:
        """As the store's `promote`. Canceled, it waits for the older process no longer, and ends
        once the store is a standby's or a writer's, whole."""
        hurry = threading.Event()
        claiming = asyncio.ensure_future(
            self.look(lambda: self._store.promote(wait_s=wait_s, hurry=hurry))
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            hurry.set()
            await asyncio.wait({claiming})
            raise

    def submit(self, submission: Submission) -> None:
        if not self._closing:
            self._store.submit(submission)
            return
        # Answered after what was submitted before: answers come in order.
        error = Unavailable("the controller stops")
        self._late.append(Refused(token=submission.token, error=error))

    async def read(self, what: Callable[[], V]) -> V:
        """Run a blocking read."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, what)

    async def commands(self, start: Position) -> list[StoredCommand]:
        """The commands from `start` on; of those that were folded, what is left of them."""
        return await self.read(
            lambda: [stored for stored in self._store.history() if stored.position >= start]
        )

    async def log(self, after: Position, last: Position) -> list[StoredCommand]:
        """The commands at after < position <= last, but none that was folded."""
        return await self.read(
            lambda: list(self._store.commands(Position(after + 1), Position(last + 1)))
        )

    async def snapshot(self, collection: CollectionId, as_of: int) -> AsyncIterator[Delta]:
        """Chunk by chunk, as fast as the caller takes them. Raises as the store's reader does."""
        chunks: Iterator[Delta] = await self.read(lambda: self._store.snapshot(collection, as_of))
        while (chunk := await self.read(lambda: next(chunks, None))) is not None:
            yield chunk

    async def snapshot_rows(self, collection: CollectionId, as_of: int) -> int:
        """At most so many rows has the snapshot. Raises as the store's reader does."""
        return await self.read(lambda: self._store.snapshot_rows(collection, as_of))

    async def listen(self, collection: CollectionId, lower: int, upper: int) -> list[Delta]:
        """All deltas of an interval, in time order. Raises as the store's reader does."""
        return await self.read(lambda: list(self._store.listen(collection, lower, upper)))

    async def close(self) -> None:
        """Make durable what was submitted, deliver it, let the next controller in. What is
        submitted from now on is refused."""
        self._closing = True
        await asyncio.to_thread(self._store.close)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._looks.shutdown(wait=False, cancel_futures=True)
        self._on_completions(tuple(self._late))
        self._late.clear()
