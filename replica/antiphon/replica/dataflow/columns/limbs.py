"""Integers of many words, a column at a time: what exact sums and averages are made of.

A number is a row of *limbs* of 32 bits in int64 columns, least significant first. Normalised, all
but the last lie in [0, 2^32) and the last carries the sign; between normalisations a limb may hold
any int64, so that sums need no carries.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import packed

Limbs = npt.NDArray[np.int64]
LIMB_BITS: Final = 32
_MASK: Final = np.int64(0xFFFFFFFF)
# Arrays without a dimension, with which a small call costs half of what it does with a scalar.
_LOW: Final = np.array(0xFFFFFFFF)
_LIMB: Final = np.array(LIMB_BITS)
_HALF: Final = np.array(1 << 31)
_SIGN: Final = np.array(63)
_FEW_ROWS: Final = 48
_SOME_ROWS: Final = 1_024
_STEP_DIGITS: Final = 9  # 10^9 < 2^30: a limb times it fits 63 bits


def normalise(limbs: Limbs) -> None:
    """Carry, in place."""
    for index in range(limbs.shape[1] - 1):
        # Of a view in a name of its own: `limbs[...] += x` would copy the sum back once more.
        low, next_ = limbs[:, index], limbs[:, index + 1]
        next_ += low >> _LIMB
        low &= _LOW


def norm(values: npt.NDArray[np.int64]) -> float:
    """The square root of Σ value², or more, but for rounding."""
    count = len(values)
    if count <= _FEW_ROWS:  # a third of the time that the same takes of an array
        return math.hypot(*values.tolist())
    if count <= _SOME_ROWS:
        sizes = values.astype(np.float64)
        return math.sqrt(sizes.dot(sizes))
    # A long inner product may start threads.
    return float(max(int(values.max()), -int(values.min()))) * math.sqrt(count)


def moved_at_most(norm: float, of_diffs: float) -> int:
    """A bound of Σ |value · diff|, by how much a change can move the sum of any group, from their
    norms: the inequality of Cauchy and Schwarz, which takes the fewest calls."""
    return int(norm * of_diffs * 1.001) + 1


def split_int64(values: npt.NDArray[np.int64], out: Limbs) -> None:
    """Into two limbs."""
    np.bitwise_and(values, _LOW, out[:, 0])
    np.right_shift(values, _LIMB, out[:, 1])


def words_of(array: pa.Array) -> npt.NDArray[np.int64]:
    """The coefficients of decimals of 128 bits, lower half first; whatever stands at nulls. Shape
    (rows, 2)."""
    words = np.frombuffer(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset)
    return words.reshape(-1, 2)


def split_words(words: npt.NDArray[np.int64], out: Limbs) -> None:
    """Coefficients of 128 bits, into four limbs."""
    parts = words.view(np.uint32)
    out[:, :3] = parts[:, :3]
    out[:, 3] = parts[:, 3].view(np.int32)


def fit_int64(words: npt.NDArray[np.int64]) -> bool:
    """Whether these coefficients of 128 bits are 64-bit integers."""
    return int(np.count_nonzero(words[:, 1] != words[:, 0] >> _SIGN)) == 0


def magnitude(limbs: Limbs) -> tuple[Limbs, npt.NDArray[np.bool_]]:
    """(absolute value, where negative) of normalised limbs; a copy."""
    negative = limbs[:, -1] < 0
    size = limbs.copy()
    if negative.any():
        size[negative] = -size[negative]
        normalise(size)
    return size, negative


def to_float(limbs: Limbs, exponent: int) -> npt.NDArray[np.float64]:
    """limbs · 2^exponent, within one unit in the last place."""
    size, negative = magnitude(limbs)
    total = np.zeros(len(limbs))
    with np.errstate(over="ignore"):
        for index in range(limbs.shape[1] - 1, -1, -1):
            weight = exponent + LIMB_BITS * index
            total += np.ldexp(size[:, index].astype(np.float64), weight)
    return np.where(negative, -total, total)


def to_int64(limbs: Limbs) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
    """(values, where they do not fit; None: nowhere) of one or two normalised limbs."""
    if limbs.shape[1] == 1:
        return np.ascontiguousarray(limbs[:, 0]), None
    top = limbs[:, 1]
    wrong = (top + _HALF) >> _LIMB  # 0 where top lies in [-2^31, 2^31)
    values = top << _LIMB
    values |= limbs[:, 0]
    return values, wrong != 0 if np.count_nonzero(wrong) else None


def to_decimal256(limbs: Limbs, scale: int, valid: npt.NDArray[np.bool_] | None) -> pa.Array:
    """As coefficients of 76 digits; normalised limbs, at most seven."""
    count = len(limbs)
    assert limbs.shape[1] <= 7, "more limbs than a decimal holds"
    words = np.empty((count, 8), np.uint32)
    width = limbs.shape[1]
    words[:, : width - 1] = limbs[:, : width - 1]
    top = limbs[:, -1]
    words[:, width - 1] = top & _MASK
    words[:, width] = (top >> LIMB_BITS) & _MASK
    words[:, width + 1 :] = np.where(top < 0, 0xFFFFFFFF, 0)[:, None]
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(words)]
    return pa.Array.from_buffers(pa.decimal256(76, scale), count, buffers)


def decimal128_of(
    values: npt.NDArray[np.int64], kind: pa.DataType, valid: npt.NDArray[np.bool_] | None
) -> pa.Array:
    """The decimals of a type that have these coefficients, which must fit it."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    np.right_shift(values, 63, out=words[:, 1])
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(words)]
    return pa.Array.from_buffers(kind, len(values), buffers)


def times_power_of_ten(size: Limbs, digits: int) -> Limbs:
    """Of magnitudes; the result has room for the digits."""
    grown = np.zeros((len(size), size.shape[1] + (digits * 10) // 96 + 2), np.int64)
    grown[:, : size.shape[1]] = size
    while digits > 0:
        step = min(digits, _STEP_DIGITS)
        # The top limb of a magnitude is small, so no product exceeds 62 bits.
        normalise(grown)
        grown *= 10**step
        digits -= step
    normalise(grown)
    return grown


def divided(size: Limbs, divisor: npt.NDArray[np.int64], *, rounding: bool) -> Limbs:
    """Magnitudes by divisors in [1, 2^31), rounded half up or cut."""
    assert bool((divisor >= 1).all() and (divisor < 1 << 31).all()), "a divisor out of range"
    quotient = np.zeros_like(size)
    rest = np.zeros(len(size), np.int64)
    for index in range(size.shape[1] - 1, -1, -1):
        part = (rest << LIMB_BITS) | size[:, index]
        quotient[:, index] = part // divisor
        rest = part % divisor
    if rounding:
        quotient[:, 0] += 2 * rest >= divisor
        normalise(quotient)
    return quotient
