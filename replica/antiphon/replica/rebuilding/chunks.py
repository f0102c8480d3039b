"""The content of a collection at one time as chunks, made a little at a time.

    dealing    each update goes into a bucket by its row hash, and into the digest
    cutting    bucket by bucket is consolidated, put behind what is left, and cut

A bucket holds a stretch of the canonical order, and all updates of the rows in it. So no step costs
more than a few thousand rows, whatever the size of the state, and nothing but the place of each row
is kept beside the batches. These never change: what is computed meanwhile makes new ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.content_digest import (
    EMPTY,
    added,
    digest_bytes,
    digest_of_errors,
    digest_of_rows,
)
from antiphon.protocol.limits import CHUNK_BYTES
from antiphon.protocol.row_hash import hash_rows
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.importing.deltas import encode
from antiphon.replica.ports import StatePart

CHUNK_ROWS: Final = 1 << 14  # or fewer, that together reach CHUNK_BYTES
BUCKET_ROWS: Final = 1 << 12  # about; they are consolidated in one step

_HALF: Final = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What adds up to the content at `time`: the updates of `batches` that are not after it, and
    `errors`, consolidated. Cheap to make: nothing of it is copied or looked at."""

    schema: Schema
    time: int
    batches: Sequence[Batch]
    errors: Zset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dealt:
    """Updates of one batch by bucket: bucket b has `places[starts[b]:starts[b + 1]]`."""

    batch: Batch
    places: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]


class Chunks:
    """One pass over a content. Equal contents are cut alike, in whatever batches they are held."""

    def __init__(
        self, content: Content, first_chunk: int = 0, chunk_rows: int = CHUNK_ROWS
    ) -> None:
        """`first_chunk`: those before it are left out."""
        self._content = content
        self._rows_total = sum(map(len, content.batches))
        byte_count = sum(batch.byte_count for batch in content.batches)
        self._bucket_count = 1 + max(self._rows_total // BUCKET_ROWS, byte_count // CHUNK_BYTES)
        self._undealt = [batch for batch in reversed(content.batches) if len(batch)]
        self._dealt_rows = 0  # of the last of `_undealt`
        self._dealt: list[_Dealt] = []
        self._digest = EMPTY
        self._bucket = 0  # the next one
        self._left = Zset.empty(content.schema).consolidated()  # in order, not cut yet
        self._cut_rows = 0
        self._index = 0  # of the next chunk
        self._first_chunk = first_chunk
        self._chunk_rows = chunk_rows
        self.is_done = False  # the last chunk was given

    def work(self, fuel_rows: int) -> tuple[int, StatePart | None]:
        """(the rows it took, the next chunk). At most about `fuel_rows`; None: call it again."""
        assert not self.is_done, "work after the last chunk"
        used = 0
        while used < fuel_rows:
            if self._undealt:
                used += self._deal(fuel_rows - used)
                continue
            # A chunk is cut once it is known whether another follows: the last one is marked.
            count = _chunk_rows(self._left, self._chunk_rows)
            if self._bucket < self._bucket_count and self._left.row_count == count:
                used += self._take_bucket()
                continue
            used += 1
            part = self._cut(count)
            if part is not None:
                return used, part
        return used, None

    def _deal(self, rows_max: int) -> int:
        batch, start = self._undealt[-1], self._dealt_rows
        count = min(rows_max, len(batch) - start)
        self._dealt_rows += count
        if self._dealt_rows == len(batch):
            self._undealt.pop()
            self._dealt_rows = 0
        columns: Sequence[pa.Array] = [column.slice(start, count) for column in batch.columns]
        diffs = batch.diffs[start : start + count]
        high, low = hash_rows(columns, count)
        places = np.arange(start, start + count, dtype=np.int32)
        if batch.times is not None:
            early = batch.times[start : start + count] <= np.uint64(self._content.time)
            if not early.all():
                high, low, diffs, places = high[early], low[early], diffs[early], places[early]
                self._rows_total -= count - len(places)
                columns = [column.filter(pa.array(early)) for column in columns]
        self._digest = added(self._digest, digest_of_rows(columns, diffs, (high, low)))
        buckets = (low >> _HALF) * np.uint64(self._bucket_count) >> _HALF
        order = buckets.argsort(kind="stable")
        sizes = np.bincount(buckets.astype(np.int64), minlength=self._bucket_count)
        starts = np.concatenate((np.zeros(1, np.int64), sizes.cumsum()))
        self._dealt.append(_Dealt(batch=batch, places=places[order], starts=starts))
        return max(1, count)

    def _take_bucket(self) -> int:
        bucket = self._bucket
        self._bucket += 1
        found: dict[Batch, list[npt.NDArray[np.int32]]] = {}  # in the order of dealing
        for dealt in self._dealt:
            places = dealt.places[dealt.starts[bucket] : dealt.starts[bucket + 1]]
            if len(places):
                found.setdefault(dealt.batch, []).append(places)
        parts = [
            Zset(batch.columns, batch.diffs).take(np.concatenate(places).astype(np.int64))
            for batch, places in found.items()
        ]
        rows = Zset.concat(self._content.schema, parts)
        self._left = _behind(self._left, rows.consolidated())
        return max(1, rows.row_count)

    def _cut(self, count: int) -> StatePart | None:
        """The next chunk; None if it is not wanted."""
        rows, self._left = _split(self._left, count)
        index = self._index
        self._index += 1
        self._cut_rows += count
        last = self._bucket == self._bucket_count and self._left.row_count == 0
        if index < self._first_chunk and not last:
            return None
        self.is_done = last
        errors = self._content.errors if last else None
        if last and errors is not None:
            self._digest = added(self._digest, digest_of_errors(errors.columns, errors.diffs))
        if index < self._first_chunk:
            rows = Zset.empty(self._content.schema)
        whole = Zset(rows.columns, rows.diffs, errors, rows.hashes, rows.is_distinct)
        return StatePart(
            index=max(index, self._first_chunk),
            delta=encode(self._content.schema, [(self._content.time, whole)]),
            time=self._content.time,
            rows_total=self._cut_rows if last else max(self._rows_total, self._cut_rows),
            last=last,
            digest=digest_bytes(self._digest) if last else b"",
        )


def _behind(first: Zset, second: Zset) -> Zset:
    """Consolidated rows that follow others in canonical order."""
    if first.row_count == 0 or second.row_count == 0:
        return second if first.row_count == 0 else first
    assert first.hashes is not None, "the first rows are not consolidated"
    assert second.hashes is not None, "the second rows are not consolidated"
    pairs = zip(first.columns, second.columns, strict=True)
    high, low = (np.concatenate(both) for both in zip(first.hashes, second.hashes, strict=True))
    return Zset(
        tuple(pa.concat_arrays(pair) for pair in pairs),
        np.concatenate((first.diffs, second.diffs)),
        None,
        (high, low),
        is_distinct=True,
    )


def _split(rows: Zset, count: int) -> tuple[Zset, Zset]:
    """The first `count` rows and the others, consolidated as they are."""
    assert rows.hashes is not None, "the rows are not consolidated"
    high, low = rows.hashes
    first, others = rows.slice(0, count), rows.slice(count, rows.row_count - count)
    return (
        Zset(first.columns, first.diffs, None, (high[:count], low[:count]), is_distinct=True),
        Zset(others.columns, others.diffs, None, (high[count:], low[count:]), is_distinct=True),
    )


def _chunk_rows(rows: Zset, rows_max: int) -> int:
    """How many of them a chunk takes: up to the row that fills it, or all."""
    count = min(rows.row_count, rows_max)
    return (
        1 + bisect_left(range(1, count), CHUNK_BYTES, key=lambda first: _byte_count(rows, first))
        if count
        else 0
    )


def _byte_count(rows: Zset, count: int) -> int:
    return sum(int(column.slice(0, count).nbytes) for column in rows.columns)
