"""A column in the middle of an expression, as numpy or as Arrow, whichever its next user wants."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import array_of, fixed_width, valid_of, values_of
from antiphon.protocol.expression import Interval, Value
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.schema import Type, TypeKind, arrow_type

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[Any]

_NUMPY_KINDS: Final = {
    TypeKind.BOOLEAN: np.dtype(np.bool_),
    TypeKind.INT16: np.dtype(np.int16),
    TypeKind.INT32: np.dtype(np.int32),
    TypeKind.INT64: np.dtype(np.int64),
    TypeKind.FLOAT32: np.dtype(np.float32),
    TypeKind.FLOAT64: np.dtype(np.float64),
    TypeKind.DATE: np.dtype(np.int32),
    TypeKind.TIMESTAMP: np.dtype(np.int64),
    TypeKind.TIMESTAMPTZ: np.dtype(np.int64),
    TypeKind.INTERVAL: fixed_width(pa.month_day_nano_interval()),
}


class Vector:
    """`count` values of one SQL type. Immutable; conversions between its two forms are kept."""

    __slots__ = ("_array", "_valid", "_values", "count", "literal", "type")

    def __init__(
        self,
        kind: Type,
        count: int,
        *,
        array: pa.Array | None = None,
        values: Values | None = None,
        valid: Mask | None = None,
        literal: Literal | None = None,
    ) -> None:
        self.type = kind
        self.count = count
        self.literal = literal
        self._array = array
        self._values = values
        self._valid = valid if array is None else valid_of(array)

    @staticmethod
    def of_array(kind: Type, array: pa.Array) -> Vector:
        return Vector(kind, len(array), array=array)

    @staticmethod
    def of_values(kind: Type, values: Values, valid: Mask | None) -> Vector:
        """Over numpy values of the type's own width; what stands at nulls does not matter."""
        assert values.dtype == _NUMPY_KINDS[kind.kind], f"{values.dtype} for {kind}"
        if kind.is_float:
            values = values + values.dtype.type(0)  # there is one zero: -0.0 + 0.0 is 0.0
        return Vector(kind, len(values), values=values, valid=valid)

    @staticmethod
    def of_literal(kind: Type, value: Value, count: int) -> Vector:
        return Vector(kind, count, literal=Literal(value))

    @property
    def valid(self) -> Mask | None:
        """Which values are not null; None: all."""
        if self.literal is not None:
            return np.zeros(self.count, np.bool_) if self.literal.value is None else None
        return self._valid

    @property
    def values(self) -> Values:
        """The values as numpy; for types of a fixed width of at most 16 bytes but decimals."""
        if self._values is None:
            if self.literal is not None:
                self._values = self._literal_values(self.literal.value)
            else:
                assert self._array is not None, "a vector without values"
                self._values = values_of(self._array)
        return self._values

    @property
    def array(self) -> pa.Array:
        if self._array is None:
            kind = arrow_type(self.type)
            if self.count == 0:
                self._array = pa.array([], kind)
            elif self.literal is not None:
                self._array = pa.repeat(arrow_scalar(self.type, self.literal.value), self.count)
            else:
                assert self._values is not None, "a vector without values"
                self._array = array_of(np.ascontiguousarray(self._values), kind, self._valid)
        return self._array

    @property
    def truth(self) -> Mask:
        """Of a boolean: where it is true, neither false nor null."""
        values: Mask = self.values
        valid = self.valid
        return values if valid is None else values & valid

    def take(self, rows: npt.NDArray[np.int64]) -> Vector:
        if self.literal is not None:
            return Vector.of_literal(self.type, self.literal.value, len(rows))
        if self._array is not None:
            return Vector.of_array(self.type, self._array.take(array_of(rows, pa.int64())))
        valid = None if self._valid is None else self._valid[rows]
        return Vector(self.type, len(rows), values=self.values[rows], valid=valid)

    def _literal_values(self, value: Value) -> Values:
        dtype = _NUMPY_KINDS[self.type.kind]
        one: Values = np.zeros(1, dtype)
        if isinstance(value, Interval):
            one[0] = (value.months, value.days, value.microseconds * 1000)
        elif value is not None:
            one[0] = value
            if self.type.is_float:
                one = one + one.dtype.type(0)
        return np.broadcast_to(one, (self.count,))


class Literal:
    """That a vector repeats one value; None is SQL's null."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value


def arrow_scalar(kind: Type, value: Value) -> pa.Scalar:
    """A literal as an Arrow scalar. Cost: some microseconds, so once a column, not once a row."""
    return literal_array(kind, [value])[0]


def both_valid(*vectors: Vector) -> Mask | None:
    """Where none is null; None: everywhere."""
    found: Mask | None = None
    for vector in vectors:
        valid = vector.valid
        if valid is not None:
            found = valid if found is None else found & valid
    return found
