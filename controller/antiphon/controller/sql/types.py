"""PostgreSQL's rules for types: names, what two of them have in common, what may be cast.

Decimals have 38 digits at most, so where PostgreSQL's numeric has no bound ours has one: sums are
numeric(38, s), quotients and averages numeric(38, 16), and a value that does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.source import Source
from antiphon.protocol.schema import (
    BOOLEAN,
    BYTEA,
    DATE,
    DECIMAL_PRECISION_MAX,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    INTERVAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    Type,
    TypeKind,
    decimal,
)

QUOTIENT_SCALE: Final = 16  # PostgreSQL gives at least 16 significant digits
PRODUCT_SCALE: Final = 20  # beyond it products are rounded: 18 digits stay before the point
BARE_NUMERIC: Final = decimal(DECIMAL_PRECISION_MAX, 10)  # `numeric` without parameters
AVERAGE: Final = decimal(DECIMAL_PRECISION_MAX, QUOTIENT_SCALE)

_NAMED: Final[Mapping[exp.DType, Type]] = MappingProxyType(
    {
        exp.DType.BOOLEAN: BOOLEAN,
        exp.DType.SMALLINT: INT16,
        exp.DType.INT: INT32,
        exp.DType.BIGINT: INT64,
        exp.DType.FLOAT: FLOAT32,
        exp.DType.DOUBLE: FLOAT64,
        exp.DType.TEXT: TEXT,
        exp.DType.VARCHAR: TEXT,
        exp.DType.VARBINARY: BYTEA,
        exp.DType.DATE: DATE,
        exp.DType.TIMESTAMP: TIMESTAMP,
        exp.DType.TIMESTAMPNTZ: TIMESTAMP,
        exp.DType.TIMESTAMPTZ: TIMESTAMPTZ,
        exp.DType.INTERVAL: INTERVAL,
        exp.DType.UUID: UUID,
    }
)
_DIGITS: Final = MappingProxyType({TypeKind.INT16: 5, TypeKind.INT32: 10, TypeKind.INT64: 19})
# From narrow to wide; decimals stand between the integers and the floats.
_WIDTH: Final = MappingProxyType(
    {
        TypeKind.INT16: 1, TypeKind.INT32: 2, TypeKind.INT64: 3, TypeKind.DECIMAL: 4,
        TypeKind.FLOAT32: 5, TypeKind.FLOAT64: 6,
    }
)  # fmt: skip
_TIMES: Final = (TypeKind.DATE, TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ)


def type_from_sql(source: Source, node: exp.DataType, spot: exp.Expr | int | None = None) -> Type:
    """The type that a name in SQL means.

    Raises:
        UnsupportedSql: a type, or a parameter of a type, that we do not have.
    """
    where = node if spot is None else spot
    name = node.sql(dialect="postgres").lower()
    if not isinstance(node.this, exp.DType):
        raise source.unsupported(where, f"the type {name}")
    parameters = [parameter.name for parameter in node.expressions]
    if node.this is exp.DType.DECIMAL:
        return _decimal_from_sql(source, where, name, parameters)
    found = _NAMED.get(node.this)
    if found is None:
        raise source.unsupported(where, f"the type {name}")
    if parameters:
        hint = "; text has no limit" if found is TEXT else ""
        raise source.unsupported(where, f"the parameter of {name}", hint)
    return found


def _decimal_from_sql(
    source: Source, spot: exp.Expr | int | None, name: str, parameters: list[str]
) -> Type:
    if not parameters:
        return BARE_NUMERIC
    if not all(text.isascii() and text.isdigit() for text in parameters) or len(parameters) > 2:
        raise source.invalid(spot, f"{name}: precision and scale are whole numbers")
    precision = int(parameters[0])
    scale = int(parameters[1]) if len(parameters) == 2 else 0
    if not (1 <= precision <= DECIMAL_PRECISION_MAX and scale <= precision):
        raise source.invalid(
            spot,
            f"{name}: the precision is 1 to {DECIMAL_PRECISION_MAX}, the scale no larger than it",
        )
    return decimal(precision, scale)


def as_decimal(kind: Type) -> Type:
    """The smallest decimal that holds every value of an integer type; decimals as they are."""
    return kind if kind.kind is TypeKind.DECIMAL else decimal(_DIGITS[kind.kind], 0)


def common_type(left: Type, right: Type) -> Type | None:
    """The type that both become when they are compared or put into one column, or None."""
    if left == right:
        return left
    if left.is_numeric and right.is_numeric:
        return _common_numeric(left, right)
    if left.kind in _TIMES and right.kind in _TIMES:
        return left if _TIMES.index(left.kind) > _TIMES.index(right.kind) else right
    return None


def common_of(types: Iterable[Type]) -> Type | None:
    """`common_type` of several; None also when there are none."""
    result: Type | None = None
    for kind in types:
        result = kind if result is None else common_type(result, kind)
        if result is None:
            return None
    return result


def _common_numeric(left: Type, right: Type) -> Type:
    wide, narrow = (left, right) if _WIDTH[left.kind] >= _WIDTH[right.kind] else (right, left)
    if wide.kind is TypeKind.FLOAT32:
        # As in PostgreSQL: real beside anything but real is computed as double precision.
        return FLOAT64
    if wide.kind is not TypeKind.DECIMAL:
        return wide
    narrow = as_decimal(narrow)
    scale = max(wide.scale, narrow.scale)
    whole = max(wide.precision - wide.scale, narrow.precision - narrow.scale)
    return _bounded(whole + scale, scale)


def _bounded(precision: int, scale: int) -> Type:
    return decimal(max(1, min(precision, DECIMAL_PRECISION_MAX)), min(scale, DECIMAL_PRECISION_MAX))


def arithmetic_type(function: str, left: Type, right: Type) -> Type:
    """The result of arithmetic on two numeric types. Both arguments are cast to `common_type`."""
    common = _common_numeric(left, right) if left != right else left
    if common.kind is not TypeKind.DECIMAL:
        return common
    left, right = as_decimal(left), as_decimal(right)
    scale = max(left.scale, right.scale)
    match function:
        case "add" | "subtract":
            return _bounded(common.precision + 1, scale)
        case "multiply":
            # Exact, unless so many digits after the point would leave too few before it.
            scale = min(left.scale + right.scale, max(PRODUCT_SCALE, scale))
            return _bounded(left.precision + right.precision, scale)
        case "divide":
            return decimal(DECIMAL_PRECISION_MAX, max(QUOTIENT_SCALE, scale))
        case _:
            return common


def sum_type(kind: Type) -> Type:
    match kind.kind:
        case TypeKind.INT16 | TypeKind.INT32:
            return INT64
        case TypeKind.INT64:
            return decimal(DECIMAL_PRECISION_MAX, 0)
        case TypeKind.DECIMAL:
            return decimal(DECIMAL_PRECISION_MAX, kind.scale)
        case _:
            return kind


def average_type(kind: Type) -> Type:
    if kind.is_integer or kind.kind is TypeKind.DECIMAL:
        return decimal(DECIMAL_PRECISION_MAX, max(QUOTIENT_SCALE, kind.scale))
    return FLOAT64 if kind.is_float else kind


def widens(given: Type, wanted: Type) -> bool:
    """Whether a value is cast without being asked, as an argument or in a comparison."""
    if given == wanted:
        return True
    if given.is_numeric and wanted.is_numeric:
        return _WIDTH[given.kind] <= _WIDTH[wanted.kind]
    if given.kind in _TIMES and wanted.kind in _TIMES:
        return _TIMES.index(given.kind) < _TIMES.index(wanted.kind)
    return False


def assignable(given: Type, wanted: Type) -> bool:
    """Whether a column of type `wanted` may be given such a value, by INSERT or UPDATE."""
    if given == wanted or wanted.kind is TypeKind.TEXT:
        return True
    if given.is_numeric and wanted.is_numeric:
        return True
    return given.kind in _TIMES and wanted.kind in _TIMES


def castable(given: Type, wanted: Type) -> bool:
    """Whether CAST may be written."""
    if assignable(given, wanted) or given.kind is TypeKind.TEXT:
        return True
    whole = (TypeKind.INT32, TypeKind.INT64)
    return (given.kind is TypeKind.BOOLEAN and wanted.kind in whole) or (
        given.kind in whole and wanted.kind is TypeKind.BOOLEAN
    )
