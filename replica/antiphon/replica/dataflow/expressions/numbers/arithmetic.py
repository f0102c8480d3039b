"""Arithmetic on integers and floats; decimals and times have modules of their own.

Integers never wrap and floats never silently become infinite: both are errors of the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from antiphon.protocol.expression import Call
from antiphon.protocol.schema import TypeKind
from antiphon.replica.dataflow.expressions.frame import (
    OUT_OF_RANGE,
    Frame,
    everywhere,
    fail_valid,
    fail_zero,
    out_of_range,
)
from antiphon.replica.dataflow.expressions.numbers import decimals
from antiphon.replica.dataflow.expressions.times import temporal
from antiphon.replica.dataflow.expressions.vector import Mask, Values, Vector, both_valid

_TEMPORAL: Final = (TypeKind.DATE, TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ, TypeKind.INTERVAL)
INTEGER_TYPES: Final[dict[TypeKind, np.dtype[np.signedinteger[Any]]]] = {
    TypeKind.INT16: np.dtype(np.int16),
    TypeKind.INT32: np.dtype(np.int32),
    TypeKind.INT64: np.dtype(np.int64),
}
_RISKY_PRODUCT: Final = float(2**62)


def arithmetic(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """add, subtract, multiply, divide, modulo, quotient (of decimals), negate, abs."""
    if any(a.type.kind in _TEMPORAL for a in arguments):
        return temporal.arithmetic(frame, call, arguments)
    if call.type.kind is TypeKind.DECIMAL:
        return decimals.arithmetic(frame, call, arguments)
    if call.type.is_float:
        return _floats(frame, call, arguments)
    return _integers(frame, call, arguments)


def _integers(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    valid = both_valid(*arguments)
    dtype = INTEGER_TYPES[call.type.kind]
    operands = [a.values.astype(np.int64, copy=False) for a in arguments]
    if call.function in ("divide", "modulo"):
        zero = operands[1] == 0
        if zero.any():
            fail_zero(frame, call, zero, valid)
            operands[1] = np.where(zero, 1, operands[1])
    result, wrong = _INTEGERS[call.function](*operands)
    narrow = result.astype(dtype, copy=False)
    if dtype.itemsize < 8:
        wrong = wrong | (narrow != result) if wrong is not None else narrow != result
    if wrong is not None:
        fail_valid(frame, call, wrong, valid, OUT_OF_RANGE, out_of_range(call.type))
    return Vector.of_values(call.type, narrow, valid)


def _add(a: Values, b: Values) -> tuple[Values, Mask | None]:
    total = a + b
    return total, ((a ^ total) & (b ^ total)) < 0


def _subtract(a: Values, b: Values) -> tuple[Values, Mask | None]:
    rest = a - b
    return rest, ((a ^ b) & (a ^ rest)) < 0


def multiplied(a: Values, b: Values) -> tuple[Values, Mask | None]:
    product = a * b
    risky = np.abs(a.astype(np.float64) * b) >= _RISKY_PRODUCT
    if not risky.any():
        return product, None
    some = risky & (b != 0)
    divisor = np.where(some, b, 1)
    # The least integer divided by -1 wraps to itself, and would look right.
    wraps = (b == -1) & (a == np.iinfo(np.int64).min)
    divisor = np.where(divisor == -1, 1, divisor)
    exact = np.where(b == -1, product == -a, product // divisor == a)
    exact &= np.where(b == -1, True, product % divisor == 0)
    return product, some & (~exact | wraps)


def _divide(a: Values, b: Values) -> tuple[Values, Mask | None]:
    wrong = (b == -1) & (a == np.iinfo(np.int64).min)
    divisor = np.where(wrong, 1, b)
    quotient = a // divisor
    quotient += ((a % divisor) != 0) & ((a < 0) != (divisor < 0))  # numpy rounds down
    return quotient, wrong


def _modulo(a: Values, b: Values) -> tuple[Values, Mask | None]:
    return np.fmod(a, np.where(b == -1, 1, b)), None


def _negate(a: Values) -> tuple[Values, Mask | None]:
    return -a, a == np.iinfo(np.int64).min


def _abs(a: Values) -> tuple[Values, Mask | None]:
    return np.abs(a), a == np.iinfo(np.int64).min


_INTEGERS: Final[dict[str, Callable[..., tuple[Values, Mask | None]]]] = {
    "add": _add, "subtract": _subtract, "multiply": multiplied, "divide": _divide,
    "modulo": _modulo, "negate": _negate, "abs": _abs,
}  # fmt: skip

_FLOATS: Final[dict[str, Callable[..., Values]]] = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide,
    "modulo": np.fmod, "negate": np.negative, "abs": np.abs,
}  # fmt: skip


def _floats(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    valid = both_valid(*arguments)
    operands = [a.values for a in arguments]
    if call.function in ("divide", "modulo"):
        fail_zero(frame, call, operands[1] == 0, valid)
    with np.errstate(all="ignore"):
        result = _FLOATS[call.function](*operands)
    check_overflow(frame, call, result, operands, valid)
    return Vector.of_values(call.type, result, valid)


def check_overflow(
    frame: Frame, call: Call, result: Values, operands: list[Values], valid: Mask | None
) -> None:
    """An infinity made of finite operands is an error."""
    infinite = np.isinf(result)
    if not infinite.any():
        return
    finite = everywhere(len(result))
    for operand in operands:
        finite &= np.isfinite(operand)
    fail_valid(frame, call, infinite & finite, valid, OUT_OF_RANGE, "value out of range: overflow")


FUNCTIONS: Final = {
    name: arithmetic
    for name in ("add", "subtract", "multiply", "divide", "modulo", "quotient", "negate", "abs")
}
