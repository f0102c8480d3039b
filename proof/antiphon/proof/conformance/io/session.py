"""One session stream over gRPC: says what it is told, writes down what it hears."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc

from antiphon.proof.conformance.positions import ScriptedHistory
from antiphon.proof.conformance.transcript import Garbled, Heard, Said, Transcript
from antiphon.proof.conformance.verdict import Failed, NotApplicable
from antiphon.protocol.codec import commands_to_batch, responses_from_batch
from antiphon.protocol.command import Command, Sent
from antiphon.protocol.describe import describe
from antiphon.protocol.errors import AntiphonError, NotServed, RemoteProtocolError
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import compute_pb2_grpc

Found = TypeVar("Found")


class OpenSession:
    """The port's `Session`. Its reader runs until the stream ends."""

    def __init__(
        self, stub: compute_pb2_grpc.ComputeAsyncStub, history: ScriptedHistory, patience_s: float
    ) -> None:
        self.transcript = Transcript()
        self._history = history
        self._patience_s = patience_s
        self._call: Any = stub.Session()
        self._error: AntiphonError | None = None
        self._over = asyncio.Event()
        self._arrived = asyncio.Event()
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @property
    def ended(self) -> bool:
        return self._over.is_set()

    async def say(self, *commands: Sent) -> None:
        self.transcript.entries += [Said(sent) for sent in commands]
        try:
            await self._call.write(commands_to_batch(commands))
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            # The stream ended while this was on its way out; the reader knows how.
            await self._wait(self._over.wait(), "the stream to end, as writing to it failed")

    async def send(self, *commands: Command) -> None:
        await self.say(*(self._history.place(command) for command in commands))

    async def until(self, find: Callable[[Transcript], Found | None], expected: str) -> Found:
        async def watch() -> Found:
            while True:
                self._arrived.clear()
                found = find(self.transcript)
                if found:
                    return found
                if self.ended:
                    raise self._ended_before(expected)
                await self._arrived.wait()

        return await self._wait(watch(), expected)

    async def end(self) -> AntiphonError | None:
        await self._wait(self._over.wait(), "the replica to end the stream")
        return self._error

    async def close(self) -> None:
        self._call.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _wait(self, waiting: Awaitable[Found], expected: str) -> Found:
        try:
            return await asyncio.wait_for(waiting, self._patience_s)
        except TimeoutError:
            raise Failed(expected, f"{self._last()} for {self._patience_s:g} s") from None

    def _ended_before(self, expected: str) -> AntiphonError:
        error = self._error
        if isinstance(error, NotServed):
            return NotApplicable(f"not served: {error.message}")
        how = "without an error" if error is None else f"with {type(error).__name__}: {error}"
        return Failed(expected, f"the stream end {how}")

    def _last(self) -> str:
        heard = list(self.transcript.responses())
        return f"nothing after {describe(heard[-1])}" if heard else "nothing at all"

    async def _read(self) -> None:
        try:
            async for message in self._call:
                try:
                    connection_id, responses = responses_from_batch(message)
                except RemoteProtocolError as error:
                    self.transcript.entries.append(Garbled(str(error)))
                    continue
                at_ms = time.monotonic_ns() // 1_000_000
                self.transcript.entries += [
                    Heard(connection_id=connection_id, response=response, at_ms=at_ms)
                    for response in responses
                ]
                self._arrived.set()
        except grpc.aio.AioRpcError as error:
            self._error = from_rpc_error(error)
        finally:
            self._over.set()
            self._arrived.set()
