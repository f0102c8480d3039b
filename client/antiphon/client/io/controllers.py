"""Several controllers of one instance, of which one is live: the control port over all of them.

Calls go to the one that served last. One that cannot be reached, stands by, or was replaced sends
the next call to the next address; whether the failed call may be repeated is the caller's to know,
as ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

from antiphon.client.io.connection import Connection
from antiphon.protocol.errors import (
    ComputeError,
    EpochFenced,
    LinkTimeout,
    OutcomeUnknown,
    Standby,
    Unavailable,
)
from antiphon.v1 import control_pb2 as wire

A = TypeVar("A")

STANDBY: Final = "standby"  # as `GetStatusResponse.role` says it
# After these another controller may be the one to ask.
_ELSEWHERE: Final = (Unavailable, Standby, EpochFenced, LinkTimeout, OutcomeUnknown)


class Controllers:
    """Implements `ControlPort`."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        assert connections, "nobody to talk to"
        self._connections = tuple(connections)
        self._at = 0

    @property
    def address(self) -> str:
        """Of the one that is asked next."""
        return self._connections[self._at].address

    def execute(self, request: wire.ExecuteRequest) -> AsyncIterator[wire.ExecuteResponse]:
        return self._stream(lambda one: one.execute(request))

    async def append(self, request: wire.AppendRequest) -> wire.AppendResponse:
        return await self._call(lambda one: one.append(request))

    def peek(self, request: wire.PeekRequest) -> AsyncIterator[wire.PeekChunk]:
        return self._stream(lambda one: one.peek(request))

    async def lookup(self, request: wire.PeekRequest) -> wire.PeekChunk:
        return await self._call(lambda one: one.lookup(request))

    def subscribe(self, request: wire.SubscribeRequest) -> AsyncIterator[wire.SubscribeChunk]:
        return self._stream(lambda one: one.subscribe(request))

    async def list_collections(self, name: str = "") -> wire.ListCollectionsResponse:
        return await self._call(lambda one: one.list_collections(name))

    async def get_status(self) -> wire.GetStatusResponse:
        """Of the live one, which is asked from here on; of a standby if none is live."""
        standby: wire.GetStatusResponse | None = None
        failure: ComputeError | None = None
        for step in range(len(self._connections)):
            at = (self._at + step) % len(self._connections)
            try:
                status = await self._connections[at].get_status()
            except _ELSEWHERE as error:
                failure = failure or error
                continue
            if status.role != STANDBY:
                self._at = at
                return status
            standby = standby or status
        if standby is not None:
            return standby
        assert failure is not None, "nobody answered, and nobody failed"
        raise failure

    async def add_replica(self, request: wire.AddReplicaRequest) -> wire.AddReplicaResponse:
        return await self._call(lambda one: one.add_replica(request))

    async def remove_replica(self, request: wire.RemoveReplicaRequest) -> None:
        await self._call(lambda one: one.remove_replica(request))

    async def promote(self, request: wire.PromoteRequest) -> wire.PromoteResponse:
        return await self._call(lambda one: one.promote(request))

    async def explain_replica(
        self, request: wire.ExplainReplicaRequest
    ) -> wire.ExplainReplicaResponse:
        return await self._call(lambda one: one.explain_replica(request))

    async def hold_subscription(
        self, request: wire.HoldSubscriptionRequest
    ) -> wire.HoldSubscriptionResponse:
        return await self._call(lambda one: one.hold_subscription(request))

    def read_history(self, request: wire.ReadHistoryRequest) -> AsyncIterator[wire.HistoryRecord]:
        return self._stream(lambda one: one.read_history(request))

    async def close(self) -> None:
        for one in self._connections:
            await one.close()

    async def _call(self, call: Callable[[Connection], Awaitable[A]]) -> A:
        at = self._at
        try:
            return await call(self._connections[at])
        except _ELSEWHERE as error:
            raise self._leave(at, error) from error

    async def _stream(self, call: Callable[[Connection], AsyncIterator[A]]) -> AsyncIterator[A]:
        at = self._at
        messages = call(self._connections[at])
        try:
            async for message in messages:
                yield message
        except _ELSEWHERE as error:
            raise self._leave(at, error) from error
        finally:
            if hasattr(messages, "aclose"):
                await messages.aclose()

    def _leave(self, at: int, error: ComputeError) -> ComputeError:
        """The next address from here on, unless another call has moved on already. What a standby
        refused another may serve: nothing was done, so it may be asked again."""
        if self._at == at:
            self._at = (at + 1) % len(self._connections)
        if isinstance(error, Standby):
            return Unavailable(error.message, **error.details)
        return error
