"""What the controller's driver needs of the world. `io/` implements it with asyncio, gRPC and
SQLite; the simulator with virtual time. All calls return at once; answers come back as events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from antiphon.history.store import Submission
from antiphon.protocol.command import PlanTarget, Sent
from antiphon.protocol.dataflow import DataflowDescription, Finishing
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, PeekId, ReplicaId
from antiphon.protocol.schema import Schema


class StorePort(Protocol):
    def submit(self, submission: Submission) -> None:
        """Answered by a `Completion` event, in submission order."""
        ...


class LinkPort(Protocol):
    def connect(self, replica: ReplicaId, address: str) -> None:
        """Probe, again and again with back-off; answered by `ReplicaProbed`, then the driver calls
        `open`. The link reconnects by itself until `disconnect`."""
        ...

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        """Open the session stream with Hello and what must follow it at once."""
        ...

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        """Enqueue on the open stream. A full queue ends the link."""
        ...

    def close(self, replica: ReplicaId, reason: str) -> None:
        """End the stream; the link goes on probing."""
        ...

    def disconnect(self, replica: ReplicaId) -> None:
        """End the stream and forget the replica."""
        ...

    def ask_digests(
        self, replica: ReplicaId, collections: tuple[CollectionId, ...], time: int
    ) -> None:
        """Beside the session; answered by `DigestsTold`, or, if the replica is gone, never."""
        ...

    def fetch(self, replica: ReplicaId, peek_id: PeekId, request: int) -> None:
        """Read a stashed result whole; answered by `ResultFetched` with the request."""
        ...


class TailPort(Protocol):
    def push(self, lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]) -> None:
        """A durable tick, for every open tail. A hint: readers recover what they miss."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsReply:
    """A part of a result; `last` ends it. Batches are Arrow messages of the announced schema."""

    batches: tuple[bytes, ...]
    row_count: int
    time: int
    replica: ReplicaId
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StashReply:
    """A large result waits at a replica: fetch it there, chunk by chunk."""

    peek_id: bytes
    replica: ReplicaId
    row_count: int
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendReply:
    time: int
    row_count: int
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneReply:
    """A statement is done. `returned`: the rows of a change's RETURNING, of the schema that the
    statement names; `row_count` counts what was changed."""

    tag: str
    row_count: int = 0
    time: int | None = None
    notices: tuple[str, ...] = ()
    returned: pa.RecordBatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeReply:
    lower: Frontier
    upper: Frontier
    batches: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReply:
    """A named hold is as was asked. `acknowledged` None: nothing was."""

    acknowledged: Frontier | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReply:
    """A compare-and-append: whether it was applied, and where the shard stands now."""

    applied: bool
    upper: Frontier


@dataclass(frozen=True, slots=True)
class PieceReply:
    """A piece of an append is durable: the next one may come."""


@dataclass(frozen=True, slots=True)
class ReplanReply:
    """The catalog moved under the statement, and nothing was done: plan it again."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    error: ComputeError


Reply = (
    RowsReply | StashReply | AppendReply | DoneReply | SubscribeReply | ShardReply | PieceReply
    | HoldReply | ReplanReply
    | ErrorReply
)  # fmt: skip


class ReplyPort(Protocol):
    def reply(self, request: int, reply: Reply) -> None:
        """To the caller that the request number names; the caller may be gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A whole answer: Arrow messages of the asked schema, and how many rows they hold."""

    batches: tuple[bytes, ...]
    row_count: int


class FollowPort(Protocol):
    def step(self, time: int, content: Mapping[CollectionId, pa.RecordBatch]) -> tuple[bytes, ...]:
        """From the inputs as they are now, whole, to what changed of the result since the last
        step, as delta batches at `time`; times strictly increase.

        Raises:
            ComputeError: the result holds errors.
        """
        ...


class EnginePort(Protocol):
    """Evaluates plans over rows that the controller has itself. The engine is a replica's, so
    whoever puts the processes together brings it; it may be called on any one thread at a time."""

    def evaluate(
        self,
        target: PlanTarget,
        content: Mapping[CollectionId, pa.RecordBatch],
        *,
        finishing: Finishing,
        schema: Schema,
        rows_max: int,
        bytes_max: int,
    ) -> Evaluated:
        """
        Raises:
            ComputeError: a limit, a data error, a plan that is not served.
        """
        ...

    def follow(self, dataflow: DataflowDescription) -> FollowPort:
        """The same, kept up to date. Raises NotServed."""
        ...


class ClockPort(Protocol):
    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970."""
        ...


class RandomPort(Protocol):
    def random_id(self) -> bytes:
        """16 fresh random bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All ports of one driver."""

    store: StorePort
    links: LinkPort
    tails: TailPort
    replies: ReplyPort
    clock: ClockPort
    random: RandomPort
