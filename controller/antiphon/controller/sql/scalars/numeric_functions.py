"""More functions of numbers, and those that count nulls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.binding.coercion import cast, unify
from antiphon.controller.sql.binding.types import arithmetic_type, as_decimal, common_type
from antiphon.controller.sql.scalars.functions import Arguments, Builder, call, fixed, numeric, real
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.schema import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    Type,
    decimal,
)

Pair = tuple[Expression, Expression]


def _number(value: int, kind: Type = INT32) -> Literal:
    return Literal(value=value, type=kind)


def _choice(otherwise: Expression, *branches: tuple[Expression, Expression]) -> Case:
    made = tuple(Branch(condition=condition, value=value) for condition, value in branches)
    return Case(branches=made, otherwise=otherwise, type=otherwise.type)


def _exact(arguments: Arguments, indices: tuple[int, ...]) -> list[Expression]:
    """Arguments as decimals of one type."""
    values = [numeric(arguments, index) for index in indices]
    if any(value.type.is_float for value in values):
        raise arguments.wrong()
    whole = [cast(value, as_decimal(value.type)) for value in values]
    spots = [arguments.spots[index] for index in indices]
    found, _ = unify(arguments.source, spots, whole, f"the arguments of {arguments.name}")
    return list(found)


def _quotient(left: Expression, right: Expression) -> Expression:
    return call("quotient", [left, right], decimal(left.type.precision, 0))


def _div(arguments: Arguments) -> Expression:
    """The quotient of exact numbers, cut to a whole one."""
    if len(arguments.values) != 2:
        raise arguments.wrong()
    return _quotient(*_exact(arguments, (0, 1)))


def _divisors(function: str) -> Builder:
    def build(arguments: Arguments) -> Expression:
        """gcd, lcm: of integers."""
        if len(arguments.values) != 2:
            raise arguments.wrong()
        values, kind = unify(
            arguments.source, arguments.spots, arguments.values,
            f"the arguments of {arguments.name}",
        )  # fmt: skip
        if not kind.is_integer:
            raise arguments.source.unsupported(arguments.call, f"{arguments.name} of {kind}")
        return call(function, values, kind)

    return build


def _bit_count(arguments: Arguments) -> Expression:
    if len(arguments.values) != 1:
        raise arguments.wrong()
    value = arguments.settled(0, INT32)
    if not value.type.is_integer:
        raise arguments.source.unsupported(arguments.call, f"bit_count of {value.type}")
    return call("bit_count", [value], INT32)


def _width_bucket(arguments: Arguments) -> Expression:
    """width_bucket(value, bound, other bound, count); exact for exact numbers. Or of a value and
    the least values of buckets."""
    if len(arguments.values) == 2:
        return _bucket_of_bounds(arguments)
    if len(arguments.values) != 4:
        raise arguments.wrong()
    if any(numeric(arguments, index).type.is_float for index in range(3)):
        values = [arguments.as_type(index, FLOAT64) for index in range(3)]
        return call("width_bucket", [*values, arguments.as_type(3, INT32)], INT32)
    count = arguments.as_type(3, INT32)
    if not isinstance(count, Literal):
        what = "width_bucket of exact numbers with a count that is no constant"
        raise arguments.source.unsupported(arguments.spots[3], what, "; cast the value to float")
    if count.value is None:
        return count
    if not isinstance(count.value, int) or count.value <= 0:
        raise arguments.source.invalid(arguments.spots[3], "count must be greater than zero")
    value, first, last = _exact(arguments, (0, 1, 2))
    buckets = cast(count, decimal(10, 0))

    def inside(
        part: tuple[Expression, Expression], all_: tuple[Expression, Expression]
    ) -> Expression:
        difference = arithmetic_type("subtract", value.type, value.type)
        grown = arithmetic_type("multiply", difference, buckets.type)
        reached = call("subtract", part, difference)
        common = common_type(difference, buckets.type)
        assert common is not None, "two decimals"
        times = call("multiply", [cast(reached, common), cast(buckets, common)], grown)
        whole = cast(call("subtract", all_, difference), grown)
        number = cast(_quotient(times, whole), INT64)
        return cast(call("add", [number, _number(1, INT64)], INT64), INT32)

    def compared(function: str, left: Expression, right: Expression) -> Expression:
        return call(function, [left, right], BOOLEAN)

    above = _number(count.value + 1) if count.value < 2**31 - 1 else cast(count, INT32)
    rising = _choice(
        inside((value, first), (last, first)),
        (compared("less", value, first), _number(0)),
        (compared("greater_equal", value, last), above),
    )
    falling = _choice(
        inside((first, value), (first, last)),
        (compared("greater", value, first), _number(0)),
        (compared("less_equal", value, last), above),
    )
    known = [call("is_null", [part], BOOLEAN) for part in (value, first, last)]
    return _choice(
        falling,
        *((unknown, Literal(value=None, type=INT32)) for unknown in known),
        (compared("less", first, last), rising),
    )


def _bucket_of_bounds(arguments: Arguments) -> Expression:
    """How many of the bounds, which are literals in their order, are no greater."""
    bounds = arguments.settled(1)
    if not isinstance(bounds, Literal) or not isinstance(bounds.value, tuple):
        what = "width_bucket with bounds that are no literals"
        raise arguments.source.unsupported(arguments.spots[1], what)
    kind = bounds.type.element
    assert kind is not None, "a list"
    if None in bounds.value:
        raise arguments.source.invalid(arguments.spots[1], "thresholds must not contain nulls")
    numbers = [value for value in bounds.value if isinstance(value, int | float | Decimal)]
    if not kind.is_numeric or numbers != sorted(numbers) or any(map(math.isnan, numbers)):
        message = "the bounds of width_bucket are numbers in their order"
        raise arguments.source.invalid(arguments.spots[1], message)
    (value, *_), common = unify(
        arguments.source, arguments.spots,
        (arguments.values[0], Literal(value=None, type=kind)), "the arguments of width_bucket",
    )  # fmt: skip
    reached: list[Expression] = []
    for number in numbers:
        bound = cast(Literal(value=number, type=kind), common)
        is_less = call("greater_equal", [value, bound], BOOLEAN)
        reached.append(_choice(_number(0), (is_less, _number(1))))
    total: Expression = _number(0)
    for part in reached:
        total = call("add", [total, part], INT32)
    unknown = call("is_null", [value], BOOLEAN)
    return _choice(total, (unknown, Literal(value=None, type=INT32)))


def _scale(arguments: Arguments) -> Expression:
    """The digits after the point that the type has; null of null."""
    if len(arguments.values) != 1:
        raise arguments.wrong()
    (value,) = _exact(arguments, (0,))
    unknown = call("is_null", [value], BOOLEAN)
    return _choice(_number(value.type.scale), (unknown, Literal(value=None, type=INT32)))


def _min_scale(arguments: Arguments) -> Expression:
    """The digits after the point that the value needs."""
    if len(arguments.values) != 1:
        raise arguments.wrong()
    (value,) = _exact(arguments, (0,))
    kind = value.type
    branches = [(call("is_null", [value], BOOLEAN), Literal(value=None, type=INT32))]
    for digits in range(kind.scale):
        short = decimal(kind.precision - kind.scale + digits or 1, digits)
        cut = cast(call("truncate", [value, _number(digits)], short), kind)
        branches.append((call("equal", [cut, value], BOOLEAN), _number(digits)))
    return _choice(_number(kind.scale), *branches)


def _counted(test: str) -> Builder:
    def build(arguments: Arguments) -> Expression:
        """num_nulls, num_nonnulls: of any types."""
        if not arguments.values:
            raise arguments.wrong()
        parts = [
            _choice(
                _number(0),
                (call(test, [arguments.settled(index)], BOOLEAN), _number(1)),
            )
            for index in range(len(arguments.values))
        ]
        total: Expression = parts[0]
        for part in parts[1:]:
            total = call("add", [total, part], INT32)
        return total

    return build


_REALS: Final = (
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cot", "sind", "cosd", "tand", "cotd",
    "asind", "acosd", "atand", "log2",
)  # fmt: skip
NUMERIC_FUNCTIONS: Final[Mapping[str, Builder]] = MappingProxyType(
    {
        **{name: real(name) for name in _REALS},
        "atan2d": fixed("atan2d", FLOAT64, FLOAT64, FLOAT64),
        "div": _div,
        "gcd": _divisors("gcd"),
        "lcm": _divisors("lcm"),
        "factorial": fixed("factorial", decimal(38, 0), INT64),
        "bit_count": _bit_count,
        "width_bucket": _width_bucket,
        "scale": _scale,
        "min_scale": _min_scale,
        "num_nulls": _counted("is_null"),
        "num_nonnulls": _counted("is_not_null"),
    }
)
