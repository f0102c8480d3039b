"""Aggregate calls, and what stands in for them until the query's rows are grouped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of_all, null
from antiphon.controller.sql.algebra.plans import extended, width_of
from antiphon.controller.sql.binding.coercion import cast
from antiphon.controller.sql.binding.scope import AGGREGATES, inseparable, is_outer, is_subquery
from antiphon.controller.sql.parsing.syntax import expect_only, function_name
from antiphon.controller.sql.queries.aggregate_calls import (
    AggregateCall,
    Composed,
    aggregate_call,
)
from antiphon.controller.sql.queries.ordered_sets import is_ordered_set, ordered_set_of
from antiphon.controller.sql.queries.pair_aggregates import is_pair, pair_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Branch, Case, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Aggregate, Plan, Reduce, SortKey
from antiphon.protocol.schema import INT32

SORTS: Final = 1 << 19  # what calls are sorted by, until the rows that are grouped have columns
GROUPINGS: Final = AGGREGATES + (1 << 19)  # GROUPING() calls
_GROUPING_BITS: Final = 31


class Aggregates:
    """The aggregates of one query, each once, in order of first mention."""

    __slots__ = ("_known", "calls", "groupings", "sorts")

    def __init__(self) -> None:
        self.calls: list[Aggregate] = []
        self.sorts: list[Expression] = []
        self.groupings: list[tuple[Expression, ...]] = []  # the keys that each call asks about
        self._known: dict[Aggregate, int] = {}

    @property
    def is_used(self) -> bool:
        return bool(self.calls or self.groupings)

    @property
    def read(self) -> list[Expression]:
        """What the calls read of each row."""
        conditions = [call.filter for call in self.calls if call.filter is not None]
        arguments = [part for call in self.calls for part in call.arguments]
        return [*arguments, *conditions, *self.sorts]

    def placed(self, place: Callable[[Expression], Expression]) -> Aggregates:
        """The same calls over the columns that `place` gives."""
        result = Aggregates()
        result.calls = [
            replace(
                call,
                arguments=tuple(map(place, call.arguments)),
                filter=None if call.filter is None else place(call.filter),
            )
            for call in self.calls
        ]
        result.sorts = list(map(place, self.sorts))
        result.groupings = [tuple(map(place, keys)) for keys in self.groupings]
        return result

    def lower(self, scalars: Scalars, node: exp.Expr) -> Expression:
        """The placeholder of an aggregate call; `scalars` lowers its arguments.

        Raises:
            UnsupportedSql: an aggregate, or a form of one, that is not served.
        """
        if isinstance(node, exp.Anonymous) and function_name(node) == "grouping":
            return self._grouping(scalars, node)
        call = _call_of(scalars, node)
        self._check(scalars, node, call.read)
        return call.over(self._column)

    def _column(self, call: AggregateCall) -> Expression:
        order_by = tuple(
            SortKey(
                column=self._sort(_where(call.aggregate.filter, value)),
                descending=descending, nulls_first=nulls_first,
            )
            for value, descending, nulls_first in call.order_by
        )  # fmt: skip
        aggregate = replace(call.aggregate, order_by=order_by)
        return cast(self._placeholder(aggregate), call.shown)

    def _check(self, scalars: Scalars, node: exp.Expr, values: Sequence[Expression]) -> None:
        """
        Raises:
            UnsupportedSql: what a call reads is not of its own query.
        """
        read = columns_of_all(values)
        if any(is_outer(index) for index in read):
            what = "a column of the outer query in an aggregate"
            raise inseparable(scalars.source, node, what)
        around = {c.index for c in scalars.scope.columns if c.level > 0}
        if read and read <= around:
            # It would be an aggregate of the query around.
            what = "an aggregate of columns of the outer query alone"
            raise scalars.source.unsupported(node, what)
        own = {index for index in read - around if not is_subquery(index)}
        if read and not own and (around or scalars.outer is not None):
            # Whose aggregate it is depends on what the subquery mentions.
            what = "an aggregate of a subquery alone, inside of a subquery,"
            hint = "; give the value a name in FROM: (SELECT (SELECT ...) AS v FROM ...) q"
            raise scalars.source.unsupported(node, what, hint)

    def _grouping(self, scalars: Scalars, node: exp.Anonymous) -> Expression:
        """GROUPING(key, ...): a bit for each, 1 where the row's grouping set leaves it out."""
        expect_only(scalars.source, node, "this", "expressions")
        if not 1 <= len(node.expressions) <= _GROUPING_BITS:
            message = f"grouping takes 1 to {_GROUPING_BITS} arguments"
            raise scalars.source.invalid(node, message)
        keys = tuple(scalars.lower(part) for part in node.expressions)
        if keys not in self.groupings:
            self.groupings.append(keys)
        return ColumnReference(index=GROUPINGS + self.groupings.index(keys), type=INT32)

    def reduce(self, plan: Plan, keys: Sequence[Expression]) -> Reduce:
        """The rows of `plan` in groups, with a column for each call."""
        width = width_of(plan)
        maps = [value for value in self.sorts if not isinstance(value, ColumnReference)]

        def placed(key: SortKey) -> SortKey:
            value = self.sorts[key.column - SORTS]
            if isinstance(value, ColumnReference):
                return replace(key, column=value.index)
            return replace(key, column=width + maps.index(value))

        calls = [
            replace(call, order_by=tuple(placed(key) for key in call.order_by))
            for call in self.calls
        ]
        return Reduce(input=extended(plan, maps), keys=tuple(keys), aggregates=tuple(calls))

    def _sort(self, value: Expression) -> int:
        if value not in self.sorts:
            self.sorts.append(value)
        return SORTS + self.sorts.index(value)

    def _placeholder(self, aggregate: Aggregate) -> Expression:
        index = self._known.setdefault(aggregate, len(self.calls))
        if index == len(self.calls):
            self.calls.append(aggregate)
        return ColumnReference(index=AGGREGATES + index, type=aggregate.type)


def _call_of(scalars: Scalars, node: exp.Expr) -> Composed:
    if is_pair(node):
        return pair_of(scalars, node)
    return ordered_set_of(scalars, node) if is_ordered_set(node) else aggregate_call(scalars, node)


def _where(condition: Expression | None, value: Expression) -> Expression:
    """What orders the rows that FILTER takes must not fail in another."""
    is_there = isinstance(value, ColumnReference) and not is_subquery(value.index)
    if condition is None or is_there or isinstance(value, Literal):
        return value
    branch = Branch(condition=condition, value=value)
    return Case(branches=(branch,), otherwise=null(value.type), type=value.type)
