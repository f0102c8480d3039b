"""SHA-2 of a column (FIPS 180-4), all rows at once: the steps run over arrays.

SHA-224 and SHA-256 are one function over words of 32 bits, SHA-384 and SHA-512 the same one over
words of 64; what differs is where it begins, how often and how far it turns, and how much is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.replica.dataflow.expressions.text.md5 import blocks_of, digests

Words = npt.NDArray[np.unsignedinteger[Any]]
_PRIMES: Final = [n for n in range(2, 410) if all(n % d for d in range(2, n))]


@dataclass(frozen=True, slots=True)
class _Width:
    """`early`, `late`: two turns and a shift, of the schedule. `mixed`, `most`: three turns."""

    bits: int
    steps: int
    early: tuple[int, int, int]
    late: tuple[int, int, int]
    mixed: tuple[int, int, int]
    most: tuple[int, int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.bits // 8}")

    def words(self, numbers: list[int]) -> Words:
        return np.array([number & ((1 << self.bits) - 1) for number in numbers], self.dtype)


_W32: Final = _Width(32, 64, (7, 18, 3), (17, 19, 10), (6, 11, 25), (2, 13, 22))
_W64: Final = _Width(64, 80, (1, 8, 7), (19, 61, 6), (14, 18, 41), (28, 34, 39))


def _cube_root(number: int) -> int:
    """Of a whole number, cut to a whole one."""
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**3 <= number:
            low = middle
        else:
            high = middle - 1
    return low


# The first bits of the fractions of roots; SHA-224 begins with the second 32 of those of SHA-384.
_STEPS: Final = {
    width.bits: width.words([_cube_root(n << 3 * width.bits) for n in _PRIMES[: width.steps]])
    for width in (_W32, _W64)
}
_ROOTS_32: Final = _W32.words([isqrt(n << 64) for n in _PRIMES[:8]])
_ROOTS_64: Final = _W64.words([isqrt(n << 128) for n in _PRIMES[:16]])
_ROOTS_224: Final = _W32.words(_ROOTS_64[8:].tolist())


def sha224(array: pa.Array) -> pa.Array:
    """28 bytes for each value; null for null."""
    return _digested(array, _W32, _ROOTS_224, 7)


def sha256(array: pa.Array) -> pa.Array:
    """32 bytes for each value; null for null."""
    return _digested(array, _W32, _ROOTS_32, 8)


def sha384(array: pa.Array) -> pa.Array:
    """48 bytes for each value; null for null."""
    return _digested(array, _W64, _ROOTS_64[8:], 6)


def sha512(array: pa.Array) -> pa.Array:
    """64 bytes for each value; null for null."""
    return _digested(array, _W64, _ROOTS_64[:8], 8)


def _digested(array: pa.Array, width: _Width, start: Words, kept: int) -> pa.Array:
    words, first, blocks = blocks_of(array, ">", wide=width is _W64)
    state = np.tile(start, (len(array), 1))
    for block in range(int(blocks.max(initial=0))):
        live = np.flatnonzero(blocks > block)
        state[live] = _block(width, state[live], words[first[live] + block])
    return digests(state[:, :kept].astype(width.dtype.newbyteorder(">")), array)


def _turned(width: _Width, word: Words, bits: int) -> Words:
    kind = width.dtype.type
    turned: Words = (word >> kind(bits)) | (word << kind(width.bits - bits))
    return turned


def _spread(width: _Width, word: Words, turns: tuple[int, int, int]) -> Words:
    first, second, third = (_turned(width, word, bits) for bits in turns)
    spread: Words = first ^ second ^ third
    return spread


def _scheduled(width: _Width, word: Words, turns: tuple[int, int, int]) -> Words:
    first, second, shift = turns
    shifted = word >> width.dtype.type(shift)
    mixed: Words = _turned(width, word, first) ^ _turned(width, word, second) ^ shifted
    return mixed


def _block(width: _Width, state: Words, words: Words) -> Words:
    schedule = [words[:, index] for index in range(16)]
    for step in range(16, width.steps):
        first = _scheduled(width, schedule[step - 15], width.early)
        second = _scheduled(width, schedule[step - 2], width.late)
        schedule.append(schedule[step - 16] + first + schedule[step - 7] + second)
    constants = _STEPS[width.bits]
    a, b, c, d, e, f, g, h = (state[:, index] for index in range(8))
    for step in range(width.steps):
        chosen = (e & f) ^ (~e & g)
        left = h + _spread(width, e, width.mixed) + chosen + constants[step] + schedule[step]
        most = (a & b) ^ (a & c) ^ (b & c)
        right = _spread(width, a, width.most) + most
        a, b, c, d, e, f, g, h = left + right, a, b, c, d + left, e, f, g
    added: Words = state + np.stack([a, b, c, d, e, f, g, h], axis=1)
    return added
