"""Reads by key: a message each way, where the answer fits one.

A stream of one message costs the client twice what a plain call does. So a read by key is asked as
`Lookup` first, and as `Peek` where its answer turned out larger, or the controller is of a version
that serves no `Lookup`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pyarrow as pa

from antiphon.client.encoding import collect_peek
from antiphon.client.ports import ControlPort
from antiphon.protocol.errors import NotServed
from antiphon.v1 import control_pb2 as wire

LARGE_KEPT_MAX: Final = 1_024  # collections; to forget one costs one call more


class Lookups:
    """Remembers of which collections a key has many rows, so that nobody computes those twice."""

    def __init__(self, control: ControlPort) -> None:
        self._control = control
        self._large: dict[str, None] = {}
        self._is_served = True

    async def read(self, request: wire.PeekRequest) -> pa.Table:
        """Raises as the control port does."""
        if not self._is_served or request.collection in self._large:
            return await collect_peek(self._control.peek(request))
        try:
            chunk = await self._control.lookup(request)
        except NotServed:
            table = await collect_peek(self._control.peek(request))
            self._is_served = False  # else the stream had been refused as well
            return table
        if not chunk.more:
            return await collect_peek(_only(chunk))
        if len(self._large) >= LARGE_KEPT_MAX:
            self._large.clear()
        self._large[request.collection] = None
        return await collect_peek(self._control.peek(request))


async def _only(chunk: wire.PeekChunk) -> AsyncIterator[wire.PeekChunk]:
    yield chunk
