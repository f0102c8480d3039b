"""One check's bench, and the replica that all benches of a run share."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from antiphon.proof.conformance.content import Row, changes_of
from antiphon.proof.conformance.dataflows import INSTANCE, create_instance
from antiphon.proof.conformance.io.collections_service import CollectionsService
from antiphon.proof.conformance.io.peer_service import PeerService
from antiphon.proof.conformance.io.session import OpenSession
from antiphon.proof.conformance.peer import Chunk, ScriptedPeer
from antiphon.proof.conformance.positions import ScriptedHistory
from antiphon.proof.conformance.rules import Violation, violations
from antiphon.proof.conformance.store import Mischief, ScriptedStore
from antiphon.proof.conformance.verdict import Failed, NotApplicable, one_line
from antiphon.protocol.codec import facts_from_proto
from antiphon.protocol.command import Command, CommandSet, Hello, Sent, SyncDecision
from antiphon.protocol.errors import OutcomeUnknown, Unavailable
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import (
    NO_POSITION,
    RANDOM_ID_BYTES,
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    PeekId,
    SessionId,
    transient,
)
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import compute_pb2, compute_pb2_grpc

FACTS_POLL_S: Final = 0.05  # a probe is a call; facts may lag behind by a heartbeat
DECISION_POLL_S: Final = 0.01
DECISION_POLLS: Final = 50
Answer = TypeVar("Answer")
Restart = Callable[[], Awaitable[None]]


def draw() -> bytes:
    return secrets.token_bytes(RANDOM_ID_BYTES)


@dataclass(slots=True, kw_only=True)
class Replica:
    """The replica under test, and who speaks to it: an epoch and its claim."""

    channel: grpc.aio.Channel
    service: CollectionsService
    peers: PeerService
    patience_s: float
    restart: Restart | None
    epoch: Epoch
    claim_id: ClaimId = field(default_factory=lambda: ClaimId(draw()))
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def stub(self) -> compute_pb2_grpc.ComputeAsyncStub:
        return compute_pb2_grpc.ComputeStub(self.channel)

    async def probe(self) -> ReplicaFacts:
        """Raises ComputeError."""
        call = self.stub.Probe(compute_pb2.ProbeRequest(), timeout=self.patience_s)
        return facts_from_proto(await self._call(call))

    async def returned(self) -> ReplicaFacts:
        """The facts of a replica that may just be starting, or has just ended.

        Raises:
            Unavailable, OutcomeUnknown: it does not answer for as long as patience lasts.
        """
        last: Unavailable | OutcomeUnknown | None = None
        for _ in range(max(1, round(self.patience_s / FACTS_POLL_S))):
            try:
                return await self.probe()
            except (Unavailable, OutcomeUnknown) as error:
                last = error
                await asyncio.sleep(FACTS_POLL_S)
        assert last is not None, "a loop that ran at least once"
        raise last

    async def health(self) -> bool:
        service = compute_pb2.DESCRIPTOR.services_by_name["Compute"].full_name
        stub = health_pb2_grpc.HealthStub(self.channel)
        answer = await self._call(
            stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=self.patience_s)
        )
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def _call(self, call: Awaitable[Answer]) -> Answer:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error


class CheckBench:
    """The port's `Bench`. Close it: that ends the check's streams and tells what they broke."""

    def __init__(self, replica: Replica) -> None:
        self.store = ScriptedStore()
        self.history = ScriptedHistory(HistoryId(draw()))
        self._replica = replica
        self._sessions: list[OpenSession] = []
        replica.service.store = self.store
        replica.peers.peer = self.peer = ScriptedPeer()

    # Ids.

    def collection(self) -> CollectionId:
        return CollectionId(next(self._replica.numbers))

    def transient(self) -> CollectionId:
        return transient(next(self._replica.numbers))

    def peek_id(self) -> PeekId:
        return PeekId(draw())

    def connection_id(self) -> ConnectionId:
        return ConnectionId(draw())

    def claim_id(self) -> ClaimId:
        return ClaimId(draw())

    # The store.

    def table(self, *rows: Row) -> CollectionId:
        created = self.collection()
        self.store.create(created)
        self.store.fill(created, *rows)
        return created

    async def append(
        self,
        time: int,
        collection: CollectionId,
        *changes: tuple[Row, int],
        errors: tuple[tuple[str, int], ...] = (),
        mischief: Mischief = Mischief.NONE,
    ) -> None:
        self.store.append(time, collection, *changes, errors=errors)
        self.store.mischief = mischief
        await self._replica.service.changed()
        if mischief is not Mischief.NONE:
            # The next tick would heal it before it was done.
            await self.stored(
                lambda store: store.mischief is Mischief.NONE, "an open tail of the table"
            )

    async def stored(self, holds: Callable[[ScriptedStore], bool], expected: str) -> None:
        async def watch() -> None:
            while not holds(self.store):
                await self._replica.service.wait()

        try:
            await asyncio.wait_for(watch(), self._replica.patience_s)
        except TimeoutError:
            waited = f"nothing of it within {self._replica.patience_s:g} s"
            raise Failed(expected, waited) from None

    # The replica.

    async def probe(self) -> ReplicaFacts:
        return await self._replica.probe()

    async def facts_where(
        self, holds: Callable[[ReplicaFacts], bool], expected: str
    ) -> ReplicaFacts:
        facts = await self.probe()
        for _ in range(round(self._replica.patience_s / FACTS_POLL_S)):
            if holds(facts):
                return facts
            await asyncio.sleep(FACTS_POLL_S)
            facts = await self.probe()
        raise Failed(expected, one_line(facts))

    async def hello(self, **fields: Any) -> Hello:
        facts = await self.probe()
        hello = Hello(
            epoch=self._replica.epoch,
            claim_id=self._replica.claim_id,
            connection_id=self.connection_id(),
            protocol_version=facts.versions.max,
            instance_id=INSTANCE,
            history_id=self.history.id,
            replica=facts.replica,
            decision=SyncDecision.REBUILD,
            command_set=CommandSet.FULL,
            session_id=SessionId(facts.session_id + 1),
            expected_incarnation=facts.incarnation,
            expected_position=facts.applied_position,
        )
        return replace(hello, **fields)

    def next_epoch(self) -> None:
        self._replica.epoch = Epoch(self._replica.epoch + 1)
        self._replica.claim_id = self.claim_id()

    def open(self) -> OpenSession:
        self.store.obey(self._replica.epoch, self._replica.claim_id)
        session = OpenSession(self._replica.stub, self.history, self._replica.patience_s)
        self._sessions.append(session)
        return session

    async def connect(self, *commands: Command, **fields: Any) -> OpenSession:
        hello = await self.hello(**fields)
        session = self.open()
        if hello.command_set is CommandSet.SUFFIX:
            facts = await self.probe()
            session.transcript.adopted = frozenset(
                export for dataflow in facts.dataflows for export in dataflow.exports
            )
        placed = [self.history.place(command) for command in commands]
        await session.say(
            Sent(NO_POSITION, hello), create_instance(), *placed, self.history.complete()
        )
        await self._decided(session, hello)
        return session

    async def _decided(self, session: OpenSession, hello: Hello) -> None:
        """Waits until the Hello was accepted or refused, if that is to be seen: gRPC forgets the
        status of a stream that ends while something is being written to it."""
        for _ in range(DECISION_POLLS):
            if session.ended or (await self.probe()).session_id >= hello.session_id:
                return
            await asyncio.sleep(DECISION_POLL_S)

    async def fetch(self, peek_id: PeekId) -> list[tuple[bytes, int]]:
        request = compute_pb2.FetchResultRequest(peek_id=peek_id.value)
        chunks: list[tuple[bytes, int]] = []
        try:
            async for chunk in self._replica.stub.FetchResult(
                request, timeout=self._replica.patience_s
            ):
                chunks.append((chunk.batch, chunk.row_count))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return chunks

    async def state(
        self,
        collection: CollectionId,
        time: int,
        *,
        epoch: Epoch | None = None,
        history_id: bytes = b"",
        first_chunk: int = 0,
        chunks_max: int | None = None,
    ) -> list[Chunk]:
        call = self._replica.stub.FetchState(
            compute_pb2.FetchStateRequest(
                collection=collection,
                time=time,
                epoch=self._replica.epoch if epoch is None else epoch,
                first_chunk=first_chunk,
                history_id=history_id,
            ),
            timeout=self._replica.patience_s,
        )
        chunks: list[Chunk] = []
        try:
            async for chunk in call:
                chunks.append(
                    Chunk(
                        index=chunk.index,
                        changes=tuple(changes_of((chunk.batch,) if chunk.batch else ())),
                        time=chunk.time,
                        rows_total=chunk.rows_total,
                        last=chunk.last,
                        digest=chunk.digest,
                    )
                )
                if len(chunks) == chunks_max:
                    break
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()
        return chunks

    async def release(self) -> None:
        self.store.is_held = False
        await self._replica.service.changed()

    @property
    def peer_address(self) -> str:
        return self._replica.peers.address

    @property
    def epoch(self) -> Epoch:
        return self._replica.epoch

    async def health(self) -> bool:
        return await self._replica.health()

    async def restart(self) -> None:
        if self._replica.restart is None:
            raise NotApplicable("nobody said how to restart the replica")
        await self._replica.restart()
        await self._replica.returned()

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> tuple[Violation, ...]:
        await self.release()
        for session in self._sessions:
            await session.close()
        return tuple(
            violation for session in self._sessions for violation in violations(session.transcript)
        )
