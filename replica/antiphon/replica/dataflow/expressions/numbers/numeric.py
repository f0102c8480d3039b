"""Rounding, roots, powers and logarithms."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.expression import Call
from antiphon.protocol.schema import FLOAT64, TypeKind
from antiphon.replica.dataflow.expressions.casting import casts
from antiphon.replica.dataflow.expressions.frame import Frame, fail_valid
from antiphon.replica.dataflow.expressions.numbers import decimals, float_decimals
from antiphon.replica.dataflow.expressions.numbers.arithmetic import check_overflow
from antiphon.replica.dataflow.expressions.vector import Mask, Values, Vector, both_valid

INVALID_POWER: Final = "invalid_argument_for_power_function"
INVALID_LOGARITHM: Final = "invalid_argument_for_logarithm"


def _rounding(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """round, truncate (to digits), floor, ceil. Decimals round half away from zero, floats half to
    even; integers stay."""
    value = arguments[0]
    if value.type.is_integer and len(arguments) == 1:
        return _as(frame, call, value)
    if value.type.is_float:
        assert len(arguments) == 1, "floats round to whole numbers"
        kernel = {"round": np.rint, "truncate": np.trunc, "floor": np.floor, "ceil": np.ceil}
        found = kernel[call.function](value.values)
        return _as(frame, call, Vector.of_values(value.type, found, value.valid))
    digits = arguments[1].literal.value if len(arguments) > 1 and arguments[1].literal else 0
    if digits is None:
        return Vector.of_literal(call.type, None, frame.count)
    assert isinstance(digits, int), "the number of digits is a literal"
    exact = decimals.widened(_decimal(value), decimals.WIDE_DIGITS_MAX)
    if digits < exact.type.scale:
        exact = _at_digits(call.function, exact, digits)
    return decimals.fit(frame, call.function, exact, call.type)


def _at_digits(function: str, exact: pa.Array, digits: int) -> pa.Array:
    if digits < -decimals.WIDE_DIGITS_MAX // 2:
        return _zeros(exact)
    mode = {
        "round": decimals.ROUNDING,
        "truncate": "towards_zero",
        "floor": "down",
        "ceil": "up",
    }[function]
    return pc.round(exact, digits, mode)


def _zeros(exact: pa.Array) -> pa.Array:
    zero = pa.scalar(Decimal(0), exact.type)
    return pc.if_else(exact.is_valid(), zero, pa.scalar(None, exact.type))


def _decimal(value: Vector) -> pa.Array:
    if value.type.is_integer:
        return value.array.cast(pa.int64()).cast(pa.decimal128(19, 0))
    return value.array


def _sign(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    value = arguments[0]
    if value.type.kind is TypeKind.DECIMAL:
        signs = pc.sign(value.array).cast(pa.decimal128(19, 0))
        return decimals.fit(frame, "sign", signs, call.type)
    # NaN has no sign: zero, as PostgreSQL says.
    signs = np.nan_to_num(np.sign(value.values)).astype(value.values.dtype)
    return _as(frame, call, Vector.of_values(value.type, signs, value.valid))


def _as(frame: Frame, call: Call, value: Vector) -> Vector:
    if value.type == call.type:
        return value
    return casts.rule_for(value.type, call.type)(frame, value, call.type)


Refusal = tuple[str, str, Callable[..., Mask]]  # code, message, where


def real(
    kernel: Callable[..., Values], *refusals: Refusal, may_be_infinite: bool = False
) -> Callable[..., Vector]:
    """A function of double precision; decimals and integers go through it too. An infinity made of
    finite values is an error, unless it is the result of that."""

    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        valid = both_valid(*arguments)
        operands = [_double(argument) for argument in arguments]
        with np.errstate(all="ignore"):
            for code, message, where in refusals:
                fail_valid(frame, call, where(*operands), valid, code, message)
            result = kernel(*operands)
        if not may_be_infinite:
            check_overflow(frame, call, result, operands, valid)
        found = Vector.of_values(FLOAT64, result, valid)
        if call.type == FLOAT64:
            return found
        if not call.type.is_float:  # where it failed anyway
            finite = np.where(np.isfinite(result), result, 0.0)
            found = Vector.of_values(FLOAT64, finite, valid)
        return casts.rule_for(FLOAT64, call.type)(frame, found, call.type)

    return function


def _double(vector: Vector) -> np.ndarray[Any, np.dtype[np.float64]]:
    if vector.type.kind is TypeKind.DECIMAL:
        return Vector.of_array(FLOAT64, float_decimals.nearest(vector.array, FLOAT64)).values
    return vector.values.astype(np.float64)


def _whole(values: Values) -> Mask:
    whole: Mask = np.trunc(values) == values
    return whole


_POWER_REFUSALS: Final = (
    (
        INVALID_POWER,
        "zero raised to a negative power is undefined",
        lambda base, exponent: (base == 0) & (exponent < 0),
    ),
    (
        INVALID_POWER,
        "a negative number raised to a non-integer power yields a complex result",
        lambda base, exponent: (base < 0) & np.isfinite(exponent) & ~_whole(exponent),
    ),
)


def logarithm(kernel: Callable[[Values], Values]) -> Callable[..., Vector]:
    return real(
        kernel,
        (INVALID_LOGARITHM, "cannot take logarithm of zero", lambda x: x == 0),
        (INVALID_LOGARITHM, "cannot take logarithm of a negative number", lambda x: x < 0),
    )


INFINITE: Final = ("numeric_value_out_of_range", "input is out of range", np.isinf)
OUTSIDE: Final = (
    "numeric_value_out_of_range",
    "input is out of range",
    lambda x: np.abs(x) > 1,
)

FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "round": _rounding,
    "truncate": _rounding,
    "floor": _rounding,
    "ceil": _rounding,
    "sign": _sign,
    "sqrt": real(
        np.sqrt,
        (INVALID_POWER, "cannot take square root of a negative number", lambda x: x < 0),
    ),
    "power": real(np.power, *_POWER_REFUSALS),
    "cbrt": real(np.cbrt),
    "exp": real(np.exp),
    "sin": real(np.sin, INFINITE),
    "cos": real(np.cos, INFINITE),
    "tan": real(np.tan, INFINITE),
    "asin": real(np.arcsin, OUTSIDE),
    "acos": real(np.arccos, OUTSIDE),
    "atan": real(np.arctan),
    "atan2": real(np.arctan2),
    "ln": logarithm(np.log),
    "log10": logarithm(np.log10),
}
