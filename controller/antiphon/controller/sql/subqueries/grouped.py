"""The aggregates of a subquery for each row of the query around it.

Where only equalities tie the two, the subquery is grouped by its side of them, once for all, and
joined on. Where something else does, the outer columns that it mentions are taken as they occur,
each combination once; the subquery is joined to these, grouped by them, and joined on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from antiphon.controller.sql.algebra.expressions import columns_of, columns_of_all, rewrite
from antiphon.controller.sql.algebra.plans import computed, filtered, joined
from antiphon.controller.sql.binding.relation import Context
from antiphon.controller.sql.binding.scope import OUTER, is_outer
from antiphon.controller.sql.subqueries.correlation import Keys, SubqueryJoin, of_empty_group
from antiphon.controller.sql.subqueries.domain import Tie, placed, ties_of
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import (
    Aggregate,
    Distinct,
    Join,
    JoinKind,
    Let,
    LocalGet,
    Plan,
    Reduce,
    schema_of,
)
from antiphon.protocol.schema import Column, Schema, Type


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainJoin:
    """Appends the outer columns `domain`, then each aggregate of the rows of `right` that the
    conditions tie to them. OUTER columns in `conditions` and `aggregates` are of the domain."""

    binding: int
    right: Plan
    keys: Keys
    conditions: tuple[Expression, ...]
    aggregates: tuple[Aggregate, ...]
    domain: tuple[Tie, ...]

    def onto(
        self, plan: Plan, place: Callable[[Expression], Expression], taken: Expression | None
    ) -> Plan:
        """The plan with the columns appended; `place` puts outer columns where they are in it."""
        columns = tuple(Column(name="", type=kind) for kind in schema_of(plan).types)
        around = LocalGet(binding=self.binding, schema=Schema(columns))
        outer = [placed(column, place) for column in self.domain]
        asking = around if taken is None else filtered(around, [taken])
        combinations = Distinct(input=computed(asking, outer))
        keys = [(self._in_domain(mine), inner) for mine, inner in self.keys]
        conditions = [self._in_both(condition) for condition in self.conditions]
        matches = joined(JoinKind.INNER, combinations, self.right, keys, conditions)
        groups = Reduce(
            input=matches,
            keys=tuple(self._places()),
            aggregates=tuple(self._moved(aggregate) for aggregate in self.aggregates),
        )
        body = Join(
            kind=JoinKind.LEFT, left=around, right=groups, left_keys=tuple(outer),
            right_keys=tuple(self._places()), nulls_match=True,
        )  # fmt: skip
        return Let(binding=self.binding, value=plan, body=body)

    def _places(self) -> list[ColumnReference]:
        return [ColumnReference(index=i, type=c.type) for i, c in enumerate(self.domain)]

    def _at(self, column: int, kind: Type) -> ColumnReference:
        numbers = [tie.index for tie in self.domain if isinstance(tie, ColumnReference)]
        return ColumnReference(index=numbers.index(column), type=kind)

    def _in_domain(self, expression: Expression) -> Expression:
        """Over the outer query's columns, as over the domain's."""
        return rewrite(
            expression,
            lambda e: self._at(e.index, e.type) if isinstance(e, ColumnReference) else None,
        )

    def _in_both(self, expression: Expression) -> Expression:
        """Over OUTER and inner columns, as over the domain's and then the inner ones."""

        def moved(part: Expression) -> Expression | None:
            if not isinstance(part, ColumnReference):
                return None
            if is_outer(part.index):
                return self._at(part.index - OUTER, part.type)
            return ColumnReference(index=part.index + len(self.domain), type=part.type)

        return rewrite(expression, moved)

    def _moved(self, aggregate: Aggregate) -> Aggregate:
        width = len(self.domain)
        condition = aggregate.filter
        return replace(
            aggregate,
            arguments=tuple(self._in_both(argument) for argument in aggregate.arguments),
            filter=None if condition is None else self._in_both(condition),
            order_by=tuple(replace(k, column=k.column + width) for k in aggregate.order_by),
        )


def grouped(
    context: Context,
    right: Plan,
    keys: Keys,
    residual: Sequence[Expression],
    aggregates: Sequence[Aggregate],
) -> tuple[SubqueryJoin | DomainJoin, tuple[Expression, ...]]:
    """The join that brings the aggregates of `right`, and where each of them is then, over the
    columns that the join appends. `residual` and filters may mention OUTER columns."""
    outer = _outer_columns(keys, residual, aggregates)
    if any(is_outer(i) for i in columns_of_all([*residual, *_read_by(aggregates)])):
        columns = tuple(ColumnReference(index=i, type=kind) for i, kind in sorted(outer.items()))
        domain = DomainJoin(
            binding=context.next_binding(),
            right=right,
            keys=keys,
            conditions=tuple(residual),
            aggregates=tuple(aggregates),
            domain=ties_of(columns),
        )
        return domain, _placed(aggregates, len(domain.domain))
    groups = tuple(inner for _, inner in keys)
    reduced = Reduce(input=right, keys=groups, aggregates=tuple(aggregates))
    pairs = tuple(
        (mine, ColumnReference(index=i, type=inner.type)) for i, (mine, inner) in enumerate(keys)
    )
    if keys:
        join = SubqueryJoin(kind=JoinKind.LEFT, right=reduced, keys=pairs)
        return join, _placed(aggregates, len(keys))
    # Without keys the one row is always there.
    values = (ColumnReference(index=i, type=a.type) for i, a in enumerate(aggregates))
    return SubqueryJoin(kind=JoinKind.INNER, right=reduced), tuple(values)


def _placed(aggregates: Sequence[Aggregate], first: int) -> tuple[Expression, ...]:
    """After a left join, which leaves nulls where there was nothing to group."""
    return tuple(
        of_empty_group(aggregate, ColumnReference(index=first + i, type=aggregate.type))
        for i, aggregate in enumerate(aggregates)
    )


def _read_by(aggregates: Sequence[Aggregate]) -> list[Expression]:
    conditions = [a.filter for a in aggregates if a.filter is not None]
    return [*(argument for a in aggregates for argument in a.arguments), *conditions]


def _outer_columns(
    keys: Keys, residual: Sequence[Expression], aggregates: Sequence[Aggregate]
) -> dict[int, Type]:
    found: dict[int, Type] = {}
    for expression in (*residual, *_read_by(aggregates)):
        _note(expression, found, lambda index: index - OUTER if is_outer(index) else None)
    for mine, _ in keys:
        _note(mine, found, lambda index: index)
    return found


def _note(
    expression: Expression, found: dict[int, Type], outer: Callable[[int], int | None]
) -> None:
    def note(part: Expression) -> None:
        if isinstance(part, ColumnReference) and (index := outer(part.index)) is not None:
            found[index] = part.type

    if columns_of(expression):
        rewrite(expression, note)
