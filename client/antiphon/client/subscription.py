"""One subscription as a pure machine: chunks in, change batches out, no gap and no repeat.

The server sends contiguous intervals [lower, upper). A connection may break at any moment, in the
middle of an interval even; the next one starts from the frontier that was handed to the user last.
Whatever the server sends twice is trimmed by time; an interval that begins after what was delivered
is a gap, which no resumed stream may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.client.python_values import python_values
from antiphon.protocol.delta import DIFF_COLUMN, TIME_COLUMN
from antiphon.protocol.errors import RemoteProtocolError
from antiphon.protocol.frontier import CLOSED, START, Frontier


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a change batch: `diff` copies of `row` appeared (or, if negative, went)."""

    row: tuple[Any, ...]
    time: int
    diff: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """All changes at times in [lower, upper), consolidated, in time order.

    `table` holds the collection's columns, then `antiphon_time` (uint64) and `antiphon_diff`
    (int64). `is_snapshot`: the content so far rather than changes to it; all its times are equal.
    `upper` is what to resume from once this batch has been dealt with.
    """

    lower: Frontier
    upper: Frontier
    table: pa.Table
    is_snapshot: bool = False

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __iter__(self) -> Iterator[Change]:
        names = [n for n in self.table.column_names if n not in (TIME_COLUMN, DIFF_COLUMN)]
        columns = [python_values(self.table.column(n)) for n in names]
        rows = zip(*columns, strict=True) if columns else ((),) * len(self)
        times = self.table.column(TIME_COLUMN).to_pylist()
        diffs = self.table.column(DIFF_COLUMN).to_pylist()
        for row, time, diff in zip(rows, times, diffs, strict=True):
            yield Change(tuple(row), time, diff)


@dataclass(slots=True)
class Subscription:
    """The state of one subscription across connections.

    `delivered` is the upper of the last batch handed out; None until there is one. A client that
    continues an earlier subscription passes the frontier it had reached.
    """

    with_snapshot: bool = True
    delivered: Frontier | None = None
    schema: pa.Schema | None = None
    # Parts of an interval that is not complete yet: the server may cut a large one.
    _parts: list[pa.RecordBatch] = field(default_factory=list)
    _part_lower: Frontier | None = None

    @property
    def is_finished(self) -> bool:
        """Whether everything there will ever be has been delivered."""
        return self.delivered is not None and self.delivered.is_closed

    def reconnected(self) -> None:
        """A new stream begins: parts of an interval that was cut off are void."""
        self._parts.clear()
        self._part_lower = None

    def announce(self, schema: pa.Schema) -> None:
        """The columns of the stream, time and diff included.

        Raises:
            RemoteProtocolError: not the columns of the streams before.
        """
        if self.schema is not None and not self.schema.equals(schema):
            raise RemoteProtocolError(
                f"the subscription's columns changed from {self.schema.names} to {schema.names}"
            )
        self.schema = schema

    def receive(
        self, lower: Frontier, upper: Frontier, batches: list[pa.RecordBatch]
    ) -> ChangeBatch | None:
        """Takes one chunk; returns what is complete and new, or None.

        A chunk whose upper is its lower is a part of the interval that a later chunk completes.

        Raises:
            RemoteProtocolError: a gap, an interval that ends before it begins, or no schema.
        """
        if self.schema is None:
            raise RemoteProtocolError("changes arrived before their schema")
        if not lower.less_equal(upper):
            raise RemoteProtocolError(f"an interval from {lower} to {upper}")
        first = self._part_lower if self._part_lower is not None else lower
        if self.delivered is not None and not first.less_equal(self.delivered):
            raise RemoteProtocolError(f"a gap: delivered up to {self.delivered}, next is {lower}")
        self._parts.extend(batches)
        if lower == upper:
            self._part_lower = first
            return None
        return self._complete(first, upper)

    def _complete(self, lower: Frontier, upper: Frontier) -> ChangeBatch | None:
        assert self.schema is not None, "receive has checked"
        table = pa.Table.from_batches(self._parts, schema=self.schema)
        self.reconnected()
        is_snapshot = self.delivered is None and self.with_snapshot
        if self.delivered is not None:
            if upper.less_equal(self.delivered):
                return None
            table = _not_before(table, self.delivered)
            lower = lower.join(self.delivered)
        self.delivered = upper
        return ChangeBatch(lower=lower, upper=upper, table=table, is_snapshot=is_snapshot)


def _not_before(table: pa.Table, frontier: Frontier) -> pa.Table:
    """The rows at or after `frontier`."""
    if frontier == START:
        return table
    if frontier == CLOSED:
        return table.slice(0, 0)
    return table.filter(
        pc.greater_equal(table.column(TIME_COLUMN), pa.scalar(frontier.time, pa.uint64()))
    )
