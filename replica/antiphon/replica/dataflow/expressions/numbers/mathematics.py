"""Functions of numbers beyond roots and powers: hyperbolic ones, angles in degrees, divisors,
factorials, buckets, bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.expressions.frame import (
    OUT_OF_RANGE,
    Frame,
    fail_valid,
    out_of_range,
)
from antiphon.replica.dataflow.expressions.numbers.arithmetic import INTEGER_TYPES, multiplied
from antiphon.replica.dataflow.expressions.numbers.numeric import INFINITE, OUTSIDE, logarithm, real
from antiphon.replica.dataflow.expressions.vector import Values, Vector, both_valid

Floats = npt.NDArray[np.float64]
_DEGREE: Final = math.pi / 180
_FACTORIALS: Final = [Decimal(math.factorial(n)) for n in range(34)]  # more have over 38 digits
_BUCKET: Final = "invalid_argument_for_width_bucket_function"


def _small_sine(degrees: Floats) -> Floats:
    """From 0 to 30 degrees, and exactly a half there."""
    found: Floats = np.sin(degrees * _DEGREE) / math.sin(30 * _DEGREE) / 2
    return found


def _small_cosine(degrees: Floats) -> Floats:
    """From 0 to 60 degrees, and exactly a half there."""
    found: Floats = 1 - (1 - np.cos(degrees * _DEGREE)) / (1 - math.cos(60 * _DEGREE)) / 2
    return found


def _first_sine(degrees: Floats) -> Floats:
    return np.where(degrees <= 30, _small_sine(degrees), _small_cosine(90 - degrees))


def _first_cosine(degrees: Floats) -> Floats:
    return np.where(degrees <= 60, _small_cosine(degrees), _small_sine(90 - degrees))


def _quadrant(degrees: Floats) -> tuple[Floats, Floats, Floats]:
    """(the angle brought to 0..90, the sign of its sine, the sign of its cosine)."""
    turned = np.fmod(degrees, 360.0)
    sine = np.where(turned < 0, -1.0, 1.0)
    turned = np.abs(turned)
    sine = np.where(turned > 180, -sine, sine)
    turned = np.where(turned > 180, 360 - turned, turned)
    cosine = np.where(turned > 90, -1.0, 1.0)
    return np.where(turned > 90, 180 - turned, turned), sine, cosine


def _sind(degrees: Floats) -> Floats:
    angle, sign, _ = _quadrant(degrees)
    return sign * _first_sine(angle)


def _cosd(degrees: Floats) -> Floats:
    angle, _, sign = _quadrant(degrees)
    return sign * _first_cosine(angle)


def _tand(degrees: Floats) -> Floats:
    angle, sine, cosine = _quadrant(degrees)
    found = sine * cosine * (_first_sine(angle) / _first_cosine(angle)) / _TAN_45
    return found + 0.0  # never -0


def _cotd(degrees: Floats) -> Floats:
    angle, sine, cosine = _quadrant(degrees)
    found = sine * cosine * (_first_cosine(angle) / _first_sine(angle)) / _TAN_45
    return found + 0.0


def _asind(sine: Floats) -> Floats:
    """Exact at halves: the arc is measured in that of a half, from the end that is near."""
    size = np.abs(sine)
    near = np.arcsin(size) / math.asin(0.5) * 30
    far = 90 - np.arccos(size) / math.acos(0.5) * 60
    return np.copysign(np.where(size <= 0.5, near, far), sine)


def _acosd(cosine: Floats) -> Floats:
    size = np.abs(cosine)
    near = 90 - np.arcsin(size) / math.asin(0.5) * 30
    far = np.arccos(size) / math.acos(0.5) * 60
    found = np.where(size <= 0.5, near, far)
    return np.where(cosine < 0, 180 - found, found)


def _atand(tangent: Floats) -> Floats:
    found: Floats = np.arctan(tangent) / math.atan(1) * 45
    return found


def _atan2d(y: Floats, x: Floats) -> Floats:
    found: Floats = np.arctan2(y, x) / math.atan2(1, 1) * 45
    return found


_TAN_45: Final = float((_first_sine(np.array([45.0])) / _first_cosine(np.array([45.0])))[0])


def _whole(argument: Vector) -> npt.NDArray[np.int64]:
    return argument.values.astype(np.int64)


def _narrow(frame: Frame, call: Call, values: Values, wrong: Values, valid: Any) -> Vector:
    dtype = INTEGER_TYPES[call.type.kind]
    narrow = values.astype(dtype)
    fail_valid(
        frame, call, wrong | (narrow != values), valid, OUT_OF_RANGE, out_of_range(call.type)
    )
    return Vector.of_values(call.type, narrow, valid)


def _gcd(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    found = np.gcd(*(_whole(argument) for argument in arguments))
    return _narrow(frame, call, found, found < 0, both_valid(*arguments))


def _lcm(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    first, second = (_whole(argument) for argument in arguments)
    divisor = np.gcd(first, second)
    divisor = np.where(divisor == 0, 1, divisor)
    product, wrong = multiplied(first // divisor, second)
    found = np.abs(product)
    bad = found < 0
    return _narrow(
        frame, call, found, bad if wrong is None else bad | wrong, both_valid(*arguments)
    )


def _factorial(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    number, valid = _whole(arguments[0]), arguments[0].valid
    message = "factorial of a negative number is undefined"
    fail_valid(frame, call, number < 0, valid, OUT_OF_RANGE, message)
    most = len(_FACTORIALS) - 1
    fail_valid(frame, call, number > most, valid, OUT_OF_RANGE, out_of_range(call.type))
    place = array_of(np.clip(number, 0, most), pa.int64(), valid)
    return Vector.of_array(call.type, pa.array(_FACTORIALS, pa.decimal128(38, 0)).take(place))


def _bit_count(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    values = arguments[0].values
    bits = np.bitwise_count(values.view(f"u{values.dtype.itemsize}"))
    return Vector.of_values(call.type, bits.astype(np.int32), arguments[0].valid)


def _width_bucket(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """(value, bound, other bound, how many buckets): 0 is before all, count + 1 after."""
    value, first, last = (argument.values for argument in arguments[:3])
    count, valid = _whole(arguments[3]), both_valid(*arguments)
    for wrong, message in (
        (count <= 0, "count must be greater than zero"),
        (np.isnan(value) | np.isnan(first) | np.isnan(last), "operands cannot be NaN"),
        (np.isinf(first) | np.isinf(last), "bounds must be finite"),
        (first == last, "lower bound cannot equal upper bound"),
    ):
        fail_valid(frame, call, wrong, valid, _BUCKET, message)
    down = first > last
    with np.errstate(all="ignore"):
        part = np.where(down, first - value, value - first) / np.abs(last - first)
        inside = np.minimum(np.trunc(count * np.nan_to_num(part)), count - 1) + 1
    before = np.where(down, value > first, value < first)
    after = np.where(down, value <= last, value >= last)
    found = np.where(before, 0, np.where(after, count + 1, inside)).astype(np.int64)
    return _narrow(frame, call, found, np.zeros(len(found), np.bool_), valid)


_ONE: Final = ("numeric_value_out_of_range", "input is out of range", lambda x: x < 1)
FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "sinh": real(np.sinh, may_be_infinite=True),
    "cosh": real(np.cosh, may_be_infinite=True),
    "tanh": real(np.tanh),
    "asinh": real(np.arcsinh),
    "acosh": real(np.arccosh, _ONE),
    "atanh": real(np.arctanh, OUTSIDE, may_be_infinite=True),
    "cot": real(lambda x: 1 / np.tan(x), INFINITE, may_be_infinite=True),
    "sind": real(_sind, INFINITE),
    "cosd": real(_cosd, INFINITE),
    "tand": real(_tand, INFINITE, may_be_infinite=True),
    "cotd": real(_cotd, INFINITE, may_be_infinite=True),
    "asind": real(_asind, OUTSIDE),
    "acosd": real(_acosd, OUTSIDE),
    "atand": real(_atand),
    "atan2d": real(_atan2d),
    "log2": logarithm(np.log2),
    "gcd": _gcd,
    "lcm": _lcm,
    "factorial": _factorial,
    "bit_count": _bit_count,
    "width_bucket": _width_bucket,
}
