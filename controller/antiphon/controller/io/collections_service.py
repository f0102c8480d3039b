"""The `Collections` service: what replicas read of the store, and where they write back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from antiphon.controller.backlog import windows
from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.driver import Driver
from antiphon.controller.io.replies import Replies
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.io.tails import Piece, Tails, encode, merge
from antiphon.controller.ports import ShardReply
from antiphon.controller.request import DriverEvent, ShardAppendReceived
from antiphon.controller.statements.definition import SHARD_KINDS
from antiphon.history.store import Fence, ShardAppend
from antiphon.protocol.codec import delta_from_proto, frontier_from_proto, frontier_to_proto
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    CollectionMissing,
    InvalidArgument,
    RemoteProtocolError,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import RANDOM_ID_BYTES, ClaimId, CollectionId, Epoch, ReplicaId, show
from antiphon.protocol.limits import MIB
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
        item = self._item(request.collection, (ItemKind.MATERIALIZED_VIEW,))
        if len(request.claim_id) != RANDOM_ID_BYTES:
            raise RemoteProtocolError(f"claim_id: {len(request.claim_id)} bytes")
        append = ShardAppend(
            collection=item.id,
            expected_upper=frontier_from_proto(request.expected_upper),
            new_upper=frontier_from_proto(request.new_upper),
            delta=delta_from_proto(request.delta, item.schema),
        )
        fence = Fence(epoch=Epoch(request.epoch), claim_id=ClaimId(request.claim_id))
        mailbox = self._replies.open()
        try:
            self._handle(
                ShardAppendReceived(
                    request=mailbox.request,
                    append=append,
                    fence=fence,
                    replica=ReplicaId(request.replica) if request.replica else None,
                )
            )
            reply = await mailbox.get()
        finally:
            self._replies.close(mailbox)
        assert isinstance(reply, ShardReply), f"{type(reply).__name__} answers a shard append"
        return pb.CompareAndAppendResponse(
            applied=reply.applied, upper=frontier_to_proto(reply.upper)
        )

    def _item(self, collection: int, kinds: tuple[ItemKind, ...]) -> CatalogItem:
        item = self._driver.catalog.items.get(CollectionId(collection))
        if item is None or item.kind not in kinds:
            name = show(CollectionId(collection))
            raise CollectionMissing(f"the store holds no {name}", collection=name)
        return item
