"""Parts of text by character position, another position in every row.

Arrow slices a column by one pair of positions only. Here the first bytes of all characters are
found once, and a part is a range between two of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import offsets_of, packed, valid_of
from antiphon.replica.dataflow.arrangements.spine import expand

_CONTINUATION_MASK = 0xC0
_CONTINUATION = 0x80
Positions = npt.NDArray[np.int64]


class Characters:
    """The characters of a text column, or the bytes of one of bytea. `lengths`: how many each
    value has."""

    def __init__(self, array: pa.Array) -> None:
        offsets = offsets_of(array).astype(np.int64)
        base = int(offsets[0])
        data = array.buffers()[2]
        raw = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
        self._bytes = raw[base : int(offsets[-1])]
        self._valid = valid_of(array)
        begins = (self._bytes & _CONTINUATION_MASK) != _CONTINUATION
        if pa.types.is_binary(array.type):
            begins = np.ones(len(self._bytes), np.bool_)
        self._kind = array.type
        # The byte where each character begins, and one past the last.
        self._begins = np.append(np.flatnonzero(begins), len(self._bytes))
        before = np.concatenate([[0], np.cumsum(begins)])
        self._first = before[offsets - base]  # the number of each value's first character
        self.lengths: Positions = np.diff(self._first)

    def slice(self, starts: Positions, ends: Positions) -> pa.Array:
        """The characters [start, end) of each value, positions from 0, cut to what is there."""
        starts = np.clip(starts, 0, self.lengths)
        ends = np.clip(ends, starts, self.lengths)
        first = self._begins[self._first[:-1] + starts]
        sizes = self._begins[self._first[:-1] + ends] - first
        _, rows = expand(first, sizes)
        offsets = np.zeros(len(sizes) + 1, np.int32)
        np.cumsum(sizes, out=offsets[1:])
        mask = None if self._valid is None else packed(self._valid)
        buffers = [mask, pa.py_buffer(offsets), pa.py_buffer(self._bytes[rows])]
        return pa.Array.from_buffers(self._kind, len(sizes), buffers, -1)

    def apart(self) -> pa.Array:
        """All characters, one behind the other, those under a null too."""
        buffers = [None, pa.py_buffer(self._begins.astype(np.int32)), pa.py_buffer(self._bytes)]
        return pa.Array.from_buffers(pa.string(), len(self._begins) - 1, buffers, 0)

    def position_of_byte(self, bytes_: Positions) -> Positions:
        """The character that begins at a byte of each value."""
        starts = self._begins[self._first[:-1]]
        found: Positions = np.searchsorted(self._begins, starts + bytes_) - self._first[:-1]
        return found
