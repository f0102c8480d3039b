"""PostgreSQL's rules for types: names, what two of them have in common, what may be cast.

Decimals have 38 digits at most, so where PostgreSQL's numeric has no bound ours has one: sums are
numeric(38, s), quotients and averages numeric(38, 16), and a value that does not fit is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import name_of
from antiphon.protocol.limits import TYPE_DEPTH_MAX
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
    Column,
    Type,
    TypeKind,
    decimal,
    list_of,
    struct_of,
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
# Types that we do not have, and what may be done.
_CHARACTERS: Final = "; blanks are neither added nor passed over: write varchar(n) or text"
_COUNTED: Final = "; ids are given by who inserts: write bigint"
_REFUSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "char": _CHARACTERS, "character": _CHARACTERS, "bpchar": _CHARACTERS,
        "nchar": _CHARACTERS, "serial": _COUNTED, "bigserial": _COUNTED, "smallserial": _COUNTED,
        "serial2": _COUNTED, "serial4": _COUNTED, "serial8": _COUNTED,
        "json": "; write text, or a struct", "jsonb": "; write text, or a struct",
        "time": "; write an interval, or a timestamp", "timetz": "; write a timestamptz",
        "money": "; write numeric(19, 2)", "inet": "; write text", "cidr": "; write text",
        "macaddr": "; write text", "bit": "; write bytea", "name": "; write text",
        "citext": "; write text, and compare lower(...)", "xml": "; write text",
    }
)  # fmt: skip
_FIRST_WORD: Final = re.compile(r"\s*([a-z0-9]+)\b(?!\s+varying)", re.IGNORECASE)
_REAL_BITS: Final = 24  # of float(n): no more are real, more are double precision
_FLOAT_BITS_MAX: Final = 53
_TIME_DIGITS: Final = 6
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
    if node.this in (exp.DType.ARRAY, exp.DType.LIST):
        return _list_from_sql(source, node, where, name)
    if node.this is exp.DType.STRUCT:
        return _struct_from_sql(source, node, where, name)
    parameters = [parameter.name for parameter in node.expressions]
    if node.this is exp.DType.DECIMAL:
        return _decimal_from_sql(source, where, name, parameters)
    found = _NAMED.get(node.this)
    if found is None:
        refused = refused_type(name)
        raise source.unsupported(where, *(refused or (f"the type {name}",)))
    return _with_parameters(source, where, name, found, parameters) if parameters else found


def refused_type(written: str) -> tuple[str, str] | None:
    """Of a type that we do not have, as it is written: what is refused, and what may be done."""
    word = _FIRST_WORD.match(written)
    hint = None if word is None else _REFUSED.get(word[1].lower())
    return None if hint is None else (f"the type {written.strip().lower()}", hint)


def _with_parameters(
    source: Source, spot: exp.Expr | int | None, name: str, kind: Type, parameters: list[str]
) -> Type:
    number = int(parameters[0]) if len(parameters) == 1 and parameters[0].isdecimal() else None
    if number is not None and kind.is_float and name.startswith("float"):
        if not 1 <= number <= _FLOAT_BITS_MAX:
            raise source.invalid(spot, f"{name}: a float has 1 to {_FLOAT_BITS_MAX} bits")
        return FLOAT32 if number <= _REAL_BITS else FLOAT64
    if kind in (TIMESTAMP, TIMESTAMPTZ, INTERVAL) and number == _TIME_DIGITS:
        return kind
    hint = "; write it without, all times have 6 digits" if kind.kind in _TIMES else ""
    if kind is TEXT:
        hint = "; a length is kept of columns alone"
    raise source.unsupported(spot, f"the parameter of {name}", hint)


def text_length(
    source: Source, node: exp.DataType, spot: exp.Expr | int | None = None
) -> int | None:
    """The n of varchar(n), to which a cast cuts text; None: it is another type.

    Raises:
        InvalidSql: it is no whole number, or not positive.
    """
    if node.this is not exp.DType.VARCHAR or not node.expressions:
        return None
    written = node.expressions[0].name
    digits = written.isascii() and written.isdigit() and len(written) <= 8
    if len(node.expressions) != 1 or not digits or int(written) == 0:
        where = node if spot is None else spot
        raise source.invalid(where, "the length of varchar is a whole number from 1 on")
    return int(written)


def check_depth(source: Source, spot: exp.Expr | int | None, kind: Type) -> None:
    """Raises UnsupportedSql: too many lists and structs in each other."""
    if kind.depth > TYPE_DEPTH_MAX:
        what = f"a type of {kind.depth} lists and structs in each other"
        raise source.unsupported(spot, what, f"; at most {TYPE_DEPTH_MAX} are")


def _list_from_sql(
    source: Source, node: exp.DataType, where: exp.Expr | int | None, name: str
) -> Type:
    if len(node.expressions) != 1 or not isinstance(node.expressions[0], exp.DataType):
        raise source.unsupported(where, f"the type {name}")
    if node.args.get("values"):
        raise source.unsupported(where, f"the size of {name}", "; write it without")
    found = list_of(type_from_sql(source, node.expressions[0], where))
    check_depth(source, where, found)
    return found


def _struct_from_sql(
    source: Source, node: exp.DataType, where: exp.Expr | int | None, name: str
) -> Type:
    fields: list[Column] = []
    for part in node.expressions:
        if not isinstance(part, exp.ColumnDef) or not isinstance(part.kind, exp.DataType):
            raise source.unsupported(where, f"the type {name}", "; name each field and its type")
        if part.args.get("constraints"):
            raise source.unsupported(where, f"a constraint of a field in {name}")
        field = name_of(part.this)
        if any(field == other.name for other in fields):
            raise source.invalid(where, f'{name}: the field "{field}" is there twice')
        fields.append(Column(name=field, type=type_from_sql(source, part.kind, where)))
    if not fields:
        raise source.invalid(where, f"{name}: a struct has at least one field")
    found = struct_of(*fields)
    check_depth(source, where, found)
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
    if left.element is not None and right.element is not None:
        element = common_type(left.element, right.element)
        return None if element is None else list_of(element)
    if left.kind is right.kind is TypeKind.STRUCT and len(left.fields) == len(right.fields):
        return _common_struct(left, right)
    return None


def _common_struct(left: Type, right: Type) -> Type | None:
    """Fields meet by their place. A row without names takes the other's."""
    fields: list[Column] = []
    these, those = ([field.name for field in side.fields] for side in (left, right))
    if these != those and not is_nameless(these) and not is_nameless(those):
        return None
    names = those if is_nameless(these) else these
    for name, one, other in zip(names, left.fields, right.fields, strict=True):
        kind = common_type(one.type, other.type)
        if kind is None:
            return None
        fields.append(Column(name=name, type=kind))
    return struct_of(*fields)


def row_names(count: int) -> tuple[str, ...]:
    """What the fields of ROW(...) are called: f1, f2, ..."""
    return tuple(f"f{place}" for place in range(1, count + 1))


def is_nameless(names: Sequence[str]) -> bool:
    """Whether fields have the names of a ROW(...)."""
    return tuple(names) == row_names(len(names))


def parts_of_type(kind: Type, count: int) -> Sequence[Type]:
    """The types of what is in a list of `count` elements, or in a struct of `count` fields; none
    for all other types."""
    if kind.element is not None:
        return (kind.element,) * count
    return [field.type for field in kind.fields] if len(kind.fields) == count else ()


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
    return _inside(widens, given, wanted)


def _inside(rule: Callable[[Type, Type], bool], given: Type, wanted: Type) -> bool:
    """Whether the rule holds of what is in two lists, or in two structs, by place."""
    if given.element is not None and wanted.element is not None:
        return rule(given.element, wanted.element)
    if given.kind is wanted.kind is TypeKind.STRUCT and len(given.fields) == len(wanted.fields):
        pairs = zip(given.fields, wanted.fields, strict=True)
        return all(rule(one.type, other.type) for one, other in pairs)
    return False


def assignable(given: Type, wanted: Type) -> bool:
    """Whether a column of type `wanted` may be given such a value, by INSERT or UPDATE."""
    if given == wanted or wanted.kind is TypeKind.TEXT:
        return True
    if given.is_numeric and wanted.is_numeric:
        return True
    if given.kind in _TIMES and wanted.kind in _TIMES:
        return True
    return _inside(assignable, given, wanted)


def castable(given: Type, wanted: Type) -> bool:
    """Whether CAST may be written."""
    if assignable(given, wanted) or given.kind is TypeKind.TEXT:
        return True
    whole = (TypeKind.INT32, TypeKind.INT64)
    if _inside(castable, given, wanted):
        return True
    return (given.kind is TypeKind.BOOLEAN and wanted.kind in whole) or (
        given.kind in whole and wanted.kind is TypeKind.BOOLEAN
    )
