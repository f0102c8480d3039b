"""The blocking client: the asynchronous one, run on an event loop of its own thread.

Every method is the asynchronous one of the same name and raises the same errors; interrupting a
call (Ctrl-C) cancels it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from antiphon.client.asynchronous import AsyncClient
from antiphon.client.changes import Changes
from antiphon.client.collection import Collection
from antiphon.client.ports import LoopPort
from antiphon.client.result import Result
from antiphon.client.sources import Appended, Data, OnProgress
from antiphon.client.subscription import ChangeBatch
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire


class BlockingChanges:
    """A running subscription as an iterator; see `Changes`. Use `with`, or call `close`."""

    def __init__(self, changes: Changes, loop: LoopPort) -> None:
        self._changes = changes
        self._loop = loop

    @property
    def frontier(self) -> Frontier | None:
        """What to pass as `from_frontier` to go on after the last batch; None before the first."""
        return self._changes.frontier

    def __iter__(self) -> Iterator[ChangeBatch]:
        return self

    def __next__(self) -> ChangeBatch:
        batch = self._loop.run(_next_batch(self._changes))
        if batch is None:
            raise StopIteration
        return batch

    def acknowledge(self) -> None:
        """Everything handed out so far has been dealt with. See `Changes.acknowledge`."""
        self._loop.run(self._changes.acknowledge())

    def close(self) -> None:
        """Ends the stream. Further iteration ends at once."""
        self._loop.run(self._changes.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Client:
    """A connection to one controller. Make it with `antiphon.client.connect`; use it from any
    number of threads."""

    def __init__(self, client: AsyncClient, loop: LoopPort) -> None:
        self._client = client
        self._loop = loop

    @property
    def address(self) -> str:
        """As `AsyncClient.address`."""
        return self._client.address

    def sql(
        self, text: str, *, as_of: int | None = None, replica: str = "", rows_max: int = 0,
        bytes_max: int = 0,
    ) -> Result:  # fmt: skip
        """Runs one statement, or several of which it returns the last result. See
        `AsyncClient.sql`."""
        return self._loop.run(
            self._client.sql(
                text, as_of=as_of, replica=replica, rows_max=rows_max, bytes_max=bytes_max
            )
        )

    def script(
        self, text: str, *, as_of: int | None = None, replica: str = "", rows_max: int = 0,
        bytes_max: int = 0,
    ) -> list[Result]:  # fmt: skip
        """Runs all statements of a text in order: one result each. See `AsyncClient.script`."""
        return self._loop.run(
            self._client.script(
                text, as_of=as_of, replica=replica, rows_max=rows_max, bytes_max=bytes_max
            )
        )

    def append(
        self, collection: str, data: Data, *, file_format: str | None = None,
        nulls: Sequence[str] = ("",), progress: OnProgress | None = None,
    ) -> Appended:  # fmt: skip
        """Appends rows to a table, or upserts them into a feed. See `AsyncClient.append`.

        `progress` is called on the client's thread.
        """
        return self._loop.run(
            self._client.append(
                collection, data, file_format=file_format, nulls=nulls, progress=progress
            )
        )

    def delete(
        self, collection: str, data: Data, *, file_format: str | None = None,
        nulls: Sequence[str] = ("",), progress: OnProgress | None = None,
    ) -> Appended:  # fmt: skip
        """Deletes rows: from a feed by the key's columns, from a table by all columns. See
        `AsyncClient.delete`."""
        return self._loop.run(
            self._client.delete(
                collection, data, file_format=file_format, nulls=nulls, progress=progress
            )
        )

    def peek(
        self, collection: str, *, key: Any = None, columns: Sequence[str] = (),
        as_of: int | None = None, replica: str = "", rows_max: int = 0, bytes_max: int = 0,
    ) -> pa.Table:  # fmt: skip
        """The content of a named collection at one time. See `AsyncClient.peek`."""
        return self._loop.run(
            self._client.peek(
                collection, key=key, columns=columns, as_of=as_of, replica=replica,
                rows_max=rows_max, bytes_max=bytes_max,
            )
        )  # fmt: skip

    def subscribe(
        self, name_or_query: str, *, from_frontier: Frontier | None = None,
        with_snapshot: bool = True, with_progress: bool = False, replica: str = "",
        hold: str = "", hold_deadline_ms: int = 0,
    ) -> BlockingChanges:  # fmt: skip
        """Every change of a collection or query, as an iterator of `ChangeBatch`es. See
        `AsyncClient.subscribe`."""
        changes = self._client.subscribe(
            name_or_query, from_frontier=from_frontier, with_snapshot=with_snapshot,
            with_progress=with_progress, replica=replica, hold=hold,
            hold_deadline_ms=hold_deadline_ms,
        )  # fmt: skip
        return BlockingChanges(changes, self._loop)

    def release_hold(self, name: str) -> None:
        """Lets go of a named hold. See `AsyncClient.release_hold`."""
        self._loop.run(self._client.release_hold(name))

    def collections(self) -> list[Collection]:
        """All named collections, in the order of their ids."""
        return self._loop.run(self._client.collections())

    def collection(self, name: str) -> Collection:
        """One named collection. See `AsyncClient.collection`."""
        return self._loop.run(self._client.collection(name))

    def status(self) -> wire.GetStatusResponse:
        """The instance and its replicas, as the controller sees them."""
        return self._loop.run(self._client.status())

    def add_replica(
        self, name: str, address: str = "", *, read_only: bool = False
    ) -> wire.ReplicaInfo:
        """Adds a replica, for good. See `AsyncClient.add_replica`."""
        return self._loop.run(self._client.add_replica(name, address, read_only=read_only))

    def remove_replica(self, name: str) -> None:
        """Stops and forgets a replica."""
        self._loop.run(self._client.remove_replica(name))

    def promote(self) -> int:
        """Makes the standby at this client's address the controller. See `AsyncClient.promote`."""
        return self._loop.run(self._client.promote())

    def promote_replica(self, name: str) -> None:
        """Lets a replica that was added read-only write from now on."""
        self._loop.run(self._client.promote_replica(name))

    def explain_replica(self, name: str) -> list[wire.ReplicaDecision]:
        """Why the replica was kept up, caught up, reconciled or rebuilt, oldest first."""
        return self._loop.run(self._client.explain_replica(name))

    def history(
        self, *, from_position: int = 1, records_max: int = 0, reduced: bool = False
    ) -> list[wire.HistoryRecord]:
        """The durable commands, oldest first. `reduced`: only those that still matter."""
        records = self._client.history(
            from_position=from_position, records_max=records_max, reduced=reduced
        )
        return self._loop.run(_gather(records))

    def close(self) -> None:
        """Closes the connection; calls under way in other threads fail."""
        self._loop.run(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


async def _next_batch(changes: Changes) -> ChangeBatch | None:
    # StopAsyncIteration may not leave a coroutine that another thread waits for.
    async for batch in changes:
        return batch
    return None


async def _gather(records: AsyncIterator[wire.HistoryRecord]) -> list[wire.HistoryRecord]:
    return [record async for record in records]
