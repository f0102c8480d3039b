"""Lists taken apart and put together. Elements are counted from 1.

A null list has no elements here and keeps its place by `valid`; an element may be null as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, packed
from antiphon.protocol.expression import Call
from antiphon.protocol.row_hash import Words
from antiphon.protocol.schema import Type, arrow_type
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.columns.sort_codes import list_sizes
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

_ELEMENTS_MAX: Final = (1 << 31) - 1  # of one column: its offsets have 32 bits


class Lists:
    """The lists of a column: all elements, one list behind the other."""

    __slots__ = ("_rows", "count", "elements", "sizes", "starts", "type", "valid")

    def __init__(self, vector: Vector) -> None:
        assert vector.type.element is not None, f"not a list: {vector.type}"
        array = vector.array
        self.type = vector.type.element
        self.count = len(array)
        self.elements: pa.Array = array.flatten()
        self.sizes = list_sizes(array)
        self.starts: Rows = np.cumsum(self.sizes) - self.sizes
        self.valid = vector.valid
        self._rows: Rows | None = None

    @property
    def rows(self) -> Rows:
        """The list that each element is of."""
        if self._rows is None:
            self._rows = np.repeat(np.arange(self.count), self.sizes)
        return self._rows

    @property
    def vector(self) -> Vector:
        """The elements as a column of their own."""
        return Vector.of_array(self.type, self.elements)

    def spread(self, vector: Vector) -> Vector:
        """A value for each list, as one for each element."""
        return vector.take(self.rows)

    def keyed(self, codes: Words) -> Words:
        """For each element a number that is equal only within a list, where the codes are.

        Args:
            codes: of all elements, each at most their number.
        """
        return self.rows.astype(np.uint64) * np.uint64(len(codes) + 1) + codes

    def counted(self, elements: Mask) -> Rows:
        """How many of these elements each list has."""
        found: Rows = np.bincount(self.rows[elements], minlength=self.count)
        return found

    def frame(self) -> Frame:
        """Where something is computed for each element; see `report`."""
        return Frame((), len(self.elements))

    def report(self, frame: Frame, inner: Frame) -> None:
        """The errors of elements are errors of their lists: the first of each list."""
        for error in inner.errors:
            places = np.flatnonzero(error.rows)
            lists, first = np.unique(self.rows[places], return_index=True)
            failed = np.zeros(self.count, np.bool_)
            failed[lists] = True
            messages = error.messages
            if not isinstance(messages, str):
                where = np.zeros(self.count, np.int64)
                where[lists] = places[first]
                messages = taken(messages, array_of(where, pa.int64(), failed))
            frame.fail(failed, error.code, messages, error.expression)


def list_vector(kind: Type, elements: pa.Array, sizes: Rows, valid: Mask | None) -> Vector:
    """Lists of these sizes over the elements; null, and of size 0, where not `valid`."""
    assert len(elements) <= _ELEMENTS_MAX, f"{len(elements)} elements in one column"
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    assert int(offsets[-1]) == len(elements), "every element is in a list"
    mask = None if valid is None else packed(valid)
    nulls = 0 if valid is None else -1
    array = pa.Array.from_buffers(
        arrow_type(kind), len(sizes), [mask, pa.py_buffer(offsets)], nulls, children=[elements]
    )
    return Vector.of_array(kind, array)


def _list(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    width = len(arguments)
    assert call.type.element is not None, "a list has an element type"
    sizes = np.full(frame.count, width, np.int64)
    if not width:
        return list_vector(call.type, pa.array([], arrow_type(call.type.element)), sizes, None)
    places = np.arange(frame.count)[:, None] + frame.count * np.arange(width)[None, :]
    columns = pa.concat_arrays([argument.array for argument in arguments])
    return list_vector(call.type, taken(columns, index_of(places.reshape(-1))), sizes, None)


def _whole(vector: Vector) -> Rows:
    places: Rows = vector.values.astype(np.int64)
    return places


def _element(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The element at a place; null where there is none."""
    lists, place = Lists(arguments[0]), _whole(arguments[1])
    there = (place >= 1) & (place <= lists.sizes)
    valid = both_valid(*arguments)
    if valid is not None:
        there &= valid
    index = array_of(np.where(there, lists.starts + place - 1, 0), pa.int64(), there)
    return Vector.of_array(call.type, taken(lists.elements, index))


def _slice(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The elements from one place to another, both included, as far as there are any."""
    lists = Lists(arguments[0])
    first, last = np.maximum(_whole(arguments[1]), 1), np.minimum(_whole(arguments[2]), lists.sizes)
    valid = both_valid(*arguments)
    sizes = np.where(first > last, 0, last - first + 1)
    if valid is not None:
        sizes[~valid] = 0
    places = expand(np.where(sizes > 0, lists.starts + first - 1, 0), sizes)[1]
    return list_vector(call.type, taken(lists.elements, index_of(places)), sizes, valid)


def _trim(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Without the last elements, as many as there are at most."""
    lists, count = Lists(arguments[0]), _whole(arguments[1])
    valid = both_valid(*arguments)
    wrong = (count < 0) | (count > lists.sizes)
    message = "number of elements to trim must be between 0 and their number"
    fail_valid(frame, call, wrong, valid, "array_subscript_error", message)
    sizes = np.where(wrong, 0, lists.sizes - count)
    if valid is not None:
        sizes[~valid] = 0
    places = expand(lists.starts, sizes)[1]
    return list_vector(call.type, taken(lists.elements, index_of(places)), sizes, valid)


def _length(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    lists = Lists(arguments[0])
    return Vector.of_values(call.type, lists.sizes.astype(np.int32), lists.valid)


def _concat(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """One list behind the other; a null list adds nothing, and only nulls make null."""
    parts = [Lists(argument) for argument in arguments]
    valid: Mask | None = parts[0].valid
    for part in parts[1:]:
        valid = None if valid is None or part.valid is None else valid | part.valid
    order = np.argsort(np.concatenate([part.rows for part in parts]), kind="stable")
    elements = taken(pa.concat_arrays([part.elements for part in parts]), index_of(order))
    sizes: Rows = np.sum([part.sizes for part in parts], axis=0)
    return list_vector(call.type, elements, sizes, valid)


def kept(lists: Lists, kind: Type, elements: npt.NDArray[np.bool_]) -> Vector:
    """The lists with these of their elements alone."""
    places = np.flatnonzero(elements)
    return list_vector(
        kind, taken(lists.elements, index_of(places)), lists.counted(elements), lists.valid
    )


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "list": _list,
    "element": _element,
    "slice": _slice,
    "list_trim": _trim,
    "list_length": _length,
    "list_concat": _concat,
}
