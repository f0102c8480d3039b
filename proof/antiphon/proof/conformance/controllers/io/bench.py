"""One check's bench: replicas of its own, and a client of the controller."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc

from antiphon.client import AsyncClient
from antiphon.client.changes import Changes
from antiphon.proof.conformance.content import PAIRS, Row, changes_of, delta_of
from antiphon.proof.conformance.controllers.io.replicas import PlayedReplica, replica
from antiphon.proof.conformance.controllers.ports import Replica
from antiphon.proof.conformance.rules import Violation
from antiphon.proof.conformance.verdict import Failed
from antiphon.protocol.codec import delta_to_proto, frontier_to_proto
from antiphon.protocol.errors import ComputeError, OutcomeUnknown
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import RANDOM_ID_BYTES, CollectionId
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1 import collections_pb2_grpc

Answer = TypeVar("Answer")
ILLEGAL: Final = "C1"  # the check that carries the rule that holds in every session


@dataclass(slots=True, kw_only=True)
class Controller:
    """The controller under test, as all checks see it."""

    client: AsyncClient
    channel: grpc.aio.Channel
    host: str  # where replicas listen
    token: str | None
    patience_s: float
    mark: str = field(default_factory=lambda: secrets.token_hex(3))  # of this run's names
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def collections(self) -> Any:
        return collections_pb2_grpc.CollectionsStub(self.channel)


class PlayedAsk:
    """The port's `Asked`."""

    def __init__(self, work: Awaitable[list[Row]], patience_s: float) -> None:
        self._task = asyncio.ensure_future(work)
        self._patience_s = patience_s

    @property
    def is_done(self) -> bool:
        return self._task.done()

    async def rows(self) -> list[Row]:
        try:
            return await asyncio.wait_for(asyncio.shield(self._task), self._patience_s)
        except TimeoutError:
            raise Failed("an answer", f"none within {self._patience_s:g} s") from None

    async def error(self) -> ComputeError:
        try:
            rows = await self.rows()
        except ComputeError as error:
            return error
        raise Failed("an error", f"the rows {rows}")

    async def cancel(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class PlayedSubscription:
    """The port's `Subscribed`."""

    def __init__(self, changes: Changes, patience_s: float) -> None:
        self._changes = changes
        self._patience_s = patience_s
        self._waiting = asyncio.ensure_future(anext(changes))  # it is asked for at once

    async def next(self) -> tuple[int, int, list[tuple[Row, int, int]]]:
        try:
            batch = await asyncio.wait_for(self._waiting, self._patience_s)
        except TimeoutError:
            raise Failed("an interval", f"none within {self._patience_s:g} s") from None
        self._waiting = asyncio.ensure_future(anext(self._changes))
        changes = [(change.row, change.time, change.diff) for change in batch]
        return batch.lower.time or 0, batch.upper.time or 0, changes

    async def close(self) -> None:
        self._waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError, ComputeError, StopAsyncIteration):
            await self._waiting
        await self._changes.close()


class CheckBench:
    """The port's `ControllerBench`. Close it: that takes away what the check made."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._replicas: list[PlayedReplica] = []
        self._added: dict[str, PlayedReplica] = {}
        self._tables: list[str] = []
        self._asked: list[PlayedAsk] = []
        self._subscribed: list[PlayedSubscription] = []

    def name(self, prefix: str) -> str:
        return f"conformance_{self._controller.mark}_{prefix}{next(self._controller.numbers)}"

    async def sql(self, statement: str) -> list[Row]:
        result = await self._controller.client.sql(statement)
        return [] if result.table is None else list(result.rows())

    async def table(self) -> str:
        name = self.name("t")
        await self.sql(f"CREATE TABLE {name} (k bigint, v text)")
        self._tables.append(name)
        await self.sql(f"INSERT INTO {name} VALUES (1, 'one')")
        return name

    def ask(self, statement: str, replica: str = "") -> PlayedAsk:
        async def work() -> list[Row]:
            result = await self._controller.client.sql(statement, replica=replica)
            return list(result.rows())

        asked = PlayedAsk(work(), self._controller.patience_s)
        self._asked.append(asked)
        return asked

    def subscribe(self, target: str, replica: str = "") -> PlayedSubscription:
        changes = self._controller.client.subscribe(
            target, with_snapshot=False, with_progress=True, replica=replica
        )
        subscribed = PlayedSubscription(changes, self._controller.patience_s)
        self._subscribed.append(subscribed)
        return subscribed

    async def replica(
        self, *, read_only: bool = False, like: Replica | None = None, **facts: Any
    ) -> PlayedReplica:
        controller = self._controller
        name = f"conformance-{controller.mark}-{next(controller.numbers)}"
        played = replica(name, secrets.token_bytes(RANDOM_ID_BYTES), controller.patience_s)
        if like is not None:
            played.scripted.take_after(like.scripted)
        played.claim(**facts)
        await played.listen(controller.host, controller.token)
        self._replicas.append(played)
        await controller.client.add_replica(name, played.address, read_only=read_only)
        self._added[name] = played
        return played

    async def remove(self, replica: Replica) -> None:
        del self._added[replica.name]
        await self._controller.client.remove_replica(replica.name)

    async def promote(self, replica: Replica) -> None:
        await self._controller.client.promote_replica(replica.name)

    async def history(self) -> list[tuple[int, bytes]]:
        records = self._controller.client.history()
        return [(record.position, record.digest) async for record in records]

    async def reason(self, replica: Replica) -> str:
        decisions = await self._controller.client.explain_replica(replica.name)
        if not decisions:
            raise Failed(f"a decision about {replica.name}", "none")
        return decisions[-1].reason

    async def tail(self, table: str, lower: int) -> tuple[int, int, list[tuple[Row, int, int]]]:
        collection = await self._id(table)
        wanted = pb.TailFrom(collection=collection, lower=frontier_to_proto(Frontier(lower)))
        call = self._controller.collections.Tail(pb.TailRequest(collections=[wanted]))
        try:
            batch = await asyncio.wait_for(call.read(), self._controller.patience_s)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except TimeoutError:
            raise Failed("a tail", "nothing of it") from None
        finally:
            call.cancel()
        changes = [
            change
            for delta in batch.deltas
            if delta.collection == collection
            for change in changes_of(delta.batches, PAIRS)
        ]
        return batch.lower.time, batch.upper.time, changes

    async def snapshot(self, table: str, as_of: int) -> list[Row]:
        request = pb.SnapshotRequest(collection=await self._id(table), as_of=as_of)
        rows: list[Row] = []
        try:
            async for chunk in self._controller.collections.Snapshot(request):
                for row, _, diff in changes_of(chunk.delta.batches, PAIRS):
                    rows += [row] * diff
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return rows

    async def append_view(
        self, view: str, epoch: int, claim: bytes, lower: int, upper: int
    ) -> bool:
        collection = await self._id(view)
        request = pb.CompareAndAppendRequest(
            collection=collection,
            expected_upper=frontier_to_proto(Frontier(lower)),
            new_upper=frontier_to_proto(Frontier(upper)),
            delta=pb.CollectionDelta(collection=collection),
            epoch=epoch,
            claim_id=claim,
        )
        call = self._controller.collections.CompareAndAppend(
            request, timeout=self._controller.patience_s
        )
        return bool((await self._call(call)).applied)

    async def append_in_pieces(
        self, view: str, epoch: int, claim: bytes, upper: int, *pieces: Row, whole: bool = True
    ) -> bool:
        collection = CollectionId(await self._id(view))
        deltas = [delta_to_proto(collection, delta_of([(row, upper - 1, 1)])) for row in pieces]
        first = pb.CompareAndAppendRequest(
            collection=collection,
            expected_upper=frontier_to_proto(Frontier(1)),
            new_upper=frontier_to_proto(Frontier(upper)),
            delta=deltas[0],
            epoch=epoch,
            claim_id=claim,
        )
        call = self._controller.collections.AppendInPieces(timeout=self._controller.patience_s)
        # It may be answered early: then there is nobody left to write to.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await call.write(pb.AppendPiece(append=first))
            for delta in deltas[1:-1]:
                await call.write(pb.AppendPiece(delta=delta))
            if not whole:
                call.cancel()
                return False
            await call.write(pb.AppendPiece(delta=deltas[-1], last=True))
        return bool((await self._call(call)).applied)

    async def upper(self) -> int:
        return int((await self._controller.client.status()).timeline_upper.time)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> tuple[Violation, ...]:
        """Nothing of the check is left; what it heard that was illegal."""
        for asked in self._asked:
            await asked.cancel()
        for subscribed in self._subscribed:
            await subscribed.close()
        for name in self._added:
            with contextlib.suppress(ComputeError):
                await self._controller.client.remove_replica(name)
        for table in self._tables:
            with contextlib.suppress(ComputeError):
                await self.sql(f"DROP TABLE {table} CASCADE")
        for played in self._replicas:
            await played.stop()
        return tuple(
            Violation(number=ILLEGAL, text=f"{played.name} heard what is illegal: {heard.illegal}")
            for played in self._replicas
            for heard in played.scripted.sessions
            if heard.illegal is not None
        )

    async def _id(self, name: str) -> int:
        return (await self._controller.client.collection(name)).id

    async def _call(self, call: Awaitable[Answer]) -> Answer:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except grpc.aio.UsageError as error:
            raise OutcomeUnknown(str(error)) from error
