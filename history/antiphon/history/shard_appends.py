"""What replicas append to the shards of views: whole, or piece by piece into a draft.

One tick may change more of a view than fits a message, a transaction or memory. Its append then
comes in pieces, each durable by itself and read by nobody: a *draft*. The last piece compares and
appends, as any append does, and what was drafted is there with it, or never was.

Pieces whose rows go on where those before ended, in order of their hash, make one sorted run: so it
is read a batch at a time, however large it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from antiphon.history.revision import Lane, Side, cut, lane_of, partition_hash
from antiphon.history.shard import Shard
from antiphon.history.store import ShardAppend
from antiphon.history.tables import Tables
from antiphon.protocol.consolidate import consolidate_many
from antiphon.protocol.errors import InvalidArgument, Unavailable
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.one_zero import batch_with_one_zero


@dataclass(slots=True)
class Draft:
    """What there is of an append whose last piece has not come."""

    collection: CollectionId
    interval: tuple[Frontier, Frontier]
    piece_count: int = 0
    changed: int = 0  # the last time with a change
    ends: dict[Side, tuple[int, int]] = field(default_factory=dict)  # (time, hash) of the last row


Drafts = dict[int, Draft]


@dataclass(frozen=True, slots=True)
class _Content:
    """One side of an append, consolidated and cut."""

    side: Side
    lane: Lane
    batches: tuple[pa.RecordBatch, ...]
    times: tuple[int, int]  # the first and the last


def check_place(drafts: Drafts, append: ShardAppend) -> None:
    """
    Raises:
        Unavailable: pieces before this one are gone; begin again.
        InvalidArgument: they are of another append.
    """
    place = append.place
    if place is None:
        return
    found = drafts.get(place.draft)
    if place.pieces_before != (0 if found is None else found.piece_count):
        where = show(append.collection)
        raise Unavailable(f"pieces of an append to {where} are gone: begin it again")
    begun = (append.collection, (append.expected_upper, append.new_upper))
    if found is not None and (found.collection, found.interval) != begun:
        raise InvalidArgument(f"a piece of another append to {show(found.collection)}")


def draft(drafts: Drafts, tables: Tables, shard: Shard, append: ShardAppend) -> None:
    """Write one piece, for nobody to read yet."""
    assert append.place is not None, "a piece has its place"
    number = append.place.draft
    interval = (append.expected_upper, append.new_upper)
    found = drafts.setdefault(number, Draft(append.collection, interval))
    found.piece_count += 1
    for content in _contents(shard, append):
        side, lane, batches = content.side, content.lane, content.batches
        first, last = content.times
        is_sorted = first == last
        begins, ends = _hash(batches[0], lane, 0), _hash(batches[-1], lane, -1)
        end = found.ends.get(side)
        # Strictly after: rows of one hash must not straddle two batches of a run.
        extends = is_sorted and end is not None and end[0] == first and end[1] < begins
        tables.draft_run(number, append.collection, side, content.times, batches, extends=extends)
        if is_sorted:
            found.ends[side] = (last, ends)
        else:
            found.ends.pop(side, None)
        found.changed = max(found.changed, last)


def compare_and_append(
    drafts: Drafts, tables: Tables, shard: Shard, append: ShardAppend
) -> tuple[bool, Frontier]:
    """(whether it applied, the upper now)."""
    assert shard.own_upper is not None, "checked: a materialized view"
    applies = shard.own_upper == append.expected_upper
    if append.place is not None:
        if applies:
            draft(drafts, tables, shard, append)
            tables.publish(append.place.draft)
            shard.changed = max(shard.changed, drafts.pop(append.place.draft).changed)
        else:
            discard(drafts, tables, append.place.draft)
    if not applies:
        return False, shard.own_upper
    if append.place is None:
        for content in _contents(shard, append):
            tables.add_run(append.collection, content.side, content.times, content.batches)
            shard.changed = max(shard.changed, content.times[1])
    shard.own_upper = append.new_upper
    tables.put_shard_upper(append.collection, append.new_upper)
    return True, append.new_upper


def discard(drafts: Drafts, tables: Tables, number: int) -> None:
    """Nothing of it ever was; nor is there anything to do if it is not known."""
    if drafts.pop(number, None) is not None:
        tables.discard(number)


def discard_all(drafts: Drafts, tables: Tables, collection: CollectionId) -> None:
    """Those of a shard that goes."""
    for number in [n for n, one in drafts.items() if one.collection == collection]:
        discard(drafts, tables, number)


def _contents(shard: Shard, append: ShardAppend) -> Iterator[_Content]:
    """Both sides, but none that is empty."""
    for side, given in ((Side.ROWS, append.delta.rows), (Side.ERRORS, append.delta.errors)):
        lane = lane_of(shard, side)
        batches = _canonical(given, lane)
        if batches:
            times = [batch.column(batch.num_columns - 2) for batch in batches]
            yield _Content(side, lane, batches, (times[0][0].as_py(), times[-1][-1].as_py()))


def _canonical(given: tuple[pa.RecordBatch, ...], lane: Lane) -> tuple[pa.RecordBatch, ...]:
    """Consolidated over all batches, then cut."""
    batches = [pa.RecordBatch.from_arrays(b.columns, schema=lane.schema) for b in given]
    return tuple(cut(batch_with_one_zero(consolidate_many(batches, lane.schema)), lane))


def _hash(batch: pa.RecordBatch, lane: Lane, place: int) -> int:
    return int(partition_hash(batch.slice(place % batch.num_rows, 1), lane)[0])
