"""What was said on one session stream, both ways, in the controller's order.

A command is written down before it leaves, so that whatever answers it stands after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from antiphon.protocol.command import Hello, Sent
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, PeekId
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Dropped,
    Failure,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)

PeekResult = PeekRows | PeekStashed | PeekCanceled | Failure
CopyToResult = CopyToRows | CopyToDropped | Failure


@dataclass(frozen=True, slots=True)
class Said:
    """A command is about to leave."""

    sent: Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A response arrived, under the connection id that its batch carried."""

    connection_id: ConnectionId
    response: Response
    at_ms: int = 0  # on the clock of whoever listens


@dataclass(frozen=True, slots=True)
class Garbled:
    """A message arrived that cannot be read."""

    reason: str


Entry = Said | Heard | Garbled


@dataclass(slots=True)
class Transcript:
    """`adopted`: collections that this session extends, and has not created itself."""

    entries: list[Entry] = field(default_factory=list)
    adopted: frozenset[CollectionId] = frozenset()

    @property
    def connection_id(self) -> ConnectionId | None:
        """What Hello said; None before it."""
        for entry in self.entries:
            if isinstance(entry, Said) and isinstance(entry.sent.command, Hello):
                return entry.sent.command.connection_id
        return None

    def heard(self) -> Iterator[Heard]:
        return (entry for entry in self.entries if isinstance(entry, Heard))

    def responses(self) -> Iterator[Response]:
        return (entry.response for entry in self.heard())

    def answers(self, peek: PeekId) -> list[PeekResult]:
        return [
            response.result
            for response in self.responses()
            if isinstance(response, PeekResponse) and response.peek_id == peek
        ]

    def frontiers(self, collection: CollectionId) -> list[Frontiers]:
        return [
            response
            for response in self.responses()
            if isinstance(response, Frontiers) and collection in response.collections
        ]

    def reached(self, collection: CollectionId, kind: str = "output") -> Frontier | None:
        """The last frontier reported, of the kind write, input or output; None: none was."""
        last = None
        for report in self.frontiers(collection):
            last = getattr(report, f"{kind}_frontier") or last
        return last

    def subscribed(self, collection: CollectionId) -> list[SubscribeBatch | SubscribeDropped]:
        return [
            response.result
            for response in self.responses()
            if isinstance(response, SubscribeResponse) and response.collection == collection
        ]

    def batches(self, collection: CollectionId) -> list[SubscribeBatch]:
        return [one for one in self.subscribed(collection) if isinstance(one, SubscribeBatch)]

    def copied(self, collection: CollectionId) -> list[CopyToResult]:
        return [
            response.result
            for response in self.responses()
            if isinstance(response, CopyToResponse) and response.collection == collection
        ]

    def drops(self, collection: CollectionId) -> int:
        """How often `Dropped` was said of it."""
        return sum(
            isinstance(response, Dropped) and response.collection == collection
            for response in self.responses()
        )

    def about(self, collection: CollectionId) -> list[Response]:
        """Everything that was said of one collection."""
        return [
            r
            for r in self.responses()
            if collection in (getattr(r, "collection", None), *getattr(r, "others", ()))
        ]

    def statuses(self) -> list[Heard]:
        return [entry for entry in self.heard() if isinstance(entry.response, Status)]
