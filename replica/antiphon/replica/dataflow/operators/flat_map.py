"""One row becomes any number of rows, each with a value of what a function made of it.

Linear: what comes of a change is the change of what comes. So nothing is kept; a row that goes is
taken apart again as it was when it came.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol import plan
from antiphon.protocol.buffers import array_of
from antiphon.protocol.errors import NotServed
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken, taken_rows
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.expressions.evaluate import check, evaluate
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.linear import error_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.table_functions import FUNCTIONS, Spread


class FlatMap(Operator):
    """The input's columns, one for each function, and the ordinal if it is asked for. A row in
    which anything fails leaves an error instead of rows."""

    def __init__(self, node: plan.FlatMap) -> None:
        """Raises NotServed, naming what it is, if a function or an argument is not evaluated."""
        for function in node.functions:
            if function.name not in FUNCTIONS:
                raise NotServed(
                    f"the table function {function.name} is not served", function=function.name
                )
            for argument in function.arguments:
                check(argument)
        self._functions = node.functions
        self._with_ordinality = node.with_ordinality
        self._keep_empty = node.keep_empty
        # Rows of one input row differ by their ordinal, or as the members of a series do.
        only = node.functions[0].name if len(node.functions) == 1 else ""
        self._keeps_distinct = node.with_ordinality or only == "generate_series"

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        frame = Frame(change.columns, change.row_count)
        spreads = self._spreads(frame)
        if frame.failed is not None:
            step.errors.extend(error_rows(frame, change.diffs))
            change = change.take(np.flatnonzero(~frame.failed))
            spreads = self._spreads(Frame(change.columns, change.row_count))
        return self._spread_out(change, spreads)

    def _spreads(self, frame: Frame) -> list[Spread]:
        return [
            FUNCTIONS[function.name](
                frame, function, [evaluate(frame, part) for part in function.arguments]
            )
            for function in self._functions
        ]

    def _spread_out(self, change: Zset, spreads: list[Spread]) -> Zset | None:
        counts = spreads[0].counts
        for spread in spreads[1:]:
            counts = np.maximum(counts, spread.counts)
        lengths = np.maximum(counts, 1) if self._keep_empty else counts
        total = int(lengths.sum())
        if total == 0:
            return None
        rows = np.repeat(np.arange(len(lengths)), lengths)
        places = np.arange(total) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        columns = [*taken_rows(change.columns, rows)]
        columns += [_placed(spread, lengths, rows, places) for spread in spreads]
        if self._with_ordinality:
            present = places < counts[rows] if self._keep_empty else None
            columns.append(array_of(places + 1, pa.int64(), present))
        is_distinct = self._keeps_distinct and change.is_distinct
        return Zset(tuple(columns), change.diffs[rows], is_distinct=is_distinct)


def _placed(spread: Spread, lengths: Rows, rows: Rows, places: Rows) -> pa.Array:
    """The function's values where they belong, null where it has no more."""
    if np.array_equal(spread.counts, lengths):
        return spread.values
    first = np.cumsum(spread.counts) - spread.counts
    present = places < spread.counts[rows]
    at = np.where(present, first[rows] + places, 0)
    if len(spread.values) == 0:
        return pa.nulls(len(rows), spread.values.type)
    return taken(spread.values, array_of(at, index_of(at).type, present))
