"""What is in a list: where an element is, whether one compares so, lists without or with another.

Elements are sought as IS NOT DISTINCT FROM has it, but for ANY, `@>` and `&&`: these are of `=`,
which no null is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import BOOLEAN
from antiphon.replica.dataflow.columns.sort_codes import dense_codes
from antiphon.replica.dataflow.expressions import compare
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested.lists import Lists, kept, list_vector
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid


def _found(lists: Lists, value: Vector) -> Mask:
    """Which elements are not distinct from the value that their list is asked for."""
    return ~compare.distinct_mask(lists.vector, lists.spread(value))


def _position(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The first place of an element; null where it is not."""
    lists = Lists(arguments[0])
    places = np.flatnonzero(_found(lists, arguments[1]))
    where, first = np.unique(lists.rows[places], return_index=True)
    found, valid = np.zeros(lists.count, np.int32), np.zeros(lists.count, np.bool_)
    found[where] = places[first] - lists.starts[where] + 1
    valid[where] = True
    return Vector.of_values(call.type, found, valid)


def _positions(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """All places of an element."""
    lists = Lists(arguments[0])
    found = _found(lists, arguments[1])
    places = np.flatnonzero(found)
    numbers = (places - lists.starts[lists.rows[places]] + 1).astype(np.int32)
    elements = array_of(numbers, pa.int32())
    return list_vector(call.type, elements, lists.counted(found), lists.valid)


def _contains(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Whether an element is there; null if the list or what is sought is."""
    lists = Lists(arguments[0])
    found = lists.counted(_found(lists, arguments[1])) > 0
    return Vector.of_values(BOOLEAN, found, both_valid(*arguments))


def _remove(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    lists = Lists(arguments[0])
    return kept(lists, call.type, ~_found(lists, arguments[1]))


def _replace(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    lists = Lists(arguments[0])
    found = array_of(_found(lists, arguments[1]), pa.bool_())
    elements = pc.if_else(found, lists.spread(arguments[2]).array, lists.elements)
    return list_vector(call.type, elements, lists.sizes, lists.valid)


def _any(function: str) -> Callable[[Frame, Call, list[Vector]], Vector]:
    """Whether a value compares so with any element: unknown if none is known to and one might."""
    test = compare.FUNCTIONS[function]

    def found(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        if arguments[1].literal is not None:
            return _any_of_literal(frame, call, test, *arguments)
        lists = Lists(arguments[1])
        results = test(lists.frame(), call, [lists.spread(arguments[0]), lists.vector])
        some = lists.counted(results.truth) > 0
        known = results.valid
        if known is None:
            return Vector.of_values(BOOLEAN, some, lists.valid)
        valid = some | (lists.counted(~known) == 0)
        return Vector.of_values(
            BOOLEAN, some, valid if lists.valid is None else valid & lists.valid
        )

    return found


def _any_of_literal(
    frame: Frame, call: Call, test: Callable[..., Vector], value: Vector, many: Vector
) -> Vector:
    """As `_any`, a pass for each element: the list is not laid out for every row."""
    assert many.literal is not None, "a literal"
    elements, kind = many.literal.value, many.type.element
    assert kind is not None, "a list has an element type"
    if elements is None:
        return Vector.of_literal(BOOLEAN, None, frame.count)
    assert isinstance(elements, tuple), f"not a list: {elements!r}"
    some, known = np.zeros(frame.count, np.bool_), np.ones(frame.count, np.bool_)
    for element in elements:
        result = test(frame, call, [value, Vector.of_literal(kind, element, frame.count)])
        some = some | result.truth
        valid = result.valid
        known = known if valid is None else known & valid
    return Vector.of_values(BOOLEAN, some, some | known)


def _missing(many: Lists, few: Lists) -> Mask:
    """Which elements of `few` equal none of the same row's list in `many`."""
    codes = dense_codes(pa.concat_arrays([many.elements, few.elements]))
    width = np.uint64(len(codes) + 1)  # a null's code is the number of all
    rows = np.concatenate([many.rows, few.rows]).astype(np.uint64)
    keys = rows * width + codes
    split = len(many.elements)
    missing: Mask = ~np.isin(keys[split:], keys[:split])
    valid = few.vector.valid
    return missing if valid is None else missing | ~valid


def _contains_all(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    few = Lists(arguments[1])
    lacking = few.counted(_missing(Lists(arguments[0]), few))
    return Vector.of_values(BOOLEAN, lacking == 0, both_valid(*arguments))


def _overlaps(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    few = Lists(arguments[1])
    shared = few.counted(~_missing(Lists(arguments[0]), few))
    return Vector.of_values(BOOLEAN, shared > 0, both_valid(*arguments))


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "list_position": _position,
    "list_positions": _positions,
    "list_contains": _contains,
    "list_contains_all": _contains_all,
    "list_overlaps": _overlaps,
    "list_remove": _remove,
    "list_replace": _replace,
    **{
        f"any_{function}": _any(function)
        for function in (
            "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
        )
    },
}  # fmt: skip
