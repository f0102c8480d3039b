"""Commands through a session: the controller's link to a replica's front, and back.

Both sides send 100 commands a batch, ten batches under way, and get one answer to each: the link
and the front through the codec, the stages and the driver; the bare stream as bytes that nobody
reads. The link makes messages of its own of what waits: of some 100, as its limit is 128.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator
from typing import Final

import grpc

from antiphon.controller.instance.event import ResponsesReceived
from antiphon.controller.io.link import Links
from antiphon.controller.request import DriverEvent, ReplicaReached
from antiphon.protocol.codec import commands_to_batch, responses_to_batch
from antiphon.protocol.command import (
    CommandSet,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    Sent,
    SyncDecision,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    InstanceId,
    PeekId,
    SessionId,
)
from antiphon.protocol.response import PeekResponse
from antiphon.protocol.schema import INT64, Column, Schema
from tests.performance.bare_side import STREAM
from tests.performance.front_side import NAME, NOTHING
from tests.performance.process import START_TIMEOUT_S, serving

BATCH: Final = 100
BATCHES_UNDER_WAY: Final = 10
BATCHES: Final = 500  # in a round
BARE_BATCHES: Final = 4_000  # the round takes as long: a short one has a busy machine to itself
ROUNDS: Final = 5
SCHEMA: Final = Schema((Column(name="id", type=INT64),))
CONNECTION: Final = ConnectionId(bytes(15) + b"\1")


def peeks(first: int) -> tuple[Sent, ...]:
    """A batch: one-key peeks, as a controller sends them."""
    return tuple(
        Sent(
            NO_POSITION,
            Peek(
                peek_id=PeekId(number.to_bytes(16, "little")), time=1_000 + number,
                target=IndexTarget(collection=CollectionId(7), keys=bytes(200)), schema=SCHEMA,
                rows_max=1_000, bytes_max=1_000_000,
            ),
        )
        for number in range(first, first + BATCH)
    )  # fmt: skip


def greeting(facts: ReplicaFacts) -> tuple[Sent, ...]:
    hello = Hello(
        epoch=Epoch(1), claim_id=ClaimId(bytes(16)), connection_id=CONNECTION,
        protocol_version=facts.versions.max, instance_id=InstanceId(1),
        history_id=HistoryId(bytes(16)), replica=NAME, decision=SyncDecision.REBUILD,
        command_set=CommandSet.FULL, session_id=SessionId(1),
        expected_incarnation=facts.incarnation, expected_position=facts.applied_position,
    )  # fmt: skip
    create = CreateInstance(instance_id=InstanceId(1), name="bench")
    complete = InitializationComplete(head_position=NO_POSITION, head_digest=bytes(32))
    return tuple(Sent(NO_POSITION, command) for command in (hello, create, complete))


class Session:
    """The controller's end: a link, a window of batches, and a count of what was answered."""

    def __init__(self) -> None:
        self.links = Links(self._post)
        self._answered = 0
        self._wake = asyncio.Event()
        self._next = 1
        self.ready = asyncio.Event()  # the session has begun: the replica spoke on it

    def _post(self, event: DriverEvent) -> None:
        if isinstance(event, ReplicaReached):
            self.links.open(NAME, greeting(event.facts))
        elif isinstance(event, ResponsesReceived):
            self._answered += sum(isinstance(r, PeekResponse) for r in event.responses)
            self._wake.set()
            self.ready.set()

    async def _until(self, answered: int) -> None:
        while self._answered < answered:
            self._wake.clear()
            await self._wake.wait()

    async def round(self, batches: int) -> float:
        """Commands/s over so many batches."""
        prepared = [peeks(self._next + BATCH * number) for number in range(batches)]
        self._next += BATCH * batches
        gc.freeze()  # a controller has no commands lying about for the collector to look at
        before = self._answered
        started = time.perf_counter()
        for number, batch in enumerate(prepared):
            await self._until(before + BATCH * (number - BATCHES_UNDER_WAY))
            self.links.send(NAME, batch)
        await self._until(before + BATCH * batches)
        return BATCH * batches / (time.perf_counter() - started)


class BareStream:
    """The same batches and answers as bytes, made ahead, over a stream that nobody parses."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        batch = peeks(1)
        answers = [PeekResponse(peek_id=sent.command.peek_id, result=NOTHING) for sent in batch
                   if isinstance(sent.command, Peek)]  # fmt: skip
        self._batch = commands_to_batch(list(batch)).SerializeToString()
        self._answer = responses_to_batch(CONNECTION, answers).SerializeToString()

    async def round(self, batches: int) -> float:
        window = asyncio.Semaphore(BATCHES_UNDER_WAY)

        async def requests() -> AsyncIterator[bytes]:
            yield self._answer
            for _ in range(batches):
                await window.acquire()
                yield self._batch

        started = time.perf_counter()
        async for _ in self._channel.stream_stream(STREAM)(requests()):  # type: ignore[arg-type]
            window.release()
        return BATCH * batches / (time.perf_counter() - started)


async def measure() -> dict[str, float]:
    """Medians over rounds in turns, both warmed up."""
    async with serving("front_side") as front, serving("bare_side") as bare:
        session = Session()
        session.links.connect(NAME, front)
        await asyncio.wait_for(session.ready.wait(), START_TIMEOUT_S)
        async with grpc.aio.insecure_channel(bare) as channel:
            stream = BareStream(channel)
            await session.round(BATCHES // 10)
            await stream.round(BATCHES // 10)
            rounds = [(await session.round(BATCHES), await stream.round(BARE_BATCHES))
                      for _ in range(ROUNDS)]  # fmt: skip
        await session.links.stop()
    ours, floor = zip(*rounds, strict=True)
    return {"ours_per_s": statistics.median(ours), "bare_per_s": statistics.median(floor)}
