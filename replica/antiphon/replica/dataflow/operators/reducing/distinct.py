"""Distinct and threshold: multiplicities counted by row hash."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.replica.dataflow.arrangements.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows
from antiphon.replica.dataflow.columns.groups import Groups, group_rows
from antiphon.replica.dataflow.columns.zset import Diffs, Zset
from antiphon.replica.dataflow.operators.operator import Operator, Step


class Distinct(Operator):
    """Each row whose multiplicity is positive: once (`once`), or as often as it is there."""

    def __init__(self, *, once: bool) -> None:
        self._once = once
        self._table = GroupTable(1)
        self._pending: tuple[Numbers, Groups, Numbers] | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        rows, diffs = self.transitions(change)
        if len(rows) == 0:
            return None
        return Zset(taken_rows(change.columns, rows), diffs, is_distinct=True)

    def transitions(self, change: Zset) -> tuple[Rows, Diffs]:
        """Rows of the change that enter or leave the output, and by how much."""
        groups = group_rows(change.columns, change.row_count)
        sums = groups.sums(change.diffs)
        slots, before = self._table.look_up(groups.low, groups.high)
        after = before + sums[:, None]
        self._pending = (slots, groups, after)
        diffs = self._seen(after[:, 0]) - self._seen(before[:, 0])
        moved = np.flatnonzero(diffs)
        return groups.first_rows[moved], diffs[moved]

    def _seen(self, counts: Numbers) -> Numbers:
        return (counts > 0).astype(np.int64) if self._once else np.maximum(counts, 0)

    def commit(self) -> None:
        if self._pending is not None:
            slots, groups, after = self._pending
            self._table.write(slots, groups.low, groups.high, after)
            self._pending = None

    def maintain(self, fuel_rows: int) -> bool:
        return self._table.maintain(fuel_rows)

    @property
    def state_rows(self) -> int:
        return self._table.group_count

    @property
    def state_bytes(self) -> int:
        return self._table.byte_count
