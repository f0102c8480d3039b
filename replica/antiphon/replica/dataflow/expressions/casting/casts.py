"""Casts between types. A value that does not convert is an error of its row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.expression import Cast
from antiphon.protocol.schema import Type, TypeKind
from antiphon.replica.dataflow.expressions.casting import nested_casts, text_casts
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, out_of_range
from antiphon.replica.dataflow.expressions.numbers import decimals, float_decimals
from antiphon.replica.dataflow.expressions.numbers.arithmetic import INTEGER_TYPES
from antiphon.replica.dataflow.expressions.times.temporal import DAY_US, days_of
from antiphon.replica.dataflow.expressions.vector import Vector

_FLOATS: Final[dict[TypeKind, np.dtype[np.floating[Any]]]] = {
    TypeKind.FLOAT32: np.dtype(np.float32),
    TypeKind.FLOAT64: np.dtype(np.float64),
}
_INSTANTS: Final = (TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ)
_INTEGER_DIGITS: Final = {TypeKind.INT16: 5, TypeKind.INT32: 10, TypeKind.INT64: 19}


def cast(frame: Frame, expression: Cast, vector: Vector) -> Vector:
    return converted(frame, vector, expression.type)


def converted(frame: Frame, vector: Vector, target: Type) -> Vector:
    """The values as `target`; those that do not convert fail."""
    source = vector.type
    if source == target:
        return vector
    if vector.literal is not None and vector.literal.value is None:
        return Vector.of_literal(target, None, vector.count)
    return rule_for(source, target)(frame, vector, target)


Rule = Callable[[Frame, Vector, Type], Vector]


def rule_for(source: Type, target: Type) -> Rule:
    """Raises KeyError where SQL has no such cast."""
    if source == target:
        return _same
    if source.is_nested or target.is_nested:
        return _nested_rule(source, target)
    if source.kind is TypeKind.TEXT:
        return text_casts.FROM_TEXT[target.kind]
    if target.kind is TypeKind.TEXT:
        return text_casts.TO_TEXT[source.kind]
    if source.kind is target.kind is TypeKind.DECIMAL:
        return _decimal_to_decimal
    if source.is_numeric and target.is_numeric:
        return _NUMERIC[_family(source), _family(target)]
    return _OTHERS[source.kind, target.kind]


def _nested_rule(source: Type, target: Type) -> Rule:
    match source.kind, target.kind:
        case TypeKind.LIST, TypeKind.LIST if source.element and target.element:
            rule_for(source.element, target.element)
            return partial(nested_casts.list_to_list, converted)
        case TypeKind.LIST, TypeKind.TEXT if source.element:
            rule_for(source.element, target)
            return partial(nested_casts.list_to_text, converted)
        case TypeKind.TEXT, TypeKind.LIST if target.element and not target.element.is_nested:
            rule_for(source, target.element)
            return partial(nested_casts.text_to_list, converted)
        case TypeKind.STRUCT, TypeKind.STRUCT if len(source.fields) == len(target.fields):
            for given, wanted in zip(source.fields, target.fields, strict=True):
                rule_for(given.type, wanted.type)
            return partial(nested_casts.struct_to_struct, converted)
        case TypeKind.STRUCT, TypeKind.TEXT:
            for field in source.fields:
                rule_for(field.type, target)
            return partial(nested_casts.struct_to_text, converted)
        case _:
            raise KeyError(source.kind, target.kind)


def _family(kind: Type) -> str:
    if kind.is_integer:
        return "integer"
    return "float" if kind.is_float else "decimal"


def _same(_: Frame, vector: Vector, target: Type) -> Vector:
    return vector


def _integer_to_integer(frame: Frame, vector: Vector, target: Type) -> Vector:
    values = vector.values
    narrow = values.astype(INTEGER_TYPES[target.kind])
    if narrow.dtype.itemsize < values.dtype.itemsize:
        _fail_out_of_range(frame, vector, narrow != values, target)
    return Vector.of_values(target, narrow, vector.valid)


def _integer_to_float(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, vector.values.astype(_FLOATS[target.kind]), vector.valid)


def _float_to_integer(frame: Frame, vector: Vector, target: Type) -> Vector:
    rounded = np.rint(vector.values.astype(np.float64))  # half to even, as PostgreSQL
    bound = float(2 ** (8 * INTEGER_TYPES[target.kind].itemsize - 1))
    wrong = ~((rounded >= -bound) & (rounded < bound))
    _fail_out_of_range(frame, vector, wrong, target)
    narrow = np.where(wrong, 0, rounded).astype(INTEGER_TYPES[target.kind])
    return Vector.of_values(target, narrow, vector.valid)


def _float_to_float(frame: Frame, vector: Vector, target: Type) -> Vector:
    values = vector.values
    with np.errstate(over="ignore"):
        found = values.astype(_FLOATS[target.kind])
    _fail_out_of_range(frame, vector, np.isinf(found) & np.isfinite(values), target)
    return Vector.of_values(target, found, vector.valid)


def _integer_to_decimal(frame: Frame, vector: Vector, target: Type) -> Vector:
    digits = _INTEGER_DIGITS[vector.type.kind]
    exact = vector.array.cast(pa.int64()).cast(pa.decimal128(19, 0))
    if digits + target.scale <= target.precision:
        return Vector.of_array(target, exact.cast(pa.decimal128(target.precision, target.scale)))
    return decimals.fit(frame, "cast", decimals.widened(exact, decimals.WIDE_DIGITS_MAX), target)


def _decimal_to_decimal(frame: Frame, vector: Vector, target: Type) -> Vector:
    return decimals.fit(frame, "cast", vector.array, target)


def _decimal_to_integer(frame: Frame, vector: Vector, target: Type) -> Vector:
    digits = Type(kind=TypeKind.DECIMAL, precision=38, scale=0)
    whole = decimals.fit(frame, "cast", vector.array, digits).array
    low, high = pa.scalar(-(2**63), pa.decimal128(38, 0)), pa.scalar(2**63, pa.decimal128(38, 0))
    fits = pc.and_(pc.greater_equal(whole, low), pc.less(whole, high))
    fits = pc.fill_null(fits, True)
    if not pc.all(fits).as_py():
        wrong = ~fits.to_numpy(zero_copy_only=False)
        _fail_out_of_range(frame, vector, wrong, target)
        whole = pc.if_else(fits, whole, pa.scalar(None, whole.type))
    wide = Vector.of_array(Type(kind=TypeKind.INT64), whole.cast(pa.int64()))
    return _integer_to_integer(frame, wide, target)


def _decimal_to_float(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_array(target, float_decimals.nearest(vector.array, target))


def _float_to_decimal(frame: Frame, vector: Vector, target: Type) -> Vector:
    values = vector.values.astype(np.float64)
    bound = 10.0 ** (target.precision - target.scale)
    wrong = ~(np.abs(values) < bound)
    _fail_out_of_range(frame, vector, wrong, target)
    digits = float_decimals.DIGITS[vector.type.kind]
    found = float_decimals.rounded(np.where(wrong, 0.0, values), vector.valid, digits, target.scale)
    return decimals.fit(frame, "cast", found, target)


def _boolean_to_integer(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, vector.values.astype(INTEGER_TYPES[target.kind]), vector.valid)


def _integer_to_boolean(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, vector.values != 0, vector.valid)


def _date_to_instant(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, vector.values.astype(np.int64) * DAY_US, vector.valid)


def _instant_to_date(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, days_of(vector.values).astype(np.int32), vector.valid)


def _instant_to_instant(_: Frame, vector: Vector, target: Type) -> Vector:
    return Vector.of_values(target, vector.values, vector.valid)


def _fail_out_of_range(frame: Frame, vector: Vector, wrong: object, target: Type) -> None:
    assert isinstance(wrong, np.ndarray), "a mask"
    rows = wrong if vector.valid is None else wrong & vector.valid
    frame.fail(rows, OUT_OF_RANGE, out_of_range(target), "cast")


_NUMERIC: Final[dict[tuple[str, str], Rule]] = {
    ("integer", "integer"): _integer_to_integer,
    ("integer", "float"): _integer_to_float,
    ("integer", "decimal"): _integer_to_decimal,
    ("float", "integer"): _float_to_integer,
    ("float", "float"): _float_to_float,
    ("float", "decimal"): _float_to_decimal,
    ("decimal", "integer"): _decimal_to_integer,
    ("decimal", "float"): _decimal_to_float,
}

_OTHERS: Final[dict[tuple[TypeKind, TypeKind], Rule]] = {
    **{(TypeKind.BOOLEAN, kind): _boolean_to_integer for kind in INTEGER_TYPES},
    **{(kind, TypeKind.BOOLEAN): _integer_to_boolean for kind in INTEGER_TYPES},
    **{(TypeKind.DATE, kind): _date_to_instant for kind in _INSTANTS},
    **{(kind, TypeKind.DATE): _instant_to_date for kind in _INSTANTS},
    (TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ): _instant_to_instant,
    (TypeKind.TIMESTAMPTZ, TypeKind.TIMESTAMP): _instant_to_instant,
}
