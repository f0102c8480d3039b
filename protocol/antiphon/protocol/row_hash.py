"""The row hash: one 128-bit hash of a row of SQL values, stable for ever.

It orders stored deltas, makes digests and spreads keys over workers, so any language must be able
to compute it: `docs/row_hash.md` is the specification, with vectors that a test checks. Equal SQL
values hash equal: integers of every width, decimals by value (and as integers when integral),
-0.0 as 0.0, every NaN as one, intervals by PostgreSQL's comparison. It is not cryptographic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import lib

from antiphon.protocol.buffers import offsets_of, valid_of, values_of

Words = npt.NDArray[np.uint64]

_GOLDEN: Final = 0x9E3779B97F4A7C15
_WRAP: Final = (1 << 64) - 1
# Lane 0 is the low half, lane 1 the high half.
_MULTIPLIERS: Final = (
    (0xBF58476D1CE4E5B9, 0x94D049BB133111EB),
    (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53),
)
_COLUMN_START: Final = (0x243F6A8885A308D3, 0x13198A2E03707344)
_POSITION_START: Final = (0xA4093822299F31D0, 0x082EFA98EC4E6C89)
_FAMILIES_MAX: Final = 64
_NULL, _BOOLEAN, _NUMBER, _FLOAT, _TEXT, _BYTES, _DATE = range(7)
_TIMESTAMP, _TIMESTAMPTZ, _INTERVAL, _UUID, _LIST, _STRUCT = range(7, 13)
_NAN: Final = np.uint64(0x7FF8000000000000)
_DAY_NANOSECONDS: Final = 86_400_000_000_000
# Arrays without a dimension, with which a small call costs half of what it does with a scalar.
_SHIFTS: Final = tuple(np.array(s, np.uint64) for s in (30, 27, 31))
_FIRST, _SECOND = (
    np.array([[m[i]] for m in _MULTIPLIERS], np.uint64) for i in (0, 1)
)  # one row a lane
_TAIL_MASKS: Final = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


def hash_rows(columns: Sequence[pa.Array], row_count: int | None = None) -> tuple[Words, Words]:
    """The hash of each row, as (high, low) halves.

    Args:
        columns: of one length, of Arrow types that store SQL types (also dictionary-encoded).
        row_count: needed where there are no columns.

    Raises:
        TypeError: a column's type stores no SQL type.
    """
    lanes = _hash(columns, row_count, 2)
    return lanes[1], lanes[0]


def hash_keys(columns: Sequence[pa.Array], row_count: int | None = None) -> Words:
    """The low halves alone: what rows are exchanged and arranged by."""
    low: Words = _hash(columns, row_count, 1)[0]
    return low


def _hash(columns: Sequence[pa.Array], row_count: int | None, lanes: int) -> Words:
    """Shape (lanes, rows)."""
    assert columns or row_count is not None, "no columns: say how many rows"
    count = len(columns[0]) if columns else row_count
    assert count is not None
    if not columns or count == 0:
        return _mixed(np.zeros((lanes, count), np.uint64))
    cells = np.empty((lanes, len(columns), count), np.uint64)
    families: list[int] = []
    nulls: list[tuple[int, npt.NDArray[np.bool_]]] = []
    for index, given in enumerate(columns):
        assert len(given) == count, f"column {index} has {len(given)} rows, not {count}"
        column = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
        if column.type.id == lib.Type_DICTIONARY:
            column = column.dictionary_decode()
        families.append(_fill(column, cells[:, index]))
        valid = valid_of(column)
        if valid is not None:
            nulls.append((index, ~valid))
    cells ^= _seeds(tuple(families), lanes)
    _mixed(cells)
    for index, missing in nulls:
        cells[:, index, missing] = _null_cell(index, lanes)
    if len(columns) == 1:
        return _mixed(cells[:, 0])
    return _mixed(cells.sum(axis=1, dtype=np.uint64))


def _mixed(words: Words) -> Words:
    """The mixer of each lane (the first axis), in place."""
    lanes = words.shape[0]
    shape = (lanes,) + (1,) * (words.ndim - 1)
    shifted = words >> _SHIFTS[0]
    words ^= shifted
    words *= _FIRST[:lanes].reshape(shape)
    np.right_shift(words, _SHIFTS[1], out=shifted)
    words ^= shifted
    words *= _SECOND[:lanes].reshape(shape)
    np.right_shift(words, _SHIFTS[2], out=shifted)
    words ^= shifted
    return words


def _mix_one(word: int, lane: int) -> int:
    first, second = _MULTIPLIERS[lane]
    word &= _WRAP
    word = ((word ^ (word >> 30)) * first) & _WRAP
    word = ((word ^ (word >> 27)) * second) & _WRAP
    return word ^ (word >> 31)


def _seed(index: int, family: int, lane: int) -> int:
    step = _FAMILIES_MAX * (index + 1) + family
    return _mix_one(_COLUMN_START[lane] + _GOLDEN * step, lane)


@cache
def _seeds(families: tuple[int, ...], lanes: int) -> Words:
    """Shape (lanes, columns, 1)."""
    return np.array(
        [[[_seed(i, f, lane)] for i, f in enumerate(families)] for lane in range(lanes)], np.uint64
    )


@cache
def _null_cell(index: int, lanes: int) -> Words:
    """Shape (lanes, 1)."""
    return np.array([[_mix_one(_seed(index, _NULL, n), n)] for n in range(lanes)], np.uint64)


@cache
def _positions_block(lanes: int, size: int) -> Words:
    steps = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    starts = np.array(_POSITION_START[:lanes], np.uint64)[:, None]
    return _mixed(starts + steps)


def _positions(lanes: int, count: int) -> Words:
    """The tag of each position below `count`; shape (lanes, at least count)."""
    size = 64
    while size < count:
        size *= 2
    if size > 1 << 16:  # a rare giant value: not kept
        return _positions_block.__wrapped__(lanes, size)
    return _positions_block(lanes, size)


def _fill(column: pa.Array, out: Words) -> int:
    """Write the words of a column (lanes, rows); what stands at nulls is overwritten later."""
    kind = column.type.id
    family = _INTEGERS.get(kind)
    if family is not None:
        out[:] = values_of(column).astype(np.int64, copy=False).view(np.uint64)
        if kind == lib.Type_TIMESTAMP:
            assert column.type.unit == "us", f"a timestamp of unit {column.type.unit}"
            return _TIMESTAMP if column.type.tz is None else _TIMESTAMPTZ
        return family
    if kind == lib.Type_BOOL:
        out[:] = values_of(column)
        return _BOOLEAN
    if kind in (lib.Type_DOUBLE, lib.Type_FLOAT):
        out[:] = _float_words(values_of(column))
        return _FLOAT
    if kind == lib.Type_NA:
        out[:] = 0
        return _NULL
    filler = _FILLERS.get(kind)
    if filler is None:
        raise TypeError(f"no SQL type is stored as {column.type}")
    family, fill = filler
    fill(column, out)
    return family


def _fill_uuid(column: pa.Array, out: Words) -> None:
    if column.type.byte_width != 16:
        raise TypeError(f"no SQL type is stored as {column.type}")
    raw = np.frombuffer(column.buffers()[1], "<u8", 2 * len(column), 16 * column.offset)
    _sum_words(raw.reshape(-1, 2).T, out)


def _fill_interval(column: pa.Array, out: Words) -> None:
    _sum_words(interval_words(values_of(column)), out)


def _fill_struct(column: pa.Array, out: Words) -> None:
    # flatten() respects the offset and pushes the struct's own nulls down.
    out[:] = _hash(column.flatten(), len(column), out.shape[0])


def _float_words(values: npt.NDArray[np.generic]) -> Words:
    wide = values.astype(np.float64) + 0.0  # -0.0 + 0.0 is 0.0
    words = wide.view(np.uint64)
    missing = np.isnan(wide)
    if missing.any():
        words[missing] = _NAN
    return words


def interval_words(values: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """Rows (days, nanoseconds of the day): what PostgreSQL compares, with months of 30 days."""
    nanoseconds = values["nanoseconds"]
    carried, rest = np.divmod(nanoseconds, np.int64(_DAY_NANOSECONDS))
    days = values["months"].astype(np.int64) * 30 + values["days"] + carried
    return np.stack([days, rest])


def _sum_words(words: npt.NDArray[np.generic], out: Words) -> None:
    """The digest of a few words each: `words` of shape (count, rows) into (lanes, rows)."""
    lanes = out.shape[0]
    tags = _positions(lanes, len(words))
    out[:] = 0
    for position, row in enumerate(words):
        out += _mixed(row.view(np.uint64)[None] ^ tags[:, position : position + 1])


def _fill_bytes(column: pa.Array, out: Words) -> None:
    count = len(column)
    offsets = offsets_of(column)
    if count == 0 or offsets[-1] == offsets[0]:
        _sum_words(np.zeros((1, count), np.uint64), out)
        return
    first, last = int(offsets[0]), int(offsets[-1])
    text = np.zeros(last - first + 8, np.uint8)  # the last word may read beyond the last value
    text[:-8] = np.frombuffer(column.buffers()[2], np.uint8, last - first, first)
    starts = offsets[:-1].astype(np.int64) - first
    sizes = np.diff(offsets).astype(np.int64)
    window: Words = np.ndarray((last - first + 1,), "<u8", text.data, strides=(1,))
    per_value = np.maximum((sizes + 7) >> 3, 1)
    word_count = int(per_value.sum())
    if word_count == count:
        words = window[starts] & _TAIL_MASKS[sizes]
        out[:] = _mixed(words[None] ^ _positions(out.shape[0], 1)[:, :1])
    else:
        ends = np.cumsum(per_value)
        begins = ends - per_value
        position = np.arange(word_count) - np.repeat(begins, per_value)
        words = window[np.repeat(starts, per_value) + 8 * position]
        words[ends - 1] &= _TAIL_MASKS[sizes - 8 * (per_value - 1)]
        tags = _positions(out.shape[0], int(per_value.max()))
        out[:] = np.add.reduceat(_mixed(words ^ tags[:, position]), begins, axis=1)
    out += sizes.view(np.uint64) * np.uint64(_GOLDEN)


def _fill_list(column: pa.Array, out: Words) -> None:
    offsets = offsets_of(column).astype(np.int64)
    out[:] = 0
    if len(column) == 0:
        return
    first, last = int(offsets[0]), int(offsets[-1])
    sizes = np.diff(offsets)
    if last > first:
        elements = _hash([column.values.slice(first, last - first)], None, out.shape[0])
        position = np.arange(last - first) - np.repeat(offsets[:-1] - first, sizes)
        tags = _positions(out.shape[0], int(sizes.max()))
        mixed = _mixed(elements ^ tags[:, position])
        some = sizes > 0
        out[:, some] = np.add.reduceat(mixed, (offsets[:-1] - first)[some], axis=1)
    out += sizes.view(np.uint64) * np.uint64(_GOLDEN)


def _fill_decimal(column: pa.Array, out: Words) -> None:
    raw = np.frombuffer(column.buffers()[1], "<u8", 2 * len(column), 16 * column.offset)
    low, high, scale = reduced_decimals(
        raw[0::2].copy(), raw[1::2].view(np.int64).copy(), column.type.scale, valid_of(column)
    )
    out[:] = low
    wide = (high != (low.view(np.int64) >> 63)) | (scale != 0)
    if wide.any():
        digest = np.empty((out.shape[0], int(wide.sum())), np.uint64)
        words = np.stack([low[wide], high[wide].view(np.uint64), scale[wide].view(np.uint64)])
        _sum_words(words, digest)
        out[:, wide] = digest


def reduced_decimals(
    low: Words, high: npt.NDArray[np.int64], scale: int, valid: npt.NDArray[np.bool_] | None
) -> tuple[Words, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each value with the smallest scale >= 0 that holds it; changes its arguments in place.

    Returns (low, high, scale): the two halves of the two's complement coefficient, and its scale.
    """
    scales = np.full(len(low), scale, np.int64)
    if scale == 0:
        return low, high, scales
    if valid is not None:  # what stands at nulls is undefined: never worth a division
        low[~valid], high[~valid] = 0, 0
    small = high == (low.view(np.int64) >> 63)
    rows = np.flatnonzero(small)
    values = low.view(np.int64)[rows]
    left = scale
    while left and len(rows):
        quotient = values // 10
        even = quotient * 10 == values
        if not even.all():
            rows, quotient = rows[even], quotient[even]
        left -= 1
        low[rows], scales[rows], values = quotient.view(np.uint64), left, quotient
    high[small] = low.view(np.int64)[small] >> 63
    rows = np.flatnonzero(~small)
    left = scale
    while left and len(rows):
        quotient_low, quotient_high, even = _tenth(low[rows], high[rows])
        rows = rows[even]
        left -= 1
        low[rows], high[rows], scales[rows] = quotient_low[even], quotient_high[even], left
    return low, high, scales


def _tenth(
    low: Words, high: npt.NDArray[np.int64]
) -> tuple[Words, npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(low, high) of a tenth of each 128-bit integer, and where that is exact."""
    negative = high < 0
    top = high.view(np.uint64).copy()
    bottom = low.copy()
    top[negative] = ~top[negative] + (bottom[negative] == 0)
    bottom[negative] = ~bottom[negative] + np.uint64(1)
    half, mask, ten = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(10)
    rest = np.zeros_like(bottom)
    limbs = []
    for limb in (top >> half, top & mask, bottom >> half, bottom & mask):
        part = (rest << half) | limb
        limbs.append(part // ten)
        rest = part % ten
    top, bottom = (limbs[0] << half) | limbs[1], (limbs[2] << half) | limbs[3]
    top[negative] = ~top[negative] + (bottom[negative] == 0)
    bottom[negative] = ~bottom[negative] + np.uint64(1)
    return bottom, top.view(np.int64), rest == 0


_INTEGERS: Final = {
    lib.Type_INT8: _NUMBER,
    lib.Type_INT16: _NUMBER,
    lib.Type_INT32: _NUMBER,
    lib.Type_INT64: _NUMBER,
    lib.Type_DATE32: _DATE,
    lib.Type_TIMESTAMP: _TIMESTAMP,
}
_FILLERS: Final[dict[int, tuple[int, Callable[[pa.Array, Words], None]]]] = {
    lib.Type_STRING: (_TEXT, _fill_bytes),
    lib.Type_LARGE_STRING: (_TEXT, _fill_bytes),
    lib.Type_BINARY: (_BYTES, _fill_bytes),
    lib.Type_LARGE_BINARY: (_BYTES, _fill_bytes),
    lib.Type_DECIMAL128: (_NUMBER, _fill_decimal),
    lib.Type_FIXED_SIZE_BINARY: (_UUID, _fill_uuid),
    lib.Type_INTERVAL_MONTH_DAY_NANO: (_INTERVAL, _fill_interval),
    lib.Type_LIST: (_LIST, _fill_list),
    lib.Type_LARGE_LIST: (_LIST, _fill_list),
    lib.Type_STRUCT: (_STRUCT, _fill_struct),
}
