"""Casts from and to text, in PostgreSQL's notation.

Parsing is by column: a pattern says which rows are well formed, the others fail and become null,
so that Arrow's parser meets nothing it would raise for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, values_of
from antiphon.protocol.one_zero import with_one_zero
from antiphon.protocol.schema import TEXT, Type, TypeKind, arrow_type
from antiphon.replica.dataflow.expressions.casting import text_moments
from antiphon.replica.dataflow.expressions.casting.well_formed import fail_malformed, well_formed
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame, out_of_range
from antiphon.replica.dataflow.expressions.numbers import decimals
from antiphon.replica.dataflow.expressions.text import byte_strings, text_formats
from antiphon.replica.dataflow.expressions.times import text_intervals
from antiphon.replica.dataflow.expressions.vector import Vector

INVALID_TEXT: Final = "invalid_text_representation"
_INTEGER: Final = r"^[+-]?[0-9]+$"
_DECIMAL: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_UUID: Final = r"[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}"
_FLOAT: Final = r"^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|nan|[+-]?inf(inity)?)$"


def _to_integer(frame: Frame, vector: Vector, target: Type) -> Vector:
    text = well_formed(frame, vector, _INTEGER, target, INVALID_TEXT)
    text = pc.replace_substring_regex(text, r"^\+?(-?)0*([0-9])", r"\1\2")
    long = values_of(pc.fill_null(pc.greater(pc.binary_length(text), 20), False))
    if long.any():
        frame.fail(long, OUT_OF_RANGE, out_of_range(target), "cast")
        text = pc.if_else(array_of(~long, pa.bool_()), text, pa.scalar(None, pa.string()))
    wide = text.cast(pa.decimal128(20, 0))
    size = np.dtype(arrow_type(target).to_pandas_dtype()).itemsize
    low = pa.scalar(-(2 ** (8 * size - 1)), pa.decimal128(20, 0))
    high = pa.scalar(2 ** (8 * size - 1), pa.decimal128(20, 0))
    fits = pc.and_(pc.greater_equal(wide, low), pc.less(wide, high))
    if pc.all(fits).as_py() is False:
        frame.fail(
            values_of(pc.fill_null(pc.invert(fits), False)), OUT_OF_RANGE, out_of_range(target),
            "cast",
        )  # fmt: skip
        wide = pc.if_else(pc.fill_null(fits, False), wide, pa.scalar(None, wide.type))
    return Vector.of_array(target, wide.cast(pa.int64()).cast(arrow_type(target)))


def _to_decimal(frame: Frame, vector: Vector, target: Type) -> Vector:
    text = well_formed(frame, vector, _DECIMAL, target, INVALID_TEXT)
    text = pc.replace_substring_regex(text, r"^\+", "")
    return decimals.parse(frame, text, target)


def _to_float(frame: Frame, vector: Vector, target: Type) -> Vector:
    text = well_formed(frame, vector, _FLOAT, target, INVALID_TEXT, fold=True)
    text = pc.replace_substring_regex(pc.ascii_lower(text), r"^\+", "")
    wide = text.cast(pa.float64())
    values = values_of(wide)
    infinite = np.isinf(values)
    if infinite.any():
        spelled = values_of(pc.fill_null(pc.match_substring(text, "inf"), True))
        frame.fail(infinite & ~spelled, OUT_OF_RANGE, out_of_range(target), "cast")
    if target.kind is TypeKind.FLOAT32:
        with np.errstate(over="ignore"):
            narrow = values.astype(np.float32)
        lost = np.isinf(narrow) & np.isfinite(values)
        frame.fail(lost, OUT_OF_RANGE, out_of_range(target), "cast")
        return Vector.of_values(target, narrow, Vector.of_array(TEXT, text).valid)
    return Vector.of_array(target, with_one_zero(wide))


def _to_boolean(frame: Frame, vector: Vector, target: Type) -> Vector:
    pattern = r"^(t(r(ue?)?)?|y(es?)?|on|1|f(a(l(se?)?)?)?|no?|off?|0)$"
    text = well_formed(frame, vector, pattern, target, INVALID_TEXT, fold=True)
    return Vector.of_array(target, pc.match_substring_regex(text, r"^(t|y|on|1)", ignore_case=True))


def _to_uuid(frame: Frame, vector: Vector, target: Type) -> Vector:
    pattern = rf"^(?:{_UUID}|\{{{_UUID}\}})$"
    text = well_formed(frame, vector, pattern, target, INVALID_TEXT, fold=True, trim=False)
    digits = pc.replace_substring_regex(text, r"[{}-]", "")
    return Vector.of_array(target, text_formats.bytes_of_hex(digits).cast(arrow_type(target)))


def _to_bytea(frame: Frame, vector: Vector, target: Type) -> Vector:
    """Hex form, with blanks between bytes, or escape form."""
    text = vector.array
    is_hex = pc.starts_with(text, "\\x")
    digits = pc.if_else(is_hex, pc.utf8_slice_codeunits(text, 2), "")
    good = pc.match_substring_regex(digits, r"\A(?:[ \n\t\r]*[0-9a-fA-F]{2})*[ \n\t\r]*\z")
    digits = pc.replace_substring_regex(pc.if_else(good, digits, ""), r"[ \n\t\r]", "")
    plain, strange = byte_strings.escaped_bytes(pc.if_else(is_hex, "", text))
    wrong = values_of(pc.fill_null(pc.invert(good), False)) | strange
    fail_malformed(frame, text, wrong, target, INVALID_TEXT)
    decoded = text_formats.bytes_of_hex(digits)
    found = pc.if_else(is_hex, decoded, plain)
    kept = array_of(~wrong, pa.bool_())
    return Vector.of_array(target, pc.if_else(kept, found, pa.scalar(None, pa.binary())))


def _to_interval(frame: Frame, vector: Vector, target: Type) -> Vector:
    values, wrong, valid = text_intervals.parse(vector.array)
    fail_malformed(frame, vector.array, wrong, target, text_moments.INVALID_DATETIME)
    return Vector.of_values(target, values, valid)


Rule = Callable[[Frame, Vector, Type], Vector]
FROM_TEXT: Final[dict[TypeKind, Rule]] = {
    TypeKind.TEXT: lambda _frame, vector, target: Vector.of_array(target, vector.array),
    TypeKind.INT16: _to_integer,
    TypeKind.INT32: _to_integer,
    TypeKind.INT64: _to_integer,
    TypeKind.DECIMAL: _to_decimal,
    TypeKind.FLOAT32: _to_float,
    TypeKind.FLOAT64: _to_float,
    TypeKind.BOOLEAN: _to_boolean,
    TypeKind.DATE: text_moments.to_date,
    TypeKind.TIMESTAMP: text_moments.to_timestamp,
    TypeKind.TIMESTAMPTZ: text_moments.to_timestamptz,
    TypeKind.UUID: _to_uuid,
    TypeKind.BYTEA: _to_bytea,
    TypeKind.INTERVAL: _to_interval,
}


def _to_text(format_column: Callable[[pa.Array], pa.Array]) -> Rule:
    return lambda _frame, vector, target: Vector.of_array(target, format_column(vector.array))


TO_TEXT: Final[dict[TypeKind, Rule]] = {
    kind: _to_text(function) for kind, function in text_formats.FORMATS.items()
}
