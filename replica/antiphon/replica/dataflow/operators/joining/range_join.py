"""The inner join on ranges: pairs of rows whose intervals overlap.

With dL, dR the changes and L, R the states before them: dL ⋈ R + (L + dL) ⋈ dR. Each side is a few
runs of geometric sizes. The pairs are a superset: codes may be coarse, and `<` is taken for `<=`;
who reads them tests the conditions themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from antiphon.protocol.expression import Expression
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.columns.gather import taken_rows
from antiphon.replica.dataflow.columns.intervals import HIGHEST, LOWEST, Run, overlaps
from antiphon.replica.dataflow.columns.sort_codes import coarse_codes
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows
from antiphon.replica.dataflow.expressions.evaluate import check, evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask
from antiphon.replica.dataflow.operators.operator import Operator, Step

_RUNS_MAX: Final = 24  # of a side; past it they are merged at once


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a row's interval begins and ends, over its columns; None: it is unbounded."""

    low: Expression | None
    high: Expression | None


@dataclass(slots=True)
class _Side:
    """Rows, in runs of falling sizes."""

    bounds: Bounds
    runs: list[Run] = field(default_factory=list)
    pending: Run | None = None

    def run_of(self, rows: Zset | None) -> Run | None:
        """The rows that can match anything: those of which no bound is null. One whose bounds
        cannot be computed may match everything: then the conditions themselves fail."""
        if rows is None or rows.row_count == 0:
            return None
        if not rows.is_distinct:
            rows = rows.consolidated()
        frame = Frame(rows.columns, rows.row_count)
        valid = np.ones(rows.row_count, np.bool_)
        low = _codes(frame, self.bounds.low, LOWEST, valid)
        high = _codes(frame, self.bounds.high, HIGHEST, valid)
        if frame.failed is not None:
            low[frame.failed], high[frame.failed] = LOWEST, HIGHEST
            valid |= frame.failed
        if not valid.all():
            kept = np.flatnonzero(valid)
            rows, low, high = rows.take(kept), low[kept], high[kept]
        return Run.of(rows, low, high) if rows.row_count else None

    def commit(self) -> None:
        if self.pending is not None:
            self.runs.append(self.pending)
            self.pending = None
        while len(self.runs) > _RUNS_MAX:
            self.merge()

    @property
    def is_uneven(self) -> bool:
        """Whether the last two runs are about as large as each other, or more than half of all rows
        may cancel out."""
        if len(self.runs) < 2:
            return False
        last, before = self.runs[-1], self.runs[-2]
        if before.row_count < 2 * last.row_count:
            return True
        present = sum(run.total for run in self.runs)
        return sum(run.row_count for run in self.runs) > 2 * present

    def merge(self) -> None:
        """The last two runs become one, without what cancels out."""
        two = [Zset(run.columns, run.diffs) for run in self.runs[-2:]]
        whole = concat_rows(two)
        assert whole is not None, "two runs"
        merged = self.run_of(whole)
        self.runs[-2:] = [] if merged is None else [merged]


def _codes(frame: Frame, bound: Expression | None, unbounded: np.uint64, valid: Mask) -> Words:
    """The bound's codes, of which there are none where it is null: not `valid` any more."""
    if bound is None:
        return np.full(frame.count, unbounded)
    vector = evaluate(frame, bound)
    if vector.valid is not None:
        valid &= vector.valid
    return np.array(coarse_codes(vector.array))


class RangeJoin(Operator):
    """The left columns, then the right ones, of all pairs that overlap."""

    def __init__(self, left: Bounds, right: Bounds) -> None:
        """Raises NotServed: a bound is not evaluated."""
        for bound in (left.low, left.high, right.low, right.high):
            if bound is not None:
                check(bound)
        self._left, self._right = _Side(left), _Side(right)

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        left, right = self._left, self._right
        left.pending, right.pending = left.run_of(inputs[0]), right.run_of(inputs[1])
        found: list[Zset] = []
        if left.pending is not None:
            found += [_paired(left.pending, run) for run in right.runs]
        if right.pending is not None:
            now = left.runs if left.pending is None else [*left.runs, left.pending]
            found += [_paired(run, right.pending) for run in now]
        return concat_rows([part for part in found if part.row_count])

    def commit(self) -> None:
        self._left.commit()
        self._right.commit()

    def abandon(self) -> None:
        self._left.pending = self._right.pending = None

    def maintain(self, fuel_rows: int) -> bool:
        for side in (self._left, self._right):
            if side.is_uneven:
                side.merge()
                return True
        return False

    @property
    def state_rows(self) -> int:
        return sum(run.row_count for side in (self._left, self._right) for run in side.runs)

    @property
    def state_bytes(self) -> int:
        return sum(run.byte_count for side in (self._left, self._right) for run in side.runs)


def _paired(left: Run, right: Run) -> Zset:
    ours, theirs = overlaps(left, right)
    columns = (*taken_rows(left.columns, ours), *taken_rows(right.columns, theirs))
    return Zset(columns, left.diffs[ours] * right.diffs[theirs])
