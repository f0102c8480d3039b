"""Decimal arithmetic: exact in 256 bits, then rounded half away from zero to the result."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.expression import Call
from antiphon.protocol.schema import DECIMAL_PRECISION_MAX, Type
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, fail_zero
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

WIDE_DIGITS_MAX: Final = 76
ROUNDING: Final = "half_towards_infinity"  # away from zero


def arithmetic(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """Raises for no row; a result that its type does not hold is an error of the row."""
    match call.function:
        case "negate":
            result = pc.negate_checked(arguments[0].array)
        case "abs":
            result = pc.abs_checked(arguments[0].array)
        case "divide" | "modulo" | "quotient":
            return _division(frame, call, arguments)
        case "add" | "subtract":
            left, right = (widened(a.array, DECIMAL_PRECISION_MAX) for a in arguments)
            result = (pc.add if call.function == "add" else pc.subtract)(left, right)
        case "multiply":
            return _product(frame, call, arguments[0].array, arguments[1].array)
        case _:
            raise AssertionError(f"no decimal arithmetic: {call.function}")
    return fit(frame, call.function, result, call.type)


def fit(frame: Frame, function: str, array: pa.Array, kind: Type) -> Vector:
    """Round to the type's scale; what exceeds its precision is an error of the row."""
    target = pa.decimal128(kind.precision, kind.scale)
    if array.type == target:
        return Vector.of_array(kind, array)
    scale = array.type.scale
    if scale > kind.scale:
        array = pc.round(widened(array, WIDE_DIGITS_MAX), kind.scale, ROUNDING)
    whole_digits = kind.precision - kind.scale
    if array.type.precision - scale >= whole_digits:
        bound = pa.scalar(Decimal(10) ** whole_digits, pa.decimal256(whole_digits + 1, 0))
        array = _without(frame, function, array, pc.greater_equal(pc.abs(array), bound), kind)
    return Vector.of_array(kind, array.cast(target))


def widened(array: pa.Array, precision: int) -> pa.Array:
    """The same values in 256 bits, with at least this precision."""
    kind = array.type
    precision = min(WIDE_DIGITS_MAX, max(precision, kind.precision))
    return array.cast(pa.decimal256(precision, kind.scale))


def digits_of(array: pa.Array) -> int:
    """An upper bound, at least 1, of the digits of the largest coefficient of a decimal128."""
    raw = np.frombuffer(array.buffers()[1], "<i8", 2 * len(array), 16 * array.offset)
    if len(raw) == 0 or array.null_count == len(array):
        return 1
    high = np.abs(raw[1::2].astype(np.float64))
    low = np.abs(raw[0::2].astype(np.float64))
    small = raw[1::2] == (raw[0::2] >> 63)
    size = np.where(small, low, (high + 1) * 2.0**64)
    if array.null_count:
        size = np.where(values_of(array.is_valid()), size, 0)
    return int(min(array.type.precision, max(1, int(np.log10(size.max() + 1)) + 1)))


def _trimmed(array: pa.Array) -> pa.Array:
    """In 256 bits with no more precision than the values need: room for the product's digits."""
    return array.cast(pa.decimal256(max(digits_of(array), 1), array.type.scale))


def _product(frame: Frame, call: Call, left: pa.Array, right: pa.Array) -> Vector:
    """Operands that are short together, as nearly always, in 256 bits; others row by row: whether a
    row's product fits must not depend on what stands in other rows."""
    scale = left.type.scale + right.type.scale
    first, second = _trimmed(left), _trimmed(right)
    if first.type.precision + second.type.precision < WIDE_DIGITS_MAX:
        return fit(frame, call.function, pc.multiply(first, second), call.type)
    surplus = 10 ** max(scale - call.type.scale, 0)

    def rounded(a: int, b: int) -> int:
        size: int = (2 * abs(a * b) + surplus) // (2 * surplus)  # half away from zero
        return size if (a < 0) == (b < 0) else -size

    found = _by_row(left, right, rounded)
    return fit(frame, call.function, scaled(found, min(scale, call.type.scale)), call.type)


def _without(frame: Frame, function: str, array: pa.Array, rows: pa.Array, kind: Type) -> pa.Array:
    """Null where `rows` is true; those rows fail."""
    if not pc.any(rows).as_py():
        return array
    rows = pc.fill_null(rows, False)
    frame.fail(values_of(rows), OUT_OF_RANGE, f"{kind} out of range", function)
    return pc.if_else(rows, pa.scalar(None, array.type), array)


def _division(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    left, right = (a.array for a in arguments)
    valid = both_valid(*arguments)
    zero = coefficients_zero(right)
    if zero.any():
        fail_zero(frame, call, zero, valid)
        right = pc.if_else(array_of(zero, pa.bool_()), pa.scalar(None, right.type), right)
    if call.function == "modulo":
        return _modulo(frame, call, left, right)
    if call.function == "quotient":
        return _quotient(frame, call, left, right)
    # One digit more than the result keeps: cutting there and rounding then is rounding once.
    scale = call.type.scale + 1
    divisor = _trimmed(right)
    digits = divisor.type.precision
    # Arrow cuts a quotient at max(4, s1 + p2 - s2 + 1) digits after the point.
    added = digits - divisor.type.scale + 1
    dividend_scale = max(left.type.scale, scale - added)
    grown = dividend_scale - left.type.scale
    precision = min(WIDE_DIGITS_MAX, digits_of(left) + grown)
    wide = left.cast(pa.decimal256(WIDE_DIGITS_MAX, left.type.scale))
    wide = wide.cast(pa.decimal256(WIDE_DIGITS_MAX, dividend_scale))
    quotient_scale = max(4, dividend_scale + added)
    room = precision - dividend_scale + divisor.type.scale + quotient_scale
    if room > WIDE_DIGITS_MAX:
        return _long_division(frame, call, left, right)
    quotient = pc.divide(wide.cast(pa.decimal256(precision, dividend_scale)), divisor)
    return fit(frame, call.function, quotient, call.type)


def _modulo(frame: Frame, call: Call, left: pa.Array, right: pa.Array) -> Vector:
    """The dividend's sign, as PostgreSQL has it. Operands of one scale: a rest of coefficients."""
    assert left.type.scale == right.type.scale, "arguments have one type"
    scale = left.type.scale
    top, bottom = _trimmed(_whole(left)), _trimmed(_whole(right))
    if top.type.precision + bottom.type.precision + 1 > WIDE_DIGITS_MAX - 1:
        rest = _by_row(left, right, lambda a, b: (abs(a) % abs(b)) * (-1 if a < 0 else 1))
        return fit(frame, call.function, scaled(rest, scale), call.type)
    quotient = pc.trunc(pc.divide(top, bottom))
    quotient = quotient.cast(pa.decimal256(top.type.precision, 0))
    product = pc.multiply(quotient, bottom).cast(pa.decimal256(WIDE_DIGITS_MAX - 1, 0))
    rest = pc.subtract(top, product).cast(pa.decimal256(WIDE_DIGITS_MAX, 0))
    return fit(frame, call.function, scaled(rest, scale), call.type)


def _quotient(frame: Frame, call: Call, left: pa.Array, right: pa.Array) -> Vector:
    """Cut to a whole number. Operands of one scale: a quotient of coefficients."""
    assert left.type.scale == right.type.scale, "arguments have one type"
    top, bottom = _trimmed(_whole(left)), _trimmed(_whole(right))
    if top.type.precision + bottom.type.precision + 1 > WIDE_DIGITS_MAX - 1:
        found = _by_row(
            left, right, lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        )
    else:
        found = pc.trunc(pc.divide(top, bottom)).cast(pa.decimal256(top.type.precision, 0))
    return fit(frame, call.function, found, call.type)


def _long_division(frame: Frame, call: Call, left: pa.Array, right: pa.Array) -> Vector:
    scale = call.type.scale
    places = scale + right.type.scale - left.type.scale

    def quotient(a: int, b: int) -> int:
        top, bottom = abs(a) * 10 ** max(places, 0), abs(b) * 10 ** max(-places, 0)
        size: int = (2 * top + bottom) // (2 * bottom)  # half away from zero
        return size if (a < 0) == (b < 0) else -size

    found = _by_row(left, right, quotient)
    return fit(frame, call.function, scaled(found, scale), call.type)


def _by_row(left: pa.Array, right: pa.Array, function: Callable[[int, int], int]) -> pa.Array:
    """Row by row, in Python: Arrow has no decimal of the 77 digits and more that this needs, and
    values that long are too rare for kernels of our own. Coefficients, capped at 76 digits."""
    cap = 10**WIDE_DIGITS_MAX - 1
    rows = zip(_whole(left).to_pylist(), _whole(right).to_pylist(), strict=True)
    found = [
        None if a is None or b is None else max(-cap, min(cap, function(int(a), int(b))))
        for a, b in rows
    ]
    return pa.array(
        [None if value is None else Decimal(value) for value in found],
        pa.decimal256(WIDE_DIGITS_MAX, 0),
    )


def _whole(array: pa.Array) -> pa.Array:
    """The coefficients of a decimal128: the same words with scale 0."""
    return scaled(array, 0)


def scaled(array: pa.Array, scale: int) -> pa.Array:
    """The same words read with another scale."""
    make = pa.decimal128 if pa.types.is_decimal128(array.type) else pa.decimal256
    kind = make(array.type.precision, scale)
    return pa.Array.from_buffers(kind, len(array), array.buffers(), offset=array.offset)


def of_integers(
    values: npt.NDArray[np.int64], scale: int, valid: npt.NDArray[np.bool_] | None
) -> pa.Array:
    """values / 10^scale."""
    whole = array_of(np.ascontiguousarray(values), pa.int64(), valid).cast(pa.decimal128(19, 0))
    return scaled(whole, scale)


def coefficients_zero(array: pa.Array) -> Mask:
    """Where a decimal128 is zero; anything where it is null."""
    raw = np.frombuffer(array.buffers()[1], "<i8", 2 * len(array), 16 * array.offset)
    zero: npt.NDArray[np.bool_] = (raw[0::2] == 0) & (raw[1::2] == 0)
    return zero


def parse(frame: Frame, text: pa.Array, kind: Type) -> Vector:
    """Well-formed decimal text; what does not fit the type is an error of the row."""
    parts = pc.extract_regex(
        text, r"^(?P<sign>-?)(?P<whole>[0-9]*)\.?(?P<part>[0-9]*)(?:[eE](?P<power>[+-]?[0-9]+))?$"
    )
    present = text.is_valid()
    power = pc.replace_substring_regex(_field(parts, "power", present), r"^\+", "")
    power = values_of(pc.if_else(pc.equal(power, ""), "0", power).cast(pa.int64()))
    digits = pc.binary_join_element_wise(
        _field(parts, "whole", present), _field(parts, "part", present), ""
    )
    # The value is digits * 10 ** exponent. Zeros go to and fro until the exponent is -(scale + 1):
    # one digit more than is kept decides the rounding.
    exponent = power - values_of(pc.utf8_length(_field(parts, "part", present)))
    kept = kind.scale + 1
    shift = exponent + kept
    grown = np.clip(shift, 0, WIDE_DIGITS_MAX + 1)
    cut = np.clip(-shift, 0, None)
    padding = pc.binary_repeat(pa.repeat(pa.scalar("0"), len(text)), array_of(grown, pa.int64()))
    digits = pc.binary_join_element_wise(digits, padding, "")
    length = values_of(pc.utf8_length(digits)).astype(np.int64)
    if cut.any():
        digits = _cut(digits, np.maximum(length - cut, 0))
    digits = pc.utf8_ltrim(digits, "0")
    long = values_of(pc.greater(pc.utf8_length(digits), WIDE_DIGITS_MAX - 1))
    frame.fail(long, OUT_OF_RANGE, f"{kind} out of range", "cast")
    digits = pc.if_else(array_of(long, pa.bool_()), "0", digits)
    digits = pc.if_else(pc.equal(digits, ""), "0", digits)
    signed = pc.binary_join_element_wise(_field(parts, "sign", present), digits, "")
    signed = pc.if_else(present, signed, pa.scalar(None, pa.string()))
    whole = signed.cast(pa.decimal256(WIDE_DIGITS_MAX, 0))
    return fit(frame, "cast", scaled(whole, kept), kind)


def _field(parts: pa.Array, name: str, present: pa.Array) -> pa.Array:
    return pc.fill_null(pc.if_else(present, parts.field(name), ""), "")


def _cut(text: pa.Array, lengths: npt.NDArray[np.int64]) -> pa.Array:
    """The first `lengths` bytes of each value, all ASCII."""
    result = text
    for length in np.unique(lengths).tolist():
        rows = array_of(lengths == length, pa.bool_())
        result = pc.if_else(rows, pc.utf8_slice_codeunits(text, 0, length), result)
    return result
