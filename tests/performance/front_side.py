"""A replica's front as it is, with a worker that answers every peek at once, with nothing.

What is measured through it is the session: codec, stages, streams and the order of the driver. It
prints its address and runs until its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Final

from antiphon.protocol.command import Peek
from antiphon.protocol.ids import Incarnation, ReplicaId
from antiphon.protocol.io.channel import create_server, listen
from antiphon.protocol.io.memory import spare_what_is_loaded
from antiphon.protocol.response import PeekResponse, PeekRows
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.io.service import ComputeService
from antiphon.replica.io.streams import Streams
from antiphon.replica.ports import (
    AppendShard,
    CancelSnapshot,
    CommandsReceived,
    Event,
    Fence,
    OpenTail,
    ReadSnapshot,
    WorkerReady,
)
from antiphon.v1 import compute_pb2_grpc

NAME: Final = ReplicaId("r1")
NOTHING: Final = PeekRows(batches=(), row_count=0)


def now_ms() -> int:
    return int(time.time() * 1_000)


class Forgetful:
    """Remembers the fence for as long as the process lives."""

    def __init__(self) -> None:
        self._fence: Fence | None = None

    def load(self) -> Fence | None:
        return self._fence

    def store(self, fence: Fence) -> None:
        self._fence = fence


class NoCollections:
    """Nothing is ever asked of the store."""

    def open_tail(self, request: OpenTail) -> None:
        raise AssertionError(f"asked for {request}")

    def read_snapshot(self, request: ReadSnapshot) -> None:
        raise AssertionError(f"asked for {request}")

    def cancel_snapshot(self, request: CancelSnapshot) -> None:
        raise AssertionError(f"asked for {request}")

    def append_shard(self, request: AppendShard) -> None:
        raise AssertionError(f"asked for {request}")


class Acknowledging:
    """Answers all commands that arrived together in one go, on the next turn of the loop."""

    def __init__(self) -> None:
        self.driver: ReplicaDriver | None = None

    def post(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(self._answer, event)

    def _answer(self, event: Event) -> None:
        assert self.driver is not None, "not wired"
        self.driver.worker_handled(1)
        if isinstance(event, CommandsReceived):
            responses = tuple(
                PeekResponse(peek_id=sent.peek_id, result=NOTHING)
                for sent in event.commands
                if sent.kind is Peek and sent.peek_id is not None
            )
            ready = WorkerReady(responses=responses, connection_id=event.connection_id)
            self.driver.worker_ready(ready, now_ms())


def crashed(error: BaseException) -> None:
    raise error


async def beat(driver: ReplicaDriver) -> None:
    while True:
        driver.tick(now_ms())
        await asyncio.sleep(0.2)


async def serve() -> None:
    worker, streams = Acknowledging(), Streams()
    driver = ReplicaDriver(
        replica=NAME, incarnation=Incarnation(bytes(16)), fences=Forgetful(), streams=streams,
        worker=worker, collections=NoCollections(),
    )  # fmt: skip
    worker.driver = driver
    server = create_server()
    service = ComputeService(driver, streams, now_ms, crashed)
    compute_pb2_grpc.add_ComputeServicer_to_server(service, server)
    address = listen(server, "127.0.0.1:0")
    await server.start()
    spare_what_is_loaded()  # as a replica does
    beating = asyncio.ensure_future(beat(driver))
    print(address, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    beating.cancel()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
