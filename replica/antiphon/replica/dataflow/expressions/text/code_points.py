"""Functions of text that go by code points: translate, initcap, chr.

A column is decoded once to the code points of all its values, one behind the other; what is kept
of them is encoded again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import offsets_of, packed, valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.textual import by_constants
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

Points = npt.NDArray[np.uint32]
_CODE_POINT_MAX: Final = 0x10FFFF
_SURROGATES: Final = (0xD800, 0xDFFF)
_LIMIT: Final = "program_limit_exceeded"


def _points(array: pa.Array) -> tuple[Points, npt.NDArray[np.int64]]:
    """(all code points, the number of each value's first one and the end of the last)."""
    offsets = offsets_of(array).astype(np.int64)
    data = array.buffers()[2]
    raw = b"" if data is None else memoryview(data)[int(offsets[0]) : int(offsets[-1])]
    text = str(raw, "utf-8")
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    begins = (np.frombuffer(raw, np.uint8) & 0xC0) != 0x80
    before = np.concatenate([[0], np.cumsum(begins)])
    return points, before[offsets - offsets[0]]


def _text(points: Points, edges: npt.NDArray[np.int64], valid: Mask | None) -> pa.Array:
    """The inverse of `_points`."""
    data = points.tobytes().decode("utf-32-le").encode()
    sizes = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    ends = np.concatenate([[0], np.cumsum(sizes)])[edges].astype(np.int32)
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(ends), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(edges) - 1, buffers, -1)


def _translated(text: pa.Array, old: str, new: str) -> pa.Array:
    """Each character that is in `old` becomes the one at its place in `new`, or goes if there is
    none; of a character that is in `old` twice the first place counts."""
    if not old:
        return text
    table = {char: new[i : i + 1] for i, char in reversed(list(enumerate(old)))}
    points, edges = _points(text)
    known = np.array(sorted(map(ord, table)), np.uint32)
    wanted = np.array([ord(table[chr(p)] or "\0") for p in known.tolist()], np.uint32)
    goes = np.array([table[chr(p)] == "" for p in known.tolist()])
    place = np.minimum(np.searchsorted(known, points), len(known) - 1)
    hit = known[place] == points
    kept = ~(hit & goes[place])
    before = np.concatenate([[0], np.cumsum(kept)])
    return _text(np.where(hit, wanted[place], points)[kept], before[edges], valid_of(text))


def _translate(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    found = by_constants(_translated, arguments[0].array, arguments[1:], pa.string())
    return Vector.of_array(call.type, found)


def _initcap(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Each word with its first letter in upper case; words are runs of letters and digits."""
    lower = pc.utf8_lower(arguments[0].array)
    points, edges = _points(lower)
    distinct, of_point = np.unique(points, return_inverse=True)
    characters = _text(distinct, np.arange(len(distinct) + 1), None)
    in_word = values_of(pc.utf8_is_alnum(characters))
    upper, _ = _points(pc.utf8_upper(characters))
    inside = in_word[of_point]
    follows = np.zeros(len(points), np.bool_)
    follows[1:] = inside[:-1]
    follows[edges[:-1][edges[:-1] < len(points)]] = False
    found = np.where(inside & ~follows, upper[of_point], points)
    return Vector.of_array(call.type, _text(found, edges, valid_of(lower)))


def _chr(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The character of a code point."""
    codes, valid = arguments[0].values.astype(np.int64), arguments[0].valid
    surrogate = (codes >= _SURROGATES[0]) & (codes <= _SURROGATES[1])
    fail_valid(frame, call, codes == 0, valid, _LIMIT, "null character not permitted")
    message = "the number of no character"
    bad = (codes < 0) | (codes > _CODE_POINT_MAX) | surrogate
    fail_valid(frame, call, bad, valid, _LIMIT, message)
    points = np.where(bad | (codes == 0), ord("?"), codes).astype(np.uint32)
    return Vector.of_array(call.type, _text(points, np.arange(len(points) + 1), valid))


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "translate": _translate,
    "initcap": _initcap,
    "chr": _chr,
}
