"""Aggregates over window frames.

Sums, counts and what is made of them are differences of running totals, which are exact (see
`accumulators`), so a frame costs the same whatever its length. The largest of a frame is found in
runs whose lengths are powers of two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.plan import Aggregate, AggregateFunction, WindowFunction
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns.gather import Rows, taken
from antiphon.replica.dataflow.columns.sort_codes import order_codes
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.reducing.accumulators import Accumulator, accumulator_for
from antiphon.replica.dataflow.operators.reducing.co_moments import (
    CO_MOMENTS,
    Products,
    Side,
    covariance,
)
from antiphon.replica.dataflow.operators.reducing.moments import MOMENTS, Powers, finished
from antiphon.replica.dataflow.operators.windowing.window_frames import Stretch
from antiphon.replica.dataflow.operators.windowing.window_rows import Mask, Ordered

_RANK_BITS = 32


def check_aggregate(function: WindowFunction) -> None:
    """
    Raises:
        NotServed: no aggregate, or one that is not evaluated over a frame.
    """
    name = function.name
    known = name.upper() in AggregateFunction.__members__
    if known:
        aggregate = _aggregate(function)
        extreme = aggregate.function in (AggregateFunction.MIN, AggregateFunction.MAX)
        known = extreme or aggregate.function in MOMENTS | CO_MOMENTS
        known = known or accumulator_for(aggregate) is not None
    if not known:
        raise NotServed(f"the window function {name} is not served", function=name)


def _aggregate(function: WindowFunction) -> Aggregate:
    return Aggregate(
        function=AggregateFunction[function.name.upper()],
        arguments=function.arguments,
        type=function.type,
    )


def aggregate_over(
    function: WindowFunction,
    arguments: Sequence[pa.Array],
    condition: pa.Array | None,
    frame: list[Stretch],
    rows: Ordered,
    errors: Frame,
) -> pa.Array:
    """The aggregate of each row's frame; null arguments and rows not `condition` do not count."""
    counted = np.ones(rows.count, np.bool_)
    if condition is not None:
        counted = values_of(condition)
        valid = valid_of(condition)
        counted = counted if valid is None else counted & valid
    for argument in arguments:
        valid = valid_of(argument)
        counted = counted if valid is None else counted & valid
    aggregate = _aggregate(function)
    if aggregate.function in (AggregateFunction.MIN, AggregateFunction.MAX):
        smallest = aggregate.function is AggregateFunction.MIN
        return _extreme(arguments[0], counted, frame, rows, smallest=smallest)
    return _summed(aggregate, arguments, counted, frame, errors)


def _summed(
    aggregate: Aggregate,
    arguments: Sequence[pa.Array],
    counted: Mask,
    frame: list[Stretch],
    errors: Frame,
) -> pa.Array:
    if aggregate.function in MOMENTS:
        sums, squares = Powers(aggregate, 1), Powers(aggregate, 2)
        count, own = _totals(sums, arguments, counted, frame)
        _, others = _totals(squares, arguments, counted, frame)
        return finished(count, sums, own, squares, others, errors)
    if aggregate.function in CO_MOMENTS:
        products, sides = Products(aggregate), (Side(aggregate, 0), Side(aggregate, 1))
        count, own = _totals(products, arguments, counted, frame)
        (_, first), (_, second) = (_totals(side, arguments, counted, frame) for side in sides)
        return covariance(aggregate, count, sides, (first, second), products, own, errors)
    accumulator = accumulator_for(aggregate)
    assert accumulator is not None, "checked when the operator was made"
    count, own = _totals(accumulator, arguments, counted, frame)
    return accumulator.finish(count, count > 0, own, errors)


def _totals(
    accumulator: Accumulator, arguments: Sequence[pa.Array], counted: Mask, frame: list[Stretch]
) -> tuple[Numbers, Numbers]:
    """For the frame of each row: how many values it has, and the accumulator's numbers."""
    diffs = counted.astype(np.int64)
    if arguments:
        low, high = accumulator.room_for(arguments[0], diffs)
        if low or high:
            accumulator.grow(low, high)
    # The count, then a row of numbers for each limb; the first column is the total of nothing.
    totals = np.zeros((1 + accumulator.width, len(diffs) + 1), np.int64)
    totals[0, 1:] = diffs
    if arguments:
        accumulator.contribute(arguments[0], diffs, totals[1:, 1:].T)
    np.cumsum(totals, axis=1, out=totals)
    numbers = np.zeros((1 + accumulator.width, len(diffs)), np.int64)
    for start, end in frame:
        numbers += totals[:, end] - totals[:, start]
    own = numbers[1:].T
    accumulator.normalise(own)
    return numbers[0], own


def _extreme(
    column: pa.Array, counted: Mask, frame: list[Stretch], rows: Ordered, *, smallest: bool
) -> pa.Array:
    """By dense ranks of the values: -1 where a row does not count."""
    _, first, ranks = np.unique(order_codes(column), return_index=True, return_inverse=True)
    places = np.flatnonzero(counted)
    if counted.all():
        examples = first
    else:  # what stands at nulls has a code too: only the ranks of rows that count matter
        examples = np.zeros(len(first), np.int64)
        examples[ranks[places]] = places
    ranks = ranks.reshape(-1).astype(np.int64)
    top = len(first) - 1
    keys = np.where(counted, top - ranks if smallest else ranks, -1)
    best = np.full(rows.count, -1, np.int64)
    for start, end in frame:
        best = np.maximum(best, _largest(keys, start, end, rows))
    present = best >= 0
    chosen = np.where(present, top - best if smallest else best, 0)
    index = array_of(examples[chosen].astype(np.int64), pa.int64(), present)
    return taken(column, index)


def _largest(keys: Rows, start: Rows, end: Rows, rows: Ordered) -> Rows:
    """The largest key in each [start, end); -1 where there is none."""
    some = end > start
    if bool((start == rows.starts).all()):  # running: one pass
        words = (rows.starts << _RANK_BITS) | (keys + 1)
        running = (np.maximum.accumulate(words) & ((1 << _RANK_BITS) - 1)) - 1
        return np.where(some, running[np.maximum(end, 1) - 1], -1)
    found = np.full(len(keys), -1, np.int64)
    sizes = np.where(some, end - start, 0)
    level, runs = 0, keys  # runs[i]: the largest of 2^level keys from i on
    while True:
        width = 1 << level
        here = np.flatnonzero((sizes >= width) & (sizes < 2 * width))
        if len(here):
            found[here] = np.maximum(runs[start[here]], runs[end[here] - width])
        if not (sizes >= 2 * width).any():
            return found
        runs = np.maximum(runs[:-width], runs[width:])
        level += 1
