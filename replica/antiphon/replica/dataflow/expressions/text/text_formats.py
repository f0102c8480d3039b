"""Values as text, in PostgreSQL's output notation, a column at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, offsets_of, packed, valid_of, values_of
from antiphon.protocol.schema import TypeKind

_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_DIGIT: Final = np.zeros(256, np.uint8)
_DIGIT[np.frombuffer(b"0123456789", np.uint8)] = np.arange(10)
_DIGIT[np.frombuffer(b"abcdef", np.uint8)] = np.arange(10, 16)
_DIGIT[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)
_YEAR_ONE: Final = np.datetime64("0001-01-01")


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string())


# What Arrow prints to what PostgreSQL prints, in this order.
_SMALL: Final = (
    (r"^(-?)0\.0000([1-9])([0-9]*)$", r"\1\2.\3e-5"),
    (r"^(-?)0\.00000([1-9])([0-9]*)$", r"\1\2.\3e-6"),
)
_LONG_DOUBLES: Final = tuple(
    (rf"^(-?[0-9])\.([0-9]{{{n}}})([0-9]+)e\+{n}$", r"\1\2.\3") for n in range(10, 15)
)
_LONG_REALS: Final = (
    *((rf"^(-?[0-9])([0-9]{{{n}}})(?:\.([0-9]+))?$", rf"\1.\2\3e+0{n}") for n in range(6, 10)),
    (r"(\.[0-9]*?)0+e", r"\1e"),
)
_EXPONENTS: Final = (
    (r"\.e", "e"),
    (r"e-([0-9])$", r"e-0\1"),
    (r"e\+?([0-9])$", r"e+0\1"),
    (r"^-?nan$", "NaN"),
    (r"inf$", "Infinity"),
)


def _float(array: pa.Array) -> pa.Array:
    """The shortest text that reads back as the same value. Exponents below 1e-4, and from 1e15 on
    (real: from 1e6 on)."""
    text = array.cast(pa.string())
    values = np.abs(values_of(array))
    is_double = array.type == pa.float64()
    most = 1e10 if is_double else 1e6
    plain = (values == 0) | ((values >= 1e-4) & (values < most))
    if plain.all():
        return text
    for pattern, replacement in (*_SMALL, *(_LONG_DOUBLES if is_double else _LONG_REALS)):
        text = pc.replace_substring_regex(text, pattern, replacement)
    if is_double:
        whole = (values >= most) & (values < 1e15) & (np.trunc(values) == values)
        integers = array_of(np.where(whole, values_of(array), 0).astype(np.int64), pa.int64())
        text = pc.if_else(array_of(whole, pa.bool_()), integers.cast(pa.string()), text)
    for pattern, replacement in _EXPONENTS:
        text = pc.replace_substring_regex(text, pattern, replacement)
    return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))


def _date(array: pa.Array) -> pa.Array:
    days = values_of(array.cast(pa.int32())).astype("datetime64[D]")
    return _of_its_era(array.cast(pa.string()), days)


def _timestamp(array: pa.Array) -> pa.Array:
    return _moment(array, "")


def _timestamptz(array: pa.Array) -> pa.Array:
    return _moment(array, "+00")


def _moment(array: pa.Array, zone: str) -> pa.Array:
    """Without the zeros that end a fraction of a second."""
    text = array.cast(pa.timestamp("us")).cast(pa.string())
    text = pc.replace_substring_regex(text, r"\.?0*$", "", max_replacements=1)
    if zone:
        text = pc.binary_join_element_wise(text, zone, "")
    return _of_its_era(text, values_of(array.cast(pa.int64())).astype("datetime64[us]"))


def _of_its_era(text: pa.Array, moments: npt.NDArray[np.datetime64]) -> pa.Array:
    """With years before 1 as PostgreSQL shows them: the year 0 is 0001 BC."""
    early = moments < _YEAR_ONE
    if not early.any():
        return text
    years = 1 - (moments.astype("datetime64[Y]").astype(np.int64) + 1970)
    shown = pc.utf8_lpad(array_of(years, pa.int64()).cast(pa.string()), 4, "0")
    rest = pc.replace_substring_regex(text, r"^-?[0-9]+", "")
    before = pc.binary_join_element_wise(shown, rest, " BC", "")
    return pc.if_else(array_of(early, pa.bool_()), before, text)


def _decimal(array: pa.Array) -> pa.Array:
    """All digits, never an exponent."""
    scale = array.type.scale
    whole = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(array), array.buffers(), offset=array.offset
    ).cast(pa.string())
    if scale == 0:
        return whole
    sign = pc.if_else(pc.starts_with(whole, "-"), "-", "")
    digits = pc.utf8_lpad(pc.utf8_ltrim(whole, "-"), scale + 1, "0")
    point = pc.utf8_slice_codeunits(digits, 0, -scale)
    return pc.binary_join_element_wise(
        sign, point, ".", pc.utf8_slice_codeunits(digits, -scale), ""
    )


def _uuid(array: pa.Array) -> pa.Array:
    count = len(array)
    raw = np.frombuffer(array.buffers()[1], np.uint8, 16 * count, 16 * array.offset)
    digits = _hex_digits(raw).reshape(count, 32)
    text = np.full((count, 36), ord("-"), np.uint8)
    for start, end, to in ((0, 8, 0), (8, 12, 9), (12, 16, 14), (16, 20, 19), (20, 32, 24)):
        text[:, to : to + end - start] = digits[:, start:end]
    offsets = np.arange(count + 1, dtype=np.int32) * 36
    return _text_of(offsets, text.reshape(-1), valid_of(array))


def _bytea(array: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise("\\x", hex_of(array), "")


def hex_of(array: pa.Array) -> pa.Array:
    """Two lower-case digits a byte."""
    offsets = offsets_of(array)
    first = int(offsets[0])
    data = array.buffers()[2]
    raw = np.frombuffer(data or b"", np.uint8)[first : int(offsets[-1])]
    return _text_of(((offsets - first) * 2).astype(np.int32), _hex_digits(raw), valid_of(array))


def bytes_of_hex(text: pa.Array) -> pa.Array:
    """The bytes that pairs of hex digits stand for; the text is well formed."""
    offsets = offsets_of(text)
    first = int(offsets[0])
    data = np.frombuffer(text.buffers()[2] or b"", np.uint8)[first : int(offsets[-1])]
    values = _DIGIT[data]
    raw = (values[0::2] << 4) | values[1::2]
    mask = valid_of(text)
    buffers = [None if mask is None else packed(mask)]
    buffers.append(pa.py_buffer(((offsets - first) // 2).astype(np.int32)))
    buffers.append(pa.py_buffer(raw))
    return pa.Array.from_buffers(pa.binary(), len(text), buffers, -1)


def _hex_digits(raw: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    digits = np.empty(2 * len(raw), np.uint8)
    digits[0::2] = _HEX[raw >> 4]
    digits[1::2] = _HEX[raw & 15]
    return digits


def _text_of(
    offsets: npt.NDArray[np.int32],
    data: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.bool_] | None,
) -> pa.Array:
    mask = None if valid is None else packed(valid)
    buffers = [mask, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers, -1)


def _interval(array: pa.Array) -> pa.Array:
    """`1 year 2 mons -3 days +04:05:06.7`, or `00:00:00`: what follows a negative part has a sign
    of its own."""
    values = values_of(array)
    months = values["months"].astype(np.int64)
    years = np.sign(months) * (np.abs(months) // 12)
    behind = np.zeros(len(months), np.bool_)
    parts = []
    counts = (years, months - years * 12, values["days"].astype(np.int64))
    for count, unit in zip(counts, ("year", "mon", "day"), strict=True):
        parts.append(_counted(count, unit, behind))
        behind = np.where(count == 0, behind, count < 0)
    whole = pc.binary_join_element_wise(*parts, "")
    microseconds = values["nanoseconds"] // 1000
    clock = _clock(microseconds, behind)
    no_clock = array_of(microseconds == 0, pa.bool_())
    bare = pc.if_else(pc.equal(whole, ""), clock, pc.utf8_rtrim(whole, " "))
    text = pc.if_else(no_clock, bare, pc.binary_join_element_wise(whole, clock, ""))
    return pc.if_else(array.is_valid(), text, pa.scalar(None, pa.string()))


def _counted(counts: npt.NDArray[np.int64], unit: str, behind: npt.NDArray[np.bool_]) -> pa.Array:
    numbers = array_of(counts, pa.int64()).cast(pa.string())
    sign = pc.if_else(array_of(behind & (counts > 0), pa.bool_()), "+", "")
    ending = pc.if_else(array_of(counts == 1, pa.bool_()), f" {unit} ", f" {unit}s ")
    some = array_of(counts != 0, pa.bool_())
    return pc.if_else(some, pc.binary_join_element_wise(sign, numbers, ending, ""), "")


def _clock(microseconds: npt.NDArray[np.int64], behind: npt.NDArray[np.bool_]) -> pa.Array:
    size = np.abs(microseconds)
    plus = pc.if_else(array_of(behind & (microseconds > 0), pa.bool_()), "+", "")
    sign = pc.if_else(array_of(microseconds < 0, pa.bool_()), "-", plus)

    def padded(number: npt.NDArray[np.int64], width: int) -> pa.Array:
        return pc.utf8_lpad(array_of(number, pa.int64()).cast(pa.string()), width, "0")

    hours = padded(size // 3_600_000_000, 2)
    minutes = padded(size // 60_000_000 % 60, 2)
    seconds = padded(size // 1_000_000 % 60, 2)
    fraction = size % 1_000_000
    digits = pc.utf8_rtrim(padded(fraction, 6), "0")
    ending = pc.if_else(
        array_of(fraction != 0, pa.bool_()), pc.binary_join_element_wise(".", digits, ""), ""
    )
    clock = pc.binary_join_element_wise(hours, minutes, seconds, ":")
    return pc.binary_join_element_wise(sign, clock, ending, "")


FORMATS: Final[dict[TypeKind, Callable[[pa.Array], pa.Array]]] = {
    TypeKind.BOOLEAN: _plain,
    TypeKind.INT16: _plain,
    TypeKind.INT32: _plain,
    TypeKind.INT64: _plain,
    TypeKind.FLOAT32: _float,
    TypeKind.FLOAT64: _float,
    TypeKind.DECIMAL: _decimal,
    TypeKind.TEXT: _plain,
    TypeKind.BYTEA: _bytea,
    TypeKind.DATE: _date,
    TypeKind.TIMESTAMP: _timestamp,
    TypeKind.TIMESTAMPTZ: _timestamptz,
    TypeKind.INTERVAL: _interval,
    TypeKind.UUID: _uuid,
}
