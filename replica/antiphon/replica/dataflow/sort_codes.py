"""Order as integers: uint64 codes that sort as SQL sorts the values."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import fixed_width, valid_of, values_of
from antiphon.protocol.row_hash import Words, interval_words

_SIGN: Final = np.uint64(1 << 63)


def order_codes(array: pa.Array) -> Words:
    """Codes of a column's values: a < b in SQL where code(a) < code(b). Undefined at nulls.

    Of fixed-width types they mean the same everywhere; of text, bytes, decimals and uuids they are
    ranks among the values of this array alone.
    """
    kind = array.type
    if pa.types.is_boolean(kind):
        return values_of(array).astype(np.uint64)
    if kind in (pa.float32(), pa.float64()):
        return _float_codes(array)
    if kind == pa.month_day_nano_interval():
        days, rest = interval_words(values_of(array))
        order = np.unique(np.stack([days, rest]), axis=1, return_inverse=True)[1]
        return order.reshape(-1).astype(np.uint64)
    if fixed_width(kind) is not None:
        integers: Words = values_of(array).astype(np.int64).view(np.uint64)
        return integers ^ _SIGN
    if pa.types.is_fixed_size_binary(kind):
        array = array.cast(pa.binary())
    ranks: Words = values_of(pc.rank(array, sort_keys="ascending", tiebreaker="dense"))
    return ranks


def _float_codes(array: pa.Array) -> Words:
    """NaN is above infinity and equal to itself; -0.0 equals 0.0."""
    values = values_of(array).astype(np.float64) + 0.0
    missing = np.isnan(values)
    words = values.view(np.uint64)
    codes = np.where(words & _SIGN, ~words, words | _SIGN)
    if missing.any():
        codes[missing] = np.uint64(0xFFFFFFFFFFFFFFFF)
    return codes


def sort_codes(
    array: pa.Array, *, descending: bool, nulls_first: bool
) -> list[Words]:
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
