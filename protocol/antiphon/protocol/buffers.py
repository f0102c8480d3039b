"""Numpy views of Arrow arrays, offsets and validity respected.

Hot paths read columns as numpy arrays over the same memory; this module is the one place that knows
how Arrow lays a column out. Nothing here copies unless it says so.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_NUMPY: Final[dict[pa.DataType, np.dtype[np.generic]]] = {
    pa.int8(): np.dtype(np.int8),
    pa.int16(): np.dtype(np.int16),
    pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64),
    pa.uint8(): np.dtype(np.uint8),
    pa.uint16(): np.dtype(np.uint16),
    pa.uint32(): np.dtype(np.uint32),
    pa.uint64(): np.dtype(np.uint64),
    pa.float32(): np.dtype(np.float32),
    pa.float64(): np.dtype(np.float64),
    pa.date32(): np.dtype(np.int32),
    pa.timestamp("us"): np.dtype(np.int64),
    pa.timestamp("us", tz="UTC"): np.dtype(np.int64),
    pa.month_day_nano_interval(): np.dtype(
        [("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)]
    ),
}


def fixed_width(kind: pa.DataType) -> np.dtype[np.generic] | None:
    """The numpy type that shares memory with an Arrow column of this type, or None."""
    found = _NUMPY.get(kind)
    if found is None and pa.types.is_timestamp(kind) and kind.unit == "us":
        return np.dtype(np.int64)
    return found


def values_of(array: pa.Array) -> npt.NDArray[Any]:
    """The values of a fixed-width column; undefined where null. Booleans: a copy, one byte each."""
    data = array.buffers()[1]
    count, offset = len(array), array.offset
    if pa.types.is_boolean(array.type):
        return bits_of(data, offset, count)
    dtype = fixed_width(array.type)
    assert dtype is not None, f"{array.type} has no numpy view"
    if count == 0 or data is None:
        return np.zeros(count, dtype)
    return np.frombuffer(data, dtype, count, offset * dtype.itemsize)


def bits_of(buffer: pa.Buffer | None, offset: int, count: int) -> npt.NDArray[np.bool_]:
    """`count` bits from bit `offset` on, one byte each (a copy)."""
    if count == 0 or buffer is None:
        return np.zeros(count, np.bool_)
    first = offset >> 3
    packed = np.frombuffer(buffer, np.uint8, ((offset + count + 7) >> 3) - first, first)
    shift = offset & 7
    return np.unpackbits(packed, bitorder="little", count=shift + count)[shift:].view(np.bool_)


def valid_of(array: pa.Array) -> npt.NDArray[np.bool_] | None:
    """Which rows are not null, one byte each; None if all are."""
    if array.null_count == 0:
        return None
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.bool_)
    return bits_of(array.buffers()[0], array.offset, len(array))


def packed(bits: npt.NDArray[np.bool_]) -> pa.Buffer:
    """One byte each to one bit each, as Arrow stores booleans and validity (a copy)."""
    return pa.py_buffer(np.packbits(bits, bitorder="little"))


def array_of(
    values: npt.NDArray[np.generic], kind: pa.DataType, valid: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """An Arrow column over a contiguous numpy array of its fixed width; null where not `valid`."""
    count = len(values)
    mask = None if valid is None else packed(valid)
    nulls = 0 if valid is None else -1
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, count, [mask, packed(values.view(np.bool_))], nulls)
    assert values.flags.c_contiguous, "an Arrow column is contiguous"
    return pa.Array.from_buffers(kind, count, [mask, pa.py_buffer(values)], nulls)


def offsets_of(array: pa.Array) -> npt.NDArray[np.int64] | npt.NDArray[np.int32]:
    """The `len + 1` offsets of a text, bytes or list column, into its unsliced values."""
    kind = array.type
    wide = (
        pa.types.is_large_string(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_large_list(kind)
    )
    dtype = np.dtype(np.int64 if wide else np.int32)
    buffer = array.buffers()[1]
    if buffer is None or buffer.size == 0:
        return np.zeros(1, dtype)
    return np.frombuffer(buffer, dtype, len(array) + 1, array.offset * dtype.itemsize)
