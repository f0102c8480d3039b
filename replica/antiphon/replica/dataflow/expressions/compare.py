"""Comparisons and three-valued tests. Text compares by its bytes; NaN equals NaN and is largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.row_hash import hash_rows, interval_words
from antiphon.protocol.schema import BOOLEAN, TypeKind
from antiphon.replica.dataflow.columns.sort_codes import order_codes
from antiphon.replica.dataflow.expressions.frame import Frame, everywhere
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

_NESTED: Final = (TypeKind.LIST, TypeKind.STRUCT)
_ARROW: Final = (TypeKind.TEXT, TypeKind.BYTEA, TypeKind.UUID, TypeKind.DECIMAL)


def equal_mask(left: Vector, right: Vector) -> Mask:
    """Where two values are equal; anything where one is null."""
    kind = left.type.kind
    if kind in _ARROW:
        return np.asarray(values_of(pc.equal(left.array, right.array)), np.bool_)
    if kind in _NESTED:
        first, second = hash_rows([left.array]), hash_rows([right.array])
        return np.asarray((first[0] == second[0]) & (first[1] == second[1]))
    if kind is TypeKind.INTERVAL:
        first_words, second_words = interval_words(left.values), interval_words(right.values)
        return np.asarray((first_words == second_words).all(axis=0))
    same: Mask = np.equal(left.values, right.values)
    if left.type.is_float:
        same = same | (np.isnan(left.values) & np.isnan(right.values))
    return same


def less_mask(left: Vector, right: Vector) -> Mask:
    """Where left < right; anything where one is null."""
    kind = left.type.kind
    if kind in _NESTED:
        codes = order_codes(pa.concat_arrays([left.array, right.array]))
        return np.asarray(codes[: left.count] < codes[left.count :])
    if kind in _ARROW:
        return np.asarray(values_of(pc.less(left.array, right.array)), np.bool_)
    if kind is TypeKind.INTERVAL:
        (days, rest), (other_days, other_rest) = (
            interval_words(left.values), interval_words(right.values)
        )  # fmt: skip
        return np.asarray((days < other_days) | ((days == other_days) & (rest < other_rest)))
    below: Mask = np.less(left.values, right.values)
    if left.type.is_float:
        below = below | (np.isnan(right.values) & ~np.isnan(left.values))
    return below


def _comparison(test: Callable[[Vector, Vector], Mask]) -> Callable[..., Vector]:
    def compare(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
        left, right = arguments
        return Vector.of_values(BOOLEAN, test(left, right), both_valid(left, right))

    return compare


def distinct_mask(left: Vector, right: Vector) -> Mask:
    """IS DISTINCT FROM: nulls are equal to each other."""
    differs = ~equal_mask(left, right)
    first, second = left.valid, right.valid
    if first is None and second is None:
        return differs
    first = everywhere(left.count) if first is None else first
    second = everywhere(left.count) if second is None else second
    return np.where(first & second, differs, first != second)


def _is_distinct(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_values(BOOLEAN, distinct_mask(*arguments), None)


def _is_not_distinct(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_values(BOOLEAN, ~distinct_mask(*arguments), None)


def _is_null(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    valid = arguments[0].valid
    missing = np.zeros(frame.count, np.bool_) if valid is None else ~valid
    return Vector.of_values(BOOLEAN, missing, None)


def _is_not_null(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    valid = arguments[0].valid
    return Vector.of_values(BOOLEAN, everywhere(frame.count) if valid is None else valid, None)


def _is_true(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_values(BOOLEAN, arguments[0].truth, None)


def _is_false(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    valid = arguments[0].valid
    wrong = ~arguments[0].values
    return Vector.of_values(BOOLEAN, wrong if valid is None else wrong & valid, None)


def _not(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_values(BOOLEAN, ~arguments[0].values, arguments[0].valid)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "equal": _comparison(equal_mask),
    "not_equal": _comparison(lambda left, right: ~equal_mask(left, right)),
    "less": _comparison(less_mask),
    "greater": _comparison(lambda left, right: less_mask(right, left)),
    "less_equal": _comparison(lambda left, right: ~less_mask(right, left)),
    "greater_equal": _comparison(lambda left, right: ~less_mask(left, right)),
    "is_distinct_from": _is_distinct,
    "is_not_distinct_from": _is_not_distinct,
    "is_null": _is_null,
    "is_not_null": _is_not_null,
    "is_true": _is_true,
    "is_false": _is_false,
    "not": _not,
}
