"""What the client needs of the world: one controller to talk to, and patience.

`io/` implements both with gRPC and tenacity. Requests and answers are the generated messages, which
are values; failures are `AntiphonError`s, never gRPC's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from antiphon.v1 import control_pb2 as wire

T = TypeVar("T")


class ControlPort(Protocol):
    """One controller. Calls raise `AntiphonError`s. Streams end when their iterator is closed."""

    @property
    def address(self) -> str: ...

    def execute(self, request: wire.ExecuteRequest) -> AsyncIterator[wire.ExecuteResponse]: ...

    async def append(self, request: wire.AppendRequest) -> wire.AppendResponse: ...

    def peek(self, request: wire.PeekRequest) -> AsyncIterator[wire.PeekChunk]: ...

    async def lookup(self, request: wire.PeekRequest) -> wire.PeekChunk: ...

    def subscribe(self, request: wire.SubscribeRequest) -> AsyncIterator[wire.SubscribeChunk]: ...

    async def list_collections(self, name: str = "") -> wire.ListCollectionsResponse: ...

    async def get_status(self) -> wire.GetStatusResponse: ...

    async def add_replica(self, request: wire.AddReplicaRequest) -> wire.AddReplicaResponse: ...

    async def remove_replica(self, request: wire.RemoveReplicaRequest) -> None: ...

    async def promote(self, request: wire.PromoteRequest) -> wire.PromoteResponse: ...

    async def explain_replica(
        self, request: wire.ExplainReplicaRequest
    ) -> wire.ExplainReplicaResponse: ...

    async def hold_subscription(
        self, request: wire.HoldSubscriptionRequest
    ) -> wire.HoldSubscriptionResponse: ...

    def read_history(
        self, request: wire.ReadHistoryRequest
    ) -> AsyncIterator[wire.HistoryRecord]: ...

    async def close(self) -> None: ...


class RetryPort(Protocol):
    """Repeats an attempt, with growing pauses, until it succeeds, may not be repeated, or has
    failed for too long; then its last error is raised."""

    async def run(
        self, attempt: Callable[[], Awaitable[T]], may_repeat: Callable[[BaseException], bool]
    ) -> T: ...


class LoopPort(Protocol):
    """An event loop on a thread of its own, for callers that block."""

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it there and waits for its result; interrupting the wait cancels it."""
        ...
