"""What a join without keys is said to look rows up by."""

from __future__ import annotations

import pytest

from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.ranges import Range, range_of
from antiphon.protocol.schema import BOOLEAN, INT64, Type, TypeKind

LEFT = [ColumnReference(index=i, type=INT64) for i in range(3)]
RIGHT = [ColumnReference(index=i, type=INT64) for i in range(3, 6)]


def call(function: str, *arguments: Expression) -> Call:
    return Call(function=function, arguments=arguments, type=BOOLEAN)


def found(*conditions: Expression) -> Range | None:
    return range_of(conditions, 3, 6)


def test_between_is_a_range() -> None:
    wanted = Range(below=(LEFT[0], RIGHT[1]), above=(LEFT[0], RIGHT[0]))
    low, high = call("greater_equal", LEFT[0], RIGHT[0]), call("less", LEFT[0], RIGHT[1])
    assert found(low, high) == wanted
    assert found(call("and", high, low)) == wanted
    assert (
        found(call("less_equal", RIGHT[0], LEFT[0]), call("greater", RIGHT[1], LEFT[0])) == wanted
    )


def test_overlaps_and_single_bounds_are_ranges() -> None:
    begins, ends = call("less", LEFT[0], RIGHT[1]), call("less", RIGHT[0], LEFT[1])
    assert found(begins, ends) == Range(below=(LEFT[0], RIGHT[1]), above=(LEFT[1], RIGHT[0]))
    assert found(begins) == Range(below=(LEFT[0], RIGHT[1]), above=None)
    assert found(ends) == Range(below=None, above=(LEFT[1], RIGHT[0]))


def test_a_range_of_one_value_goes_before_two_halves() -> None:
    other = call("less", LEFT[2], RIGHT[2])
    low, high = call("greater", LEFT[0], RIGHT[0]), call("less", LEFT[0], RIGHT[1])
    assert found(other, low, high) == Range(below=(LEFT[0], RIGHT[1]), above=(LEFT[0], RIGHT[0]))


LIST = Type(kind=TypeKind.LIST, element=INT64)


@pytest.mark.parametrize(
    "condition",
    [
        call("less", LEFT[0], LEFT[1]),
        call("less", RIGHT[0], RIGHT[1]),
        call("less", LEFT[0], Literal(value=1, type=INT64)),
        call("not_equal", LEFT[0], RIGHT[0]),
        call("or", call("less", LEFT[0], RIGHT[0]), call("less", LEFT[1], RIGHT[1])),
        call("less", ColumnReference(index=0, type=LIST), ColumnReference(index=3, type=LIST)),
        call("less", LEFT[0], ColumnReference(index=6, type=INT64)),  # a map, behind both sides
        call("less", LEFT[0], Call(function="add", arguments=(LEFT[1], RIGHT[0]), type=INT64)),
    ],
)
def test_all_else_is_none(condition: Expression) -> None:
    assert found(condition) is None
