"""Window functions: only the partitions that a change touches are computed again.

The input is arranged by partition. A step reads the touched partitions, puts them in order once,
computes every function for the rows as they were and as they are, and emits what differs. Rows
that are equal in the order are taken by their row hash, so that all replicas agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.interval_parts import has_intervals
from antiphon.protocol.plan import SortKey
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.arrangements.spine import Spine, expand, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows, same_rows
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.groups import Groups, group_rows
from antiphon.replica.dataflow.columns.words import identity_words
from antiphon.replica.dataflow.columns.zset import Diffs, Zset, concat_rows
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.linear import error_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.windowing.ranking import Candidates
from antiphon.replica.dataflow.operators.windowing.window_frames import check_frame
from antiphon.replica.dataflow.operators.windowing.window_functions import (
    WindowCall,
    check_call,
    computed,
)
from antiphon.replica.dataflow.operators.windowing.window_rows import (
    Arranged,
    Ordered,
    arranged,
    blocks,
    ordered,
)

# Partitions are computed in blocks of about so many rows: totals of wide sums take many times what
# the rows do.
_BLOCK_ROWS: Final = 1 << 17


class Window(Operator):
    """The input's first `width` columns are the rows; what follows is computed from them. The
    output is the input's columns, then a column for each call."""

    def __init__(
        self,
        kinds: Sequence[pa.DataType],
        width: int,
        partition_by: Sequence[int],
        order_by: Sequence[SortKey],
        calls: Sequence[WindowCall],
        block_rows: int = _BLOCK_ROWS,
    ) -> None:
        for call in calls:
            check_call(call)
            if call.function.frame is not None:
                check_frame(call.function.frame, order_by, kinds)
        self._width = width
        self._by_parts = any(has_intervals(kind) for kind in kinds[:width])
        self._partition_by = tuple(partition_by)
        self._order_by = tuple(order_by)
        self._calls = tuple(calls)
        self._block_rows = block_rows
        self._spine = Spine()
        self._pending: Batch | None = None
        self.rows_read = 0  # of partitions that were computed again, all steps together

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        self._pending = None
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        hashes = identity_words(
            change.columns[: self._width], change.row_count, by_parts=self._by_parts
        )
        stored = array_of(hashes.view(np.int64), pa.int64())
        batch = build_batch(
            (*change.columns, stored), change.diffs, self._partition_by, row_hashes=hashes
        )
        if len(batch) == 0:
            return None
        self._pending = batch
        groups = group_rows([batch.columns[i] for i in self._partition_by], len(batch))
        candidates = self._candidates(batch, groups)
        self.rows_read += len(candidates.group)
        found = values_of(candidates.column(len(change.columns))).view(np.uint64)
        rows = arranged(candidates, found, self._order_by)
        columns = taken_rows([candidates.column(i) for i in range(len(change.columns))], rows.rows)
        parts: list[Zset] = []
        for block in blocks(rows.partition, self._block_rows):
            own = [column.slice(block.start, block.stop - block.start) for column in columns]
            parts += self._difference(own, rows.part(block), step)
        return concat_rows([part for part in parts if part.row_count])

    def _candidates(self, batch: Batch, groups: Groups) -> Candidates:
        """The rows of the touched partitions, then the change."""
        own = taken_rows([batch.columns[i] for i in self._partition_by], groups.first_rows)
        sources, found = [], []
        for match in probe_keys(self._spine.batches, groups.low):
            others = [match.batch.columns[i] for i in self._partition_by]
            same = equal_rows(own, match.probes, others, match.rows)
            rows, probes = match.rows, match.probes
            if same is not None:
                rows, probes = rows[same], probes[same]
            sources.append((match.batch, rows))
            found.append(probes)
        held = sum(len(part) for part in found)
        whole = [*sources, (batch, np.arange(len(batch)))]
        return Candidates(whole, np.concatenate([*found, groups.of_rows()]), held)

    def _difference(self, columns: Sequence[pa.Array], rows: Arranged, step: Step) -> list[Zset]:
        """What was, negative, and what is, less the copies that stay as they are."""
        was = ordered(columns, rows, rows.before)
        now = ordered(columns, rows, rows.after)
        old, old_errors = self._results(was)
        new, new_errors = self._results(now)
        leaves, enters = np.ones(was.count, np.bool_), np.ones(now.count, np.bool_)
        first, second = _copies(rows.before, rows.after)
        same = same_rows(old, first, new, second)
        stays = np.ones(len(first), np.bool_) if same is None else same
        for errors, places in ((old_errors, first), (new_errors, second)):
            if errors.failed is not None:
                stays = stays & ~errors.failed[places]
        leaves[first[stays]] = False
        enters[second[stays]] = False
        leaving = _signed(was, old, old_errors, leaves, -1, step)
        return [leaving, _signed(now, new, new_errors, enters, 1, step)]

    def _results(self, rows: Ordered) -> tuple[list[pa.Array], Frame]:
        errors = Frame((), rows.count)
        results = [computed(call, rows, self._order_by, errors) for call in self._calls]
        return results, errors

    def commit(self) -> None:
        if self._pending is not None:
            self._spine.insert(self._pending)
            self._pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._spine.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._spine.row_count

    @property
    def state_bytes(self) -> int:
        return self._spine.byte_count


def _copies(before: Diffs, after: Diffs) -> tuple[Rows, Rows]:
    """Of each row that was and is there: its copies in both versions, one beside the other."""
    both = np.minimum(before, after)
    _, first = expand(np.cumsum(before) - before, both)
    _, second = expand(np.cumsum(after) - after, both)
    return first, second


def _signed(
    rows: Ordered,
    results: list[pa.Array],
    errors: Frame,
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]],
    sign: int,
    step: Step,
) -> Zset:
    """The chosen rows with their results; errors in place of those that failed."""
    if errors.failed is not None:
        diffs = np.where(chosen, sign, 0)
        for error in error_rows(errors, diffs):
            step.errors.append(error.take(np.flatnonzero(error.diffs)))
        chosen = chosen & ~errors.failed
    places = np.flatnonzero(chosen)
    columns = taken_rows([*rows.columns, *results], places)
    return Zset(columns, np.full(len(places), sign, np.int64))
