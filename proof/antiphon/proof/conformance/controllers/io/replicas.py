"""Scripted replicas over gRPC: each a server of its own, that says what a check has it say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

import grpc
import pyarrow as pa

from antiphon.proof.conformance.content import Row
from antiphon.proof.conformance.controllers.scripted import Heard, ScriptedReplica
from antiphon.proof.conformance.verdict import Failed
from antiphon.protocol.codec import commands_from_batch, facts_to_proto, responses_to_batch
from antiphon.protocol.command import Peek
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import AntiphonError, NotServed, RemoteProtocolError, Unavailable
from antiphon.protocol.ids import NO_POSITION, CollectionId, Incarnation, ReplicaId
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.security import ServerSecurity
from antiphon.protocol.io.status import abort
from antiphon.protocol.limits import HEARTBEAT_INTERVAL_MS
from antiphon.protocol.response import PeekResponse, PeekRows, Response, Status
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.v1 import command_pb2, compute_pb2_grpc, response_pb2
from antiphon.v1 import compute_pb2 as pb

POLL_S: Final = 0.02
BEAT_S: Final = HEARTBEAT_INTERVAL_MS / 2_000
Found = TypeVar("Found")


class PlayedStream:
    """The port's `Stream`."""

    def __init__(self, owner: PlayedReplica, heard: Heard) -> None:
        self.heard = heard
        self._owner = owner
        self._out: asyncio.Queue[tuple[Response, ...] | AntiphonError] = asyncio.Queue()

    async def until(self, find: Callable[[Heard], Found | None], expected: str) -> Found:
        async def look() -> Found:
            while True:
                found = find(self.heard)
                if found:
                    return found
                if self.heard.illegal is not None:
                    raise Failed(expected, f"what is illegal: {self.heard.illegal}")
                if self.heard.over:
                    raise Failed(expected, "the end of the stream")
                await asyncio.sleep(POLL_S)

        try:
            return await asyncio.wait_for(look(), self._owner.patience_s)
        except TimeoutError:
            last = describe(self.heard.commands[-1]) if self.heard.commands else "nothing"
            raise Failed(expected, f"nothing after {last}") from None

    async def say(self, *responses: Response) -> None:
        for response in responses:
            self._owner.scripted.said(self.heard, response)
        self._out.put_nowait(responses)

    async def blurt(self, *responses: Response) -> None:
        self._out.put_nowait(responses)

    async def answer(self, peek: Peek, *rows: Row) -> None:
        batches = (_batch(peek.schema, rows),)
        await self.say(
            PeekResponse(
                peek_id=peek.peek_id, result=PeekRows(batches=batches, row_count=len(rows))
            )
        )

    async def ended(self, expected: str) -> None:
        waits = self._owner.patience_s
        while not self.heard.over and waits > 0:
            await asyncio.sleep(POLL_S)
            waits -= POLL_S
        if not self.heard.over:
            raise Failed(expected, f"a stream that goes on for {self._owner.patience_s:g} s")

    async def hang_up(self) -> None:
        self._out.put_nowait(Unavailable("the script ends this session"))
        await self.ended("the end of a stream that the replica ended")

    async def outgoing(self) -> tuple[Response, ...] | None:
        """What leaves next; None after a quiet while. Raises what ends the stream."""
        try:
            found = await asyncio.wait_for(self._out.get(), BEAT_S)
        except TimeoutError:
            return None
        if isinstance(found, AntiphonError):
            raise found
        return found


class PlayedReplica(compute_pb2_grpc.ComputeServicer):
    """The port's `Replica`, served."""

    def __init__(self, scripted: ScriptedReplica, patience_s: float) -> None:
        self.scripted = scripted
        self.patience_s = patience_s
        self.address = ""
        self._streams: list[PlayedStream] = []
        self._is_mute = False
        self._server: grpc.aio.Server | None = None

    @property
    def name(self) -> str:
        return self.scripted.facts.replica

    def claim(self, **facts: Any) -> None:
        self.scripted.facts = replace(self.scripted.facts, **facts)

    def mute(self) -> None:
        self._is_mute = True

    async def listen(self, host: str, token: str | None) -> None:
        security = ServerSecurity(tokens=() if token is None else (token,))
        self._server = server = create_server([Gate(security)])
        compute_pb2_grpc.add_ComputeServicer_to_server(self, server)
        self.address = listen(server, f"{host}:0", security)
        await server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)

    async def stream(self, number: int = 1) -> PlayedStream:
        async def look() -> PlayedStream:
            while True:
                ready = [one for one in self._streams if one.heard.is_complete]
                broken = [one for one in self._streams if one.heard.illegal is not None]
                if len(ready) >= number:
                    return ready[number - 1]
                if broken:
                    raise Failed("a session", f"what is illegal: {broken[0].heard.illegal}")
                await asyncio.sleep(POLL_S)

        try:
            return await asyncio.wait_for(look(), self.patience_s)
        except TimeoutError:
            seen = f"{self.scripted.probes} probes, {len(self._streams)} streams"
            raise Failed(f"session {number} with {self.name}", seen) from None

    async def probed(self, count: int) -> None:
        goal, waits = self.scripted.probes + count, self.patience_s
        while self.scripted.probes < goal and waits > 0:
            await asyncio.sleep(POLL_S)
            waits -= POLL_S
        if self.scripted.probes < goal:
            raise Failed(f"{count} more probes", f"{self.scripted.probes} of {goal}")

    # The service.

    async def Probe(self, request: pb.ProbeRequest, context: Any) -> pb.ReplicaStatus:
        return facts_to_proto(self.scripted.probed(map(CollectionId, request.digests_of)))

    async def Session(
        self, request_iterator: AsyncIterator[command_pb2.CommandBatch], context: Any
    ) -> AsyncIterator[response_pb2.ResponseBatch]:
        stream = PlayedStream(self, self.scripted.opened())
        self._streams.append(stream)
        reader = asyncio.ensure_future(self._read(stream, request_iterator))
        try:
            while not stream.heard.over:
                responses = await stream.outgoing()
                hello = stream.heard.hello
                if hello is None or stream.heard.over:
                    continue
                if responses is None:
                    if self._is_mute:
                        continue
                    responses = (self._status(stream),)
                yield responses_to_batch(hello.connection_id, responses)
        except AntiphonError as error:
            self.scripted.ended(stream.heard)
            await abort(context, error)
        finally:
            reader.cancel()
            self.scripted.ended(stream.heard)

    async def FetchResult(
        self, request: pb.FetchResultRequest, context: Any
    ) -> AsyncIterator[pb.ResultChunk]:
        if not self._streams:
            yield pb.ResultChunk()
        await abort(context, NotServed("the script sets nothing aside"))

    async def FetchState(
        self, request: pb.FetchStateRequest, context: Any
    ) -> AsyncIterator[pb.StateChunk]:
        if not self._streams:
            yield pb.StateChunk()
        await abort(context, NotServed("the script has no state"))

    async def _read(
        self, stream: PlayedStream, batches: AsyncIterator[command_pb2.CommandBatch]
    ) -> None:
        try:
            async for batch in batches:
                for sent in commands_from_batch(batch):
                    self.scripted.heard(stream.heard, sent)
        except RemoteProtocolError as error:
            stream.heard.illegal = stream.heard.illegal or str(error)
        finally:
            self.scripted.ended(stream.heard)

    def _status(self, stream: PlayedStream) -> Status:
        return Status(
            stage=stream.heard.session.stage,
            applied_position=self.scripted.facts.applied_position,
            durable_position=NO_POSITION,
        )


def replica(name: str, incarnation: bytes, patience_s: float) -> PlayedReplica:
    return PlayedReplica(ScriptedReplica(ReplicaId(name), Incarnation(incarnation)), patience_s)


def _batch(schema: Schema, rows: tuple[Row, ...]) -> bytes:
    """The rows in the columns that a peek names."""
    arrow = arrow_schema(schema)
    columns = list(zip(*rows, strict=True)) or [()] * len(arrow)
    if len(columns) != len(arrow):
        raise Failed(f"a read of {len(columns)} columns", f"one of {arrow.names}")
    arrays = [pa.array(c, f.type) for c, f in zip(columns, arrow, strict=True)]
    return encode_batch(pa.RecordBatch.from_arrays(arrays, schema=arrow))
