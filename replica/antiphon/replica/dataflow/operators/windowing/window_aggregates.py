"""Aggregates over window frames.

Sums, counts and what is made of them are differences of running totals, which are exact (see
`accumulators`), so a frame costs the same whatever its length. The largest of a frame is found in
runs whose lengths are powers of two. What needs the rows themselves stands in `window_gathered`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.plan import Aggregate, AggregateFunction, WindowFunction
from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns import limbs as limb
from antiphon.replica.dataflow.columns.gather import Rows, taken
from antiphon.replica.dataflow.columns.nested_order import struct_ranks
from antiphon.replica.dataflow.columns.sort_codes import order_codes, part_codes
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.reducing.accumulators import Accumulator, accumulator_for
from antiphon.replica.dataflow.operators.reducing.co_moments import (
    CO_MOMENTS,
    Products,
    Side,
    covariance,
)
from antiphon.replica.dataflow.operators.reducing.gathered import GATHERED, check_constant
from antiphon.replica.dataflow.operators.reducing.moments import MOMENTS, Powers, finished
from antiphon.replica.dataflow.operators.windowing.distinct_frames import FirstRows, running
from antiphon.replica.dataflow.operators.windowing.window_frames import Stretch
from antiphon.replica.dataflow.operators.windowing.window_gathered import gathered_over
from antiphon.replica.dataflow.operators.windowing.window_rows import Mask, Ordered

DISTINCT: Final = "_distinct"  # how a plan names those to which a value counts once
_RANK_BITS: Final = 32
_EXTREMES: Final = (AggregateFunction.MIN, AggregateFunction.MAX)


def check_aggregate(function: WindowFunction) -> None:
    """
    Raises:
        NotServed: no aggregate, or one that is not evaluated over a frame.
    """
    name = function.name
    known = name.removesuffix(DISTINCT).upper() in AggregateFunction.__members__
    if known:
        aggregate = _aggregate(function)
        kind = aggregate.function
        check_constant(aggregate)
        known = kind in _EXTREMES or kind in MOMENTS or kind in GATHERED
        known = known or (kind in CO_MOMENTS and not aggregate.distinct)
        known = known or accumulator_for(aggregate) is not None
        excludes = function.frame is not None and function.frame.exclude
        known = known and not (excludes and aggregate.distinct and kind not in GATHERED)
    if not known:
        raise NotServed(f"the window function {name} is not served", function=name)


def _aggregate(function: WindowFunction) -> Aggregate:
    return Aggregate(
        function=AggregateFunction[function.name.removesuffix(DISTINCT).upper()],
        arguments=function.arguments,
        type=function.type,
        distinct=function.name.endswith(DISTINCT),
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
    aggregate = _aggregate(function)
    if aggregate.function is not AggregateFunction.ARRAY_AGG:  # it alone takes nulls
        for argument in arguments:
            valid = valid_of(argument)
            counted = counted if valid is None else counted & valid
    if aggregate.function in GATHERED:
        return gathered_over(aggregate, arguments[0], counted, frame, rows, errors)
    if aggregate.function in _EXTREMES:
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
    sums = _Sums(arguments, counted, frame, aggregate)
    if aggregate.function in MOMENTS:
        powers, squares = Powers(aggregate, 1), Powers(aggregate, 2)
        count, own = sums.of(powers)
        return finished(count, powers, own, squares, sums.of(squares)[1], errors)
    if aggregate.function in CO_MOMENTS:
        products, sides = Products(aggregate), (Side(aggregate, 0), Side(aggregate, 1))
        count, own = sums.of(products)
        first, second = (sums.of(side)[1] for side in sides)
        return covariance(aggregate, count, sides, (first, second), products, own, errors)
    accumulator = accumulator_for(aggregate)
    assert accumulator is not None, "checked when the operator was made"
    count, own = sums.of(accumulator)
    return accumulator.finish(count, count > 0, own, errors)


class _Sums:
    """Exact sums over the frame of each row."""

    def __init__(
        self,
        arguments: Sequence[pa.Array],
        counted: Mask,
        frame: list[Stretch],
        aggregate: Aggregate,
    ) -> None:
        self._arguments = arguments
        self._diffs = counted.astype(np.int64)
        self._frame = frame
        self._first: FirstRows | None = None
        if aggregate.distinct:
            assert len(frame) == 1, "checked when the operator was made"
            self._first = FirstRows(order_codes(arguments[0]), counted)

    def of(self, accumulator: Accumulator) -> tuple[Numbers, Numbers]:
        """For the frame of each row: how many values it has, and the accumulator's numbers."""
        diffs, arguments = self._diffs, self._arguments
        if arguments:
            values = accumulator.read(arguments[0])
            low, high = accumulator.room_for(values, diffs, limb.norm(diffs))
            if low or high:
                accumulator.grow(low, high)
        # The count, then a row of numbers for each limb.
        terms = np.zeros((1 + accumulator.width, len(diffs)), np.int64)
        terms[0] = diffs
        if arguments:
            accumulator.contribute(values, diffs, terms[1:].T)
        numbers = self._summed(terms)
        own = numbers[1:].T
        accumulator.normalise(own)
        return numbers[0], own

    def _summed(self, terms: Numbers) -> Numbers:
        if self._first is not None:
            ((start, end),) = self._frame
            return self._first.sums(terms, start, end)
        totals = running(terms)
        numbers = np.zeros(terms.shape, np.int64)
        for start, end in self._frame:
            numbers += totals[:, end] - totals[:, start]
        return numbers


def _extreme(
    column: pa.Array, counted: Mask, frame: list[Stretch], rows: Ordered, *, smallest: bool
) -> pa.Array:
    """By dense ranks of the values: -1 where a row does not count."""
    codes = _by_parts(column, order_codes(column), smallest=smallest)
    _, first, ranks = np.unique(codes, return_index=True, return_inverse=True)
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


def _by_parts(column: pa.Array, codes: Words, *, smallest: bool) -> Words:
    """Codes that tell equal intervals apart too: of those the least by parts is found."""
    for parts in part_codes(column):
        return struct_ranks([codes, parts if smallest else np.uint64(len(column)) - parts])
    return codes


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
