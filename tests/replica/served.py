"""A real replica process, and a scripted controller in the test: real gRPC both ways."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc

from antiphon.protocol.codec import (
    commands_to_batch,
    facts_from_proto,
    frontier_from_proto,
    frontier_to_proto,
    responses_from_batch,
)
from antiphon.protocol.command import Command, Sent, is_numbered
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import CollectionId, ConnectionId, PeekId, Position
from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.response import Response
from antiphon.replica.ports import EncodedDelta
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1 import collections_pb2_grpc, compute_pb2, compute_pb2_grpc
from tests.replica.scripted import (
    REPLICA,
    Row,
    at,
    changes_of,
    complete,
    connection,
    create_instance,
    delta,
    hello,
)
from tests.replica.stored import Shard, Store

MAIN = """
import sys
from antiphon.replica.io.config import load_config
from antiphon.replica.io.process import run_replica
from antiphon.protocol.errors import AntiphonError
name, listen, data, controller, watch = sys.argv[1:]
config = load_config(
    name=name, listen=listen, data=data, controller=controller, watch_stdin=watch == "watch",
)
try:
    sys.exit(run_replica(config))
except AntiphonError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""
PATIENCE_S = 100.0  # for what must come, on however busy a machine


class Collections(collections_pb2_grpc.CollectionsServicer):
    """The controller's side of the store. `broken`: every call fails until it is cleared."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.broken = False
        self.tails: list[pb.TailRequest] = []
        self.snapshots: list[pb.SnapshotRequest] = []
        self._changed = asyncio.Condition()

    async def append(self, time: int, collection: CollectionId, *rows: tuple[Row, int]) -> None:
        async with self._changed:
            self.store.append(time, collection, *rows)
            self.store.upper = time + 1
            self._changed.notify_all()

    async def break_off(self) -> None:
        """Ends every tail."""
        async with self._changed:
            self.broken = True
            self._changed.notify_all()

    async def Tail(self, request: pb.TailRequest, context: Any) -> AsyncIterator[pb.TailBatch]:
        self.tails.append(request)
        lowers = {CollectionId(c.collection): c.lower.time for c in request.collections}
        reached = min(lowers.values())
        while True:
            if self.broken:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
            upper = self.store.upper
            if reached < upper:
                deltas = [
                    _collection_delta(collection, delta(*changes))
                    for collection, lower in lowers.items()
                    if (changes := self.store.between(collection, max(lower, reached), upper))
                ]
                yield pb.TailBatch(
                    lower=frontier_to_proto(at(reached)),
                    upper=frontier_to_proto(at(upper)),
                    deltas=deltas,
                )
                reached = upper
            async with self._changed:
                await self._changed.wait_for(lambda: self.broken or self.store.upper > reached)  # noqa: B023

    async def Snapshot(
        self, request: pb.SnapshotRequest, context: Any
    ) -> AsyncIterator[pb.SnapshotChunk]:
        if self.broken:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        self.snapshots.append(request)
        collection = CollectionId(request.collection)
        changes = self.store.snapshot(collection, request.as_of)
        yield pb.SnapshotChunk(
            delta=_collection_delta(collection, delta(*changes)),
            rows_total=len(changes),
            last=True,
        )

    async def CompareAndAppend(
        self, request: pb.CompareAndAppendRequest, context: Any
    ) -> pb.CompareAndAppendResponse:
        if self.broken:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")
        shard = self.store.shards.setdefault(CollectionId(request.collection), Shard())
        applied = shard.upper == frontier_from_proto(request.expected_upper)
        if applied:
            shard.changes += changes_of(request.delta.batches)
            shard.upper = frontier_from_proto(request.new_upper)
        return pb.CompareAndAppendResponse(applied=applied, upper=frontier_to_proto(shard.upper))


def _collection_delta(collection: CollectionId, encoded: EncodedDelta) -> pb.CollectionDelta:
    return pb.CollectionDelta(
        collection=collection, batches=encoded.rows, error_batches=encoded.errors
    )


class Connection:
    """One session, from the controller's end."""

    def __init__(self, stub: compute_pb2_grpc.ComputeAsyncStub) -> None:
        self.call = stub.Session()
        self.responses: list[Response] = []
        self.id: ConnectionId | None = None  # as Hello said it
        self.ids: list[ConnectionId] = []  # as the responses say it
        self.ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._position = 0
        self._arrived = asyncio.Event()
        self._reader = asyncio.ensure_future(self._read())

    async def say(self, *commands: Sent) -> None:
        await self.call.write(commands_to_batch(commands))

    async def send(self, *commands: Command) -> None:
        await self.say(*map(self._numbered, commands))

    async def begin(self, facts: ReplicaFacts, *commands: Command, **options: Any) -> None:
        """Hello to InitializationComplete, as the facts demand, unless `options` say otherwise."""
        number = facts.session_id + 1
        options = {
            "epoch": max(facts.highest_epoch, 1),
            "session": number,
            "connection_id": number,
            **options,
        }
        self.id = connection(options["connection_id"])
        first = hello(incarnation=facts.incarnation, position=facts.applied_position, **options)
        numbered = [self._numbered(command) for command in commands]
        await self.say(first, create_instance(), *numbered, complete(self._position))

    async def until(self, condition: Callable[[list[Response]], Any]) -> Any:
        """Waits until the responses so far satisfy `condition`; returns what it found."""

        async def watch() -> Any:
            while not (found := condition(self.responses)):
                if self.ended.done():
                    raise AssertionError(f"the stream ended: {self.ended.result()}")
                self._arrived.clear()
                await self._arrived.wait()
            return found

        try:
            return await asyncio.wait_for(watch(), PATIENCE_S)
        except TimeoutError:
            raise AssertionError(f"nothing more came than {self.responses[-5:]}") from None

    async def end(self) -> Any:
        """How the stream ended: the typed error, or None."""
        return await asyncio.wait_for(asyncio.shield(self.ended), PATIENCE_S)

    async def close(self) -> None:
        self.call.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _numbered(self, command: Command) -> Sent:
        position = 0
        if is_numbered(command):
            self._position += 1
            position = self._position
        return Sent(Position(position), command)

    async def _read(self) -> None:
        error = None
        try:
            async for message in self.call:
                connection_id, responses = responses_from_batch(message)
                self.ids.append(connection_id)
                self.responses += responses
                self._arrived.set()
        except grpc.aio.AioRpcError as failure:
            error = from_rpc_error(failure)
        except asyncio.CancelledError:
            error = None
        self.ended.set_result(error)
        self._arrived.set()


class Served:
    """A replica process and the store it reads."""

    def __init__(self, directory: Path, collections: Collections, controller: str) -> None:
        self.directory = directory
        self.collections = collections
        self.address = f"unix:{directory / 'socket'}"
        self.process: subprocess.Popen[bytes] | None = None
        self._controller = controller
        self._connections: list[Connection] = []
        self._open()

    def _open(self) -> None:
        self._channel = open_channel(self.address)
        self.stub = compute_pb2_grpc.ComputeStub(self._channel)

    def spawn(self, watch_stdin: bool = False) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                MAIN,
                REPLICA,
                self.address,
                str(self.directory / "data"),
                self._controller,
                "watch" if watch_stdin else "",
            ],
            stdin=subprocess.PIPE,
            stderr=(self.directory / "log").open("ab"),
        )

    async def start(self, watch_stdin: bool = False) -> None:
        self.spawn(watch_stdin)
        # What connected to an earlier process may not have noticed yet that it is gone.
        await self._channel.close()
        self._open()
        await asyncio.wait_for(self._channel.channel_ready(), PATIENCE_S)

    async def facts(self) -> ReplicaFacts:
        return facts_from_proto(await self.stub.Probe(compute_pb2.ProbeRequest()))

    def connect(self) -> Connection:
        opened = Connection(self.stub)
        self._connections.append(opened)
        return opened

    async def fetch(self, peek_id: PeekId) -> list[bytes]:
        call = self.stub.FetchResult(compute_pb2.FetchResultRequest(peek_id=peek_id.value))
        try:
            return [chunk.batch async for chunk in call]
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def exited(self) -> int:
        assert self.process is not None, "it was not started"
        process = self.process
        return await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE_S)

    async def hang_up(self) -> None:
        """Ends all sessions from the controller's side."""
        connections, self._connections = self._connections, []
        for one in connections:
            await one.close()

    def log(self) -> str:
        return (self.directory / "log").read_text()

    async def close(self) -> None:
        await self.hang_up()
        await self._channel.close()
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            if self.process.poll() is None:
                self.process.kill()
            await self.exited()


@contextlib.asynccontextmanager
async def served(directory: Path, store: Store) -> AsyncIterator[Served]:
    """A controller's Collections, and a replica that is yet to be started."""
    collections = Collections(store)
    server = create_server([Gate()])
    collections_pb2_grpc.add_CollectionsServicer_to_server(collections, server)
    controller = listen(server, f"unix:{directory / 'controller'}")
    await server.start()
    replica = Served(directory, collections, controller)
    try:
        yield replica
    finally:
        await replica.close()
        await server.stop(0)
