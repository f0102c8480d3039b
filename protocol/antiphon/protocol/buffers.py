"""Numpy views of Arrow arrays, offsets and validity respected.

Hot paths read columns as numpy arrays over the same memory; this module is the one place that knows
how Arrow lays a column out. Nothing here copies unless it says so.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import lib

_LARGE: Final = (lib.Type_LARGE_STRING, lib.Type_LARGE_BINARY, lib.Type_LARGE_LIST)
# By type id: hashing an Arrow type costs more than reading a small column.
_NUMPY: Final[dict[int, np.dtype[np.generic]]] = {
    lib.Type_INT8: np.dtype(np.int8),
    lib.Type_INT16: np.dtype(np.int16),
    lib.Type_INT32: np.dtype(np.int32),
    lib.Type_INT64: np.dtype(np.int64),
    lib.Type_UINT8: np.dtype(np.uint8),
    lib.Type_UINT16: np.dtype(np.uint16),
    lib.Type_UINT32: np.dtype(np.uint32),
    lib.Type_UINT64: np.dtype(np.uint64),
    lib.Type_FLOAT: np.dtype(np.float32),
    lib.Type_DOUBLE: np.dtype(np.float64),
    lib.Type_DATE32: np.dtype(np.int32),
    lib.Type_TIMESTAMP: np.dtype(np.int64),
    lib.Type_INTERVAL_MONTH_DAY_NANO: np.dtype(
        [("months", np.int32), ("days", np.int32), ("nanoseconds", np.int64)]
    ),
}


def fixed_width(kind: pa.DataType) -> np.dtype[np.generic] | None:
    """The numpy type that shares memory with an Arrow column of this type, or None."""
    return _NUMPY.get(kind.id)


def values_of(array: pa.Array) -> npt.NDArray[Any]:
    """The values of a fixed-width column; undefined where null. Booleans: a copy, one byte each."""
    data, count = array.buffers()[1], len(array)
    dtype = _NUMPY.get(array.type.id)
    if dtype is None:
        assert array.type.id == lib.Type_BOOL, f"{array.type} has no numpy view"
        return bits_of(data, array.offset, count)
    if count == 0 or data is None:
        return np.zeros(count, dtype)
    return np.frombuffer(data, dtype, count, array.offset * dtype.itemsize)


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
    if array.type.id == lib.Type_NA:
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
    if kind.id == lib.Type_BOOL:
        return pa.Array.from_buffers(kind, count, [mask, packed(values.view(np.bool_))], nulls)
    assert values.flags.c_contiguous, "an Arrow column is contiguous"
    return pa.Array.from_buffers(kind, count, [mask, pa.py_buffer(values)], nulls)


def offsets_of(array: pa.Array) -> npt.NDArray[np.int64] | npt.NDArray[np.int32]:
    """The `len + 1` offsets of a text, bytes or list column, into its unsliced values."""
    wide = array.type.id in _LARGE
    dtype = np.dtype(np.int64 if wide else np.int32)
    buffer = array.buffers()[1]
    if buffer is None or buffer.size == 0:
        return np.zeros(1, dtype)
    return np.frombuffer(buffer, dtype, len(array) + 1, array.offset * dtype.itemsize)
