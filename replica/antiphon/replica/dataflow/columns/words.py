"""Words: 64 bits for a key or a row, by which this process arranges and groups.

They live in memory alone, so they may be cheaper than the row hash, which is stored and sent: one
integer, the most common key, becomes a word by one multiplication, without a collision. Keys that
are equal in SQL have equal words, so an integer and a decimal of its value have the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import lib

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.protocol.interval_parts import in_parts
from antiphon.protocol.row_hash import Words, hash_keys, hash_rows, reduced_decimals

# Integers, dates and timestamps: their values are their identity.
_INTEGERS: Final = frozenset(
    {
        lib.Type_INT16,
        lib.Type_INT32,
        lib.Type_INT64,
        lib.Type_DATE32,
        lib.Type_TIMESTAMP,
    }
)
# Odd, so that multiplying by it is one-to-one; neighbours land far from each other. An array
# without a dimension: with it a small call costs half of what it does with a scalar.
_SPREAD: Final = np.array(0x9E3779B97F4A7C15 - (1 << 64))
_NULL_WORD: Final = np.uint64(0x6A09E667F3BCC909)
_NULL_HIGH: Final = np.uint64(0xBB67AE8584CAA73B)
_COLUMN_STEP: Final = 0xD1342543DE82EF95
_FOLD: Final = np.array(32, np.uint64)


def key_words(columns: Sequence[pa.Array], count: int) -> Words:
    """A word for each key; equal for keys that are equal in SQL."""
    if len(columns) != 1:
        return hash_keys(columns, count)
    column = columns[0]
    kind = column.type.id
    if kind in _INTEGERS:
        words = _spread(values_of(column))
        if column.null_count:
            _set_nulls(words, column)
        return words
    words = hash_keys(columns, count)
    if kind == lib.Type_DECIMAL128:
        _set_integral(words, column)
    return words


def key_identity(columns: Sequence[pa.Array], count: int) -> tuple[Words, Words]:
    """(key words, a second word): equal in both only for equal keys, within 2^-128 or exactly."""
    if len(columns) == 1 and columns[0].type.id in _INTEGERS:
        words = _spread(values_of(columns[0]))
        valid = valid_of(columns[0])
        if valid is None:
            return words, words
        high = words.copy()
        words[~valid] = _NULL_WORD
        high[~valid] = _NULL_HIGH  # one integer has null's word, but not this
        return words, high
    high, low = hash_rows(columns, count)
    if len(columns) == 1 and columns[0].type.id == lib.Type_DECIMAL128:
        _set_integral(low, columns[0])
    return low, high


def row_words(columns: Sequence[pa.Array], count: int, hashes: Words | None = None) -> Words:
    """A word for each row of columns of fixed types; equal for equal rows.

    `hashes`: the low halves of the row hashes, if they are known.
    """
    if any(column.type.id not in _INTEGERS for column in columns) or not columns:
        return hash_keys(columns, count) if hashes is None else hashes
    total: Words | None = None
    for column, weight in zip(columns, _weights(len(columns)), strict=True):
        words = _spread(values_of(column))
        if column.null_count:
            _set_nulls(words, column)
        # Without folding, the upper bits, which are all a rank keeps, would be a linear function.
        words ^= words >> _FOLD
        words *= weight
        total = words if total is None else np.add(total, words, total)
    assert total is not None, "there is a column"
    return total


def identity_words(columns: Sequence[pa.Array], count: int, *, by_parts: bool) -> Words:
    """A word for each row by which rows that a key does not tell apart are taken in order.
    `by_parts`: there are intervals, of which those that are equal may not be the same."""
    return hash_keys([in_parts(column) for column in columns] if by_parts else columns, count)


def _spread(values: np.ndarray[tuple[int], np.dtype[np.signedinteger]]) -> Words:
    # It wraps, like multiplying what has no sign.
    words: Words = (values * _SPREAD).view(np.uint64)
    return words


def _set_nulls(words: Words, column: pa.Array) -> None:
    valid = valid_of(column)
    if valid is not None:
        words[~valid] = _NULL_WORD


def _weights(count: int) -> list[Words]:
    while len(_WEIGHTS) < count:
        step = (2 * len(_WEIGHTS) + 1) * _COLUMN_STEP % (1 << 64)
        _WEIGHTS.append(np.array(step, np.uint64))
    return _WEIGHTS[:count]


_WEIGHTS: Final[list[Words]] = []


def _set_integral(words: Words, column: pa.Array) -> None:
    """Give decimals that are 64-bit integers the integers' words."""
    raw = np.frombuffer(column.buffers()[1], "<u8", 2 * len(column), 16 * column.offset)
    valid = valid_of(column)
    low, high, scale = reduced_decimals(
        raw[0::2].copy(), raw[1::2].view(np.int64).copy(), column.type.scale, valid
    )
    integral = (scale == 0) & (high == low.view(np.int64) >> 63)
    words[integral] = _spread(low.view(np.int64)[integral])
    _set_nulls(words, column)
