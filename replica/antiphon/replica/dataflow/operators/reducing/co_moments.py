"""Covariance, from exact sums: as `moments`, with the products of two values of a row.

The argument is a struct of both values, null where one of them is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns import limbs as limb
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, out_of_range
from antiphon.replica.dataflow.operators.reducing.moments import (
    DIGIT_BITS,
    MANTISSA_BITS,
    FloatWindow,
    aligned,
    place_digits,
    product,
    rounded,
    scattered,
    whole,
)

_F = AggregateFunction
CO_MOMENTS: Final = frozenset({_F.COVAR_POP, _F.COVAR_SAMP})


class Side(FloatWindow):
    """Σ of one of the two values."""

    def __init__(self, aggregate: Aggregate, field: int) -> None:
        super().__init__(aggregate, 1)
        self._field = field

    def room_for(self, column: pa.Array, diffs: Numbers, norm: float) -> tuple[int, int]:
        bounds = _bounds(_field(column, self._field), _both_finite(column), diffs)
        return (0, 0) if bounds is None else self.widened_by(*bounds)

    def contribute(self, column: pa.Array, diffs: Numbers, out: Numbers) -> None:
        finite = _both_finite(column)
        out[:, 0] = np.where(finite, 0, diffs)
        values = np.where(finite & (diffs != 0), _field(column, self._field), 0.0)
        digits, first = scattered(values)
        window = self.limbs_of(out)
        window[:] = 0
        sign = np.where(values < 0, -diffs, diffs)
        for number, digit in enumerate(digits):
            place_digits(window, digit, sign, first + (DIGIT_BITS * number - self.exponent))


class Products(FloatWindow):
    """Σ of the products of the two values."""

    def __init__(self, aggregate: Aggregate) -> None:
        super().__init__(aggregate, 2)

    def room_for(self, column: pa.Array, diffs: Numbers, norm: float) -> tuple[int, int]:
        finite = _both_finite(column)
        x = _bounds(_field(column, 0), finite, diffs)
        y = _bounds(_field(column, 1), finite, diffs)
        if x is None or y is None:
            return 0, 0
        return self.widened_by(x[0] + y[0], x[1] + y[1])

    def contribute(self, column: pa.Array, diffs: Numbers, out: Numbers) -> None:
        finite = _both_finite(column)
        out[:, 0] = np.where(finite, 0, diffs)
        some = finite & (diffs != 0)
        x, y = (np.where(some, _field(column, side), 0.0) for side in (0, 1))
        x_digits, x_first = scattered(x)
        y_digits, y_first = scattered(y)
        sign = np.where((x < 0) != (y < 0), -diffs, diffs)
        window = self.limbs_of(out)
        window[:] = 0
        for i, left in enumerate(x_digits):
            for j, right in enumerate(y_digits):
                bits = x_first + y_first + (DIGIT_BITS * (i + j) - self.exponent)
                place_digits(window, left * right, sign, bits)


def _field(column: pa.Array, place: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return values_of(column.field(place))


def _both_finite(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.isfinite(_field(column, 0)) & np.isfinite(_field(column, 1))


def _bounds(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    finite: np.ndarray[tuple[int], np.dtype[np.bool_]],
    diffs: Numbers,
) -> tuple[int, int] | None:
    """(the lowest bit that may be set in a value, one above the highest); None: all are 0."""
    size = np.abs(values[finite & (diffs != 0)])
    size = size[size > 0]
    if len(size) == 0:
        return None
    return int(np.frexp(size.min())[1]) - MANTISSA_BITS, int(np.frexp(size.max())[1])


def covariance(
    aggregate: Aggregate,
    count: Numbers,
    sides: tuple[Side, Side],
    of_sides: tuple[Numbers, Numbers],
    products: Products,
    of_products: Numbers,
    frame: Frame,
) -> pa.Array:
    """(n Σxy - Σx Σy) / n², or n (n - 1): each group's result; one out of range fails."""
    sampled = aggregate.function is _F.COVAR_SAMP
    (x, x_negative), (y, y_negative), (xy, negative) = (
        limb.magnitude(part.limbs_of(numbers))
        for part, numbers in zip((*sides, products), (*of_sides, of_products), strict=True)
    )
    first = _signed(product(whole(xy), whole(count[:, None])), negative)
    second = _signed(product(whole(x), whole(y)), x_negative != y_negative)
    exact, exponent = aligned(
        first, products.exponent, second, sides[0].exponent + sides[1].exponent
    )
    some = np.maximum(count, 2 if sampled else 1)
    values = rounded(exact, exponent, some.astype(np.float64) * (some - sampled))
    special, valid = of_products[:, 0] > 0, count > sampled
    frame.fail(
        np.isinf(values) & ~special & valid, OUT_OF_RANGE, out_of_range(aggregate.type),
        aggregate.function.name.lower(),
    )  # fmt: skip
    values = np.where(special, np.nan, values)
    return array_of(np.ascontiguousarray(values), pa.float64(), valid)


def _signed(size: Numbers, negative: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Numbers:
    found = np.where(negative[:, None], -size, size)
    limb.normalise(found)
    return found
