"""The rows of a change that filters which cannot fail let through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.protocol.selection import Selection
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.expressions.evaluate import evaluate
from antiphon.replica.dataflow.expressions.frame import Frame


def selected(change: Zset, selection: Selection, columns: Sequence[int]) -> Zset:
    """The rows that are selected, in their order, and all errors. Of columns that are not among
    `columns` nothing but nulls may be left."""
    if not selection or change.row_count == 0:
        return change
    frame = Frame(change.columns, change.row_count)
    kept = evaluate(frame, selection[0]).truth
    for part in selection[1:]:
        kept = kept & evaluate(frame, part).truth
    assert frame.failed is None, f"a filter that cannot fail has failed: {frame.errors}"
    if kept.all():
        return change
    rows = np.flatnonzero(kept)
    index = array_of(rows, pa.int64())
    taken = [
        column.take(index) if place in columns else pa.nulls(len(rows), column.type)
        for place, column in enumerate(change.columns)
    ]
    return Zset(tuple(taken), change.diffs[rows], change.errors, is_distinct=change.is_distinct)
