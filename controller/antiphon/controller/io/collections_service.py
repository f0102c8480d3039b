"""The `Collections` service: what replicas read of the store, and where they write back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from antiphon.controller.backlog import windows
from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.driver import Driver
from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.io.replies import Mailbox, Replies
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.io.tails import Piece, Tails, encode, merge
from antiphon.controller.ports import PieceReply, ShardReply
from antiphon.controller.request import DriverEvent, ShardAppendReceived, ShardPieceReceived
from antiphon.controller.statements.definition import SHARD_KINDS
from antiphon.history.store import Fence, ShardAppend
from antiphon.protocol.codec import delta_from_proto, frontier_from_proto, frontier_to_proto
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    CollectionMissing,
    InvalidArgument,
    LinkTimeout,
    RemoteProtocolError,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import RANDOM_ID_BYTES, ClaimId, CollectionId, Epoch, ReplicaId, show
from antiphon.protocol.limits import APPEND_SILENCE_MS, MIB
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1.collections_pb2_grpc import CollectionsServicer

BACKLOG_BYTES_MAX: Final = 8 * MIB  # of one message of what a tail has missed
TAILED_KINDS: Final = (ItemKind.TABLE, ItemKind.FEED)

Context = grpc.aio.ServicerContext[Any, Any]


class CollectionsService(CollectionsServicer):
    """Serves tails, snapshots and compare-and-appends."""

    def __init__(
        self,
        *,
        driver: Driver,
        handle: Callable[[DriverEvent], None],
        store: StoreRunner,
        tails: Tails,
        replies: Replies,
    ) -> None:
        self._driver = driver
        self._handle = handle
        self._store = store
        self._tails = tails
        self._replies = replies

    async def Tail(self, request: pb.TailRequest, context: Context) -> AsyncIterator[pb.TailBatch]:
        """First everything from the lowest frontier to now, then every tick."""
        lowers: dict[CollectionId, int] = {}
        for wanted in request.collections:
            item = self._item(wanted.collection, TAILED_KINDS)
            lower = frontier_from_proto(wanted.lower).time
            if lower is None:
                raise InvalidArgument("a tail from the closed frontier has no end to wait for")
            lowers[item.id] = lower
        # From here on every tick is in the queue: what is missing ends exactly here.
        upper = self._driver.timeline_upper
        tail = self._tails.open(frozenset(lowers), Frontier(upper))
        try:
            async for batch in self._missed(lowers, upper):
                yield batch
            while True:
                yield await tail.next_batch()
        finally:
            self._tails.close(tail)

    async def _missed(
        self, lowers: dict[CollectionId, int], upper: int
    ) -> AsyncIterator[pb.TailBatch]:
        missed: dict[CollectionId, list[Delta]] = {}
        for collection, lower in lowers.items():
            if lower < upper:
                missed[collection] = await self._store.listen(collection, lower, upper)
        lowest = min(lowers.values(), default=upper)
        for window in windows(missed, min(lowest, upper), upper, BACKLOG_BYTES_MAX):
            piece = Piece(
                lower=Frontier(window.lower),
                upper=Frontier(window.upper),
                deltas=tuple(encode(c, delta)[0] for c, delta in window.deltas.items()),
                bytes=0,
            )
            yield merge([piece])

    async def Snapshot(
        self, request: pb.SnapshotRequest, context: Context
    ) -> AsyncIterator[pb.SnapshotChunk]:
        """The content exactly at the time; the last chunk says so, and may be empty.

        How many rows will have come is an estimate from above until the last chunk corrects it.
        """
        item = self._item(request.collection, SHARD_KINDS)
        rows_total = await self._store.snapshot_rows(item.id, request.as_of)
        rows_sent = 0
        waiting: pb.SnapshotChunk | None = None
        async for delta in self._store.snapshot(item.id, request.as_of):
            if waiting is not None:
                yield waiting
            rows_sent += delta.row_count
            waiting = pb.SnapshotChunk(delta=encode(item.id, delta)[0], rows_total=rows_total)
        if waiting is None:
            waiting = pb.SnapshotChunk(delta=pb.CollectionDelta(collection=item.id))
        waiting.last = True
        waiting.rows_total = rows_sent
        yield waiting

    async def CompareAndAppend(
        self, request: pb.CompareAndAppendRequest, context: Context
    ) -> pb.CompareAndAppendResponse:
        item = self._view(request.collection)
        with self._opened() as mailbox:
            self._handle(_append_received(mailbox.request, request, item, last=True))
            reply = await mailbox.get()
        assert isinstance(reply, ShardReply), f"{type(reply).__name__} answers a shard append"
        return _answer(reply)

    async def AppendInPieces(
        self, requests: AsyncIterator[pb.AppendPiece], context: Context
    ) -> pb.CompareAndAppendResponse:
        """One piece at a time is here: who sends it waits until the one before is durable."""
        with self._opened() as mailbox:
            piece = await _next_piece(requests)
            item = self._view(piece.append.collection)
            self._handle(_append_received(mailbox.request, piece.append, item, last=piece.last))
            while isinstance(reply := await mailbox.get(), PieceReply):
                piece = await _next_piece(requests)
                delta = delta_from_proto(piece.delta, item.schema)
                self._handle(
                    ShardPieceReceived(request=mailbox.request, delta=delta, last=piece.last)
                )
        assert isinstance(reply, ShardReply), f"{type(reply).__name__} answers a shard append"
        return _answer(reply)

    def _opened(self) -> AbstractContextManager[Mailbox]:
        """Of a call that ends before its answer, nothing is left."""
        return self._replies.opened(lambda request: self._handle(RequestCanceled(request=request)))

    def _view(self, collection: int) -> CatalogItem:
        return self._item(collection, (ItemKind.MATERIALIZED_VIEW,))

    def _item(self, collection: int, kinds: tuple[ItemKind, ...]) -> CatalogItem:
        item = self._driver.catalog.items.get(CollectionId(collection))
        if item is None or item.kind not in kinds:
            name = show(CollectionId(collection))
            raise CollectionMissing(f"the store holds no {name}", collection=name)
        return item


async def _next_piece(pieces: AsyncIterator[pb.AppendPiece]) -> pb.AppendPiece:
    """
    Raises:
        RemoteProtocolError: the stream ended before the last piece, or one cannot be read.
        LinkTimeout: nothing came for too long; others wait for their turn.
    """
    try:
        async with asyncio.timeout(APPEND_SILENCE_MS / 1_000):
            async for piece in pieces:
                return piece
    except TimeoutError:
        seconds = APPEND_SILENCE_MS // 1_000
        raise LinkTimeout(f"no piece of the append came for {seconds} s") from None
    except DecodeError as error:
        raise RemoteProtocolError(f"a piece cannot be read: {error}") from error
    raise RemoteProtocolError("the append ended before its last piece")


def _append_received(
    number: int, request: pb.CompareAndAppendRequest, item: CatalogItem, *, last: bool
) -> ShardAppendReceived:
    if len(request.claim_id) != RANDOM_ID_BYTES:
        raise RemoteProtocolError(f"claim_id: {len(request.claim_id)} bytes")
    return ShardAppendReceived(
        request=number,
        append=ShardAppend(
            collection=item.id,
            expected_upper=frontier_from_proto(request.expected_upper),
            new_upper=frontier_from_proto(request.new_upper),
            delta=delta_from_proto(request.delta, item.schema),
        ),
        fence=Fence(epoch=Epoch(request.epoch), claim_id=ClaimId(request.claim_id)),
        replica=ReplicaId(request.replica) if request.replica else None,
        last=last,
    )


def _answer(reply: ShardReply) -> pb.CompareAndAppendResponse:
    return pb.CompareAndAppendResponse(applied=reply.applied, upper=frontier_to_proto(reply.upper))
