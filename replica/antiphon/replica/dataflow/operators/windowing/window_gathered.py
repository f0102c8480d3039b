"""Aggregates that need the rows of their frame: lists, medians, bits.

The frames are laid end to end, each row's members after the other's, and are then the groups of the
aggregates that read their groups. So a partition costs the sum of its frames' sizes, and what that
may be is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import values_of
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.columns.sort_codes import part_codes, sort_codes, sorted_rows
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.reducing.gathered import (
    Sorted,
    constant_of,
    gathered_value,
    heads,
)
from antiphon.replica.dataflow.operators.windowing.window_frames import Stretch
from antiphon.replica.dataflow.operators.windowing.window_rows import Mask, Ordered

# Of all frames of a partition together: rows of fixed width, and bytes of text.
MEMBERS_MAX: Final = 1 << 24
MEMBER_BYTES_MAX: Final = 1 << 28
TOO_LARGE: Final = "out_of_range"
_IN_FRAME_ORDER: Final = (AggregateFunction.ARRAY_AGG, AggregateFunction.STRING_AGG)


def gathered_over(
    aggregate: Aggregate,
    column: pa.Array,
    counted: Mask,
    frame: list[Stretch],
    rows: Ordered,
    errors: Frame,
) -> pa.Array:
    """The aggregate of each row's frame, whose rows it takes in the window's order; `counted`: the
    rows that are taken at all. Partitions whose frames are too large fail in `errors`."""
    too_large = _are_too_large(aggregate, column, counted, frame, rows)
    if too_large.any():
        message = f"the frames of {aggregate.function.name.lower()} have too many rows together"
        errors.fail(too_large, TOO_LARGE, message, aggregate.function.name.lower())
        frame = [(start, np.where(too_large, start, end)) for start, end in frame]
    group, member = _members(frame, counted)
    counts = np.ones(len(group), np.int64)
    if aggregate.distinct or aggregate.function not in _IN_FRAME_ORDER:
        codes = sort_codes(column, descending=False, nulls_first=False)
        own = [code[member] for code in codes]
        parts = [code[member] for code in part_codes(column)]
        order = sorted_rows(group, [*own, *parts])
        first = heads(order, [group, *own])
        counts = np.diff(np.append(first, len(order)))
        group, member = group[order[first]], member[order[first]]
    values = taken(column, index_of(member))
    return gathered_value(Sorted(values, group, counts, rows.count), aggregate)


def _members(frame: list[Stretch], counted: Mask) -> tuple[Rows, Rows]:
    """(whose frame, which row) of the rows of all frames, in their order."""
    starts = np.stack([start for start, _ in frame], axis=1).reshape(-1)
    sizes = np.stack([end - start for start, end in frame], axis=1).reshape(-1)
    stretch, member = expand(starts, sizes)
    kept = counted[member]
    return stretch[kept] // len(frame), member[kept]


def _are_too_large(
    aggregate: Aggregate, column: pa.Array, counted: Mask, frame: list[Stretch], rows: Ordered
) -> Mask:
    """The rows of partitions whose frames are more than is gathered at once."""
    found = _of_partitions(counted.astype(np.int64), frame, rows) > MEMBERS_MAX
    if aggregate.function is not AggregateFunction.STRING_AGG:
        return found
    sizes = values_of(pc.fill_null(pc.binary_length(column), 0)).astype(np.int64)
    sizes = np.where(counted, sizes + len(str(constant_of(aggregate)).encode()), 0)
    return found | (_of_partitions(sizes, frame, rows) > MEMBER_BYTES_MAX)


def _of_partitions(sizes: Numbers, frame: Sequence[Stretch], rows: Ordered) -> Numbers:
    """Of each row: how much all frames of its partition have together."""
    before = np.concatenate([[0], np.cumsum(sizes)])
    own = np.zeros(rows.count, np.int64)
    for start, end in frame:
        own += before[end] - before[start]
    total: Numbers = np.concatenate([np.zeros(1, np.int64), np.cumsum(own)])
    found: Numbers = total[rows.ends] - total[rows.starts]
    return found
