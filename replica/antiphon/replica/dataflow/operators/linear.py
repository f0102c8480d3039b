"""Operators without state: map/filter/project (fused), union, negate, constant, source."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.plan import Constant
from antiphon.replica.dataflow.columns.zset import Diffs, Zset, concat_rows, without_errors
from antiphon.replica.dataflow.expressions.evaluate import check, columns_of, evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask, Vector
from antiphon.replica.dataflow.operators.operator import Operator, Step


class Source(Operator):
    """An import: the dataflow hands it the input's change."""

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        if change is None:
            return None
        if change.errors is None:
            return change
        step.errors.append(change.errors)
        return without_errors(change) if len(change.diffs) else None


class Fixed(Operator):
    """A constant: all of it at the first step."""

    runs_first = True

    def __init__(self, plan: Constant) -> None:
        types = plan.schema.types
        columns = tuple(
            literal_array(kind, [row[i] for row, _ in plan.rows]) for i, kind in enumerate(types)
        )
        self._rows = Zset(columns, np.array([diff for _, diff in plan.rows], np.int64))

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        return self._rows if step.is_first and self._rows.row_count else None


class Sum(Operator):
    """Union: multiplicities add up."""

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        return concat_rows([change for change in inputs if change is not None])


class Negated(Operator):
    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        return None if change is None else change.negated()


class _MapFrame(Frame):
    """A frame whose columns beyond the input's are maps, computed when first asked for.

    A filter that comes first thereby keeps rows away from maps that would fail in them.
    """

    def __init__(self, columns: Sequence[pa.Array], count: int, maps: Sequence[Expression]) -> None:
        super().__init__(columns, count)
        self._maps = maps
        self.computed: dict[int, Vector] = {}

    def vector(self, reference: ColumnReference) -> Vector:
        index = reference.index - len(self.columns)
        if index < 0:
            return super().vector(reference)
        known = self.computed.get(index)
        if known is None:
            known = evaluate(self, self._maps[index])
            if not self.is_guarded:
                self.computed[index] = known
        return known


class MapFilterProject(Operator):
    """Filters in order, each for the rows that passed those before it; then the maps that are
    projected. A row in which any of that fails leaves an error instead of a row."""

    def __init__(
        self,
        width: int,
        maps: Sequence[Expression],
        filters: Sequence[Expression],
        project: Sequence[int],
        *,
        keeps_distinct: bool = False,
    ) -> None:
        """`keeps_distinct`: rows that differ still do when projected."""
        for expression in (*maps, *filters):
            check(expression)
        self._width = width
        self._maps = tuple(maps)
        self._filters = tuple(filters)
        self._project = tuple(project)
        needed = {index for index in project if index < width}
        for index in project:
            if index >= width:
                needed |= self._inputs_of(index)
        self._needed = needed  # membership only
        self._computes = any(index >= width for index in project)
        self._keeps_distinct = keeps_distinct

    def _inputs_of(self, index: int) -> set[int]:
        found: set[int] = set()
        for column in columns_of(self._maps[index - self._width]):
            found |= {column} if column < self._width else self._inputs_of(column)
        return found

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        if self._filters:
            change, computed = self._filtered(change, step)
            if change is None:
                return None
        else:
            computed = {}
        if not self._computes:
            columns = tuple([change.columns[i] for i in self._project])
            return Zset(columns, change.diffs, is_distinct=self._stays_distinct(change))
        return self._mapped(change, computed, step)

    def _filtered(self, change: Zset, step: Step) -> tuple[Zset | None, dict[int, Vector]]:
        frame = _MapFrame(change.columns, change.row_count, self._maps)
        kept: Mask | None = None
        for expression in self._filters:
            frame.active = kept
            passed = evaluate(frame, expression).truth
            kept = passed if kept is None else kept & passed
            if not kept.any():
                break
        assert kept is not None, "there is a filter"
        if frame.failed is not None:
            kept = kept & ~frame.failed
            step.errors.extend(error_rows(frame, change.diffs))
        if kept.all():
            return change, frame.computed
        rows = np.flatnonzero(kept)
        if len(rows) == 0:
            return None, {}
        return self._taken(change, rows), {i: v.take(rows) for i, v in frame.computed.items()}

    def _taken(self, change: Zset, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Zset:
        """These rows; columns that nobody reads any more are left as nulls."""
        index = array_of(rows, pa.int64())
        columns = tuple(
            column.take(index) if i in self._needed else pa.nulls(len(rows), column.type)
            for i, column in enumerate(change.columns)
        )
        return Zset(columns, change.diffs[rows], is_distinct=self._stays_distinct(change))

    def _stays_distinct(self, change: Zset) -> bool:
        return self._keeps_distinct and change.is_distinct

    def _mapped(self, change: Zset, computed: dict[int, Vector], step: Step) -> Zset | None:
        frame = _MapFrame(change.columns, change.row_count, self._maps)
        frame.computed = computed
        columns = []
        for index in self._project:
            if index < self._width:
                columns.append(change.columns[index])
            else:
                kind = self._maps[index - self._width].type
                columns.append(frame.vector(ColumnReference(index=index, type=kind)).array)
        diffs = change.diffs
        if frame.failed is None:
            return Zset(tuple(columns), diffs, is_distinct=self._stays_distinct(change))
        step.errors.extend(error_rows(frame, diffs))
        rows = np.flatnonzero(~frame.failed)
        return Zset(tuple(columns), diffs).take(rows) if len(rows) else None


def error_rows(frame: Frame, diffs: Diffs) -> list[Zset]:
    """The error side of the frame's rows that failed, each as often as its row."""
    found = []
    for error in frame.errors:
        rows = np.flatnonzero(error.rows)
        if isinstance(error.messages, str):
            messages = pa.repeat(pa.scalar(error.messages), len(rows))
        else:
            messages = error.messages.take(array_of(rows, pa.int64()))
        code = pa.repeat(pa.scalar(error.code), len(rows))
        expression = pa.repeat(pa.scalar(error.expression), len(rows))
        found.append(Zset((code, messages, expression), diffs[rows]))
    return found
