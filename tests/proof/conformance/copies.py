"""What arrived of one table: the fake replica's whole state."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pyarrow as pa

from antiphon.proof.conformance.content import (
    PAIRS,
    Change,
    Row,
    changes_of,
    delta_of,
    summed,
)
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.dataflow import ExportKind
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.frontier import START, Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import PeekRows
from antiphon.protocol.schema import arrow_schema
from antiphon.v1 import collections_pb2 as pb
from tests.proof.conformance.faults import Fault


@dataclass(slots=True)
class Export:
    """One name under which a table is shown."""

    collection: CollectionId
    kind: ExportKind
    table: CollectionId
    as_of: int
    scheduled: bool = False
    told: int | None = None
    covered: Frontier = START
    since: int = 0
    is_feed: bool = False
    copy: Copy | None = None  # of its own, once it was rebuilt


class Copy:
    """Follows a table, or a feed, from time `first` on. `reached`: complete before it; `moved`:
    told of news."""

    def __init__(
        self,
        collection: CollectionId,
        store: Any,
        moved: Callable[[], None],
        fault: Fault,
        *,
        first: int = 0,
        is_feed: bool = False,
    ) -> None:
        self.changes: list[Change] = []
        self.reached = first
        self.is_feed = is_feed
        self._collection = collection
        self._store = store
        self._moved = moved
        self._fault = fault
        self.following = asyncio.ensure_future(self._follow())

    def between(self, lower: int, upper: int) -> list[Change]:
        return [change for change in self.changes if lower <= change[1] < upper]

    def updates(
        self, lower: int, upper: int, first: int | None, *, with_snapshot: bool
    ) -> tuple[bytes, ...]:
        """A subscribe's batch; `first`: the time of the snapshot that it begins with."""
        changes = self.between(lower, upper)
        if first is not None:
            changes = [change for change in changes if change[1] > first]
            if with_snapshot:
                content = summed(self.changes, first)
                changes += [(row, first, count) for row, count in content.items()]
        changes.sort(key=lambda change: change[1])
        return tuple(encode_batch(batch) for batch in delta_of(changes).rows)

    def content(self, time: int) -> Counter[Row]:
        if not self.is_feed:
            return summed(self.changes, time)
        rows: dict[object, Row] = {}
        for row, when, diff in self.changes:
            if when <= time:
                rows.pop(row[0], None)
                if diff > 0:
                    rows[row[0]] = row
        return Counter(rows.values())

    def rows_at(self, time: int) -> PeekRows:
        rows = sorted(self.content(time).elements())
        if self._fault is Fault.LOSES_A_MULTIPLICITY:
            rows = sorted(set(rows))
        schema = arrow_schema(PAIRS)
        columns = [
            pa.array([row[index] for row in rows], column.type)
            for index, column in enumerate(schema)
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        return PeekRows(batches=(encode_batch(batch),), row_count=len(rows))

    async def _follow(self) -> None:
        while True:
            lower = frontier_to_proto(Frontier(self.reached))
            wanted = pb.TailFrom(collection=self._collection, lower=lower)
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for batch in self._store.Tail(pb.TailRequest(collections=[wanted])):
                    if not self._take(batch):
                        break  # a gap: ask again from where we are
            if self._fault is Fault.NEVER_REOPENS_A_TAIL:
                return
            await asyncio.sleep(0.02)

    def _take(self, batch: pb.TailBatch) -> bool:
        lower = frontier_from_proto(batch.lower).time or 0
        upper = frontier_from_proto(batch.upper).time or 0
        trusts = self._fault is Fault.TRUSTS_PUSHES
        if lower > self.reached and not trusts:
            return False
        for delta in batch.deltas:
            for change in changes_of(delta.batches):
                if trusts or change[1] >= self.reached:
                    self.changes.append(change)
        self.reached = max(self.reached, upper)
        self._moved()
        return True
