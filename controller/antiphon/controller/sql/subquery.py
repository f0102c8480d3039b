"""Subqueries in expressions, as joins.

`EXISTS` and `IN` that stand alone in WHERE become semijoins and antijoins; elsewhere, and for
scalar subqueries, columns are joined on and the expression reads them. A correlated subquery is
taken apart: equalities between an inner and an outer expression become the join's keys, other
correlated conditions its residual (semijoins only). What cannot be taken apart is refused.

The value of `x IN (q)` is null, not false, where a null could be the match; `NOT IN` keeps that
apart with the join's `null_aware`, or with conditions that let a null match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from antiphon.controller.sql.coercion import settle, unify_compared
from antiphon.controller.sql.correlation import (
    COUNT_ROWS,
    ZERO,
    Keys,
    SubqueryJoin,
    SubqueryValue,
    is_null,
    key_pair,
    marked_join,
    outer_of,
    resolved,
    test,
)
from antiphon.controller.sql.expressions import (
    FALSE,
    TRUE,
    all_of,
    any_of,
    columns_of,
    equal,
    substitute_columns,
)
from antiphon.controller.sql.grouped import grouped
from antiphon.controller.sql.introspect import catalog_of
from antiphon.controller.sql.plans import computed, extended, joined, width_of
from antiphon.controller.sql.quantified import NEGATED, aggregates_of, compared
from antiphon.controller.sql.relation import Context, Environment, Query
from antiphon.controller.sql.scalar import COMPARISONS, Scalars
from antiphon.controller.sql.scope import AGGREGATES, Scope
from antiphon.controller.sql.syntax import (
    has_clause,
    is_in_query,
    is_row,
    is_single_aggregate,
    literal_limit,
    plain_select,
    quantified_query,
    sets_in,
    windows_in,
    without_not,
)
from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Get,
    Join,
    JoinKind,
    MapFilterProject,
    Plan,
    Reduce,
    SortKey,
    TopK,
)
from antiphon.protocol.schema import BOOLEAN, INT64, TypeKind

if TYPE_CHECKING:
    from antiphon.controller.sql.select import SelectLowering


class OpenSelect(Protocol):
    """Begins a SELECT: its FROM is lowered, nothing else."""

    def __call__(
        self, node: exp.Select, environment: Environment, outer: Scope | None
    ) -> SelectLowering: ...


class LowerWhole(Protocol):
    """Lowers any query."""

    def __call__(self, node: exp.Expr, environment: Environment, outer: Scope | None) -> Query: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Correlated:
    """A SELECT after FROM and WHERE, with the conditions that tie it to the outer query."""

    select: SelectLowering
    keys: Keys
    residual: tuple[Expression, ...]  # over OUTER and inner columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Subqueries:
    """Lowers the subqueries of one SELECT."""

    context: Context
    environment: Environment
    open_select: OpenSelect
    lower_whole: LowerWhole

    # Semijoins and antijoins.

    def is_semijoin(self, node: exp.Expr) -> bool:
        """Whether a conjunct of WHERE is [NOT] EXISTS or [NOT] IN of a subquery."""
        inner, _ = without_not(node)
        return isinstance(inner, exp.Exists) or is_in_query(inner)

    def semijoin(self, node: exp.Expr, scalars: Scalars, plan: Plan) -> Plan:
        """The rows of `plan` (whose columns `scalars` resolves) for which the conjunct is true."""
        inner, negated = without_not(node)
        kind = JoinKind.ANTI if negated else JoinKind.SEMI
        if isinstance(inner, exp.Exists):
            right, keys, residual = self._existence(inner.this, scalars.scope)
            return self._semi(kind, plan, right, keys, residual)
        right, pairs, keys, residual = self._membership(inner, scalars)
        if not negated or not pairs:
            return self._semi(kind, plan, right, (*pairs, *keys), residual)
        if not keys and not residual and len(pairs) == 1:
            anti = joined(kind, plan, right, pairs)
            return Join(
                kind=kind, left=plan, right=right, left_keys=anti.left_keys,
                right_keys=anti.right_keys, null_aware=True,
            )  # fmt: skip
        # A row stays only if every inner row of its group is surely different.
        possible = [
            any_of([equal(outer_of(a), b), is_null(outer_of(a)), is_null(b)]) for a, b in pairs
        ]
        return self._semi(kind, plan, right, keys, (*residual, *possible))

    def _semi(
        self, kind: JoinKind, plan: Plan, right: Plan, keys: Keys, residual: Sequence[Expression]
    ) -> Plan:
        base = width_of(plan)
        conditions = [resolved(part, lambda e: e, base) for part in residual]
        return joined(kind, plan, right, keys, conditions)

    def _existence(self, node: exp.Expr, scope: Scope) -> tuple[Plan, Keys, tuple[Expression, ...]]:
        select = plain_select(node)
        if select is None:
            return self._whole(node, scope).finished(), (), ()
        correlated = self._correlated(select, scope)
        return correlated.select.plan, correlated.keys, correlated.residual

    def _membership(
        self, node: exp.Expr, scalars: Scalars
    ) -> tuple[Plan, Keys, Keys, tuple[Expression, ...]]:
        """The inner plan, the pairs that IN compares, and what correlates."""
        source = self.context.source
        sides = node.this.expressions if is_row(node.this) else [node.this]
        query = node.args["query"]
        select = plain_select(query)
        keys: Keys = ()
        residual: tuple[Expression, ...] = ()
        if select is None:
            whole = self._whole(query, scalars.scope)
            plan = whole.finished()
            inner = [c.reference for c in whole.columns]
        else:
            correlated = self._correlated(select, scalars.scope)
            keys, residual = correlated.keys, correlated.residual
            plan = correlated.select.plan
            outputs = correlated.select.outputs(select)
            settled = [settle(source, o.node, o.value) for o in outputs]
            values = [correlated.select.place(value) for value in settled]
            width = width_of(plan)
            plan = extended(plan, values)
            inner = [
                ColumnReference(index=width + i, type=value.type) for i, value in enumerate(values)
            ]
        if len(inner) != len(sides):
            raise source.invalid(node, f"IN compares {len(sides)} values with {len(inner)} columns")
        pairs = tuple(
            unify_compared(source, (side, query), scalars.typed(side), column, "IN")
            for side, column in zip(sides, inner, strict=True)
        )
        return plan, pairs, keys, residual

    # Values.

    def value(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        """The value of EXISTS, IN or a scalar subquery anywhere in an expression."""
        if isinstance(node, exp.Exists):
            return self._exists_value(node, scalars)
        if isinstance(node, exp.In):
            return self._in_value(node, scalars)
        if quantified_query(node) is not None:
            return self._quantified(node, scalars)
        return self._scalar(node, scalars)

    def _exists_value(self, node: exp.Exists, scalars: Scalars) -> SubqueryValue:
        right, keys, residual = self._existence(node.this, scalars.scope)
        if residual or not keys:
            counted, (rows,) = grouped(self.context, right, keys, residual, (COUNT_ROWS,))
            return SubqueryValue(joins=(counted,), value=test("greater", rows, ZERO))
        join, marker = marked_join(right, keys)
        return SubqueryValue(joins=(join,), value=test("is_not_null", marker))

    def _in_value(self, node: exp.In, scalars: Scalars) -> SubqueryValue:
        """Three-valued membership: a match; else unknown if either side had a null; else false."""
        right, pairs, keys, residual = self._membership(node, scalars)
        if keys or residual:
            return self._in_group(right, pairs, keys, residual)
        if len(pairs) != 1:
            raise self.context.source.unsupported(node, "a multi-column IN inside an expression")
        ((outer, inner),) = pairs
        counts = Reduce(
            input=right,
            keys=(),
            aggregates=(
                COUNT_ROWS,
                Aggregate(function=AggregateFunction.COUNT, arguments=(inner,), type=INT64),
            ),
        )
        join, marker = marked_join(right, pairs)
        base = width_of(join.right)
        rows, values = (ColumnReference(index=base + i, type=INT64) for i in (0, 1))
        unknown = any_of([is_null(outer_of(outer)), test("less", values, rows)])
        value = Case(
            branches=(
                Branch(condition=test("is_not_null", marker), value=TRUE),
                Branch(condition=test("equal", rows, ZERO), value=FALSE),
                Branch(condition=unknown, value=Literal(value=None, type=BOOLEAN)),
            ),
            otherwise=FALSE,
            type=BOOLEAN,
        )
        return SubqueryValue(
            joins=(join, SubqueryJoin(kind=JoinKind.INNER, right=counts)), value=value
        )

    def _in_group(
        self, right: Plan, pairs: Keys, keys: Keys, residual: tuple[Expression, ...]
    ) -> SubqueryValue:
        """The same among the rows that belong to a row of the outer query."""
        equals = [equal(outer_of(outer), inner) for outer, inner in pairs]
        possible = [
            any_of([same, is_null(outer_of(outer)), is_null(inner)])
            for same, (outer, inner) in zip(equals, pairs, strict=True)
        ]
        counts = [
            Aggregate(
                function=AggregateFunction.COUNT, arguments=(), type=INT64, filter=all_of(condition)
            )
            for condition in (equals, possible)
        ]
        join, (same_rows, possible_rows) = grouped(self.context, right, keys, residual, counts)
        value = Case(
            branches=(
                Branch(condition=test("greater", same_rows, ZERO), value=TRUE),
                Branch(
                    condition=test("greater", possible_rows, ZERO),
                    value=Literal(value=None, type=BOOLEAN),
                ),
            ),
            otherwise=FALSE,
            type=BOOLEAN,
        )
        return SubqueryValue(joins=(join,), value=value)

    def _quantified(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        """A comparison, other than those that are IN, with any or with all rows of a subquery."""
        source = self.context.source
        function, symbol = COMPARISONS[type(node)]
        if function not in NEGATED or is_row(node.this):
            raise source.unsupported(node, f"{symbol} ANY or ALL of rows")
        query = quantified_query(node)
        member = exp.In(this=node.this, query=query)
        right, pairs, keys, residual = self._membership(member, scalars)
        ((outer, inner),) = pairs
        if inner.type.kind in (TypeKind.BOOLEAN, TypeKind.LIST, TypeKind.STRUCT):
            raise source.unsupported(node, f"{symbol} ANY or ALL of {inner.type}")
        join, columns = grouped(self.context, right, keys, residual, aggregates_of(inner))
        with_all = isinstance(node.expression, exp.All)
        value = compared(function, outer_of(outer), columns, with_all=with_all)
        return SubqueryValue(joins=(join,), value=value)

    def _scalar(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        source = self.context.source
        query = node.this
        plain = isinstance(query, exp.Select) and not windows_in(query) and not sets_in(query)
        select = query if plain else None
        if select is not None and is_single_aggregate(select):
            return self._aggregate(select, scalars.scope)
        if select is not None and not has_clause(select, "group", "having", "distinct", "offset"):
            limited = literal_limit(select) == 1
            if limited or literal_limit(select) is None:
                return self._at_most_one(node, select, scalars.scope, limited)
        whole = self._whole(query, scalars.scope)
        if len(whole.columns) != 1:
            count = len(whole.columns)
            raise source.invalid(node, f"a scalar subquery has one column, not {count}")
        if whole.limit != 1:
            raise source.unsupported(node, _MANY_ROWS)
        return SubqueryValue(
            joins=(SubqueryJoin(kind=JoinKind.LEFT, right=whole.finished()),),
            value=whole.columns[0].reference,
        )

    def _aggregate(self, node: exp.Select, scope: Scope) -> SubqueryValue:
        """One aggregate value for each combination of the correlated columns."""
        source = self.context.source
        correlated = self._correlated(node, scope)
        select = correlated.select
        outputs = select.outputs(node)
        if len(outputs) != 1:
            raise source.invalid(node, f"a scalar subquery has one column, not {len(outputs)}")
        if select.aggregates.groupings:
            raise source.invalid(node, "the arguments of grouping must stand in GROUP BY")
        value = settle(source, outputs[0].node, outputs[0].value)
        if any(index < AGGREGATES for index in columns_of(value)):
            raise source.invalid(
                outputs[0].node, "a column must stand in GROUP BY or inside an aggregate"
            )
        whole = select.aggregates.reduce(select.plan, ())
        join, columns = grouped(
            self.context, whole.input, correlated.keys, correlated.residual, whole.aggregates
        )
        placed = {AGGREGATES + i: column for i, column in enumerate(columns)}
        return SubqueryValue(joins=(join,), value=substitute_columns(value, placed))

    def _at_most_one(
        self, node: exp.Expr, select: exp.Select, scope: Scope, limited: bool
    ) -> SubqueryValue:
        """A subquery without aggregates: LIMIT 1, or rows that a primary key makes unique."""
        source = self.context.source
        correlated = self._correlated(select, scope)
        if correlated.residual:
            raise source.unsupported(
                node, "a scalar subquery with a correlation other than equality"
            )
        lowering = correlated.select
        outputs = lowering.outputs(select)
        if len(outputs) != 1:
            raise source.invalid(node, f"a scalar subquery has one column, not {len(outputs)}")
        value = lowering.place(settle(source, outputs[0].node, outputs[0].value))
        keys = [inner for _, inner in correlated.keys]
        order = lowering.sort_values(select)
        lowering.refuse_grouping(node, "this subquery")
        right = computed(lowering.plan, [*keys, value, *(v for v, _, _ in order)])
        if limited:
            right = TopK(
                input=right,
                group_by=tuple(range(len(keys))),
                order_by=tuple(
                    SortKey(column=len(keys) + 1 + i, descending=d, nulls_first=n)
                    for i, (_, d, n) in enumerate(order)
                ),
                limit=1,
            )
        elif not self._is_unique(lowering.plan, keys):
            raise source.unsupported(node, _MANY_ROWS)
        pairs = tuple(
            (outer, ColumnReference(index=i, type=inner.type))
            for i, (outer, inner) in enumerate(correlated.keys)
        )
        return SubqueryValue(
            joins=(SubqueryJoin(kind=JoinKind.LEFT, right=right, keys=pairs),),
            value=ColumnReference(index=len(keys), type=value.type),
        )

    def _is_unique(self, plan: Plan, keys: Sequence[Expression]) -> bool:
        """Whether fixing `keys` leaves at most one row: they cover one table's primary key."""
        fixed = {key.index for key in keys if isinstance(key, ColumnReference)}
        while isinstance(plan, MapFilterProject) and not plan.maps:
            for part in plan.filters:
                if isinstance(part, Call) and part.function == "equal":
                    a, b = part.arguments
                    if isinstance(a, ColumnReference) and isinstance(b, Literal):
                        fixed.add(a.index)
            plan = plan.input
        if not isinstance(plan, Get):
            return False
        item = catalog_of(self.context).get(plan.collection)
        return bool(item.key_columns) and set(item.key_columns) <= fixed

    # Shared parts.

    def _whole(self, node: exp.Expr, scope: Scope) -> Query:
        """A query that must not be correlated; an outer column in it is refused by name."""
        inner = node.this if isinstance(node, exp.Subquery) else node
        return self.lower_whole(inner, self.environment, scope)

    def _correlated(self, node: exp.Select, scope: Scope) -> _Correlated:
        """FROM and WHERE of a plain SELECT, with the correlated conditions set apart."""
        select = self.open_select(node, self.environment, scope)
        keys: list[tuple[Expression, Expression]] = []
        residual: list[Expression] = []
        for condition, _ in select.split_where(node.args.get("where")):
            pair = key_pair(condition)
            if pair is None:
                residual.append(condition)
            else:
                keys.append(pair)
        return _Correlated(select=select, keys=tuple(keys), residual=tuple(residual))


_MANY_ROWS = "a scalar subquery that may have several rows (use an aggregate or LIMIT 1)"
