"""Lists in another order, and what is least, largest and summed in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import TypeKind, arrow_type
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.columns.sort_codes import dense_codes
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested.lists import Lists, list_vector
from antiphon.replica.dataflow.expressions.vector import Vector, both_valid

_LOW_BITS: Final = 32


def _sort(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """By value; whether descending, and whether nulls are first, may differ from row to row."""
    lists = Lists(arguments[0])
    valid = both_valid(*arguments)
    codes = dense_codes(lists.elements).astype(np.int64)
    descending, nulls_first = (lists.spread(flag).values for flag in arguments[1:])
    codes = np.where(descending, -codes, codes)
    known = lists.vector.valid
    if known is not None:
        beyond = len(codes) + 1
        codes = np.where(known, codes, np.where(nulls_first, -beyond, beyond))
    order = np.lexsort((codes, lists.rows))
    sizes = lists.sizes
    if valid is not None:  # a null flag makes null
        order, sizes = order[valid[lists.rows[order]]], np.where(valid, sizes, 0)
    return list_vector(call.type, taken(lists.elements, index_of(order)), sizes, valid)


def _reverse(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    lists = Lists(arguments[0])
    ends = np.repeat(2 * lists.starts + lists.sizes - 1, lists.sizes)
    places = ends - np.arange(len(lists.elements))
    return list_vector(call.type, taken(lists.elements, index_of(places)), lists.sizes, lists.valid)


def _distinct(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Each value once, where it is first; nulls are left out."""
    lists = Lists(arguments[0])
    places = _known(lists)
    keys = lists.keyed(dense_codes(lists.elements))
    chosen = np.sort(places[np.unique(keys[places], return_index=True)[1]])
    sizes = np.bincount(lists.rows[chosen], minlength=lists.count)
    return list_vector(call.type, taken(lists.elements, index_of(chosen)), sizes, lists.valid)


def _extreme(*, largest: bool) -> Callable[[Frame, Call, list[Vector]], Vector]:
    def extreme(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
        """The least or the largest value; null where there is none."""
        lists = Lists(arguments[0])
        places = _known(lists)
        codes = dense_codes(lists.elements)[places].astype(np.int64)
        order = places[np.lexsort((-codes if largest else codes, lists.rows[places]))]
        rows, first = np.unique(lists.rows[order], return_index=True)
        index, there = np.zeros(lists.count, np.int64), np.zeros(lists.count, np.bool_)
        index[rows], there[rows] = order[first], True
        return Vector.of_array(call.type, taken(lists.elements, array_of(index, pa.int64(), there)))

    return extreme


def _sum(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Of integers, exact; null where there is none. A list has fewer than 2^31 of them, so a sum
    of halves of 32 bits fits 64."""
    lists = Lists(arguments[0])
    places = _known(lists)
    values = lists.vector.values.astype(np.int64)[places]
    rows = lists.rows[places]
    there = np.bincount(rows, minlength=lists.count) > 0
    if call.type.kind is not TypeKind.DECIMAL:
        return Vector.of_values(call.type, _totals(values, rows, lists.count), there)
    high = _totals(values >> _LOW_BITS, rows, lists.count)
    low = _totals(values & ((1 << _LOW_BITS) - 1), rows, lists.count)
    wide = pc.multiply(
        array_of(high, pa.int64()).cast(pa.decimal128(19, 0)),
        pa.scalar(1 << _LOW_BITS, pa.decimal128(10, 0)),
    )
    total = pc.add(wide, array_of(low, pa.int64(), there).cast(pa.decimal128(19, 0)))
    return Vector.of_array(call.type, total.cast(arrow_type(call.type)))


def _totals(values: Rows, rows: Rows, count: int) -> Rows:
    totals = np.zeros(count, np.int64)
    np.add.at(totals, rows, values)
    return totals


def _known(lists: Lists) -> Rows:
    """The elements that are not null."""
    valid = lists.vector.valid
    return np.arange(len(lists.elements)) if valid is None else np.flatnonzero(valid)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "list_sort": _sort,
    "list_reverse": _reverse,
    "list_distinct": _distinct,
    "list_min": _extreme(largest=False),
    "list_max": _extreme(largest=True),
    "list_sum": _sum,
}
