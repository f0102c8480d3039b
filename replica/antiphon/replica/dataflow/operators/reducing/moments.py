"""Variance and standard deviation, from exact sums.

A group keeps the count, the sum of its values and the sum of their squares, each as an integer of
many limbs times a power of two. So what a row adds is taken back to the last bit, and

    n · Σx² - (Σx)²

is computed without rounding; then it is rounded to a float, and divided. So the result neither
drifts nor suffers where the values are large and close together. Sum and squares are two parts of
the group's numbers, each of which grows by itself.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import TypeKind
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.columns import limbs as limb
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, out_of_range
from antiphon.replica.dataflow.operators.reducing.accumulators import Accumulator

_F = AggregateFunction
MOMENTS: Final = frozenset({_F.VAR_SAMP, _F.VAR_POP, _F.STDDEV_SAMP, _F.STDDEV_POP})
_SAMPLED: Final = (_F.VAR_SAMP, _F.STDDEV_SAMP)
DIGIT_BITS: Final = 28  # of a digit: five products of two digits, doubled, fit 60 bits
_DIGIT: Final = np.uint64((1 << DIGIT_BITS) - 1)
_LIMB: Final = np.int64(0xFFFFFFFF)
MANTISSA_BITS: Final = 53
_LIMBS: Final = {TypeKind.INT16: 1, TypeKind.INT32: 1, TypeKind.INT64: 2, TypeKind.DECIMAL: 4}
_FLOAT_LIMBS: Final = 6
_FLOAT_EXPONENT: Final = -64
_SCALED_BITS: Final = 160  # what n² may add to a variance that is still in range

Digits = list[npt.NDArray[np.int64]]


class FloatWindow(Accumulator):
    """A sum of what has `power` factors: how many values are not finite, then the limbs."""

    adds_values = True
    _SPECIALS = 1

    def __init__(self, aggregate: Aggregate, power: int) -> None:
        super().__init__(aggregate)
        self.exponent = power * _FLOAT_EXPONENT
        self._limbs = power * _FLOAT_LIMBS
        self.width = self._SPECIALS + self._limbs

    def limbs_of(self, numbers: Numbers) -> Numbers:
        return numbers[:, self._SPECIALS :]

    def widened_by(self, lowest: int, highest: int) -> tuple[int, int]:
        """How many limbs are missing, at both ends, for bits from `lowest` up to `highest`."""
        low = max(0, -((lowest - self.exponent) // limb.LIMB_BITS))
        top = self.exponent + limb.LIMB_BITS * (self._limbs - 1)
        return low, max(0, -((top - highest) // limb.LIMB_BITS))

    def grow(self, low: int, high: int) -> int:
        self.exponent -= limb.LIMB_BITS * low
        self._limbs += low + high
        self.width = self._SPECIALS + self._limbs
        return self._SPECIALS

    def normalise(self, numbers: Numbers) -> None:
        limb.normalise(self.limbs_of(numbers))


class Powers(FloatWindow):
    """Σx or Σx²; of integers and decimals of their coefficients."""

    def __init__(self, aggregate: Aggregate, power: int) -> None:
        super().__init__(aggregate, power)
        source = aggregate.arguments[0].type
        self._power = power
        self._is_float = source.is_float
        if not self._is_float:
            self.exponent = 0
            self._limbs = power * _LIMBS[source.kind]
            self.width = self._SPECIALS + self._limbs

    def room_for(self, column: pa.Array, diffs: Numbers, norm: float) -> tuple[int, int]:
        if not self._is_float:
            return 0, 0
        size = np.abs(values_of(column)[diffs != 0].astype(np.float64))
        size = size[np.isfinite(size) & (size > 0)]
        if len(size) == 0:
            return 0, 0
        lowest = self._power * (int(np.frexp(size.min())[1]) - MANTISSA_BITS)
        highest = self._power * int(np.frexp(size.max())[1])
        return self.widened_by(lowest, highest)

    def contribute(self, column: pa.Array, diffs: Numbers, out: Numbers) -> None:
        if self._is_float:
            values = values_of(column).astype(np.float64)
            finite = np.isfinite(values)
            out[:, 0] = np.where(finite, 0, diffs)
            values = np.where(finite & (diffs != 0), values, 0.0)
            digits, first = scattered(values)
            negative = values < 0
        else:
            digits, negative = _exact_digits(column)
            first = np.zeros(len(diffs), np.int64)
        sign = diffs
        if self._power == 1:
            sign = np.where(negative, -diffs, diffs)
        else:
            digits = _square(digits)
        window = self.limbs_of(out)
        window[:] = 0
        for number, digit in enumerate(digits):
            bits = self._power * first + (DIGIT_BITS * number - self.exponent)
            place_digits(window, digit, sign, bits)


def scattered(values: npt.NDArray[np.float64]) -> tuple[Digits, npt.NDArray[np.int64]]:
    """(the digits of each finite value, the exponent of the first one)."""
    fraction, exponent = np.frexp(values)
    size = np.ldexp(np.abs(fraction), MANTISSA_BITS).astype(np.uint64)
    return _digits(size, None), exponent.astype(np.int64) - MANTISSA_BITS


def _digits(low: npt.NDArray[np.uint64], high: npt.NDArray[np.uint64] | None) -> Digits:
    """Magnitudes of 64 bits, or of 128, least significant digit first."""
    parts = [low & _DIGIT, (low >> np.uint64(28)) & _DIGIT, low >> np.uint64(56)]
    if high is not None:
        parts[2] = (parts[2] | (high << np.uint64(8))) & _DIGIT
        parts += [(high >> np.uint64(20)) & _DIGIT, high >> np.uint64(48)]
    return [part.astype(np.int64) for part in parts]


def _exact_digits(column: pa.Array) -> tuple[Digits, npt.NDArray[np.bool_]]:
    """(digits, where negative) of integers and of the coefficients of decimals."""
    if pa.types.is_decimal(column.type):
        split = np.empty((len(column), 4), np.int64)
        limb.split_words(limb.words_of(column), split)
        size, negative = limb.magnitude(split)
        words = size.astype(np.uint64)
        shift = np.uint64(32)
        return _digits(
            words[:, 0] | (words[:, 1] << shift), words[:, 2] | (words[:, 3] << shift)
        ), (negative)
    values = values_of(column).astype(np.int64)
    # The smallest integer is its own absolute value: read without a sign it is right.
    return _digits(np.abs(values).view(np.uint64), None), values < 0


def _square(digits: Digits) -> Digits:
    found = [np.zeros(len(digits[0]), np.int64) for _ in range(2 * len(digits) - 1)]
    for i, first in enumerate(digits):
        for j, second in enumerate(digits):
            found[i + j] += first * second
    return found


def place_digits(
    window: Numbers, size: npt.NDArray[np.int64], sign: Numbers, bits: npt.NDArray[np.int64]
) -> None:
    """Add size · sign · 2^bits to each row's limbs; sizes are below 2^60."""
    rows = np.flatnonzero(size)
    if len(rows) == 0:
        return
    size, sign, bits = size[rows], sign[rows], bits[rows]
    assert int(bits.min()) >= 0, "the window has room for every bit"
    place, shift = bits >> 5, bits & 31
    low = (size & _LIMB) << shift
    middle = ((size >> 32) << shift) + (low >> 32)
    window[rows, place] += (low & _LIMB) * sign
    for step, part in ((1, middle & _LIMB), (2, middle >> 32)):
        some = np.flatnonzero(part)
        if len(some):
            window[rows[some], place[some] + step] += part[some] * sign[some]


def finished(
    count: Numbers,
    sums: Powers,
    of_sums: Numbers,
    squares: Powers,
    of_squares: Numbers,
    frame: Frame,
) -> pa.Array:
    """Each group's result; a group whose result is out of range fails in the frame."""
    function, kind = sums.aggregate.function, sums.type
    sampled = function in _SAMPLED
    size = whole(limb.magnitude(sums.limbs_of(of_sums))[0])
    total = product(whole(squares.limbs_of(of_squares)), whole(count[:, None]))
    less = product(size, size)
    exact, exponent = aligned(total, squares.exponent, less, 2 * sums.exponent)
    assert bool((exact[:, -1] >= 0).all()), "n Σx² is at least (Σx)²"
    some = np.maximum(count, 2 if sampled else 1)
    variance = rounded(exact, exponent, some.astype(np.float64) * (some - sampled))
    variance /= 10.0 ** (2 * sums.aggregate.arguments[0].type.scale)
    special = of_sums[:, 0] > 0
    valid = count > sampled
    frame.fail(
        np.isinf(variance) & ~special & valid, OUT_OF_RANGE, out_of_range(kind),
        function.name.lower(),
    )  # fmt: skip
    values = variance if function in (_F.VAR_SAMP, _F.VAR_POP) else np.sqrt(variance)
    values = np.where(special, np.nan, values)
    return array_of(np.ascontiguousarray(values), pa.float64(), valid)


def rounded(
    exact: Numbers, exponent: int, divisor: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """exact · 2^exponent / divisor; infinite only where that is out of range."""
    with np.errstate(over="ignore"):
        found = limb.to_float(exact, exponent) / divisor
        far = np.isinf(found)
        if far.any():
            scaled = limb.to_float(exact, exponent - _SCALED_BITS) / divisor
            found = np.where(far, np.ldexp(scaled, _SCALED_BITS), found)
    return found


def whole(limbs: Numbers) -> Numbers:
    """Magnitudes with all limbs below 2^32: the last one may have held more."""
    last = limbs[:, -1:]
    return np.concatenate([limbs[:, :-1], last & _LIMB, last >> limb.LIMB_BITS], axis=1)


def product(left: Numbers, right: Numbers) -> Numbers:
    """Of magnitudes."""
    found = np.zeros((left.shape[1] + right.shape[1] + 1, len(left)), np.int64)
    others = [
        (j, right[:, j].astype(np.uint64)) for j in range(right.shape[1]) if right[:, j].any()
    ]
    for i in range(left.shape[1]):
        if not left[:, i].any():
            continue
        first = left[:, i].astype(np.uint64)
        for j, second in others:
            product = first * second
            found[i + j] += (product & np.uint64(0xFFFFFFFF)).astype(np.int64)
            found[i + j + 1] += (product >> np.uint64(32)).astype(np.int64)
    limb.normalise(found.T)
    return found.T


def _lowered(limbs: Numbers, bits: int) -> Numbers:
    """The same numbers, counted from an exponent lower by a multiple of the limb's bits."""
    if bits == 0:
        return limbs
    assert bits % limb.LIMB_BITS == 0, "windows grow by limbs"
    low = np.zeros((len(limbs), bits // limb.LIMB_BITS), np.int64)
    return np.concatenate([low, limbs], axis=1)


def aligned(
    left: Numbers, left_exponent: int, right: Numbers, right_exponent: int
) -> tuple[Numbers, int]:
    """(the difference, its exponent)."""
    exponent = min(left_exponent, right_exponent)
    left = _lowered(left, left_exponent - exponent)
    right = _lowered(right, right_exponent - exponent)
    found = np.zeros((len(left), max(left.shape[1], right.shape[1])), np.int64)
    found[:, : left.shape[1]] = left
    found[:, : right.shape[1]] -= right
    limb.normalise(found)
    return found, exponent
