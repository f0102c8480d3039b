"""State from another replica, as parts of a snapshot: the base lane of a rebuild.

A peer that fails is not asked again for what is left: it may have moved on since, and the next
session begins from scratch anyway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from antiphon.protocol.errors import Unavailable
from antiphon.protocol.io.status import calling
from antiphon.replica.ports import EncodedDelta, ReadSnapshot, SnapshotPart
from antiphon.v1 import compute_pb2, compute_pb2_grpc


async def read_peer(
    channel: grpc.aio.Channel, request: ReadSnapshot
) -> AsyncIterator[SnapshotPart]:
    """The parts, as fast as the caller takes them, up to the end of the stream.

    Raises:
        ComputeError: the peer is gone, refuses, or has left a part out; what came before is of no
            use.
    """
    came: set[int] = set()
    last: int | None = None
    call = compute_pb2_grpc.ComputeStub(channel).FetchState(
        compute_pb2.FetchStateRequest(
            collection=request.collection,
            time=request.as_of,
            epoch=request.epoch,
            history_id=b"" if request.history_id is None else request.history_id.value,
        )
    )
    try:
        with calling("the peer"):
            async for chunk in call:
                yield SnapshotPart(
                    snapshot=request.snapshot,
                    delta=EncodedDelta(
                        rows=(chunk.batch,) if chunk.batch else (),
                        errors=(chunk.error_batch,) if chunk.error_batch else (),
                    ),
                    rows_total=chunk.rows_total,
                    last=chunk.last,
                    index=chunk.index,
                    time=chunk.time,
                    digest=chunk.digest,
                )
                came.add(chunk.index)
                last = chunk.index if chunk.last else last
        if last is None or len(came) <= last:
            raise Unavailable(
                f"the peer's state ended after {len(came)} parts, before its last one",
                reason="snapshot_unavailable",
            )
    finally:
        call.cancel()
