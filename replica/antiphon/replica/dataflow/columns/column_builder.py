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
    """Room for all values of some columns of one Arrow type, which come from them in any order."""

    def __init__(self, sources: Sequence[pa.Array]) -> None:
        self._sources = sources
        self._kind = kind = sources[0].type
        self._count = 0
        self._capacity = row_count = sum(map(len, sources))
        self._valid: npt.NDArray[np.bool_] | None = None
        self._pieces: list[pa.Array] | None = None
        self._offsets: npt.NDArray[np.int32] | None = None
        self._values: npt.NDArray[Any]
        self._bytes = 0
        # Of the sources, read once: to look at an Arrow array costs as much as to move its rows.
        self._read: list[npt.NDArray[Any]] | None = None
        dtype = fixed_width(kind)
        if pa.types.is_boolean(kind):
            self._values = np.empty(row_count, np.bool_)
        elif dtype is not None:
            self._values = np.empty(row_count, dtype)
        elif kind in (pa.string(), pa.binary()):
            self._values = np.empty(sum(source.nbytes for source in sources), np.uint8)
            self._offsets = np.zeros(row_count + 1, np.int32)
        else:
            self._pieces = []
        if dtype is not None and not any(source.null_count for source in sources):
            self._read = [values_of(source) for source in sources]

    def joined(self, parts: Sequence[tuple[int, slice]]) -> pa.Array:
        """Stretches of the sources, one after another."""
        if self._read is not None:
            values = [self._read[which][part] for which, part in parts]
            whole = values[0] if len(values) == 1 else np.concatenate(values)
            return array_of(whole, self._kind)
        pieces = [self._sources[which][part] for which, part in parts]
        return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)

    def append_rows(self, array: pa.Array, rows: Rows) -> None:
        if self._read is None:
            self.append(taken(array, index_of(rows)))
            return
        start, end = self._count, self._count + len(rows)
        assert end <= self._capacity, "more rows than there is room for"
        # Clipped, for then it writes into place.
        values_of(array).take(rows, out=self._values[start:end], mode="clip")
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
