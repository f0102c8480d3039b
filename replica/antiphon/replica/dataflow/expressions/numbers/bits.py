"""Operators on the bits of integers, in two's complement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from antiphon.protocol.expression import Call
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.numbers.arithmetic import INTEGER_TYPES
from antiphon.replica.dataflow.expressions.vector import Values, Vector, both_valid


def _bitwise(kernel: Callable[..., Values]) -> Callable[[Frame, Call, list[Vector]], Vector]:
    def function(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
        dtype = INTEGER_TYPES[call.type.kind]
        operands = [argument.values.astype(dtype, copy=False) for argument in arguments]
        return Vector.of_values(call.type, kernel(*operands), both_valid(*arguments))

    return function


def _shift(kernel: Callable[[Values, Values], Values]) -> Callable[..., Vector]:
    """By a distance modulo the width, as PostgreSQL's machines do."""

    def shifted(values: Values, distance: Values) -> Values:
        width = values.dtype.itemsize * 8
        return kernel(values, (distance & (width - 1)).astype(values.dtype))

    return _bitwise(shifted)


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "bitwise_and": _bitwise(np.bitwise_and),
    "bitwise_or": _bitwise(np.bitwise_or),
    "bitwise_xor": _bitwise(np.bitwise_xor),
    "bitwise_not": _bitwise(np.bitwise_not),
    "shift_left": _shift(np.left_shift),
    "shift_right": _shift(np.right_shift),
}
