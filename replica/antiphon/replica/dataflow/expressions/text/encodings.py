"""Bytes as text and back: hex, base64, escape; digests; integers in hex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.byte_strings import (
    bytes_made,
    bytes_of,
    edges_of,
    escaped_bytes,
)
from antiphon.replica.dataflow.expressions.text.sha2 import sha224, sha256, sha384, sha512
from antiphon.replica.dataflow.expressions.text.text_formats import bytes_of_hex, hex_of
from antiphon.replica.dataflow.expressions.vector import Vector

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


def _to_base64(array: pa.Array) -> pa.Array:
    """Lines of 76 characters. One of whole groups ends, though nothing follows; PostgreSQL's do."""
    data, starts = bytes_of(array)
    sizes = np.diff(starts)
    groups = -(-sizes // 3)
    edges = edges_of(groups)
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
    with_lines = edges_of(lengths + sizes // 3 * 4 // _LINE)
    found = np.full(int(with_lines[-1]), ord("\n"), np.uint8)
    rows, source = expand(4 * edges[:-1], lengths)
    place = source - 4 * edges[rows]
    found[with_lines[rows] + place + place // _LINE] = characters.reshape(-1)
    return bytes_made(pa.string(), found, with_lines, valid_of(array))


def _of_base64(text: pa.Array) -> pa.Array:
    """Of well-formed text without blanks."""
    data, starts = bytes_of(text)
    digits = _DIGIT[data].astype(np.int64).reshape(-1, 4)
    words = digits @ np.array([1 << 18, 1 << 12, 1 << 6, 1])
    whole = ((words[:, None] >> np.array([16, 8, 0])) & 255).astype(np.uint8).reshape(-1)
    missing = np.concatenate([[0], np.cumsum(data == ord("="))])
    first = starts[:-1] // 4 * 3
    sizes = np.diff(starts) // 4 * 3 - np.diff(missing[starts])
    _, source = expand(first, sizes)
    return bytes_made(pa.binary(), whole[source], edges_of(sizes), valid_of(text))


def _to_escape(array: pa.Array) -> pa.Array:
    """Zero and what is above ASCII in octal; a backslash twice."""
    data, starts = bytes_of(array)
    octal = (data == 0) | (data >= 0x80)
    slash = data == ord("\\")
    edges = edges_of(np.where(octal, 4, np.where(slash, 2, 1)))
    found = np.full(int(edges[-1]), ord("\\"), np.uint8)
    found[edges[1:] - 1] = np.where(octal, ord("0") + (data & 7), data)
    high = edges[:-1][octal]
    found[high + 1] = ord("0") + (data[octal] >> 6)
    found[high + 2] = ord("0") + (data[octal] >> 3 & 7)
    return bytes_made(pa.string(), found, edges[starts], valid_of(array))


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
    """From escape, hex and base64, of which blanks are passed over; what is none fails."""
    name, text, valid = _format(arguments), arguments[0].array, arguments[0].valid
    if name == "escape":
        found, wrong = escaped_bytes(text)
        message = "invalid input syntax for type bytea"
        fail_valid(frame, call, wrong, valid, "invalid_text_representation", message)
        return Vector.of_array(call.type, found)
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
    whole = bytes_made(pa.binary(), raw, np.arange(len(values) + 1) * width, arguments[0].valid)
    digits = pc.utf8_ltrim(hex_of(whole), "0")
    return Vector.of_array(call.type, pc.if_else(pc.equal(digits, ""), "0", digits))


def _in_base(bits: int) -> Callable[..., Vector]:
    """To the base 2 or 8, as to_hex is to 16."""

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        given = arguments[0].values
        unsigned = given.astype(np.int64).view(np.uint64)
        if given.dtype.itemsize < 8:
            unsigned = unsigned & np.uint64(0xFFFFFFFF)
        places = np.arange(63 // bits, -1, -1, dtype=np.uint64) * np.uint64(bits)
        digits = (unsigned[:, None] >> places) & np.uint64((1 << bits) - 1)
        raw = (digits + np.uint64(ord("0"))).astype(np.uint8).reshape(-1)
        edges = np.arange(len(given) + 1) * len(places)
        shown = pc.utf8_ltrim(bytes_made(pa.string(), raw, edges, arguments[0].valid), "0")
        return Vector.of_array(call.type, pc.if_else(pc.equal(shown, ""), "0", shown))

    return function


def _digest(kernel: Callable[[pa.Array], pa.Array]) -> Callable[..., Vector]:
    return lambda frame, call, arguments: Vector.of_array(call.type, kernel(arguments[0].array))


def _utf8(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    return Vector.of_array(call.type, arguments[0].array.cast(pa.binary()))


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "encode": _encode,
    "decode": _decode,
    "to_hex": _to_hex,
    "to_bin": _in_base(1),
    "to_oct": _in_base(3),
    "sha224": _digest(sha224),
    "sha256": _digest(sha256),
    "sha384": _digest(sha384),
    "sha512": _digest(sha512),
    "utf8_bytes": _utf8,
}
