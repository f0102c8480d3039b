"""Columns that grow chunk by chunk into memory taken once.

A long merge runs in slices. Had it to concatenate them at its end, that one copy would be the stall
that slicing is there to avoid; so fixed-width and text columns are written in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, fixed_width, offsets_of, packed, valid_of, values_of
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken


class ColumnBuilder:
    """Room for `row_count` values of one Arrow type, `byte_count` bytes if it is text or bytes."""

    def __init__(self, kind: pa.DataType, row_count: int, byte_count: int) -> None:
        self._kind = kind
        self._count = 0
        self._capacity = row_count
        self._valid: npt.NDArray[np.bool_] | None = None
        self._pieces: list[pa.Array] | None = None
        self._offsets: npt.NDArray[np.int32] | None = None
        self._values: npt.NDArray[Any]
        self._bytes = 0
        dtype = fixed_width(kind)
        if pa.types.is_boolean(kind):
            self._values = np.empty(row_count, np.bool_)
        elif dtype is not None:
            self._values = np.empty(row_count, dtype)
        elif kind in (pa.string(), pa.binary()):
            self._values = np.empty(byte_count, np.uint8)
            self._offsets = np.zeros(row_count + 1, np.int32)
        else:
            self._pieces = []

    def append_rows(self, pieces: Sequence[pa.Array], rows: Rows) -> None:
        """Rows of the pieces, counted as if they were one array."""
        if self._pieces is not None or self._offsets is not None or self._valid is not None or any(
            piece.null_count or pa.types.is_boolean(self._kind) for piece in pieces
        ):  # fmt: skip
            array = pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)
            self.append(taken(array, index_of(rows)))
            return
        start, end = self._count, self._count + len(rows)
        assert end <= self._capacity, "more rows than there is room for"
        values = [values_of(piece) for piece in pieces]
        whole = values[0] if len(values) == 1 else np.concatenate(values)
        whole.take(rows, out=self._values[start:end], mode="clip")  # clip: writes into place
        self._count = end

    def append(self, array: pa.Array) -> None:
        if self._pieces is not None:
            self._pieces.append(array)
            return
        start, end = self._count, self._count + len(array)
        assert end <= self._capacity, "more rows than there is room for"
        if self._offsets is None:
            self._values[start:end] = values_of(array)
        elif len(array):
            offsets = offsets_of(array)
            first, last = int(offsets[0]), int(offsets[-1])
            self._offsets[start + 1 : end + 1] = offsets[1:] + (self._bytes - first)
            if last > first:
                data = np.frombuffer(array.buffers()[2], np.uint8, last - first, first)
                self._values[self._bytes : self._bytes + last - first] = data
                self._bytes += last - first
        valid = valid_of(array)
        if valid is not None and self._valid is None:
            self._valid = np.ones(self._capacity, np.bool_)
        if self._valid is not None:
            self._valid[start:end] = True if valid is None else valid
        self._count = end

    def finish(self) -> pa.Array:
        if self._pieces is not None:
            return pa.concat_arrays(self._pieces) if self._pieces else pa.array([], self._kind)
        count = self._count
        valid = None if self._valid is None else self._valid[:count]
        if self._offsets is None:
            return array_of(_shrunk(self._values, count), self._kind, valid)
        mask = None if valid is None else packed(valid)
        buffers = [mask, pa.py_buffer(_shrunk(self._offsets, count + 1))]
        buffers.append(pa.py_buffer(_shrunk(self._values, self._bytes)))
        return pa.Array.from_buffers(self._kind, count, buffers, -1 if valid is not None else 0)


def _shrunk(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """The front of an array that nobody else sees; what lies behind it is given back in place: a
    copy would be one long stall at the end of a merge that was cut in slices."""
    if count < len(values):
        values.resize(count, refcheck=False)
    return values
