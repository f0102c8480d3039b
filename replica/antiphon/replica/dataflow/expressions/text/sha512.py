"""SHA-512 and SHA-384 of a column (FIPS 180-4), all rows at once: the 80 steps run over arrays."""

from __future__ import annotations

from math import isqrt
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.replica.dataflow.expressions.text.md5 import blocks_of, digests

Words64 = npt.NDArray[np.uint64]
_BITS: Final = 64
_MASK: Final = (1 << _BITS) - 1
_PRIMES: Final = [n for n in range(2, 410) if all(n % d for d in range(2, n))]


def _cube_root(number: int) -> int:
    """Of whole numbers, cut to a whole one."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**3 <= number:
            low = middle
        else:
            high = middle - 1
    return low


# The first 64 bits of the fractions of roots.
_STEPS: Final = np.array(
    [_cube_root(prime << 3 * _BITS) & _MASK for prime in _PRIMES[:80]], np.uint64
)
_ROOTS: Final = np.array([isqrt(prime << 2 * _BITS) & _MASK for prime in _PRIMES[:16]], np.uint64)


def sha512(array: pa.Array) -> pa.Array:
    """64 bytes for each value; null for null."""
    return _digested(array, _ROOTS[:8], 8)


def sha384(array: pa.Array) -> pa.Array:
    """48 bytes for each value; null for null."""
    return _digested(array, _ROOTS[8:], 6)


def _digested(array: pa.Array, start: Words64, kept: int) -> pa.Array:
    words, first, blocks = blocks_of(array, ">", wide=True)
    state = np.tile(start, (len(array), 1))
    for block in range(int(blocks.max(initial=0))):
        live = np.flatnonzero(blocks > block)
        state[live] = _block(state[live], words[first[live] + block])
    return digests(state[:, :kept].astype(">u8"), array)


def _turned(word: Words64, bits: int) -> Words64:
    turned: Words64 = (word >> np.uint64(bits)) | (word << np.uint64(_BITS - bits))
    return turned


def _block(state: Words64, words: Words64) -> Words64:
    schedule = [words[:, index] for index in range(16)]
    for step in range(16, 80):
        early, late = schedule[step - 15], schedule[step - 2]
        first = _turned(early, 1) ^ _turned(early, 8) ^ (early >> np.uint64(7))
        second = _turned(late, 19) ^ _turned(late, 61) ^ (late >> np.uint64(6))
        schedule.append(schedule[step - 16] + first + schedule[step - 7] + second)
    a, b, c, d, e, f, g, h = (state[:, index] for index in range(8))
    for step in range(80):
        mixed = _turned(e, 14) ^ _turned(e, 18) ^ _turned(e, 41)
        chosen = (e & f) ^ (~e & g)
        left = h + mixed + chosen + _STEPS[step] + schedule[step]
        most = (a & b) ^ (a & c) ^ (b & c)
        right = (_turned(a, 28) ^ _turned(a, 34) ^ _turned(a, 39)) + most
        a, b, c, d, e, f, g, h = left + right, a, b, c, d + left, e, f, g
    return state + np.stack([a, b, c, d, e, f, g, h], axis=1)
