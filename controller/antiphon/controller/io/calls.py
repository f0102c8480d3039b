"""One call of a client, from its event to its last reply.

A call that ends before its last reply, for whatever reason, is canceled at the driver: the client
went away, or something failed on the way to it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass
from typing import Final

from antiphon.controller.driver import Driver
from antiphon.controller.instance.event import RequestCanceled, StashReleased
from antiphon.controller.io.link import Links
from antiphon.controller.io.replies import Mailbox, Replies
from antiphon.controller.ports import (
    ReplanReply,
    Reply,
    RowsReply,
    StashReply,
    SubscribeReply,
)
from antiphon.controller.request import DriverEvent, ReadOptions, StatementReceived
from antiphon.controller.sql.statement import Statement, Subscribe
from antiphon.history.store import ProducerSequence
from antiphon.protocol.errors import ComputeError, RemoteProtocolError
from antiphon.protocol.ids import PeekId, ReplicaId

FETCHES_MAX: Final = 3  # of one stashed answer, when replicas die on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of an answer: an Arrow message without schema. `row_count` None: as it says."""

    batch: bytes
    row_count: int | None
    time: int
    replica: ReplicaId


class CatalogMoved(Exception):
    """The catalog moved under the statement, and nothing was done: plan it again."""


class Calls:
    """What the services call the driver through."""

    def __init__(
        self,
        *,
        driver: Driver,
        handle: Callable[[DriverEvent], None],
        replies: Replies,
        links: Links,
    ) -> None:
        self._driver = driver
        self._replies = replies
        self._links = links
        self.handle = handle

    @property
    def driver(self) -> Driver:
        return self._driver

    def open(self) -> AbstractContextManager[Mailbox]:
        """A request number and its mailbox, for as long as the call lasts."""
        return self._replies.opened(lambda request: self.handle(RequestCanceled(request=request)))

    def begin(
        self,
        mailbox: Mailbox,
        statement: Statement,
        version: int,
        options: ReadOptions,
        producer: ProducerSequence | None = None,
    ) -> None:
        self.handle(
            StatementReceived(
                request=mailbox.request,
                statement=statement,
                catalog_version=version,
                options=options,
                producer=producer,
            )
        )

    async def ask(
        self,
        statement: Statement,
        version: int,
        options: ReadOptions,
        producer: ProducerSequence | None = None,
    ) -> Reply:
        """A statement's one reply.

        Raises:
            CatalogMoved, ComputeError: that was the reply.
        """
        with self.open() as mailbox:
            self.begin(mailbox, statement, version, options, producer)
            reply = await mailbox.get()
        if isinstance(reply, ReplanReply):
            raise CatalogMoved
        return reply

    async def read(
        self, statement: Statement, version: int, options: ReadOptions
    ) -> AsyncGenerator[Part, None]:
        """The rows of a read; at least one part, maybe without rows.

        An answer that waited at a replica which then died is asked for again, as long as nothing
        of it has reached the client.

        Raises:
            CatalogMoved: before the first part. ComputeError: at any time.
        """
        for attempt in range(FETCHES_MAX):
            reply = await self.ask(statement, version, options)
            match reply:
                case RowsReply(batches=batches, time=time, replica=replica):
                    single = reply.row_count if len(batches) == 1 else None
                    for batch in batches:
                        yield Part(batch=batch, row_count=single, time=time, replica=replica)
                    if not batches:
                        yield Part(batch=b"", row_count=0, time=time, replica=replica)
                    return
                case StashReply():
                    pass
                case _:
                    raise RemoteProtocolError(f"{type(reply).__name__} answers a read")
            streamed = False
            try:
                async with aclosing(self._fetch(reply)) as parts:
                    async for part in parts:
                        streamed = True
                        yield part
                return
            except ComputeError:
                if streamed or attempt + 1 == FETCHES_MAX:
                    raise

    async def changes(
        self, statement: Subscribe, version: int, options: ReadOptions
    ) -> AsyncGenerator[SubscribeReply | None, None]:
        """None once it has begun, then its intervals, until the caller goes away.

        Raises:
            CatalogMoved: before it has begun. ComputeError: at any time.
        """
        with self.open() as mailbox:
            self.begin(mailbox, statement, version, options)
            # A refusal is there at once; otherwise the subscribe has begun.
            if not mailbox.has_reply:
                yield None
            while not mailbox.is_over:
                reply = await mailbox.get()
                if isinstance(reply, ReplanReply):
                    raise CatalogMoved
                if not isinstance(reply, SubscribeReply):
                    raise RemoteProtocolError(f"{type(reply).__name__} in a subscribe")
                yield reply

    async def _fetch(self, stash: StashReply) -> AsyncGenerator[Part, None]:
        peek_id = PeekId(stash.peek_id)
        finished = False
        try:
            async for chunk in self._links.stream_result(stash.replica, peek_id):
                yield Part(
                    batch=chunk.batch,
                    row_count=chunk.row_count,
                    time=stash.time,
                    replica=stash.replica,
                )
            finished = True
        finally:
            if not finished:
                self.handle(StashReleased(replica=stash.replica, peek_id=peek_id))
