"""Shards: the rules of a collection's durable content, whatever stores it.

Tables and feeds share the timeline's upper; a materialized view's shard has its own. Content is
exact at every time in [since, upper); `since` only advances and never passes the last complete
time, so there is always one at which the content can be read. Times begin at 0, when every
collection is complete and empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.history.store import NewShard, ShardAppend, ShardState
from antiphon.protocol.buffers import values_of
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import DIFF_COLUMN, ERROR_SCHEMA, TIME_COLUMN, delta_schema
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    NotComplete,
    SchemaMismatch,
    SinceViolation,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, is_transient, show
from antiphon.protocol.schema import RESERVED_PREFIX, Schema

STORED_KINDS: Final = (
    CollectionKind.TABLE,
    CollectionKind.FEED,
    CollectionKind.MATERIALIZED_VIEW,
)
FIRST_UPPER: Final = 1  # of the timeline and of every shard: time 0 is complete and empty
STORED_TIME_MAX: Final = 2**63 - 2  # what a signed 64-bit column holds, and one more as an upper


@dataclass(slots=True)
class Shard:
    """The facts of one shard. Only the store's writer changes them, through the functions below."""

    collection: CollectionId
    kind: CollectionKind
    schema: Schema
    unique_key: tuple[int, ...]
    since: int = 0
    own_upper: Frontier | None = None  # materialized views; None: the timeline's
    changed: int = 0  # the last time with a change; after a restart perhaps `since`
    columns: pa.Schema = field(init=False)  # of a stored batch

    def __post_init__(self) -> None:
        self.columns = delta_schema(self.schema)

    @property
    def is_appendable(self) -> bool:
        """Whether ticks change it: a table or a feed."""
        return self.own_upper is None

    def upper(self, timeline_upper: int) -> Frontier:
        return Frontier(timeline_upper) if self.own_upper is None else self.own_upper

    def state(self, timeline_upper: int) -> ShardState:
        return ShardState(
            collection=self.collection,
            kind=self.kind,
            schema=self.schema,
            unique_key=self.unique_key,
            since=self.since,
            upper=self.upper(timeline_upper),
        )


def create(new: NewShard) -> Shard:
    """A shard without content.

    Raises:
        InvalidArgument: a kind that is not stored, a transient id, a reserved column name, or key
            columns that the schema does not have.
    """
    where = show(new.collection)
    if new.kind not in STORED_KINDS or is_transient(new.collection):
        raise InvalidArgument(f"{where} of kind {new.kind.name} has no durable content")
    for name in new.schema.names:
        if name.startswith(RESERVED_PREFIX):
            raise InvalidArgument(f"{where}: the column name {name} is reserved", column=name)
    key = new.unique_key
    if len(set(key)) != len(key) or not all(0 <= index < len(new.schema) for index in key):
        raise InvalidArgument(f"{where} has no key of the columns {list(key)}")
    if bool(key) != (new.kind is CollectionKind.FEED) and new.kind is not CollectionKind.TABLE:
        raise InvalidArgument(f"{where}: a feed has a key, a materialized view has none")
    is_view = new.kind is CollectionKind.MATERIALIZED_VIEW
    return Shard(
        collection=new.collection,
        kind=new.kind,
        schema=new.schema,
        unique_key=key,
        own_upper=Frontier(FIRST_UPPER) if is_view else None,
    )


def missing(collection: CollectionId) -> CollectionMissing:
    return CollectionMissing(f"no shard of {show(collection)}", collection=collection)


def allowed_since(shard: Shard, requested: int, timeline_upper: int) -> int:
    """The since after a request: never back, never past the last complete time."""
    upper = shard.upper(timeline_upper).time
    last_complete = requested if upper is None else upper - 1
    return max(shard.since, min(requested, last_complete))


def check_snapshot(shard: ShardState, as_of: int) -> None:
    """Raises SinceViolation or NotComplete unless the content at `as_of` can be read."""
    if as_of < shard.since:
        raise SinceViolation(
            f"{show(shard.collection)} at {as_of} is gone: since is {shard.since}",
            collection=shard.collection,
            since=shard.since,
        )
    if not shard.upper.passes(as_of):
        raise NotComplete(
            f"{show(shard.collection)} at {as_of} is not complete: upper is {shard.upper}",
            collection=shard.collection,
            upper=str(shard.upper),
        )


def check_listen(shard: ShardState, lower: int) -> None:
    """Raises SinceViolation if changes at or after `lower` may have been folded together."""
    if lower <= shard.since:
        raise SinceViolation(
            f"changes of {show(shard.collection)} from {lower} on are gone: since is {shard.since}",
            collection=shard.collection,
            since=shard.since,
        )


def check_shard_append(shard: Shard, append: ShardAppend) -> None:
    """Whether a compare-and-append makes sense, before its upper is compared.

    Raises:
        InvalidArgument: not a materialized view; an empty interval; an update outside of it.
        SchemaMismatch: the batches are not of the collection.
    """
    where = show(shard.collection)
    if shard.own_upper is None:
        raise InvalidArgument(f"{where} is written by ticks, not by compare-and-append")
    lower, upper = append.expected_upper, append.new_upper
    if not lower.less_than(upper) or (upper.time or 0) > STORED_TIME_MAX:
        raise InvalidArgument(f"{where}: nothing lies between {lower} and {upper}")
    for batch, schema in [
        *((batch, shard.columns) for batch in append.delta.rows),
        *((batch, ERROR_SCHEMA) for batch in append.delta.errors),
    ]:
        problem = schema_problem(shard.collection, batch, schema)
        if problem is not None:
            raise problem
        if batch.num_rows == 0:
            continue
        if batch.column(TIME_COLUMN).null_count or batch.column(DIFF_COLUMN).null_count:
            raise InvalidArgument(f"{where}: an update without time or diff")
        times = values_of(batch.column(TIME_COLUMN))
        first, last = int(times.min()), int(times.max())
        if not _within(first, last, lower, upper):
            raise InvalidArgument(f"{where}: updates at {first}..{last} in {lower}..{upper}")


def _within(first: int, last: int, lower: Frontier, upper: Frontier) -> bool:
    return not lower.passes(first) and upper.passes(last) and last <= STORED_TIME_MAX


def schema_problem(
    collection: CollectionId, batch: pa.RecordBatch, schema: pa.Schema
) -> ComputeError | None:
    """Why a batch is not of `schema` (names, types and order count), or None. Full validation:
    bytes from outside must not reach code that trusts their offsets."""
    if batch.schema.names != schema.names or batch.schema.types != schema.types:
        return _first_difference(collection, batch.schema, schema)
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        return SchemaMismatch(f"the rows for {show(collection)} are malformed: {error}")
    return None


def _first_difference(
    collection: CollectionId, actual: pa.Schema, expected: pa.Schema
) -> SchemaMismatch:
    where = show(collection)
    for name, kind in zip(expected.names, expected.types, strict=True):
        indices = actual.get_all_field_indices(name)
        if not indices:
            return SchemaMismatch(
                f"{where} has a column {name} ({kind}), the rows have not",
                collection=collection, column=name, expected=str(kind),
            )  # fmt: skip
        found = actual.field(indices[0]).type
        if found != kind:
            return SchemaMismatch(
                f"the column {name} of {where} is {kind}, not {found}",
                collection=collection, column=name, expected=str(kind), found=str(found),
            )  # fmt: skip
    for name in actual.names:
        if name not in expected.names or actual.names.count(name) > 1:
            return SchemaMismatch(
                f"{where} has no place for the column {name}", collection=collection, column=name
            )
    return SchemaMismatch(
        f"the columns of {where} come in the order {', '.join(expected.names)}",
        collection=collection,
    )


def at_time(batch: pa.RecordBatch, time: int) -> pa.RecordBatch:
    """The same updates, all at `time`."""
    index = batch.num_columns - 2
    times = pa.array(np.full(batch.num_rows, time, np.uint64))
    return batch.set_column(index, batch.schema.field(index), times)
