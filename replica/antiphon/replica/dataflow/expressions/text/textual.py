"""Functions of text. Positions count characters from 1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, fixed_width, offsets_of, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import BOOLEAN, TEXT, TypeKind, arrow_type
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.text.md5 import md5_hex
from antiphon.replica.dataflow.expressions.text.text_slices import Characters
from antiphon.replica.dataflow.expressions.vector import Mask, Values, Vector, both_valid

_TEXT_BYTES_MAX: Final = 1 << 20  # of one value that repeat or a pad makes
_OPEN_ESCAPE: Final = r"(?s)(?:\A|[^\\])(?:\\\\)*\\\z"
_NOTHING_ESCAPED: Final = (
    "invalid_escape_sequence", "LIKE pattern must not end with escape character"
)  # fmt: skip
_TOO_LONG: Final = ("program_limit_exceeded", "requested length too large")


def _text(array: pa.Array, call: Call) -> Vector:
    return Vector.of_array(call.type, array)


def _whole(vector: Vector) -> Values:
    return vector.values.astype(np.int64)


def _nulled(call: Call, array: pa.Array, valid: Mask | None) -> Vector:
    """The text, null where an argument is."""
    if valid is None:
        return _text(array, call)
    return _text(pc.if_else(array_of(valid, pa.bool_()), array, pa.scalar(None, array.type)), call)


def _concat(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    nothing = pa.scalar("" if call.type == TEXT else b"", arrow_type(call.type))
    return _text(pc.binary_join_element_wise(*(a.array for a in arguments), nothing), call)


def _simple(kernel: Callable[[pa.Array], pa.Array]) -> Callable[..., Vector]:
    return lambda frame, call, arguments: _text(kernel(arguments[0].array), call)


def _length(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    value = arguments[0]
    measure = pc.binary_length if value.type.kind is TypeKind.BYTEA else pc.utf8_length
    return Vector.of_array(call.type, measure(value.array).cast(arrow_type(call.type)))


def _octet_length(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    sizes = pc.binary_length(arguments[0].array)
    return Vector.of_array(call.type, sizes.cast(arrow_type(call.type)))


def _ascii(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The first character's code point; 0 of the empty text."""
    first = pc.utf8_slice_codeunits(arguments[0].array, 0, 1).dictionary_encode()
    codes = [ord(text) if text else 0 for text in first.dictionary.to_pylist()]  # of each once
    found = pa.DictionaryArray.from_arrays(first.indices, pa.array(codes, arrow_type(call.type)))
    return Vector.of_array(call.type, found.dictionary_decode())


def _substring(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    value, start = arguments[0], _whole(arguments[1]) - 1
    valid = both_valid(*arguments)
    if len(arguments) == 2:
        ends = np.full(frame.count, np.iinfo(np.int64).max)
    else:
        size = _whole(arguments[2])
        message = "negative substring length not allowed"
        fail_valid(frame, call, size < 0, valid, "substring_error", message)
        ends = start + size  # a start before the text uses up length
    found = Characters(value.array).slice(start, ends)
    return _nulled(call, found, valid)


def _left(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The first n characters, or all but the last -n."""
    characters, size = Characters(arguments[0].array), _whole(arguments[1])
    ends = np.where(size < 0, characters.lengths + size, size)
    found = characters.slice(np.zeros(frame.count, np.int64), ends)
    return _nulled(call, found, both_valid(*arguments))


def _right(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The last n characters, or all but the first -n."""
    characters, size = Characters(arguments[0].array), _whole(arguments[1])
    starts = np.where(size < 0, -size, np.maximum(characters.lengths - size, 0))
    found = characters.slice(starts, characters.lengths)
    return _nulled(call, found, both_valid(*arguments))


def _fit(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The first n characters; blanks alone may be lost."""
    value, size = arguments[0].array, _whole(arguments[1])
    valid = both_valid(*arguments)
    characters = Characters(value)
    long = characters.lengths > size
    if not long.any():
        return Vector.of_array(call.type, value)
    shown = Characters(pc.utf8_rtrim(value, " ")).lengths
    message = f"value too long for type character varying({int(size[0])})"
    fail_valid(frame, call, shown > size, valid, "string_data_right_truncation", message)
    return _nulled(call, characters.slice(np.zeros(frame.count, np.int64), size), valid)


def _pad(*, left: bool) -> Callable[..., Vector]:
    def pad(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        """To n characters; what is longer is cut at its end."""
        value, size = arguments[0].array, _whole(arguments[1])
        valid = both_valid(*arguments)
        long = size > _TEXT_BYTES_MAX
        fail_valid(frame, call, long, valid, *_TOO_LONG)
        size = np.where(long, 0, np.maximum(size, 0))
        fill = arguments[2].array if len(arguments) > 2 else None
        if fill is None:
            fill = pa.repeat(pa.scalar(" "), frame.count)
        characters = Characters(value)
        missing = np.maximum(size - characters.lengths, 0)
        fill_length = Characters(fill).lengths
        copies = np.where(fill_length > 0, -(-missing // np.maximum(fill_length, 1)), 0)
        padding = Characters(pc.binary_repeat(fill, array_of(copies, pa.int64())))
        added = padding.slice(np.zeros(frame.count, np.int64), missing)
        kept = characters.slice(np.zeros(frame.count, np.int64), size)
        parts = (added, kept) if left else (kept, added)
        return _nulled(call, pc.binary_join_element_wise(*parts, ""), valid)

    return pad


def _repeat(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    value, copies = arguments[0].array, np.maximum(_whole(arguments[1]), 0)
    valid = both_valid(*arguments)
    sizes = np.diff(offsets_of(value)).astype(np.int64)
    long = np.minimum(copies, _TEXT_BYTES_MAX + 1) * sizes > _TEXT_BYTES_MAX
    fail_valid(frame, call, long, valid, *_TOO_LONG)
    copies = np.where(long | (sizes == 0), 0, copies)
    return _nulled(call, pc.binary_repeat(value, array_of(copies, pa.int64())), valid)


def _position(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(text, what is sought): the first place, 0 if there is none."""

    def find(text: pa.Array, sought: str) -> pa.Array:
        return pc.find_substring(text, sought)

    value = arguments[0].array
    found = by_constants(find, value, arguments[1:], pa.int32())
    bytes_ = values_of(found).astype(np.int64)
    valid = both_valid(*arguments)
    inside = bytes_ >= 0 if valid is None else (bytes_ >= 0) & valid
    places = Characters(value).position_of_byte(np.where(inside, bytes_, 0))
    result = np.where(inside, places + 1, 0)
    dtype = fixed_width(arrow_type(call.type))
    return Vector.of_values(call.type, result.astype(dtype), valid)


def _split_part(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The n-th part between delimiters, from the end for negative n; empty if there is none."""
    number = _whole(arguments[2])
    valid = both_valid(*arguments)
    message = "field position must not be zero"
    fail_valid(frame, call, number == 0, valid, "invalid_parameter_value", message)

    def split(text: pa.Array, delimiter: str) -> pa.Array:
        if delimiter == "":
            return pc.split_pattern(text, "\0")  # no text holds it: one part
        return pc.split_pattern(text, delimiter)

    value = arguments[0].array
    parts = by_constants(split, value, arguments[1:2], pa.list_(pa.string()))
    offsets = offsets_of(parts).astype(np.int64)
    counts = np.diff(offsets)
    index = np.where(number > 0, number - 1, counts + number)
    inside = (index >= 0) & (index < counts)
    place = np.where(inside, offsets[:-1] + index, 0)
    elements = parts.values
    if len(elements) == 0:
        return _nulled(call, pa.repeat(pa.scalar(""), frame.count), valid)
    chosen = elements.take(array_of(place, pa.int64()))
    chosen = pc.if_else(array_of(inside, pa.bool_()), chosen, "")
    return _nulled(call, chosen, valid)


def by_constants(
    kernel: Callable[..., pa.Array],
    text: pa.Array,
    parameters: Sequence[Vector],
    result: pa.DataType,
) -> pa.Array:
    """A kernel that takes its parameters once a call: one call for each combination that occurs.

    Literals, the common case, are one combination. Null where a parameter is null.
    """
    if all(p.literal is not None for p in parameters):
        values = [p.literal.value for p in parameters if p.literal is not None]
        if any(value is None for value in values):
            return pa.nulls(len(text), result)
        return kernel(text, *values).cast(result)
    encoded = [p.array.dictionary_encode() for p in parameters]
    combination = np.zeros(len(text), np.int64)
    known = np.ones(len(text), np.bool_)
    for part in encoded:
        codes = part.indices
        known &= values_of(codes.is_valid())
        combination = combination * (len(part.dictionary) + 1) + values_of(codes)
    rows = np.flatnonzero(known)
    distinct, of_row = np.unique(combination[rows], return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    ends = np.cumsum(np.bincount(of_row, minlength=len(distinct)))
    pieces, places, start = [], [], 0
    for end in ends.tolist():
        here = rows[order[start:end]]
        values = [p.array[int(here[0])].as_py() for p in parameters]
        pieces.append(kernel(text.take(array_of(here, pa.int64())), *values).cast(result))
        places.append(here)
        start = end
    if not pieces:
        return pa.nulls(len(text), result)
    place = np.zeros(len(text), np.int64)
    place[np.concatenate(places)] = np.arange(len(rows))
    return pa.concat_arrays(pieces).take(array_of(place, pa.int64(), known))


def _by_constants(
    kernel: Callable[..., pa.Array], defaults: tuple[str, ...] = ()
) -> Callable[..., Vector]:
    """A function whose first argument is the text and whose others are parameters."""

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        parameters = arguments[1:]
        missing = defaults[len(parameters) :]
        kind = call.arguments[0].type
        parameters += [Vector.of_literal(kind, default, frame.count) for default in missing]
        result = by_constants(kernel, arguments[0].array, parameters, arrow_type(call.type))
        return Vector.of_array(call.type, result)

    return function


def _like(*, fold: bool) -> Callable[..., Vector]:
    match = _by_constants(lambda text, pattern: pc.match_like(text, pattern, ignore_case=fold))

    def like(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        """A pattern that is a literal was looked at when the query was planned."""
        if arguments[1].literal is None:
            open_ = pc.fill_null(pc.match_substring_regex(arguments[1].array, _OPEN_ESCAPE), False)
            valid = both_valid(*arguments)
            fail_valid(frame, call, values_of(open_), valid, *_NOTHING_ESCAPED)
        return match(frame, call, arguments)

    return like


def _regexp_match(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Whether the pattern matches somewhere; a pattern that is none fails."""
    assert call.type == BOOLEAN, "regexp_match is a test"
    patterns = checked_patterns(frame, call, arguments)

    def match(text: pa.Array, pattern: str, flags: str) -> pa.Array:
        return pc.match_substring_regex(text, pattern, ignore_case="i" in flags)

    flags = arguments[2:] or [Vector.of_literal(call.arguments[0].type, "", frame.count)]
    found = by_constants(match, arguments[0].array, [patterns, *flags], pa.bool_())
    return Vector.of_array(call.type, found)


def checked_patterns(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The patterns; those that do not compile fail their rows and become null."""
    patterns = arguments[1]
    bad = [p.as_py() for p in patterns.array.unique() if p.is_valid and not _compiles(p.as_py())]
    if not bad:
        return patterns
    wrong = values_of(pc.is_in(patterns.array, pa.array(bad, pa.string())))
    message = "invalid regular expression"
    fail_valid(frame, call, wrong, both_valid(*arguments), "invalid_regular_expression", message)
    kept = pc.if_else(array_of(wrong, pa.bool_()), pa.scalar(None, pa.string()), patterns.array)
    return Vector.of_array(patterns.type, kept)


def _compiles(pattern: str) -> bool:
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:
        return False
    return True


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "concat": _concat,
    "lower": _simple(pc.utf8_lower),
    "upper": _simple(pc.utf8_upper),
    "reverse": _simple(pc.utf8_reverse),
    "md5": _simple(md5_hex),
    "length": _length,
    "octet_length": _octet_length,
    "ascii": _ascii,
    "substring": _substring,
    "left": _left,
    "right": _right,
    "lpad": _pad(left=True),
    "rpad": _pad(left=False),
    "repeat": _repeat,
    "fit_text": _fit,
    "normalize": _by_constants(pc.utf8_normalize),
    "position": _position,
    "split_part": _split_part,
    "trim": _by_constants(pc.utf8_trim, (" ",)),
    "ltrim": _by_constants(pc.utf8_ltrim, (" ",)),
    "rtrim": _by_constants(pc.utf8_rtrim, (" ",)),
    "replace": _by_constants(
        lambda text, old, new: text if old == "" else pc.replace_substring(text, old, new)
    ),
    "starts_with": _by_constants(pc.starts_with),
    "ends_with": _by_constants(pc.ends_with),
    "contains": _by_constants(pc.match_substring),
    "like": _like(fold=False),
    "ilike": _like(fold=True),
    "regexp_match": _regexp_match,
}
