"""The store: one contract for durable truth, whatever keeps it.

A store holds, for one instance: the numbered commands with their digest chain, the catalog, and
the collections' shards on one timeline. Everything in a `Submission` becomes durable together or
not at all. `submit` returns at once; what happened comes back as a `Committed` or `Refused` with
the submission's token, in submission order. Reads are synchronous and may run on any thread.

Fencing: `claim` takes the next epoch by compare-and-set; a submission carries the fence, and one
with an older epoch or another claim is refused whole with `EpochFenced`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    ClaimId,
    CollectionId,
    Epoch,
    HistoryId,
    InstanceId,
    Position,
    ProducerId,
)
from antiphon.protocol.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Who writes: an epoch and the random id of its claim."""

    epoch: Epoch
    claim_id: ClaimId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommand:
    """A command to be numbered. `envelope`: a serialized `EnvelopeV1`; `payload`: the serialized
    command inside it, which the digest chains."""

    kind: str
    subject: CollectionId  # 0: the whole instance
    payload: bytes
    envelope: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCommand:
    position: Position
    kind: str
    subject: CollectionId
    envelope: bytes
    digest: bytes  # of the chain, up to and with this command
    appended_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShard:
    """A collection's durable content. `unique_key`: columns that the store keeps unique (tables);
    a feed's `unique_key` says which columns identify an overwritten row. Complete and empty at time
    0: a materialized view's own upper starts at [1].

    `content`: what a table holds from the start. Nobody can have read the table before, so the rows
    are there from `content.unchanged_since` on, a complete time: what they were made of is then as
    they say. If it has changed since, or they cannot be in the table, the whole submission is
    refused."""

    collection: CollectionId
    kind: CollectionKind  # TABLE, FEED or MATERIALIZED_VIEW
    schema: Schema
    unique_key: tuple[int, ...] = ()
    content: Append | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChange:
    """`content` None deletes the item."""

    collection: CollectionId
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerSequence:
    """Makes a retry safe. A sequence that was applied is answered with its first time and row
    count, and not applied again. One behind the producer's last that was not applied, or is out of
    the window of PRODUCER_SEQUENCES_MAX, is refused with InvalidArgument: it cannot be told apart
    from one that was. A refused append does not use up its sequence. So a producer appends one by
    one, or accepts that what is refused stays so."""

    producer_id: ProducerId
    sequence: int  # strictly increasing within a producer


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """One client's change of one table or feed: its columns, then `antiphon_diff`; no time yet.

    A table: +1 inserts, -1 deletes, and a delete of an absent row is refused where the table has
    a key. A feed: overwrites (see `antiphon.protocol.delta`), the last of a key wins.

    Refused with CollectionMissing, SchemaMismatch or ConstraintViolation (a null, or a delete of an
    absent row), all with the column's name, DuplicateKey with the key's, InvalidArgument (a diff,
    a producer sequence), ReadConflict.
    """

    collection: CollectionId
    rows: pa.RecordBatch
    producer: ProducerSequence | None = None
    # Refused with ReadConflict if any of these tables changed after this time (UPDATE, DELETE).
    unchanged: tuple[CollectionId, ...] = ()
    unchanged_since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """All appends that waited, at one time; the timeline's upper becomes `time + 1`. Each append is
    applied or refused by itself."""

    time: int
    appends: tuple[Append, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InDraft:
    """Which piece of which draft an append is. A draft ends with its last piece, when it is
    discarded, its shard dropped, or the store opened again."""

    draft: int  # given by the claim that submits; never used again
    pieces_before: int  # that the store must have, or the piece is refused: one was lost


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardAppend:
    """A compare-and-append to a materialized view's shard, which has an upper of its own. Updates
    lie in [expected_upper, new_upper), or the whole submission is refused: submit it alone. One
    that is too large for a transaction comes in pieces: this is the last, what the draft holds
    takes effect with it."""

    collection: CollectionId
    expected_upper: Frontier
    new_upper: Frontier
    delta: Delta
    place: InDraft | None = None  # None: it is whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One durable transaction. Parts that are empty cost nothing."""

    token: int
    fence: Fence
    now_ms: int
    expected_head: Position | None = None  # of the history, or StaleFacts refuses it all
    commands: tuple[NewCommand, ...] = ()
    new_shards: tuple[NewShard, ...] = ()
    dropped_shards: tuple[CollectionId, ...] = ()
    catalog: tuple[CatalogChange, ...] = ()
    next_id: int | None = None  # the catalog's next unused collection id
    tick: Tick | None = None
    shard_appends: tuple[ShardAppend, ...] = ()
    # Pieces before the last: durable, and read by nobody. Refused with Unavailable if what came
    # before is gone.
    drafted: tuple[ShardAppend, ...] = ()
    discarded: tuple[int, ...] = ()  # drafts; of one that is not known there is nothing to do
    # The coalesced map of allowed compaction: what readers of each collection no longer need. Only
    # advances; closed forgets the collection, whose drop is a command.
    compaction: Mapping[CollectionId, Frontier] = field(default_factory=dict)
    # Fold the log up to here into the base. Behind the base already: nothing to do. A log whose
    # commands cannot be read stays as it is.
    fold_to: Position | None = None
    # Shards whose since may move, forward and at most to the last complete time: deltas up to it
    # fold into a revision when that pays. A shard that is gone is passed over, and no since passes
    # a lease.
    since: Mapping[CollectionId, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendApplied:
    time: int
    row_count: int
    duplicate: bool = False  # this producer sequence had been applied before, at `time`


@dataclass(frozen=True, slots=True)
class AppendRefused:
    error: ComputeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The submission is durable. `outcomes` answers `tick.appends` one by one; `deltas` is what the
    tick changed, consolidated, as a tail delivers it; `shard_uppers` answers `shard_appends`."""

    token: int
    head: Position
    digest: bytes
    outcomes: tuple[AppendApplied | AppendRefused, ...] = ()
    deltas: Mapping[CollectionId, Delta] = field(default_factory=dict)
    shard_uppers: tuple[tuple[bool, Frontier], ...] = ()  # (applied, the upper now)
    base: Position = NO_POSITION  # up to it the commands are folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing of the submission happened (or, if not `error.definite`, nobody knows)."""

    token: int
    error: ComputeError


Completion = Committed | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardState:
    collection: CollectionId
    kind: CollectionKind
    schema: Schema
    unique_key: tuple[int, ...]
    since: int
    upper: Frontier  # tables and feeds: the timeline's


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a controller finds when it opens a store."""

    instance_id: InstanceId
    history_id: HistoryId
    epoch: Epoch
    head: Position
    head_digest: bytes
    base: Position  # commands up to it are folded, those after it are as they were appended
    base_digest: bytes  # the chain's there
    timeline_upper: int
    next_id: int
    catalog: Mapping[CollectionId, bytes]
    compaction: Mapping[CollectionId, Frontier]
    shards: Mapping[CollectionId, ShardState]


class Writer(Protocol):
    """The port that a driver submits through; completions come back as events."""

    def submit(self, submission: Submission) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A reader that does not write, a standby, keeps all times from `since` on readable, whatever
    the controller no longer needs; until it says so again, or has been silent for too long."""

    holder: bytes  # random, for each reader
    since: int
    expires_at_ms: int  # on the wall clock


class Reader(Protocol):
    """Reads of durable state; each sees one consistent moment."""

    def commands(self, start: Position, stop: Position | None = None) -> Iterator[StoredCommand]:
        """Commands of the log at start <= position < stop (None: to the head), in order. What was
        folded is not among them."""
        ...

    def history(self) -> Iterator[StoredCommand]:
        """What stands for the commands up to the base, which is their reduction, and then the log,
        as of one moment; in order of position."""
        ...

    def digest_at(self, position: Position) -> bytes | None:
        """The chain's digest there; None beyond the head, or before the base. Position 0 has the
        empty chain's."""
        ...

    def snapshot(self, collection: CollectionId, as_of: int) -> Iterator[Delta]:
        """The content exactly at `as_of`, times advanced to it, in chunks of bounded size.

        Feeds come as one upsert per live key.

        Raises:
            CollectionMissing, SinceViolation, NotComplete
        """
        ...

    def snapshot_rows(self, collection: CollectionId, as_of: int) -> int:
        """How many rows a snapshot has at most: updates that cancel are counted. Cheap.

        Raises:
            CollectionMissing, SinceViolation, NotComplete
        """
        ...

    def listen(self, collection: CollectionId, lower: int, upper: int) -> Iterator[Delta]:
        """The deltas at lower <= time < upper, in time order.

        Raises:
            CollectionMissing, SinceViolation: `lower` <= since, so some of them are folded.
        """
        ...
