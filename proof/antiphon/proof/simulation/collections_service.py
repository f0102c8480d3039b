"""The controller's Collections service, as replicas reach it in the simulated world.

A tail begins with what it missed, read from the store, and goes on with every durable tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from antiphon.controller.backlog import windows
from antiphon.controller.catalog import ItemKind
from antiphon.controller.instance.event import RequestCanceled
from antiphon.controller.ports import ErrorReply, PieceReply, Reply, ShardReply
from antiphon.controller.request import ShardAppendReceived, ShardPieceReceived
from antiphon.history.store import Fence, ShardAppend
from antiphon.proof.simulation.controller_process import ControllerProcess
from antiphon.proof.simulation.network import Stream
from antiphon.proof.simulation.tails import encode, tail_batch
from antiphon.protocol.delta import Delta, decode_batch, delta_schema
from antiphon.protocol.errors import CollectionMissing, ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.replica.ports import (
    AppendPiece,
    AppendShard,
    EncodedDelta,
    OpenTail,
    ReadSnapshot,
    ShardAppended,
    ShardAppendFailed,
    ShardPieceWanted,
    SnapshotFailed,
    SnapshotPart,
    TailFailed,
)

if TYPE_CHECKING:
    from antiphon.proof.simulation.replica_process import ReplicaProcess

WINDOW_BYTES_MAX: Final = 2_000  # small, so that a backlog comes in pieces


def serve_tail(controller: ControllerProcess, stream: Stream, request: OpenTail) -> None:
    assert controller.driver is not None, "a dead controller serves nothing"
    upper = controller.driver.timeline_upper
    missed: dict[CollectionId, list[Delta]] = {}
    lowers = {c: lower.time for c, lower in request.collections.items() if lower.time is not None}
    try:
        for collection, lower in lowers.items():
            if lower < upper:
                missed[collection] = list(controller.store.listen(collection, lower, upper))
    except ComputeError as error:
        stream.send(1, TailFailed(tail=request.tail, error=error))
        return
    lowest = min(lowers.values(), default=upper)
    for window in windows(missed, min(lowest, upper), upper, WINDOW_BYTES_MAX):
        batch = tail_batch(request, Frontier(window.lower), Frontier(window.upper), window.deltas)
        stream.send(1, batch)
    controller.tails.open(stream, request)


def serve_snapshot(
    controller: ControllerProcess,
    stream: Stream,
    request: ReadSnapshot,
    spoiled: ReplicaProcess | None,
) -> None:
    """`spoiled`: it gets a table without one of its rows, as if the store's disk had lost it."""
    assert controller.driver is not None, "a dead controller serves nothing"
    try:
        deltas = list(controller.store.snapshot(request.collection, request.as_of))
    except ComputeError as error:
        stream.send(1, SnapshotFailed(snapshot=request.snapshot, error=error))
        return
    item = controller.driver.catalog.items.get(request.collection)
    if spoiled is not None and item is not None and item.kind is ItemKind.TABLE:
        shorter = [_without_a_row(delta) for delta in deltas[:1]]
        spoiled.is_spoiled = [d.row_count for d in shorter] != [d.row_count for d in deltas[:1]]
        spoiled.spoils_next = spoiled.spoils_next and not spoiled.is_spoiled
        deltas[:1] = shorter
    rows_total = sum(delta.row_count for delta in deltas)
    for index, delta in enumerate(deltas or [Delta()]):
        stream.send(
            1,
            SnapshotPart(
                snapshot=request.snapshot,
                delta=encode(delta),
                rows_total=rows_total,
                last=index == max(len(deltas), 1) - 1,
            ),
        )


def _without_a_row(delta: Delta) -> Delta:
    batches = [batch.slice(min(1, batch.num_rows)) for batch in delta.rows[:1]]
    return Delta(rows=(*batches, *delta.rows[1:]), errors=delta.errors)


def serve_append(
    controller: ControllerProcess, stream: Stream, request: AppendShard, replica: ReplicaId
) -> None:
    assert controller.driver is not None, "a dead controller serves nothing"
    item = controller.driver.catalog.items.get(request.collection)

    def failed(error: ComputeError) -> None:
        stream.send(
            1,
            ShardAppendFailed(append=request.append, collection=request.collection, error=error),
        )

    if item is None:
        failed(CollectionMissing("the shard was dropped"))
        return
    schema = delta_schema(item.schema)

    def opened(delta: EncodedDelta) -> Delta:
        return Delta(rows=tuple(decode_batch(batch, schema) for batch in delta.rows))

    append = ShardAppend(
        collection=request.collection,
        expected_upper=request.expected_upper,
        new_upper=request.new_upper,
        delta=opened(request.delta),
    )

    def replied(reply: Reply) -> None:
        match reply:
            case PieceReply():
                stream.send(1, ShardPieceWanted(append=request.append))
            case ShardReply(applied=applied, upper=upper):
                stream.send(
                    1,
                    ShardAppended(
                        append=request.append,
                        collection=request.collection,
                        applied=applied,
                        upper=upper,
                    ),
                )
            case ErrorReply(error=error):
                failed(error)
            case _:
                raise AssertionError(f"{type(reply).__name__} answers a shard append")

    fence = Fence(epoch=request.epoch, claim_id=request.claim_id)
    number = controller.ask(
        lambda number: ShardAppendReceived(
            request=number, append=append, fence=fence, replica=replica, last=request.last
        ),
        replied,
    )

    def go_on(piece: AppendPiece) -> None:
        delta = opened(piece.delta)
        controller.handle(ShardPieceReceived(request=number, delta=delta, last=piece.last))

    stream.attach(1, go_on, lambda reason: controller.handle(RequestCanceled(request=number)))
