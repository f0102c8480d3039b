"""What the world tells the driver, besides the store's completions and the instance's own events.

`request` numbers come from the caller and are positive; the answer goes to the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from antiphon.controller.instance.event import (
    DigestsTold,
    LinkLost,
    RequestCanceled,
    ResponsesReceived,
    StashReleased,
    Ticked,
)
from antiphon.controller.sql.statement import Statement
from antiphon.history.store import (
    Completion,
    Fence,
    Opened,
    ProducerSequence,
    ShardAppend,
    StoredCommand,
)
from antiphon.protocol.dataflow import DataflowDescription
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.limits import PEEK_BYTES_MAX, PEEK_ROWS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How a caller wants to read; None leaves it to us."""

    replica: ReplicaId | None = None
    as_of: int | None = None
    rows_max: int = PEEK_ROWS_MAX
    bytes_max: int = PEEK_BYTES_MAX
    resume_from: Frontier | None = None  # subscribes
    hold: str = ""  # subscribes: the named hold that they run under


DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementReceived:
    """A planned statement. `catalog_version`: the one it was planned on."""

    request: int
    statement: Statement
    catalog_version: int
    options: ReadOptions = DEFAULT_OPTIONS
    producer: ProducerSequence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendReceived:
    """`rows`: as `antiphon.controller.appends.prepare` returns them."""

    request: int
    collection: CollectionId
    rows: pa.RecordBatch
    producer: ProducerSequence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppendReceived:
    """A replica's compare-and-append, under the fence that its session named. Not the `last`: it is
    the first piece of one. Each but the last is answered by a `PieceReply`, or by what ends it
    early; who gives up cancels the request."""

    request: int
    append: ShardAppend
    fence: Fence
    replica: ReplicaId | None = None  # None: it does not say
    last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPieceReceived:
    """What follows the piece that was answered."""

    request: int
    delta: Delta
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFetched:
    """The answer to `LinkPort.fetch`."""

    request: int
    batches: tuple[bytes, ...] = ()
    error: ComputeError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequested:
    """A subscriber takes a named hold (`dataflow` says of what), acknowledges, or releases it."""

    request: int
    name: str
    target: str = ""
    dataflow: DataflowDescription | None = None
    acknowledged: Frontier | None = None
    deadline_ms: int = 0  # 0: not said
    release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicasConfigured:
    """The controller starts, and its settings name these replicas: name -> address, empty where the
    orchestrator runs it. From here on all replicas of the catalog are reached for."""

    request: int
    replicas: Mapping[ReplicaId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaNamed:
    """A replica joins the instance. Address empty: the orchestrator runs it."""

    request: int
    replica: ReplicaId
    address: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaUnnamed:
    """A replica leaves it."""

    request: int
    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaPromoted:
    """A replica that warmed up read-only may write from now on."""

    request: int
    replica: ReplicaId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReached:
    """The link's probe was answered."""

    replica: ReplicaId
    facts: ReplicaFacts
    address: str = ""  # where it was reached; empty: where it was said to be


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFollowed:
    """A standby has looked at the store: all that it found, and what is new since the last look.
    `deltas`: of what its replicas tail, from the timeline's upper of then to that of now."""

    opened: Opened
    commands: tuple[StoredCommand, ...]
    deltas: Mapping[CollectionId, Delta]
    live_address: str = ""  # empty: not known


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSeen:
    """Whose claim of the store was the latest, when somebody looked."""

    owner: Fence
    at_ms: int  # when the look began


DriverEvent = (
    StatementReceived | AppendReceived | ShardAppendReceived | ShardPieceReceived | ResultFetched
    | HoldRequested | ReplicasConfigured
    | ReplicaNamed | ReplicaUnnamed | ReplicaPromoted | ReplicaReached | RequestCanceled
    | StashReleased | LinkLost | ResponsesReceived | DigestsTold | HistoryFollowed | OwnerSeen
    | Ticked | Completion
)  # fmt: skip
