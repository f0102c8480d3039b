"""A replica's side of the wire by script: it says what a test has it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from antiphon.protocol.codec import (
    commands_from_batch,
    facts_to_proto,
    responses_to_batch,
)
from antiphon.protocol.command import Command, Hello
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import ConnectionId, Incarnation, ReplicaId
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.response import Response
from antiphon.protocol.version import SPOKEN
from antiphon.v1 import compute_pb2 as pb
from antiphon.v1.compute_pb2_grpc import ComputeServicer, add_ComputeServicer_to_server

ENDLESS: Final = b"e" * 16  # the peek whose result never ends


class ScriptedReplica(ComputeServicer):
    """`sessions` counts streams; `heard` are the commands of the latest one."""

    def __init__(self, name: str = "r1") -> None:
        self.facts = ReplicaFacts(
            replica=ReplicaId(name), incarnation=Incarnation(b"i" * 16), versions=SPOKEN
        )
        self.probes = 0
        self.sessions = 0
        self.batches = 0
        self.heard: list[Command] = []
        self.connection_id: ConnectionId | None = None
        self.reads = True
        self.answers = True  # probes
        self.unanswered = 0
        self._say: asyncio.Queue[tuple[ConnectionId, list[Response]] | None] = asyncio.Queue()
        self._server: Any = None
        self.address = ""

    async def start(self, address: str) -> None:
        self._server = create_server()
        add_ComputeServicer_to_server(self, self._server)
        self.address = listen(self._server, address)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)

    def say(self, *responses: Response, connection_id: ConnectionId | None = None) -> None:
        connection = connection_id or self.connection_id
        assert connection is not None
        self._say.put_nowait((connection, list(responses)))

    def hang_up(self) -> None:
        self._say.put_nowait(None)

    async def Probe(self, request: pb.ProbeRequest, context: Any) -> pb.ReplicaStatus:
        self.probes += 1
        if not self.answers:
            self.unanswered += 1
            await asyncio.Event().wait()
        return facts_to_proto(self.facts)

    async def Session(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.sessions += 1
        self.heard, self._say = [], asyncio.Queue()
        reading = asyncio.ensure_future(self._read(requests))
        try:
            while (said := await self._say.get()) is not None:
                connection, responses = said
                yield responses_to_batch(connection, responses)
        finally:
            reading.cancel()

    async def _read(self, requests: AsyncIterator[Any]) -> None:
        async for batch in requests:
            self.batches += 1
            for sent in commands_from_batch(batch):
                self.heard.append(sent.command)
                if isinstance(sent.command, Hello):
                    self.connection_id = sent.command.connection_id
            while not self.reads:
                await asyncio.sleep(0.01)

    async def FetchResult(
        self, request: pb.FetchResultRequest, context: Any
    ) -> AsyncIterator[pb.ResultChunk]:
        if request.peek_id == b"0" * 16:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        for number in range(3):
            yield pb.ResultChunk(batch=bytes([number]), row_count=1)
        if request.peek_id == ENDLESS:
            await asyncio.Event().wait()
