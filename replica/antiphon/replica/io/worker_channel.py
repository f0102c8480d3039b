"""The front's end of the pipe to its worker process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from antiphon.protocol.limits import MIB
from antiphon.replica.io.pipe import Decoder, FromWorker, ToWorker, encode
from antiphon.replica.ports import Event

# Some chunks of a snapshot, so that the worker never waits for the next one.
UNSENT_BYTES_MAX: Final = 8 * MIB


class WorkerChannel(asyncio.Protocol):
    """The driver's `WorkerPort`. Events posted in one turn of the loop share a message.

    Writing never waits, so that the two ends cannot wait for each other; whoever has a choice (the
    tail, snapshots) waits for `writable` before it posts more.
    """

    def __init__(
        self, received: Callable[[FromWorker], None], crashed: Callable[[BaseException], None]
    ) -> None:
        self._received = received
        self._crashed = crashed
        self._decoder = Decoder()
        self._posted: list[Event] = []
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()

    @staticmethod
    async def open(
        pipe: socket.socket,
        received: Callable[[FromWorker], None],
        crashed: Callable[[BaseException], None],
    ) -> WorkerChannel:
        """Takes `pipe` over. `crashed` is told of a bug in `received`: nothing can be trusted
        after it."""
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_connection(
            lambda: WorkerChannel(received, crashed), sock=pipe
        )
        return channel

    def post(self, event: Event) -> None:
        if not self._posted:
            asyncio.get_running_loop().call_soon(self._flush)
        self._posted.append(event)

    async def writable(self) -> None:
        """Returns once the worker keeps up with what was posted."""
        await self._writable.wait()

    def close(self) -> None:
        """The worker ends when it sees this."""
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        posted, self._posted = self._posted, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(ToWorker(tuple(posted))))

    # Called by asyncio.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNSENT_BYTES_MAX)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                self._received(message)
        except BaseException as error:
            self._crashed(error)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self.closed.set()
