"""The scripted peer as the `Compute` service that the replica under test may fetch a base from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from antiphon.proof.conformance.content import delta_of
from antiphon.proof.conformance.peer import Asked, ScriptedPeer
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import NotServed
from antiphon.protocol.ids import CollectionId, Epoch
from antiphon.v1 import command_pb2, response_pb2
from antiphon.v1 import compute_pb2 as pb
from antiphon.v1.compute_pb2_grpc import ComputeServicer

Context = grpc.aio.ServicerContext[Any, Any]
NO_RESPONSES: Final[tuple[response_pb2.ResponseBatch, ...]] = ()
NO_RESULTS: Final[tuple[pb.ResultChunk, ...]] = ()


class PeerService(ComputeServicer):
    """`address`: where a replica finds it. `peer`: that of the check that runs. It has no session
    and no results: nobody asks it for them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.peer = ScriptedPeer()

    async def Probe(self, request: pb.ProbeRequest, context: Context) -> pb.ReplicaStatus:
        raise NotServed("the peer has state, and nothing else")

    async def Session(
        self, request_iterator: AsyncIterator[command_pb2.CommandBatch], context: Context
    ) -> AsyncIterator[response_pb2.ResponseBatch]:
        for batch in NO_RESPONSES:
            yield batch
        raise NotServed("the peer has state, and nothing else")

    async def FetchResult(
        self, request: pb.FetchResultRequest, context: Context
    ) -> AsyncIterator[pb.ResultChunk]:
        for chunk in NO_RESULTS:
            yield chunk
        raise NotServed("the peer has state, and nothing else")

    async def FetchState(
        self, request: pb.FetchStateRequest, context: Context
    ) -> AsyncIterator[pb.StateChunk]:
        peer = self.peer
        peer.asked.append(
            Asked(
                collection=CollectionId(request.collection),
                time=request.time,
                epoch=Epoch(request.epoch),
            )
        )
        for chunk in list(peer.chunks):
            yield pb.StateChunk(
                index=chunk.index,
                batch=b"".join(encode_batch(batch) for batch in delta_of(chunk.changes).rows),
                last=chunk.last,
                digest=chunk.digest,
                rows_total=chunk.rows_total,
                time=chunk.time,
            )
