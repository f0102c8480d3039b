"""MD5 of a column (RFC 1321), all rows at once: the 64 steps run over arrays, block by block."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import offsets_of, packed, valid_of
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.text.text_formats import hex_of

_BLOCK: Final = 64
_SINES: Final = np.floor(np.abs(np.sin(np.arange(1, 65))) * 2.0**32).astype(np.uint32)
_SHIFTS: Final = np.repeat(
    np.array([[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]], np.uint32), 4, 0
).reshape(-1)
_START: Final = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], np.uint32)
Words32 = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]


def md5_hex(array: pa.Array) -> pa.Array:
    """32 hex digits for each text; null for null."""
    words, first, blocks = blocks_of(array, "<")
    state = np.tile(_START, (len(array), 1))
    for block in range(int(blocks.max(initial=0))):
        live = np.flatnonzero(blocks > block)
        state[live] = _block(state[live], words[first[live] + block])
    return hex_of(digests(state, array))


def blocks_of(
    array: pa.Array, order: str, *, wide: bool = False
) -> tuple[npt.NDArray[Any], Numbers, Numbers]:
    """(blocks of 16 words of 32 or, if wide, 64 bits in this byte order, the first block of each
    value, how many it has): each value, a bit, zeros and its length in bits, in whole blocks."""
    size = 2 * _BLOCK if wide else _BLOCK
    offsets = offsets_of(array).astype(np.int64)
    sizes = np.diff(offsets)
    blocks = (sizes + size // 8) // size + 1
    starts = np.concatenate([[0], np.cumsum(blocks)]) * size
    padded = np.zeros(int(starts[-1]), np.uint8)
    data = array.buffers()[2]
    if data is not None and int(sizes.sum()):
        raw = np.frombuffer(data, np.uint8)
        rows, source = expand(offsets[:-1], sizes)
        padded[source - offsets[:-1][rows] + starts[:-1][rows]] = raw[source]
    padded[starts[:-1] + sizes] = 0x80
    lengths = (sizes * 8).astype(f"{order}u8").view(np.uint8).reshape(-1, 8)
    places = starts[1:, None] - 8 + np.arange(8)
    padded[places] = lengths
    bits = 64 if wide else 32
    words = padded.view(f"{order}u{bits // 8}").astype(f"u{bits // 8}").reshape(-1, 16)
    return words, starts[:-1] // size, blocks


def digests(state: npt.NDArray[np.generic], array: pa.Array) -> pa.Array:
    """The bytes of each row of the state, null where the array is."""
    count = len(array)
    digest = np.ascontiguousarray(state).view(np.uint8).reshape(-1)
    size = len(digest) // max(count, 1)
    ends = pa.py_buffer(np.arange(count + 1, dtype=np.int32) * size)
    valid = valid_of(array)
    mask = None if valid is None else packed(valid)
    return pa.Array.from_buffers(pa.binary(), count, [mask, ends, pa.py_buffer(digest)], -1)


def _block(state: Words32, words: Words32) -> Words32:
    a, b, c, d = (state[:, i].copy() for i in range(4))
    for step in range(64):
        match step // 16:
            case 0:
                mixed, word = (b & c) | (~b & d), step
            case 1:
                mixed, word = (d & b) | (~d & c), (5 * step + 1) % 16
            case 2:
                mixed, word = b ^ c ^ d, (3 * step + 5) % 16
            case _:
                mixed, word = c ^ (b | ~d), (7 * step) % 16
        mixed = mixed + a + _SINES[step] + words[:, word]
        a, d, c = d, c, b
        shift = _SHIFTS[step]
        b = b + ((mixed << shift) | (mixed >> (np.uint32(32) - shift)))
    return state + np.stack([a, b, c, d], axis=1)
