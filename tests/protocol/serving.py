"""A real server for tests of the transport: `Compute`, answering what a test gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.interceptor import Call, Gate
from antiphon.protocol.io.security import OPEN_SERVER, ServerSecurity
from antiphon.v1 import compute_pb2, compute_pb2_grpc

SERVICE = compute_pb2.DESCRIPTOR.services_by_name["Compute"].full_name
Context = grpc.aio.ServicerContext
Probe = Callable[[Context], Awaitable[compute_pb2.ReplicaStatus]]


async def answer(context: Context) -> compute_pb2.ReplicaStatus:
    return compute_pb2.ReplicaStatus(replica="r1")


@dataclass
class Served(compute_pb2_grpc.ComputeServicer):
    """`Probe` and `FetchResult` do what they are told; the other calls are not implemented."""

    on_probe: Probe = answer
    chunks: int = 3
    on_chunk: Callable[[int], None] = lambda index: None
    closed: list[str] = field(default_factory=list)

    async def Probe(
        self, request: compute_pb2.ProbeRequest, context: Context
    ) -> compute_pb2.ReplicaStatus:
        return await self.on_probe(context)

    async def FetchResult(
        self, request: compute_pb2.FetchResultRequest, context: Context
    ) -> AsyncIterator[compute_pb2.ResultChunk]:
        try:
            for index in range(self.chunks):
                self.on_chunk(index)
                yield compute_pb2.ResultChunk(row_count=index)
        finally:
            self.closed.append("FetchResult")


@dataclass
class Recorder:
    """An observer that remembers."""

    started_methods: list[str] = field(default_factory=list)
    ends: list[tuple[str, grpc.StatusCode, BaseException | None]] = field(default_factory=list)

    def started(self, call: Call) -> None:
        self.started_methods.append(call.method)

    def ended(
        self, call: Call, code: grpc.StatusCode, seconds: float, error: BaseException | None
    ) -> None:
        assert seconds >= 0
        self.ends.append((call.method, code, error))


@asynccontextmanager
async def serving(
    servicer: Served,
    address: str = "127.0.0.1:0",
    security: ServerSecurity = OPEN_SERVER,
    recorder: Recorder | None = None,
) -> AsyncIterator[str]:
    """The address of a running server."""
    server = create_server([Gate(security, recorder)])
    compute_pb2_grpc.add_ComputeServicer_to_server(servicer, server)
    bound = listen(server, address, security)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
