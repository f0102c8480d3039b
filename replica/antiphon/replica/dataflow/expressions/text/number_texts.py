"""to_char of numbers: all numbers of one shape at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, offsets_of, packed, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.number_format import NumberFormat, Pattern, read_number_format
from antiphon.protocol.schema import TypeKind
from antiphon.replica.dataflow.arrangements.spine import expand
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, fail_valid
from antiphon.replica.dataflow.expressions.numbers.exact_products import (
    Floats,
    Integers,
    nearest_integers,
    product,
)
from antiphon.replica.dataflow.expressions.numbers.float_decimals import DIGITS
from antiphon.replica.dataflow.expressions.text.number_layout import laid_out
from antiphon.replica.dataflow.expressions.text.text_formats import FORMATS
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

Bytes = npt.NDArray[np.uint8]
_WHOLE_MAX: Final = 1e18
_ROMAN_MAX: Final = 3_999
_ROMAN_WIDTH: Final = 15


class _Numbers:
    """The digits of numbers as text, their signs, and how many digits are behind the point."""

    def __init__(self, digits: pa.Array, negative: Mask, behind: Integers) -> None:
        offsets = offsets_of(digits).astype(np.int64)
        self.negative = negative
        self.behind = behind
        self.starts = offsets[:-1]
        self.sizes = np.diff(offsets)
        self.bytes: Bytes = np.frombuffer(digits.buffers()[2] or b"", np.uint8)

    def shapes(self, form: NumberFormat) -> tuple[Integers, Integers]:
        """(of each row the number of its shape, a row of each shape)."""
        first = np.zeros(len(self.sizes), np.int64)
        some = self.sizes > 0
        first[some] = self.bytes[self.starts[some]]
        parts = [self.sizes, self.behind, self.negative.astype(np.int64), first == ord("0")]
        parts.append((first > ord("9")) * first)  # what is no number
        if form.fills and form.has_point:
            parts.append(self._zeros_at_end())
        if any(place.pattern is Pattern.ORDINAL for place in form.places):
            parts += [self._from_end(1), self._from_end(2) == ord("1")]
        # One number for all of them: none of these is large.
        keys = np.zeros(len(self.sizes), np.int64)
        for part in parts:
            keys = keys * (int(part.max(initial=0)) + 1) + part
        _, rows, shapes = np.unique(keys, return_index=True, return_inverse=True)
        return shapes, rows

    def _from_end(self, place: int) -> Integers:
        there = self.sizes >= place
        found = np.zeros(len(self.sizes), np.int64)
        found[there] = self.bytes[(self.starts + self.sizes)[there] - place]
        return found

    def _zeros_at_end(self) -> Integers:
        count = np.zeros(len(self.sizes), np.int64)
        ended = np.zeros(len(self.sizes), np.bool_)
        for place in range(1, int(self.behind.max(initial=0)) + 1):
            ended |= (self._from_end(place) != ord("0")) | (place > self.behind)
            count += ~ended
        return count

    def text_of(self, row: int) -> str:
        start = int(self.starts[row])
        return self.bytes[start : start + int(self.sizes[row])].tobytes().decode()


def _decimals(value: Vector, form: NumberFormat) -> _Numbers:
    """Of decimals that have as many digits behind the point as the format shows."""
    array = pc.if_else(value.array.is_valid(), value.array, pa.scalar(0, value.array.type))
    text = FORMATS[TypeKind.DECIMAL](array)
    negative = values_of(pc.starts_with(text, "-"))
    digits = pc.utf8_ltrim(text, "-")
    if form.is_shifted:
        digits = pc.utf8_ltrim(pc.replace_substring(digits, ".", ""), "0")
        digits = pc.if_else(pc.equal(digits, ""), "0", digits)
    return _Numbers(digits, negative, np.full(len(array), form.behind))


def _floats(frame: Frame, call: Call, value: Vector, form: NumberFormat) -> _Numbers:
    """Their exact values, rounded to as many digits as floats have, half to even."""
    digits_max = DIGITS[value.type.kind]
    given: Floats = values_of(value.array).astype(np.float64)
    if value.valid is not None:
        given = np.where(value.valid, given, 0.0)
    finite = np.isfinite(given)
    sizes = np.abs(np.where(finite, given, 0.0))
    large = sizes >= _WHOLE_MAX
    if form.before + form.shift > 18:
        message = "a float of more than 18 digits before its point"
        fail_valid(frame, call, large, value.valid, OUT_OF_RANGE, message)
    whole = np.rint(np.where(large, _WHOLE_MAX, sizes)).astype(np.int64)
    before = _digit_counts(whole)
    behind = np.clip(digits_max - before, 0, form.behind)
    scaled = np.empty(len(given), np.int64)
    for count in np.unique(behind).tolist():
        rows = np.flatnonzero(behind == count)
        scaled[rows] = _scaled(np.where(large, _WHOLE_MAX, sizes)[rows], count)
    text = _with_points(scaled, behind)
    special = pc.if_else(array_of(np.isnan(given), pa.bool_()), "NaN", "Infinity")
    text = pc.if_else(array_of(finite, pa.bool_()), text, special)
    letters = np.where(np.isnan(given), len("NaN"), len("Infinity"))
    behind = np.where(finite, behind, np.clip(digits_max - letters, 0, form.behind))
    return _Numbers(text, given < 0, behind)


def _digit_counts(whole: Integers) -> Integers:
    found: Integers = 1 + np.searchsorted(10 ** np.arange(1, 19, dtype=np.int64), whole, "right")
    return found


def _scaled(sizes: Floats, count: int) -> Integers:
    """The numbers times a power of ten, rounded half to even, from their exact values: below 1e15
    a product and its error are two floats."""
    if count == 0:
        nearest: Integers = np.rint(sizes).astype(np.int64)
        return nearest
    return nearest_integers(*product(sizes, np.full(len(sizes), float(10**count))))


def _with_points(scaled: Integers, behind: Integers) -> pa.Array:
    """Whole numbers with a point before the last digits."""
    text = array_of(scaled, pa.int64()).cast(pa.string())
    parts, rows = [], []
    for count in np.unique(behind).tolist():
        here = np.flatnonzero(behind == count)
        some = text.take(array_of(here, pa.int64()))
        if count:
            some = pc.utf8_lpad(some, count + 1, "0")
            ends = pc.utf8_slice_codeunits(some, -count)
            some = pc.binary_join_element_wise(pc.utf8_slice_codeunits(some, 0, -count), ends, ".")
        parts.append(some)
        rows.append(here)
    if not parts:
        return text
    order = np.argsort(np.concatenate(rows), kind="stable")
    return pa.concat_arrays(parts).take(array_of(order, pa.int64()))


def _text(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(a number, a format that is a literal)."""
    value, form = arguments[0], _format_of(arguments[1])
    if form.is_roman:
        return Vector.of_array(call.type, _roman(value, form))
    is_float = value.type.is_float
    numbers = _floats(frame, call, value, form) if is_float else _decimals(value, form)
    shapes, rows = numbers.shapes(form)
    layouts = [_layout(form, numbers, int(row)) for row in rows]
    sizes = np.array([len(layout) for layout in layouts], np.int64)[shapes]
    edges = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    found = np.empty(int(edges[-1]), np.uint8)
    order = np.argsort(shapes, kind="stable")
    ends = np.cumsum(np.bincount(shapes, minlength=len(layouts)))
    start = 0
    for layout, end in zip(layouts, ends.tolist(), strict=True):
        here, start = order[start:end], end
        places = np.array(layout, np.int64)
        _, spots = expand(edges[here], np.full(len(here), len(layout)))
        made = np.broadcast_to(places, (len(here), len(layout))).copy()
        digits = np.flatnonzero(places < 0)
        made[:, digits] = numbers.bytes[numbers.starts[here][:, None] + (-1 - places[digits])]
        found[spots] = made.reshape(-1)
    mask = None if value.valid is None else packed(value.valid)
    buffers = [mask, pa.py_buffer(edges.astype(np.int32)), pa.py_buffer(found)]
    return Vector.of_array(call.type, pa.Array.from_buffers(pa.string(), len(sizes), buffers, -1))


def _format_of(given: Vector) -> NumberFormat:
    assert given.literal is not None, "the format is a literal"
    return read_number_format(str(given.literal.value))


def _layout(form: NumberFormat, numbers: _Numbers, row: int) -> list[int]:
    text = numbers.text_of(row)
    before = form.before + form.shift
    behind, negative = int(numbers.behind[row]), bool(numbers.negative[row])
    if len(text.partition(".")[0]) <= before:
        return laid_out(form, text, negative=negative, behind=behind)
    hashes = "#" * before + "." + "#" * behind
    layout = laid_out(form, hashes, negative=negative, behind=behind)
    return [byte if byte >= 0 else ord(hashes[-1 - byte]) for byte in layout]


def _roman(value: Vector, form: NumberFormat) -> pa.Array:
    """From 1 to 3999; other numbers are marks alone."""
    array = pc.fill_null(value.array, 0)
    numbers = values_of(array.cast(pa.decimal128(38, 0)).cast(pa.int64(), safe=False))
    inside = np.where((numbers >= 1) & (numbers <= _ROMAN_MAX), numbers, 0)
    upper = any(place.text == "RN" for place in form.places)
    names = ["#" * _ROMAN_WIDTH, *map(roman, range(1, _ROMAN_MAX + 1))]
    known = np.unique(inside)
    shown = [names[n] if upper else names[n].lower() for n in known.tolist()]
    if not form.fills:
        shown = [name.rjust(_ROMAN_WIDTH) for name in shown]
    place = np.searchsorted(known, inside)
    return pa.array(shown, pa.string()).take(array_of(place, pa.int64(), value.valid))


def roman(number: int) -> str:
    found = []
    for value, name in (
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"),
        (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"),
    ):  # fmt: skip
        count, number = divmod(number, value)
        found.append(name * count)
    return "".join(found)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "number_text": _text,
}
