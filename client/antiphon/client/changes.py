"""A running subscription: reads the stream, and opens another when it breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from antiphon.client import session
from antiphon.client.encoding import decode_batch, decode_schema
from antiphon.client.holding import Hold, acknowledged
from antiphon.client.ports import ControlPort, RetryPort
from antiphon.client.subscription import ChangeBatch, Subscription
from antiphon.protocol.codec.frontier import frontier_from_proto, frontier_to_proto
from antiphon.protocol.errors import InvalidArgument, LimitExceeded, OutcomeUnknown
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire


class Changes:
    """An asynchronous iterator of `ChangeBatch`es that survives lost connections and restarts of
    the controller: it resumes from the last batch it handed out, without gap or repeat.

    It ends when the collection is closed (dropped). Use `async with`, or call `close`.

    Raises (from iteration):
        HoldMissing, HoldLost: there is no such hold any more.
        SinceViolation: the connection was down so long that the changes in between are folded.
        Unavailable: no controller answered for the client's patience.
    """

    def __init__(
        self,
        control: ControlPort,
        retry: RetryPort,
        request: wire.SubscribeRequest,
        subscription: Subscription,
        *,
        with_progress: bool,
        hold: Hold | None = None,
    ) -> None:
        self._control = control
        self._retry = retry
        self._request = request
        self._subscription = subscription
        self._with_progress = with_progress
        self._hold = hold
        self._is_held = False
        self._stream: AsyncIterator[wire.SubscribeChunk] | None = None
        self._is_closed = False

    @property
    def frontier(self) -> Frontier | None:
        """What to pass as `from_frontier` to go on after the last batch; None before the first."""
        return self._subscription.delivered

    async def acknowledge(self) -> None:
        """Under a named hold: everything handed out so far has been dealt with. Whoever subscribes
        under the hold next, after whatever happened, goes on from here.

        Raises:
            HoldLost: it was released meanwhile, or what it reads was dropped.
            InvalidArgument: there is no hold.
        """
        if self._hold is None:
            raise InvalidArgument("there is nothing to acknowledge without a named hold")
        frontier = self._subscription.delivered
        if frontier is None or frontier.is_closed:
            return
        request = self._hold.acknowledge(frontier)
        await self._retry.run(lambda: self._control.hold_subscription(request), _may_resume)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChangeBatch:
        while not (self._is_closed or self._subscription.is_finished):
            batch = await self._retry.run(self._receive, _may_resume)
            if batch is not None and (len(batch) or batch.is_snapshot or self._with_progress):
                return batch
        await self.close()
        raise StopAsyncIteration

    async def _receive(self) -> ChangeBatch | None:
        """One chunk of the stream, which is opened first if need be."""
        if self._hold is not None and not self._is_held:
            await self._take(self._hold)
        if self._stream is None:
            self._subscription.reconnected()
            self._stream = self._control.subscribe(self._next_request())
        try:
            async for chunk in self._stream:
                return self._accept(chunk)
        except BaseException:
            self._stream = None  # whatever broke it: the next attempt opens another
            raise
        self._stream = None
        if self._subscription.is_finished or self._is_closed:
            return None
        raise OutcomeUnknown("the controller ended the subscription before its end")

    async def _take(self, hold: Hold) -> None:
        """Before the first stream: from here on nothing of it can be lost."""
        response = await self._control.hold_subscription(hold.take(self._request))
        self._is_held = True
        if self._subscription.delivered is None:
            self._subscription.delivered = acknowledged(response)

    def _accept(self, chunk: wire.SubscribeChunk) -> ChangeBatch | None:
        if chunk.arrow_schema:
            self._subscription.announce(decode_schema(chunk.arrow_schema))
        if not (chunk.HasField("lower") and chunk.HasField("upper")):
            return None  # the schema alone
        schema = self._subscription.schema
        return self._subscription.receive(
            frontier_from_proto(chunk.lower),
            frontier_from_proto(chunk.upper),
            [decode_batch(message, schema) for message in chunk.batches],
        )

    def _next_request(self) -> wire.SubscribeRequest:
        request = wire.SubscribeRequest()
        request.CopyFrom(self._request)
        request.hold = "" if self._hold is None else self._hold.name
        if self._subscription.delivered is not None:
            request.with_snapshot = False
            request.resume_from.CopyFrom(frontier_to_proto(self._subscription.delivered))
        return request

    async def close(self) -> None:
        """Ends the stream. Further iteration ends at once."""
        self._is_closed = True
        stream, self._stream = self._stream, None
        if stream is not None and hasattr(stream, "aclose"):
            await stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _may_resume(error: BaseException) -> bool:
    """A reader that was too slow is cut off; it goes on from where it is."""
    if isinstance(error, LimitExceeded):
        return error.details.get("limit") == "SUBSCRIBE_QUEUE_BYTES_MAX"
    return session.may_repeat(error, harmless=True)
