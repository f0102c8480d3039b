"""Responses: replica to controller. Nouns, frozen, a closed set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, PeekId, Position, SessionId
from antiphon.protocol.limits import STATE_BYTES_MAX
from antiphon.protocol.selection import ALL, Selection
from antiphon.protocol.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A `ComputeError` as a value: what crosses the wire."""

    code: str
    message: str
    definite: bool = True
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontiers:
    """Progress of one collection on one replica, of every kind; None = unchanged. Within a session
    no field moves back, and none is said again once closed. All are reported afresh after
    InitializationComplete."""

    collection: CollectionId
    write_frontier: Frontier | None = None  # every update before it is final
    input_frontier: Frontier | None = None  # every input before it has been consumed
    output_frontier: Frontier | None = None  # every input before it has been processed
    others: tuple[CollectionId, ...] = ()  # further collections of which the same is said

    @property
    def collections(self) -> tuple[CollectionId, ...]:
        return (self.collection, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekRows:
    """Final rows: multiplicities expanded, ordered, cut. `batches`: Arrow record batch messages
    without the schema, which the peek named."""

    batches: tuple[bytes, ...]
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekStashed:
    """Too large for the session; `FetchResult` streams it, once."""

    row_count: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class PeekCanceled:
    """Legal only after a `CancelPeek`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeekResponse:
    """Exactly one for each `Peek`."""

    peek_id: PeekId
    result: PeekRows | PeekStashed | PeekCanceled | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeBatch:
    """The updates in [lower, upper), consolidated, sorted by time; or a failure, which is final."""

    lower: Frontier
    upper: Frontier
    batches: tuple[bytes, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeDropped:
    """`at` equals the last upper."""

    at: Frontier


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeResponse:
    """The next interval of a subscribe, right after the last; or its end. Ends with exactly one of:
    a closed upper, a failure, or `SubscribeDropped`; then silence."""

    collection: CollectionId
    result: SubscribeBatch | SubscribeDropped


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToRows:
    """The file is complete, at `path` on the replica's machine."""

    row_count: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class CopyToDropped:
    """Dropped before it finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyToResponse:
    """Exactly one for each copy-to."""

    collection: CollectionId
    result: CopyToRows | CopyToDropped | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The collection is gone and has stopped reading. Exactly once per drop, for every kind."""

    collection: CollectionId


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildCompleted:
    """`digest`: at `achieved_time`, 16 bytes for each collection in the order of the command."""

    achieved_time: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildResult:
    """Exactly one for each `StartRebuild` that was not canceled. A completed rebuild then waits to
    be accepted."""

    session_id: SessionId
    result: RebuildCompleted | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class HydrationProgress:
    """Rows of the inputs, as far as they are known. `elapsed_ms`: since it was scheduled.
    `peer_failed`: the address of a peer that was to give a base and does not, for `peer_failure`;
    the dataflow waits for a `Schedule` with another."""

    collection: CollectionId
    rows_done: int  # computed
    rows_total: int
    rows_received: int = 0
    elapsed_ms: int = 0
    peer_failed: str = ""
    peer_failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildProgress:
    """How far a rebuild session is: chunks and rows of its base lane, changed rows of its live
    lane, and dataflows that were computed from both. `is_completed`: it waits to be accepted."""

    session_id: SessionId
    base_chunks: int
    base_rows: int
    base_rows_total: int  # an estimate from above, until the base lane is whole
    live_rows: int
    dataflows_filled: int
    dataflows_total: int
    is_completed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrangementState:
    """What dataflows of a replica look up in one place: a collection, or `column_count` columns of
    it, by columns of the collection. `selection`: of which rows. `row_count`: updates held, also
    those that cancel."""

    collection: CollectionId
    key_columns: tuple[int, ...]
    column_count: int
    row_count: int
    byte_count: int
    reader_count: int
    selection: Selection = ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The heartbeat, each second, also while initializing. Silence has a deadline."""

    stage: Stage
    applied_position: Position
    durable_position: Position
    hydration: tuple[HydrationProgress, ...] = ()
    resident_bytes: int = 0
    dataflow_count: int = 0
    backlog_ticks: int = 0
    backlog_age_ms: int = 0
    failed: tuple[CollectionId, ...] = ()  # their dataflow cannot run; reads say why
    rebuild: RebuildProgress | None = None
    arrangements: tuple[ArrangementState, ...] = ()  # the largest, if they are many
    state_bytes: int = 0  # of all dataflows
    state_bytes_max: int = STATE_BYTES_MAX  # with as many it is full, and refuses new ones

    @property
    def is_full(self) -> bool:
        return self.state_bytes >= self.state_bytes_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """Sent before the server goes away."""

    reason: str


Response = (
    Frontiers | PeekResponse | SubscribeResponse | CopyToResponse | Dropped | RebuildResult
    | Status | Draining
)  # fmt: skip

RESPONSES: Final[tuple[type[Response], ...]] = (
    Frontiers, PeekResponse, SubscribeResponse, CopyToResponse, Dropped, RebuildResult, Status,
    Draining,
)  # fmt: skip
