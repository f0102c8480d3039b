"""What ties a subquery to the query around it, and the joins that bring its value there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from antiphon.controller.sql.algebra.expressions import TRUE, columns_of, remap, rewrite, shift
from antiphon.controller.sql.algebra.plans import computed, extended, joined, width_of
from antiphon.controller.sql.binding.scope import OUTER, is_outer
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction, Distinct, JoinKind, Plan
from antiphon.protocol.schema import BOOLEAN, INT64

Keys = tuple[tuple[Expression, Expression], ...]  # (outer, inner), equal where they match

ZERO: Final = Literal(value=0, type=INT64)
COUNT_ROWS: Final = Aggregate(function=AggregateFunction.COUNT, arguments=(), type=INT64)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubqueryJoin:
    """Appends the columns of `right`; the first of each key pair is over the outer query."""

    kind: JoinKind
    right: Plan
    keys: Keys = ()

    def onto(
        self, plan: Plan, place: Callable[[Expression], Expression], taken: Expression | None
    ) -> Plan:
        """The plan with the columns appended; `place` puts outer columns where they are in it."""
        keys = [(place(outer), inner) for outer, inner in self.keys]
        return joined(self.kind, plan, self.right, keys)


class Appending(Protocol):
    """A join that appends columns to the query around a subquery. `taken`: of which of its rows
    they are read, for what is computed for each of them; of others they may be null."""

    def onto(
        self, plan: Plan, place: Callable[[Expression], Expression], taken: Expression | None
    ) -> Plan: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SubqueryValue:
    """The joins to make, and a value over the outer query's columns (as OUTER) and the columns
    that the joins append, numbered from 0."""

    joins: tuple[Appending, ...]
    value: Expression

    def join_to(
        self,
        plan: Plan,
        place: Callable[[Expression], Expression],
        taken: Expression | None = None,
    ) -> tuple[Plan, Expression]:
        """The plan with the joins made, and the value over its columns, of the rows of which
        `taken` is true; None: of all."""
        base = width_of(plan)
        for join in self.joins:
            plan = join.onto(plan, place, taken)
        return plan, resolved(self.value, place, base)


def test(function: str, *arguments: Expression) -> Call:
    return Call(function=function, arguments=arguments, type=BOOLEAN)


def is_null(value: Expression) -> Expression:
    return test("is_null", value)


def outer_of(expression: Expression) -> Expression:
    """An expression over the outer query's columns, marked as such."""
    return shift(expression, OUTER)


def resolved(
    expression: Expression, place: Callable[[Expression], Expression], base: int
) -> Expression:
    """OUTER columns where `place` puts them, the others moved by `base`."""

    def replace(part: Expression) -> Expression | None:
        if not isinstance(part, ColumnReference):
            return None
        if is_outer(part.index):
            return place(ColumnReference(index=part.index - OUTER, type=part.type))
        return ColumnReference(index=part.index + base, type=part.type)

    return rewrite(expression, replace)


def key_pair(condition: Expression) -> tuple[Expression, Expression] | None:
    """(outer, inner) of an equality whose sides are wholly one and the other."""
    if not (isinstance(condition, Call) and condition.function == "equal"):
        return None
    for outer, inner in (condition.arguments, condition.arguments[::-1]):
        outside, inside = columns_of(outer), columns_of(inner)
        if outside and all(map(is_outer, outside)) and not any(map(is_outer, inside)):
            return remap(outer, {index: index - OUTER for index in outside}), inner
    return None


def marked_join(right: Plan, keys: Keys) -> tuple[SubqueryJoin, ColumnReference]:
    """A left join that appends one marker, not null where the keys match."""
    inner = [key for _, key in keys]
    distinct = Distinct(input=computed(right, inner))
    marked = extended(distinct, [TRUE])
    pairs = tuple(
        (outer, ColumnReference(index=i, type=key.type)) for i, (outer, key) in enumerate(keys)
    )
    join = SubqueryJoin(kind=JoinKind.LEFT, right=marked, keys=pairs)
    return join, ColumnReference(index=len(inner), type=BOOLEAN)


def of_empty_group(aggregate: Aggregate, column: ColumnReference) -> Expression:
    """The aggregate's column after a left join: a count of nothing is 0, all others are null."""
    if aggregate.function is not AggregateFunction.COUNT:
        return column
    return Call(function="coalesce", arguments=(column, ZERO), type=INT64)
