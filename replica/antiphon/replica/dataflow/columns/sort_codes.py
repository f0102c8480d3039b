"""Order as integers: uint64 codes that sort as SQL sorts the values, and sorting by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import lib

from antiphon.protocol.buffers import array_of, fixed_width, offsets_of, valid_of, values_of
from antiphon.protocol.interval_parts import has_intervals, in_parts
from antiphon.protocol.row_hash import Words, interval_words
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.columns.limbs import decimal128_of
from antiphon.replica.dataflow.columns.nested_order import list_ranks, struct_ranks

_SIGN: Final = np.uint64(1 << 63)
_WORD_BITS: Final = 64
_NAN_CODE: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_INT64_DIGITS: Final = 18
_PREFIX_MASKS: Final = np.array(
    [((1 << (8 * size)) - 1) << (_WORD_BITS - 8 * size) for size in range(9)], np.uint64
)
_FLOATS: Final = (lib.Type_FLOAT, lib.Type_DOUBLE)


def has_global_codes(kind: pa.DataType) -> bool:
    """Whether codes of different columns of this type compare, and can be turned back."""
    if kind.id == lib.Type_BOOL:
        return True
    if kind.id == lib.Type_DECIMAL128:
        return bool(kind.precision <= _INT64_DIGITS)
    return fixed_width(kind) is not None and kind.id != lib.Type_INTERVAL_MONTH_DAY_NANO


def order_codes(array: pa.Array) -> Words:
    """Codes of a column's values: a < b in SQL where code(a) < code(b). Undefined at nulls.

    Where `has_global_codes` they mean the same everywhere; of other types they are ranks among the
    values of this array alone.
    """
    kind = array.type
    if kind.id == lib.Type_BOOL:
        return values_of(array).astype(np.uint64)
    if kind.id in _FLOATS:
        return _float_codes(values_of(array).astype(np.float64))
    if kind.id == lib.Type_DECIMAL128 and kind.precision <= _INT64_DIGITS:
        return _coefficients(array)[0].view(np.uint64) ^ _SIGN
    if kind.id == lib.Type_INTERVAL_MONTH_DAY_NANO:
        days, rest = interval_words(values_of(array))
        order = np.unique(np.stack([days, rest]), axis=1, return_inverse=True)[1]
        return order.reshape(-1).astype(np.uint64)
    if kind.id == lib.Type_LIST:
        return list_ranks(list_sizes(array), dense_codes(array.flatten()))
    if kind.id == lib.Type_STRUCT:
        return struct_ranks([dense_codes(field) for field in array.flatten()])
    if fixed_width(kind) is not None:
        integers: Words = values_of(array).astype(np.int64).view(np.uint64)
        return integers ^ _SIGN
    if kind.id == lib.Type_FIXED_SIZE_BINARY:
        array = array.cast(pa.binary())
    ranks: Words = values_of(pc.rank(array, sort_keys="ascending", tiebreaker="dense"))
    return ranks


def dense_codes(array: pa.Array) -> Words:
    """Ranks from 0 of a column's values among each other; a null is above every value."""
    if len(array) == 0:
        return np.zeros(0, np.uint64)
    ranks = np.unique(order_codes(array), return_inverse=True)[1].reshape(-1).astype(np.uint64)
    valid = valid_of(array)
    if valid is not None:
        ranks[~valid] = np.uint64(len(array))
    return ranks


def list_sizes(array: pa.Array) -> Rows:
    """How many elements each list of a column has; a null list has none."""
    sizes = np.diff(offsets_of(array)).astype(np.int64)
    valid = valid_of(array)
    return sizes if valid is None else np.where(valid, sizes, 0)


def values_of_codes(
    codes: Words, kind: pa.DataType, valid: npt.NDArray[np.bool_] | None
) -> pa.Array:
    """The column that has these codes, of a type that `has_global_codes`."""
    if kind.id in _FLOATS:
        words = np.where(codes & _SIGN, codes ^ _SIGN, ~codes)
        floats = words.view(np.float64).copy()
        floats[codes == _NAN_CODE] = np.nan
        return array_of(floats.astype(fixed_width(kind)), kind, valid)
    if kind.id == lib.Type_BOOL:
        return array_of(codes != 0, kind, valid)
    integers = (codes ^ _SIGN).view(np.int64)
    if kind.id == lib.Type_DECIMAL128:
        return decimal128_of(integers, kind, valid)
    dtype = fixed_width(kind)
    assert dtype is not None, f"{kind} has no global codes"
    return array_of(integers.astype(dtype), kind, valid)


def coarse_codes(array: pa.Array) -> Words:
    """Codes that mean the same everywhere, of any type: code(a) < code(b) only where a < b.

    Values that differ may share a code: text goes by its first eight bytes.
    """
    kind = array.type
    if has_global_codes(kind):
        return order_codes(array)
    if kind.id == lib.Type_DECIMAL128:  # beyond 64 bits all are as large, or as small, as can be
        low, high = _coefficients(array)
        limits = np.where(high < 0, np.iinfo(np.int64).min, np.iinfo(np.int64).max)
        return np.where(high == low >> 63, low, limits).view(np.uint64) ^ _SIGN
    if kind.id == lib.Type_INTERVAL_MONTH_DAY_NANO:
        days, rest = interval_words(values_of(array))
        return _float_codes(days.astype(np.float64) + rest / 86_400e9)
    if kind.id == lib.Type_LIST:
        return _first_element_codes(array)
    if kind.id == lib.Type_STRUCT:
        return coarse_order(array.flatten()[0], descending=False, nulls_first=False)
    if kind.id == lib.Type_FIXED_SIZE_BINARY:
        array = array.cast(pa.binary())
    assert kind in (pa.string(), pa.binary()) or pa.types.is_binary(array.type), f"order of {kind}"
    return _prefix_codes(array)


def coarse_order(array: pa.Array, *, descending: bool, nulls_first: bool) -> Words:
    """As `coarse_codes`, in the order asked for, nulls in their place."""
    codes = coarse_codes(array)
    if descending:
        codes = ~codes
    codes = codes >> np.uint64(1)
    valid = valid_of(array)
    if nulls_first:
        codes = codes | _SIGN
        return codes if valid is None else np.where(valid, codes, np.uint64(0))
    return codes if valid is None else np.where(valid, codes, _SIGN)


def _first_element_codes(array: pa.Array) -> Words:
    """Lists by their first element; the empty one is below all others."""
    sizes = list_sizes(array)
    some = sizes > 0
    codes = np.zeros(len(array), np.uint64)
    first = array.flatten().take(array_of((np.cumsum(sizes) - sizes)[some], pa.int64()))
    ordered = coarse_order(first, descending=False, nulls_first=False)
    codes[some] = (ordered >> np.uint64(1)) + np.uint64(1)
    return codes


def _coefficients(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The (low, high) words of a decimal128."""
    raw = np.frombuffer(array.buffers()[1], np.int64, 2 * len(array), 16 * array.offset)
    return raw[0::2].copy(), raw[1::2].copy()


def _prefix_codes(array: pa.Array) -> Words:
    """The first eight bytes as a big-endian word, zeros behind what is shorter."""
    offsets = offsets_of(array).astype(np.int64)
    data = array.buffers()[2]
    first, last = int(offsets[0]), int(offsets[-1])
    padded = np.zeros(last - first + 8, np.uint8)
    if last > first:
        padded[:-8] = np.frombuffer(data, np.uint8, last - first, first)
    window: Words = np.ndarray((last - first + 1,), ">u8", padded.data, strides=(1,))
    sizes = np.minimum(np.diff(offsets), 8)
    kept = window[offsets[:-1] - first].astype(np.uint64)
    return kept & _PREFIX_MASKS[sizes]


def _float_codes(values: npt.NDArray[np.float64]) -> Words:
    """NaN is above infinity and equal to itself; -0.0 equals 0.0."""
    values = values + 0.0
    missing = np.isnan(values)
    words = values.view(np.uint64)
    codes = np.where(words & _SIGN, ~words, words | _SIGN)
    if missing.any():
        codes[missing] = _NAN_CODE
    return codes


def sort_codes(array: pa.Array, *, descending: bool, nulls_first: bool) -> list[Words]:
    """One or two keys, the more significant first, for a sort with nulls in their place."""
    codes = order_codes(array)
    if descending:
        codes = ~codes
    valid = valid_of(array)
    if valid is None:
        return [codes]
    place = valid if nulls_first else ~valid
    codes = np.where(valid, codes, np.uint64(0))
    return [place.astype(np.uint64), codes]


def part_codes(array: pa.Array) -> list[Words]:
    """A key for behind those of `sort_codes`: of equal values the one whose intervals have least
    months, then days, then nanoseconds comes first. None for what has no intervals."""
    return [dense_codes(in_parts(array))] if has_intervals(array.type) else []


def sorted_rows(group: Rows, keys: Sequence[Words]) -> Rows:
    """The order by (group, keys); ties in any order. `group`: small numbers from 0.

    Group and keys are squeezed into one word, the more significant first, as far as it holds them:
    that sorts many times faster than several. Where rows that it leaves undecided differ at all,
    they are then sorted by everything.
    """
    if len(group) == 0:
        return group
    word, whole = _squeezed(group, keys)
    order = np.argsort(word)
    if whole:
        return order
    ordered = word[order]
    tied = ordered[1:] == ordered[:-1]
    ties = np.flatnonzero(tied)
    first, second = order[ties], order[ties + 1]
    if not any((key[first] != key[second]).any() for key in keys):
        return order
    in_run = np.zeros(len(order), np.bool_)
    in_run[1:] = tied
    in_run[:-1] |= tied
    places = np.flatnonzero(in_run)
    rows = order[places]
    inner = np.lexsort([*(key[rows] for key in reversed(keys)), ordered[places]])
    order[places] = rows[inner]
    return order


def _squeezed(group: Rows, keys: Sequence[Words]) -> tuple[Words, bool]:
    """A word for each row that never falls where (group, keys) rise, and whether it says all."""
    word: Words = group.view(np.uint64)
    room = _WORD_BITS - int(group.max()).bit_length()
    for key in keys:
        lowest = key.min()
        bits = int(key.max() - lowest).bit_length()
        kept = min(bits, room)
        if kept == 0:
            if bits:
                return word, False
            continue
        spread = (key - lowest) >> np.uint64(bits - kept)
        word = spread if kept == _WORD_BITS else (word << np.uint64(kept)) | spread
        room -= kept
        if kept < bits:
            return word, False
    return word, True
