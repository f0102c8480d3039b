"""The scripted store as the `Collections` service that the replica under test reads and writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from antiphon.proof.conformance.content import PAIRS, Change, changes_of, delta_of
from antiphon.proof.conformance.store import ErrorChange, Push, ScriptedStore, TailBroken
from antiphon.protocol.codec import delta_to_proto, frontier_from_proto, frontier_to_proto
from antiphon.protocol.codec.delta import tail_batch_to_proto
from antiphon.protocol.errors import InvalidArgument, SchemaMismatch, Unavailable
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import RANDOM_ID_BYTES, ClaimId, CollectionId, Epoch
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1.collections_pb2_grpc import CollectionsServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CollectionsService(CollectionsServicer):
    """Serves the store of the check that runs. A tail stays with the store it was opened on."""

    def __init__(self) -> None:
        self.store = ScriptedStore()
        self._changed = asyncio.Condition()
        self._over = False

    async def end(self) -> None:
        """Ends every tail with a status; a server that stops would cancel them instead."""
        self._over = True
        await self.changed()

    async def changed(self) -> None:
        """Something happened to the store: tails look, and so does who waits in `until`."""
        async with self._changed:
            self._changed.notify_all()

    async def wait(self) -> None:
        """Until the next change."""
        async with self._changed:
            await self._changed.wait()

    async def Tail(self, request: pb.TailRequest, context: Context) -> AsyncIterator[pb.TailBatch]:
        lowers: dict[CollectionId, int] = {}
        for wanted in request.collections:
            lower = frontier_from_proto(wanted.lower).time
            if lower is None:
                raise InvalidArgument("a tail from the closed frontier has no end to wait for")
            lowers[CollectionId(wanted.collection)] = lower
        tail = self.store.tail(lowers)
        await self.changed()
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: tail.is_due or self._over)
            if self._over:
                raise Unavailable("the suite is over")
            try:
                for push in tail.pushes():
                    yield _batch(push)
            except TailBroken:
                await self.changed()
                raise Unavailable("the script ends this tail") from None
            await self.changed()

    async def Snapshot(
        self, request: pb.SnapshotRequest, context: Context
    ) -> AsyncIterator[pb.SnapshotChunk]:
        """In two parts, so that nobody relies on one."""
        collection = CollectionId(request.collection)
        store = self.store
        changes, errors = store.snapshot(collection, request.as_of)
        await self.changed()
        async with self._changed:
            await self._changed.wait_for(lambda: not store.is_held or self._over)
        half = len(changes) // 2
        parts: list[tuple[list[Change], list[ErrorChange]]] = [
            (changes[:half], []),
            (changes[half:], errors),
        ]
        for number, part in enumerate(parts, 1):
            yield pb.SnapshotChunk(
                delta=delta_to_proto(collection, delta_of(*part)),
                rows_total=len(changes),
                last=number == len(parts),
            )

    async def CompareAndAppend(
        self, request: pb.CompareAndAppendRequest, context: Context
    ) -> pb.CompareAndAppendResponse:
        if len(request.claim_id) != RANDOM_ID_BYTES:
            raise InvalidArgument(f"claim_id has {len(request.claim_id)} bytes")
        try:
            changes = changes_of(request.delta.batches, PAIRS)
        except SchemaMismatch as error:
            raise InvalidArgument(str(error)) from error
        applied, upper = self.store.compare_and_append(
            CollectionId(request.collection),
            frontier_from_proto(request.expected_upper),
            frontier_from_proto(request.new_upper),
            changes,
            (Epoch(request.epoch), ClaimId(request.claim_id)),
        )
        await self.changed()
        return pb.CompareAndAppendResponse(applied=applied, upper=frontier_to_proto(upper))

    async def AppendInPieces(
        self, requests: AsyncIterator[pb.AppendPiece], context: Context
    ) -> pb.CompareAndAppendResponse:
        """One append of all pieces, once the last is there."""
        whole: pb.CompareAndAppendRequest | None = None
        async for piece in requests:
            if whole is None:
                whole = piece.append
            else:
                whole.delta.batches.extend(piece.delta.batches)
                whole.delta.error_batches.extend(piece.delta.error_batches)
            if piece.last:
                return await self.CompareAndAppend(whole, context)
        raise InvalidArgument("an append ended before its last piece")


def _batch(push: Push) -> pb.TailBatch:
    deltas = {
        collection: delta_of(changes, push.errors[collection])
        for collection, changes in push.changes.items()
        if changes or push.errors[collection]
    }
    return tail_batch_to_proto(Frontier(push.lower), Frontier(push.upper), deltas)
