"""Computing what does not depend on a row, when the statement is planned.

What fails, or what only the replica knows how to compute, is left as it is: an error is then data,
as it is for any row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from types import MappingProxyType
from typing import Any, Final

from antiphon.controller.sql.algebra.expressions import inputs_of, with_inputs
from antiphon.controller.sql.algebra.nulls import NULL_IF_ANY_IS
from antiphon.controller.sql.parsing.literal_text import (
    DAY_MICROSECONDS,
    fit_decimal,
    fit_integer,
    fit_text,
    from_datetime,
    narrow,
    read_value,
    to_datetime,
    write_value,
)
from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    Cast,
    Expression,
    Interval,
    Literal,
    Value,
)
from antiphon.protocol.schema import BOOLEAN, Type, TypeKind

_WIDE: Final = Context(prec=80)
_STAMPS: Final = (TypeKind.TIMESTAMP, TypeKind.TIMESTAMPTZ)


class _NotFolded(Exception):
    """Left to the replica."""


def fold(expression: Expression) -> Expression:
    """An equal expression, with what is constant computed."""
    parts = inputs_of(expression)
    if not parts:
        return expression
    folded = [fold(part) for part in parts]
    if any(new is not old for new, old in zip(folded, parts, strict=True)):
        expression = with_inputs(expression, folded)
    match expression:
        case Call(function="and" | "or"):
            return _fold_logic(expression)
        case Call(function="coalesce"):
            return _fold_coalesce(expression)
        case Case():
            return _fold_case(expression)
        case Cast() if expression.input.type == expression.type:
            return expression.input
        case Call() | Cast():
            return _fold_call(expression)
        case _:
            return expression


def cast_value(value: Value, given: Type, wanted: Type) -> Value:
    """CAST of a value.

    Raises:
        ValueError: it is not possible for this value.
        NotImplementedError: only the replica can do it.
    """
    try:
        return _cast(value, given, wanted)
    except _NotFolded:
        raise NotImplementedError(f"a cast from {given} to {wanted}") from None


def _fold_call(expression: Call | Cast) -> Expression:
    parts = inputs_of(expression)
    strict = isinstance(expression, Call) and expression.function in NULL_IF_ANY_IS
    if strict and any(isinstance(part, Literal) and part.value is None for part in parts):
        return Literal(value=None, type=expression.type)
    if not all(isinstance(part, Literal) for part in parts):
        return expression
    literals = [part for part in parts if isinstance(part, Literal)]
    try:
        if isinstance(expression, Cast):
            value = _cast(literals[0].value, literals[0].type, expression.type)
        else:
            value = _call(expression, literals)
    except (_NotFolded, ValueError, ArithmeticError, OverflowError):
        return expression
    return Literal(value=value, type=expression.type)


def _call(call: Call, literals: list[Literal]) -> Value:
    evaluate = _FUNCTIONS.get(call.function)
    if evaluate is None:
        raise _NotFolded
    values = [literal.value for literal in literals]
    if call.function not in _SEES_NULLS and any(value is None for value in values):
        return None
    types = [literal.type for literal in literals]
    return evaluate(values, types, call.type)


def _fold_logic(call: Call) -> Expression:
    """Three-valued: FALSE decides AND, TRUE decides OR, and the other one is dropped."""
    decisive = call.function == "or"
    rest: list[Expression] = []
    for argument in call.arguments:
        if isinstance(argument, Literal) and argument.value is decisive:
            return argument
        if not (isinstance(argument, Literal) and argument.value is (not decisive)):
            rest.append(argument)
    if not rest:
        return Literal(value=not decisive, type=BOOLEAN)
    if len(rest) == 1:
        return rest[0]
    if all(isinstance(argument, Literal) for argument in rest):
        return Literal(value=None, type=BOOLEAN)  # only nulls are left
    return Call(function=call.function, arguments=tuple(rest), type=BOOLEAN)


def _fold_coalesce(call: Call) -> Expression:
    rest: list[Expression] = []
    for argument in call.arguments:
        if isinstance(argument, Literal) and argument.value is None:
            continue
        rest.append(argument)
        if isinstance(argument, Literal):
            break
    if not rest:
        return Literal(value=None, type=call.type)
    if len(rest) == 1:
        return rest[0]
    return Call(function="coalesce", arguments=tuple(rest), type=call.type)


def _fold_case(case: Case) -> Expression:
    branches: list[Branch] = []
    for branch in case.branches:
        condition = branch.condition
        if not isinstance(condition, Literal):
            branches.append(branch)
        elif condition.value is True:
            if not branches:
                return branch.value
            return Case(branches=tuple(branches), otherwise=branch.value, type=case.type)
    if not branches:
        return case.otherwise
    return Case(branches=tuple(branches), otherwise=case.otherwise, type=case.type)


def _cast(value: Any, given: Type, wanted: Type) -> Value:
    if value is None or given == wanted:
        unchanged: Value = value
        return unchanged
    if given.kind is TypeKind.TEXT:
        return read_value(value, wanted)
    if wanted.kind is TypeKind.TEXT:
        written = write_value(value, given)
        if written is None:
            raise _NotFolded
        return written
    if given.is_numeric and wanted.is_numeric:
        return _cast_number(value, wanted)
    if given.element is not None and wanted.element is not None:
        return tuple(_cast(element, given.element, wanted.element) for element in value)
    if given.fields and wanted.fields:
        pairs = zip(value, given.fields, wanted.fields, strict=True)
        return tuple(_cast(inner, one.type, other.type) for inner, one, other in pairs)
    match given.kind, wanted.kind:
        case TypeKind.DATE, TypeKind.TIMESTAMP | TypeKind.TIMESTAMPTZ:
            return int(value) * DAY_MICROSECONDS
        case TypeKind.TIMESTAMP | TypeKind.TIMESTAMPTZ, TypeKind.DATE:
            return int(value) // DAY_MICROSECONDS
        case TypeKind.TIMESTAMP | TypeKind.TIMESTAMPTZ, _ if wanted.kind in _STAMPS:
            return int(value)
        case TypeKind.BOOLEAN, _ if wanted.is_integer:
            return int(value)
        case _, TypeKind.BOOLEAN if given.is_integer:
            return int(value) != 0
        case _:
            raise _NotFolded


def _cast_number(value: int | float | Decimal, wanted: Type) -> Value:
    if wanted.kind is TypeKind.FLOAT64:
        return float(value)
    if wanted.kind is TypeKind.FLOAT32:
        if not isinstance(value, float) and float(value) != value:
            raise _NotFolded  # it would be rounded twice
        return narrow(float(value))
    if isinstance(value, float):
        if not wanted.is_integer:
            raise _NotFolded  # how many digits of a float count is the replica's to say
        if not math.isfinite(value):
            raise ValueError(f"{value} is out of range for {wanted}")
        return fit_integer(round(value), wanted)  # half to even, as PostgreSQL's rint
    if wanted.is_integer:
        if isinstance(value, Decimal):
            value = int(value.quantize(Decimal(1), "ROUND_HALF_UP", _WIDE))
        return fit_integer(value, wanted)
    return fit_decimal(Decimal(value), wanted)


def _fit(value: Any, kind: Type) -> Value:
    """A computed number as a value of its type."""
    if kind.kind is TypeKind.DECIMAL:
        return fit_decimal(Decimal(value), kind)
    if kind.is_integer:
        return fit_integer(int(value), kind)
    if isinstance(value, float) and math.isinf(value):
        raise OverflowError("a float out of range")
    return narrow(float(value)) if kind.kind is TypeKind.FLOAT32 else float(value)


def _add(values: list[Any], types: list[Type], kind: Type) -> Value:
    return _shifted(values, types, kind, 1)


def _subtract(values: list[Any], types: list[Type], kind: Type) -> Value:
    left, right = types
    if left.kind is right.kind and left.kind in _STAMPS:
        days, micros = divmod(abs(values[0] - values[1]), DAY_MICROSECONDS)
        sign = 1 if values[0] >= values[1] else -1
        return Interval(days=sign * days, microseconds=sign * micros)
    return _shifted(values, types, kind, -1)


def _shifted(values: list[Any], types: list[Type], kind: Type, sign: int) -> Value:
    if types[0].is_numeric and types[1].is_numeric:
        if types[0].kind is TypeKind.DECIMAL:
            combine = _WIDE.add if sign > 0 else _WIDE.subtract
            return _fit(combine(values[0], values[1]), kind)
        return _fit(values[0] + sign * values[1], kind)
    if types[0].kind is TypeKind.DATE and (types[1].is_integer or types[1].kind is TypeKind.DATE):
        days = int(values[0] + sign * values[1])
        if kind.kind is TypeKind.DATE:
            _check_calendar(days * DAY_MICROSECONDS)
        return days
    if types[0].kind in _STAMPS and types[1].kind is TypeKind.INTERVAL:
        moved = _add_interval(values[0], values[1], sign)
        _check_calendar(moved)
        return moved
    raise _NotFolded


def _check_calendar(micros: int) -> None:
    """Outside the years 1 to 9999 the replica decides what is in range.

    Raises:
        OverflowError
    """
    to_datetime(micros)


def _add_interval(micros: int, interval: Interval, sign: int) -> int:
    if interval.months:
        moment = to_datetime(micros)
        month = moment.year * 12 + moment.month - 1 + sign * interval.months
        year, month = divmod(month, 12)
        day = moment.day
        while True:
            try:
                moved = moment.replace(year=year, month=month + 1, day=day)
                break
            except ValueError:
                if day <= 28:
                    raise
                day -= 1  # the last day of a shorter month
        micros = from_datetime(moved)
    return micros + sign * (interval.days * DAY_MICROSECONDS + interval.microseconds)


def _multiply(values: list[Any], types: list[Type], kind: Type) -> Value:
    if not (types[0].is_numeric and types[1].is_numeric):
        raise _NotFolded
    if types[0].kind is TypeKind.DECIMAL:
        return _fit(_WIDE.multiply(values[0], values[1]), kind)
    return _fit(values[0] * values[1], kind)


def _divide(values: list[Any], types: list[Type], kind: Type) -> Value:
    left, right = values
    if not (types[0].is_numeric and types[1].is_numeric):
        raise _NotFolded
    if right == 0:
        raise ZeroDivisionError
    if kind.is_integer:
        quotient = abs(left) // abs(right)
        return _fit(quotient if (left < 0) == (right < 0) else -quotient, kind)
    if kind.kind is TypeKind.DECIMAL:
        return _fit(_WIDE.divide(left, right), kind)
    return _fit(left / right, kind)


def _modulo(values: list[Any], types: list[Type], kind: Type) -> Value:
    left, right = values
    if not kind.is_integer:
        raise _NotFolded
    if right == 0:
        raise ZeroDivisionError
    remainder = abs(left) % abs(right)
    return _fit(-remainder if left < 0 else remainder, kind)  # the sign of the dividend


def _negate(values: list[Any], types: list[Type], kind: Type) -> Value:
    if not kind.is_numeric:
        raise _NotFolded
    value = values[0]
    return _fit(value.copy_negate() if isinstance(value, Decimal) else -value, kind)


def _absolute(values: list[Any], types: list[Type], kind: Type) -> Value:
    value = values[0]
    return _fit(value.copy_abs() if isinstance(value, Decimal) else abs(value), kind)


def _is_plain(kind: Type) -> bool:
    """Whether its values compare as Python's do."""
    return not (kind.is_float or kind.is_nested or kind.kind is TypeKind.INTERVAL)


def _comparison(decide: Callable[[Any, Any], bool]) -> Callable[..., Value]:
    def compare(values: list[Any], types: list[Type], kind: Type) -> Value:
        if not all(_is_plain(kind) for kind in types):
            raise _NotFolded  # NaN, nulls in lists and the order of intervals are the replica's
        return decide(values[0], values[1])

    return compare


def _nullif(values: list[Any], types: list[Type], kind: Type) -> Value:
    if not _is_plain(types[0]):
        raise _NotFolded
    first: Value = values[0]
    return None if first is not None and first == values[1] else first


def _ascii(change: Callable[[str], str]) -> Callable[[list[Any], list[Type], Type], Value]:
    """Of ASCII alone: beyond it, which letters have a case is the replica's to say."""

    def evaluate(values: list[Any], types: list[Type], kind: Type) -> Value:
        if not values[0].isascii():
            raise _NotFolded
        return change(values[0])

    return evaluate


_SEES_NULLS: Final = frozenset(
    {"list", "struct", "is_null", "is_not_null", "is_true", "is_false", "nullif"}
)

_FUNCTIONS: Final[Mapping[str, Callable[[list[Any], list[Type], Type], Value]]] = MappingProxyType(
    {
        "not": lambda values, types, kind: not values[0],
        "is_null": lambda values, types, kind: values[0] is None,
        "is_not_null": lambda values, types, kind: values[0] is not None,
        "is_true": lambda values, types, kind: values[0] is True,
        "is_false": lambda values, types, kind: values[0] is False,
        "equal": _comparison(lambda a, b: a == b),
        "not_equal": _comparison(lambda a, b: a != b),
        "less": _comparison(lambda a, b: a < b),
        "less_equal": _comparison(lambda a, b: a <= b),
        "greater": _comparison(lambda a, b: a > b),
        "greater_equal": _comparison(lambda a, b: a >= b),
        "add": _add,
        "subtract": _subtract,
        "multiply": _multiply,
        "divide": _divide,
        "modulo": _modulo,
        "negate": _negate,
        "abs": _absolute,
        "concat": lambda values, types, kind: values[0][:0].join(values),
        "lower": _ascii(str.lower),
        "upper": _ascii(str.upper),
        "length": lambda values, types, kind: len(values[0]),
        "nullif": _nullif,
        "fit_text": lambda values, types, kind: fit_text(values[0], values[1]),
        "list": lambda values, types, kind: tuple(values),
        "struct": lambda values, types, kind: tuple(values),
        "field": lambda values, types, kind: values[0][values[1]],
        "list_length": lambda values, types, kind: len(values[0]),
    }
)
