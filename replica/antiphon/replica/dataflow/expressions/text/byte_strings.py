"""Functions of bytea: single bytes and bits, what is trimmed off, text that bytes are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, offsets_of, packed, valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.textual import by_constants
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
_SUBSCRIPT: Final = "array_subscript_error"
_ENCODING: Final = ("character_not_in_repertoire", 'invalid byte sequence for encoding "UTF8"')


def bytes_of(array: pa.Array) -> tuple[Bytes, Numbers]:
    """(the bytes of all values, where each begins and the last one ends)."""
    offsets = offsets_of(array).astype(np.int64)
    raw = np.frombuffer(array.buffers()[2] or b"", np.uint8)
    return raw[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0]


def bytes_made(kind: pa.DataType, data: Bytes, edges: Numbers, valid: Mask | None) -> pa.Array:
    """The inverse of `bytes_of`."""
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(edges) - 1, buffers, -1)


def edges_of(sizes: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _places(
    frame: Frame, call: Call, arguments: list[Vector], width: int
) -> tuple[Numbers, Numbers, Mask]:
    """(places of bytes or bits, the bytes that they are in or 0, where they are inside); those that
    are outside fail."""
    _, edges = bytes_of(arguments[0].array)
    index = arguments[1].values.astype(np.int64)
    sizes = np.diff(edges) * width
    inside = (index >= 0) & (index < sizes)
    valid = both_valid(*arguments)
    message = "an index outside of the bytes"
    fail_valid(frame, call, ~inside, valid, _SUBSCRIPT, message)
    inside = inside if valid is None else inside & valid
    return index, np.where(inside, edges[:-1] + index // width, 0), inside


def _get(width: int) -> Callable[..., Vector]:
    """A byte, or a bit; bits count from the least of each byte."""

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        index, place, inside = _places(frame, call, arguments, width)
        data, _ = bytes_of(arguments[0].array)
        found = np.zeros(len(index), np.int32)
        found[inside] = data[place[inside]]
        if width > 1:
            found = found >> (index % width).astype(np.int32) & 1
        return Vector.of_values(call.type, found, both_valid(*arguments))

    return function


def _set(width: int) -> Callable[..., Vector]:
    """The bytes with one byte, or bit, changed."""

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        index, place, inside = _places(frame, call, arguments[:2], width)
        data, edges = bytes_of(arguments[0].array)
        new, valid = arguments[2].values.astype(np.int64), both_valid(*arguments)
        if width > 1:
            strange = (new != 0) & (new != 1)
            message = "new bit must be 0 or 1"
            fail_valid(frame, call, strange, valid, "invalid_parameter_value", message)
        changed, at = data.copy(), place[inside]
        if width > 1:
            bit = np.uint8(1) << (index[inside] % width).astype(np.uint8)
            kept = changed[at] & ~bit
            changed[at] = np.where(new[inside] & 1, kept | bit, kept)
        else:
            changed[at] = (new[inside] & 255).astype(np.uint8)
        return Vector.of_array(call.type, bytes_made(pa.binary(), changed, edges, valid))

    return function


def _bit_count(array: pa.Array) -> Numbers:
    data, edges = bytes_of(array)
    counted = np.concatenate(
        [np.zeros(1, np.int64), np.cumsum(np.bitwise_count(data), dtype=np.int64)]
    )
    found: Numbers = np.diff(counted[edges])
    return found


def _count(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_values(call.type, _bit_count(arguments[0].array), arguments[0].valid)


def _trimmed(*, left: bool, right: bool) -> Callable[[pa.Array, bytes], pa.Array]:
    def trim(array: pa.Array, gone: bytes) -> pa.Array:
        data, edges = bytes_of(array)
        table = np.ones(256, np.bool_)
        table[np.frombuffer(gone, np.uint8)] = False
        kept = np.flatnonzero(table[data])
        starts, ends = edges[:-1], edges[1:]
        # Among the bytes that stay: the first from the start on, and one behind the last.
        after = np.append(kept, len(data))[np.searchsorted(kept, starts)]
        before = np.append(kept, -1)[np.searchsorted(kept, ends) - 1] + 1
        first = np.minimum(after, ends) if left else starts
        last = np.maximum(before, first) if right else ends
        sizes = last - first
        _, source = expand(first, sizes)
        return bytes_made(pa.binary(), data[source], edges_of(sizes), valid_of(array))

    return trim


def _trim(*, left: bool, right: bool) -> Callable[..., Vector]:
    kernel = _trimmed(left=left, right=right)

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        found = by_constants(kernel, arguments[0].array, arguments[1:], pa.binary())
        return Vector.of_array(call.type, found)

    return function


def _text(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The text that bytes are in UTF-8."""
    value = arguments[0]
    data, edges = bytes_of(value.array)
    zeros = np.concatenate([np.zeros(1, np.int64), np.cumsum(data == 0)])
    bad = np.diff(zeros[edges]) > 0
    bad |= _wrong_utf8(value.array)
    fail_valid(frame, call, bad, value.valid, *_ENCODING)
    good = pc.if_else(array_of(bad, pa.bool_()), pa.scalar(b"", pa.binary()), value.array)
    return Vector.of_array(call.type, good.cast(pa.string()))


def _wrong_utf8(array: pa.Array) -> Mask:
    """Which values are no UTF-8: by halves, for a cast tells only that there is one."""
    found = np.zeros(len(array), np.bool_)
    parts = [(0, len(array))]
    while parts:
        start, end = parts.pop()
        try:
            array.slice(start, end - start).cast(pa.string())
        except pa.ArrowInvalid:
            middle = (start + end) // 2
            if end - start == 1:
                found[start] = True
            else:
                parts += [(start, middle), (middle, end)]
    return found


def escaped_bytes(text: pa.Array) -> tuple[pa.Array, Mask]:
    """(the bytes that texts in the escape format are, which texts are none)."""
    good = values_of(pc.fill_null(pc.match_substring_regex(text, _ESCAPED), True))
    text = pc.if_else(array_of(good, pa.bool_()), text, pa.scalar("", pa.string()))
    # Runs of backslashes begin where a character does: pairs from the left are backslashes.
    text = pc.replace_substring(text, "\\\\", "\\134")
    data, edges = bytes_of(text)
    marks = np.flatnonzero(data == ord("\\"))
    digits = data[marks[:, None] + np.arange(1, 4)].astype(np.int64) - ord("0")
    made = data.copy()
    made[marks] = (digits @ np.array([64, 8, 1])).astype(np.uint8)
    kept = np.ones(len(data), np.bool_)
    kept[(marks[:, None] + np.arange(1, 4)).reshape(-1)] = False
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return bytes_made(pa.binary(), made[kept], before[edges], valid_of(text)), ~good


_ESCAPED: Final = r"\A(?:[^\\]|\\\\|\\[0-3][0-7]{2})*\z"
FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "get_byte": _get(1),
    "get_bit": _get(8),
    "set_byte": _set(1),
    "set_bit": _set(8),
    "byte_bit_count": _count,
    "trim_bytes": _trim(left=True, right=True),
    "ltrim_bytes": _trim(left=True, right=False),
    "rtrim_bytes": _trim(left=False, right=True),
    "utf8_text": _text,
}
