"""Typed scalar expressions: what a plan computes for each row.

Closed: a front end may lower to these and nothing else, and a replica evaluates exactly these.
Semantics are PostgreSQL's: three-valued logic, errors instead of wrapped integers, division of
integers truncates. An error in a row (division by zero, overflow, a failed cast) is data: the row
goes to the collection's error side. `Case` and `coalesce` evaluate only what they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from antiphon.protocol.schema import Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    months: int = 0
    days: int = 0
    microseconds: int = 0


# Dates are days, timestamps microseconds since 1970-01-01 (UTC for timestamptz); uuids 16 bytes.
Value = bool | int | float | str | bytes | Decimal | Interval | tuple["Value", ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnReference:
    index: int
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    value: Value
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`function` is one of FUNCTIONS; argument types are already those the function takes."""

    function: str
    arguments: tuple[Expression, ...]
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    input: Expression
    type: Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    condition: Expression
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    branches: tuple[Branch, ...]
    otherwise: Expression
    type: Type


Expression = ColumnReference | Literal | Call | Cast | Case

# Both arguments of a binary arithmetic or comparison function have one common type, but for
# date/time arithmetic (date + integer, timestamp ± interval, timestamp - timestamp -> interval).
LOGIC: Final = ("and", "or", "not")  # and, or take two or more
COMPARISONS: Final = (
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "is_distinct_from", "is_not_distinct_from", "is_null", "is_not_null",
    "is_true", "is_false",
)  # fmt: skip
ARITHMETIC: Final = ("add", "subtract", "multiply", "divide", "modulo", "negate", "abs")
NUMERIC: Final = (
    "round", "floor", "ceil", "truncate", "sqrt", "cbrt", "power", "exp", "ln", "log10", "sign",
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh",
    "atanh", "cot", "sind", "cosd", "tand", "cotd", "asind", "acosd", "atand", "atan2d", "log2",
    "gcd", "lcm", "factorial", "bit_count",
    "width_bucket",
    "quotient",  # of decimals, cut to a whole number
)  # fmt: skip
# Of integers of one type.
BITWISE: Final = (
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "shift_left", "shift_right",
)  # fmt: skip
TEXTUAL: Final = (
    "concat", "lower", "upper", "length", "substring", "trim", "ltrim", "rtrim", "replace",
    "position", "left", "right", "lpad", "rpad", "starts_with", "ends_with", "contains", "reverse",
    "repeat", "split_part", "like", "ilike", "regexp_match", "regexp_replace", "md5",
    "octet_length", "ascii", "translate", "initcap", "chr", "encode", "decode", "to_hex", "sha256",
    "utf8_bytes", "regexp_count", "regexp_substring", "regexp_groups", "regexp_place",
    "regexp_split", "number_text",
    "regexp_all", "regexp_all_groups", "normalize",
    "get_byte", "get_bit", "set_byte", "set_bit", "byte_bit_count", "trim_bytes", "ltrim_bytes",
    "rtrim_bytes", "utf8_text", "sha224", "sha384", "sha512", "to_bin", "to_oct",
    "fit_text",  # (text, characters): without the blanks that there is no room for
)  # fmt: skip
TEMPORAL: Final = (
    "date_trunc", "extract", "date_part", "age", "to_timestamp", "make_date", "timezone",
    "timezone_of",  # (zone, time): as timezone, but that each row has a zone of its own
    "make_timestamp", "make_interval", "date_bin", "justify_days", "justify_hours",
    "justify_interval",
)  # fmt: skip
CONDITIONAL: Final = ("coalesce", "nullif", "greatest", "least")
# Lists and structs. A field is named by its place, from 0; elements by theirs, from 1.
NESTED: Final = (
    "list", "struct", "field", "element", "slice", "list_length", "list_concat",
    "list_position", "list_positions", "list_contains", "list_contains_all", "list_overlaps",
    "list_remove", "list_replace", "list_sort", "list_reverse", "list_distinct", "list_min",
    "list_max", "list_sum", "list_to_text", "text_to_list", "list_trim",
    # of a value and a list of its type
    "any_equal", "any_not_equal", "any_less", "any_less_equal", "any_greater", "any_greater_equal",
)  # fmt: skip
# (value, how many rows there are): the value, and an error where there are several.
SUBQUERY: Final = ("only_row",)
# Times that a temporal filter or an ad-hoc read fixes; a plan never calls a clock.
CLOCK: Final = ("now",)

FUNCTIONS: Final = frozenset(
    LOGIC
    + COMPARISONS
    + ARITHMETIC
    + NUMERIC
    + BITWISE
    + TEXTUAL
    + TEMPORAL
    + CONDITIONAL
    + NESTED
    + SUBQUERY
    + CLOCK
)
