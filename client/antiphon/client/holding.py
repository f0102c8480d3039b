"""Named holds, as a subscriber uses them: taken before the first stream, acknowledged as it goes.

What is acknowledged is what the subscriber has dealt with, not what has arrived: only it knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.client.fields import fitted
from antiphon.protocol.codec.frontier import frontier_from_proto, frontier_to_proto
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A hold by its name. `deadline_ms`: how long it outlives its subscriber's last word; 0 leaves
    it as it is, or at the server's default."""

    name: str
    deadline_ms: int = 0

    def take(self, of: wire.SubscribeRequest) -> wire.HoldSubscriptionRequest:
        """Take it, or find out where it stands. Answered with what has been acknowledged."""
        return fitted(
            wire.HoldSubscriptionRequest,
            hold=self.name,
            collection=of.collection,
            query=of.query,
            deadline_ms=self.deadline_ms,
        )

    def acknowledge(self, frontier: Frontier) -> wire.HoldSubscriptionRequest:
        return wire.HoldSubscriptionRequest(
            hold=self.name, acknowledged=frontier_to_proto(frontier)
        )

    def release(self) -> wire.HoldSubscriptionRequest:
        return fitted(wire.HoldSubscriptionRequest, hold=self.name, release=True)


def acknowledged(response: wire.HoldSubscriptionResponse) -> Frontier | None:
    """Up to where the subscriber had come; None: it has yet to begin."""
    if not response.HasField("frontier"):
        return None
    return frontier_from_proto(response.frontier)
