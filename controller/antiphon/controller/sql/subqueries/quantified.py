"""`x < ANY (subquery)` and its kin, with unknown where a null could decide.

Against all rows of a subquery at once, what counts is how many there are, how many are not null,
the least and the greatest: `x < ANY` is `x < greatest`, `x < ALL` is `x < least`. So one aggregate
serves them all, and a row of the outer query is never compared with every row of the inner one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from antiphon.controller.sql.algebra.expressions import FALSE, TRUE, all_of, any_of, negation
from antiphon.controller.sql.subqueries.correlation import ZERO, is_null, test
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import BOOLEAN, INT64

NEGATED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "equal": "not_equal", "not_equal": "equal", "less": "greater_equal",
        "greater_equal": "less", "greater": "less_equal", "less_equal": "greater",
    }
)  # fmt: skip
_UNKNOWN: Final = Literal(value=None, type=BOOLEAN)


def aggregates_of(value: Expression) -> tuple[Aggregate, ...]:
    """Rows, values, least, greatest of a subquery's one column."""
    function = AggregateFunction
    return (
        Aggregate(function=function.COUNT, arguments=(), type=INT64),
        Aggregate(function=function.COUNT, arguments=(value,), type=INT64),
        Aggregate(function=function.MIN, arguments=(value,), type=value.type),
        Aggregate(function=function.MAX, arguments=(value,), type=value.type),
    )


def compared(
    function: str, outer: Expression, columns: tuple[Expression, ...], *, with_all: bool
) -> Expression:
    """Whether `outer` compares so with any of the rows, or with all; over the aggregates'
    `columns`."""
    if with_all:
        # All compare so unless any compares the other way.
        return negation(compared(NEGATED[function], outer, columns, with_all=False))
    rows, values, least, greatest = columns
    assert function != "equal", "= ANY is IN"
    if function == "not_equal":
        found = any_of([test("not_equal", outer, least), test("not_equal", outer, greatest)])
    else:
        found = test(function, outer, greatest if function.startswith("less") else least)
    unknown = any_of([is_null(outer), test("less", values, rows)])
    return Case(
        branches=(
            Branch(condition=test("equal", rows, ZERO), value=FALSE),
            Branch(condition=all_of([test("greater", values, ZERO), found]), value=TRUE),
            Branch(condition=unknown, value=_UNKNOWN),
        ),
        otherwise=FALSE,
        type=BOOLEAN,
    )
