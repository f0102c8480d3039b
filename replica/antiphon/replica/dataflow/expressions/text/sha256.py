"""SHA-256 and SHA-224 of a column (FIPS 180-4), all rows at once: the 64 steps run over arrays."""

from __future__ import annotations

from math import isqrt
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.replica.dataflow.expressions.text.md5 import Words32, blocks_of, digests

_NUMBERS: Final = np.arange(2, 312)
_FOUND: Final = [n for n in _NUMBERS.tolist() if all(n % d for d in range(2, n))]
_PRIMES: Final = np.array(_FOUND, np.float64)
# The first 32 bits of the fractions of roots: fewer than a double holds.
_STEPS: Final = (np.modf(np.cbrt(_PRIMES[:64]))[0] * 2.0**32).astype(np.uint32)
_START: Final = (np.modf(np.sqrt(_PRIMES[:8]))[0] * 2.0**32).astype(np.uint32)
# The second 32 bits, which a double has no room for.
_OTHER_START: Final = np.array(
    [isqrt(prime << 128) & 0xFFFFFFFF for prime in _FOUND[8:16]], np.uint32
)


def sha256(array: pa.Array) -> pa.Array:
    """32 bytes for each value; null for null."""
    return _digested(array, _START, 8)


def sha224(array: pa.Array) -> pa.Array:
    """28 bytes for each value; null for null."""
    return _digested(array, _OTHER_START, 7)


def _digested(array: pa.Array, start: Words32, kept: int) -> pa.Array:
    words, first, blocks = blocks_of(array, ">")
    state = np.tile(start, (len(array), 1))
    for block in range(int(blocks.max(initial=0))):
        live = np.flatnonzero(blocks > block)
        state[live] = _block(state[live], words[first[live] + block])
    return digests(state[:, :kept].astype(">u4"), array)


def _turned(word: Words32, bits: int) -> Words32:
    turned: Words32 = (word >> np.uint32(bits)) | (word << np.uint32(32 - bits))
    return turned


def _block(state: Words32, words: Words32) -> Words32:
    schedule = [words[:, index] for index in range(16)]
    for step in range(16, 64):
        early, late = schedule[step - 15], schedule[step - 2]
        first = _turned(early, 7) ^ _turned(early, 18) ^ (early >> np.uint32(3))
        second = _turned(late, 17) ^ _turned(late, 19) ^ (late >> np.uint32(10))
        schedule.append(schedule[step - 16] + first + schedule[step - 7] + second)
    a, b, c, d, e, f, g, h = (state[:, index] for index in range(8))
    for step in range(64):
        mixed = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
        chosen = (e & f) ^ (~e & g)
        left = h + mixed + chosen + _STEPS[step] + schedule[step]
        most = (a & b) ^ (a & c) ^ (b & c)
        right = (_turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)) + most
        a, b, c, d, e, f, g, h = left + right, a, b, c, d + left, e, f, g
    return state + np.stack([a, b, c, d, e, f, g, h], axis=1)
