"""Bytes as text and back: hex, base64, escape; digests; integers in hex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import offsets_of, packed, valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.sha256 import sha256
from antiphon.replica.dataflow.expressions.text.text_formats import bytes_of_hex, hex_of
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]
_BASE64: Final = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8
)
_DIGIT: Final = np.zeros(256, np.uint8)
_DIGIT[_BASE64] = np.arange(64)
_LINE: Final = 76  # characters of base64, then a line ends
_WELL_FORMED: Final = {
    "hex": r"\A(?:[ \n\t\r]*[0-9a-fA-F]{2})*[ \n\t\r]*\z",
    "base64": r"\A(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z",
}


def _bytes_of(array: pa.Array) -> tuple[Bytes, Numbers]:
    """(the bytes of all values, where each begins and the last one ends)."""
    offsets = offsets_of(array).astype(np.int64)
    raw = np.frombuffer(array.buffers()[2] or b"", np.uint8)
    return raw[int(offsets[0]) : int(offsets[-1])], offsets - offsets[0]


def _made(kind: pa.DataType, data: Bytes, edges: Numbers, valid: Mask | None) -> pa.Array:
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(edges) - 1, buffers, -1)


def _edges(sizes: Numbers) -> Numbers:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])


def _to_base64(array: pa.Array) -> pa.Array:
    """Lines of 76 characters. One of whole groups ends, though nothing follows; PostgreSQL's do."""
    data, starts = _bytes_of(array)
    sizes = np.diff(starts)
    groups = -(-sizes // 3)
    edges = _edges(groups)
    padded = np.zeros(3 * int(edges[-1]), np.uint8)
    rows, source = expand(starts[:-1], sizes)
    padded[source - starts[rows] + 3 * edges[rows]] = data[source]
    triples = padded.reshape(-1, 3).astype(np.int64)
    words = (triples[:, 0] << 16) | (triples[:, 1] << 8) | triples[:, 2]
    characters = _BASE64[(words[:, None] >> np.array([18, 12, 6, 0])) & 63]
    some = np.flatnonzero(sizes)
    last, rest = edges[1:][some] - 1, sizes[some] % 3
    characters[last[rest > 0], 3] = ord("=")
    characters[last[rest == 1], 2] = ord("=")
    lengths = 4 * groups
    with_lines = _edges(lengths + sizes // 3 * 4 // _LINE)
    found = np.full(int(with_lines[-1]), ord("\n"), np.uint8)
    rows, source = expand(4 * edges[:-1], lengths)
    place = source - 4 * edges[rows]
    found[with_lines[rows] + place + place // _LINE] = characters.reshape(-1)
    return _made(pa.string(), found, with_lines, valid_of(array))


def _of_base64(text: pa.Array) -> pa.Array:
    """Of well-formed text without blanks."""
    data, starts = _bytes_of(text)
    digits = _DIGIT[data].astype(np.int64).reshape(-1, 4)
    words = digits @ np.array([1 << 18, 1 << 12, 1 << 6, 1])
    whole = ((words[:, None] >> np.array([16, 8, 0])) & 255).astype(np.uint8).reshape(-1)
    missing = np.concatenate([[0], np.cumsum(data == ord("="))])
    first = starts[:-1] // 4 * 3
    sizes = np.diff(starts) // 4 * 3 - np.diff(missing[starts])
    _, source = expand(first, sizes)
    return _made(pa.binary(), whole[source], _edges(sizes), valid_of(text))


def _to_escape(array: pa.Array) -> pa.Array:
    """Zero and what is above ASCII in octal; a backslash twice."""
    data, starts = _bytes_of(array)
    octal = (data == 0) | (data >= 0x80)
    slash = data == ord("\\")
    edges = _edges(np.where(octal, 4, np.where(slash, 2, 1)))
    found = np.full(int(edges[-1]), ord("\\"), np.uint8)
    found[edges[1:] - 1] = np.where(octal, ord("0") + (data & 7), data)
    high = edges[:-1][octal]
    found[high + 1] = ord("0") + (data[octal] >> 6)
    found[high + 2] = ord("0") + (data[octal] >> 3 & 7)
    return _made(pa.string(), found, edges[starts], valid_of(array))


_ENCODERS: Final[dict[str, Callable[[pa.Array], pa.Array]]] = {
    "hex": hex_of, "base64": _to_base64, "escape": _to_escape,
}  # fmt: skip


def _format(arguments: list[Vector]) -> str:
    literal = arguments[1].literal
    assert literal is not None, "the format is a literal"
    assert isinstance(literal.value, str), "the format is text"
    return literal.value


def _encode(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_array(call.type, _ENCODERS[_format(arguments)](arguments[0].array))


def _decode(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """From hex and base64; blanks are passed over, anything else that is none fails."""
    name, text, valid = _format(arguments), arguments[0].array, arguments[0].valid
    if name == "base64":
        text = pc.replace_substring_regex(text, r"[ \n\t\r]", "")
    good = pc.match_substring_regex(text, _WELL_FORMED[name])
    bad = ~values_of(good)
    fail_valid(frame, call, bad, valid, "invalid_text_representation", f"invalid {name} data")
    text = pc.if_else(good, text, "")
    if name == "base64":
        return Vector.of_array(call.type, _of_base64(text))
    return Vector.of_array(
        call.type, bytes_of_hex(pc.replace_substring_regex(text, r"[ \n\t\r]", ""))
    )


def _to_hex(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Without leading zeros; negative numbers in two's complement of their width."""
    values = arguments[0].values
    width = values.dtype.itemsize
    raw = np.ascontiguousarray(values.astype(f">i{width}")).view(np.uint8)
    whole = _made(pa.binary(), raw, np.arange(len(values) + 1) * width, arguments[0].valid)
    digits = pc.utf8_ltrim(hex_of(whole), "0")
    return Vector.of_array(call.type, pc.if_else(pc.equal(digits, ""), "0", digits))


def _sha256(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_array(call.type, sha256(arguments[0].array))


def _utf8(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_array(call.type, arguments[0].array.cast(pa.binary()))


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "encode": _encode,
    "decode": _decode,
    "to_hex": _to_hex,
    "sha256": _sha256,
    "utf8_bytes": _utf8,
}
