"""Session streams as the driver sees them: numbers to send to, and to end.

A stream is ended by telling its handler, which aborts the call with a typed status. Cancelling the
handler instead would leave the controller without an answer.
"""

from __future__ import annotations

import asyncio
from collections import deque

from antiphon.protocol.errors import AntiphonError, LimitExceeded
from antiphon.protocol.ids import ConnectionId
from antiphon.protocol.limits import RESPONSE_QUEUE_MAX
from antiphon.protocol.response import Response

Outgoing = tuple[ConnectionId, tuple[Response, ...]]


class OpenStream:
    """What one handler has to send, and why it has to stop."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.error: AntiphonError | None = None
        self._queue: deque[Outgoing] = deque()
        self._queued = 0
        self._finished = False
        self._wake = asyncio.Event()

    def push(self, connection_id: ConnectionId, responses: tuple[Response, ...]) -> None:
        if self.error is not None:
            return
        self._queued += len(responses)
        if self._queued > RESPONSE_QUEUE_MAX:
            self.end(LimitExceeded("the controller reads too slowly", limit="RESPONSE_QUEUE_MAX"))
            return
        self._queue.append((connection_id, responses))
        self._wake.set()

    def end(self, error: AntiphonError) -> None:
        """What was sent before still leaves first, but for what waits behind a full queue."""
        if self.error is None:
            self.error = error
        self._wake.set()

    def finish(self) -> None:
        """The controller has closed its side."""
        self._finished = True
        self._wake.set()

    async def next(self) -> list[Outgoing]:
        """All that waits to be sent; empty once there is nothing more to come."""
        while not self._queue and self.error is None and not self._finished:
            self._wake.clear()
            await self._wake.wait()
        waiting = list(self._queue)
        self._queue.clear()
        self._queued = 0
        return waiting


class Streams:
    """The driver's `StreamPort`."""

    def __init__(self) -> None:
        self._open: dict[int, OpenStream] = {}
        self._last = 0

    def open(self) -> OpenStream:
        self._last += 1
        stream = OpenStream(self._last)
        self._open[stream.number] = stream
        return stream

    def forget(self, stream: OpenStream) -> None:
        self._open.pop(stream.number, None)

    def send(
        self, stream: int, connection_id: ConnectionId, responses: tuple[Response, ...]
    ) -> None:
        found = self._open.get(stream)
        if found is not None:
            found.push(connection_id, responses)

    def end(self, stream: int, error: AntiphonError) -> None:
        found = self._open.get(stream)
        if found is not None:
            found.end(error)

    def end_all(self, error: AntiphonError) -> None:
        for stream in self._open.values():
            stream.end(error)

    @property
    def is_empty(self) -> bool:
        return not self._open
