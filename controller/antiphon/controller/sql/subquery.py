"""Subqueries in expressions, as joins.

`EXISTS` and `IN` that stand alone in WHERE become semijoins and antijoins; elsewhere, and for
scalar subqueries, columns are joined on and the expression reads them. A correlated subquery is
taken apart: equalities between an inner and an outer expression become the join's keys, other
correlated conditions its residual (semijoins only). What cannot be taken apart is refused.

The value of `x IN (q)` is null, not false, where a null could be the match; `NOT IN` keeps that
apart with the join's `null_aware`, or with conditions that let a null match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from antiphon.controller.sql.coercion import settle, unify_compared
from antiphon.controller.sql.expressions import (
    TRUE,
    any_of,
    columns_of,
    equal,
    remap,
    rewrite,
    shift,
    substitute_columns,
)
from antiphon.controller.sql.plans import computed, extended, joined, width_of
from antiphon.controller.sql.relation import Context, Environment, Query
from antiphon.controller.sql.scalar import AGGREGATE_NAMES, Scalars, function_name
from antiphon.controller.sql.scope import AGGREGATES, OUTER, Scope, is_outer
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
    Distinct,
    Get,
    Join,
    JoinKind,
    MapFilterProject,
    Plan,
    Reduce,
    SortKey,
    TopK,
)
from antiphon.protocol.schema import BOOLEAN, INT64

if TYPE_CHECKING:
    from antiphon.controller.sql.select import SelectLowering

Keys = tuple[tuple[Expression, Expression], ...]  # (outer, inner), equal where they match


@dataclass(frozen=True, slots=True, kw_only=True)
class SubqueryJoin:
    """Appends the columns of `right`; the first of each key pair is over the outer query."""

    kind: JoinKind
    right: Plan
    keys: Keys = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubqueryValue:
    """The joins to make, and a value over the outer query's columns (as OUTER) and the columns
    that the joins append, numbered from 0."""

    joins: tuple[SubqueryJoin, ...]
    value: Expression

    def join_to(
        self, plan: Plan, place: Callable[[Expression], Expression]
    ) -> tuple[Plan, Expression]:
        """The plan with the joins made, and the value over its columns."""
        base = width_of(plan)
        for join in self.joins:
            keys = [(place(outer), inner) for outer, inner in join.keys]
            plan = joined(join.kind, plan, join.right, keys)
        return plan, _resolve(self.value, place, base)


class OpenSelect(Protocol):
    """Begins a SELECT: its FROM is lowered, nothing else."""

    def __call__(
        self, node: exp.Select, environment: Environment, outer: Scope | None
    ) -> SelectLowering: ...


class LowerWhole(Protocol):
    """Lowers any query."""

    def __call__(
        self, node: exp.Expr, environment: Environment, outer: Scope | None
    ) -> Query: ...


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
        inner, _ = _negated(node)
        return isinstance(inner, exp.Exists) or _is_in_query(inner)

    def semijoin(self, node: exp.Expr, scalars: Scalars, plan: Plan) -> Plan:
        """The rows of `plan` (whose columns `scalars` resolves) for which the conjunct is true."""
        inner, negated = _negated(node)
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
            any_of([equal(_outer(a), b), _is_null(_outer(a)), _is_null(b)]) for a, b in pairs
        ]
        return self._semi(kind, plan, right, keys, (*residual, *possible))

    def _semi(
        self, kind: JoinKind, plan: Plan, right: Plan, keys: Keys, residual: Sequence[Expression]
    ) -> Plan:
        base = width_of(plan)
        conditions = [_resolve(part, lambda e: e, base) for part in residual]
        return joined(kind, plan, right, keys, conditions)

    def _existence(
        self, node: exp.Expr, scope: Scope
    ) -> tuple[Plan, Keys, tuple[Expression, ...]]:
        select = _plain_select(node)
        if select is None:
            return self._whole(node, scope).finished(), (), ()
        correlated = self._correlated(select, scope)
        return correlated.select.plan, correlated.keys, correlated.residual

    def _membership(
        self, node: exp.Expr, scalars: Scalars
    ) -> tuple[Plan, Keys, Keys, tuple[Expression, ...]]:
        """The inner plan, the pairs that IN compares, and what correlates."""
        source = self.context.source
        sides = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
        query = node.args["query"]
        select = _plain_select(query)
        keys: Keys = ()
        residual: tuple[Expression, ...] = ()
        if select is None:
            whole = self._whole(query, scalars.scope)
            plan = whole.finished()
            inner = [c.reference for c in whole.columns]
        else:
            correlated = self._correlated(select, scalars.scope)
            keys, residual, plan = correlated.keys, correlated.residual, correlated.select.plan
            outputs = correlated.select.outputs(select)
            values = [correlated.select.place(settle(self.context.source, o.node, o.value)) for o in outputs]
            width = width_of(plan)
            plan = extended(plan, values)
            inner = [
                ColumnReference(index=width + i, type=value.type) for i, value in enumerate(values)
            ]
        if len(inner) != len(sides):
            raise source.invalid(
                node, f"IN compares {len(sides)} values with {len(inner)} columns"
            )
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
        return self._scalar(node, scalars)

    def _exists_value(self, node: exp.Exists, scalars: Scalars) -> SubqueryValue:
        right, keys, residual = self._existence(node.this, scalars.scope)
        if residual:
            raise self.context.source.unsupported(
                node, "EXISTS with a correlation other than equality, inside an expression,"
            )
        if not keys:
            counted = Reduce(input=right, keys=(), aggregates=(_COUNT,))
            some = _call("greater", ColumnReference(index=0, type=INT64), _ZERO)
            return SubqueryValue(
                joins=(SubqueryJoin(kind=JoinKind.INNER, right=counted),), value=some
            )
        join, marker = _marked(right, keys)
        return SubqueryValue(joins=(join,), value=_call("is_not_null", marker))

    def _in_value(self, node: exp.In, scalars: Scalars) -> SubqueryValue:
        """Three-valued membership: a match; else unknown if either side had a null; else false."""
        right, pairs, keys, residual = self._membership(node, scalars)
        if keys or residual or len(pairs) != 1:
            raise self.context.source.unsupported(
                node, "a correlated or multi-column IN inside an expression"
            )
        ((outer, inner),) = pairs
        counts = Reduce(
            input=right,
            keys=(),
            aggregates=(
                _COUNT,
                Aggregate(function=AggregateFunction.COUNT, arguments=(inner,), type=INT64),
            ),
        )
        join, marker = _marked(right, pairs)
        base = width_of(join.right)
        rows, values = (ColumnReference(index=base + i, type=INT64) for i in (0, 1))
        unknown = any_of([_is_null(_outer(outer)), _call("less", values, rows)])
        value = Case(
            branches=(
                Branch(condition=_call("is_not_null", marker), value=TRUE),
                Branch(condition=_call("equal", rows, _ZERO), value=_FALSE),
                Branch(condition=unknown, value=Literal(value=None, type=BOOLEAN)),
            ),
            otherwise=_FALSE,
            type=BOOLEAN,
        )
        return SubqueryValue(
            joins=(join, SubqueryJoin(kind=JoinKind.INNER, right=counts)), value=value
        )

    def _scalar(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        source = self.context.source
        query = node.this
        select = query if isinstance(query, exp.Select) else None
        if select is not None and _is_single_aggregate(select):
            return self._aggregate(select, scalars.scope)
        if select is not None and not _has(select, "group", "having", "distinct", "offset"):
            limited = _literal_limit(select) == 1
            if limited or _literal_limit(select) is None:
                return self._at_most_one(node, select, scalars.scope, limited)
        whole = self._whole(query, scalars.scope)
        if len(whole.columns) != 1:
            raise source.invalid(node, f"a scalar subquery has one column, not {len(whole.columns)}")
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
        if correlated.residual:
            raise source.unsupported(
                node, "a scalar subquery with a correlation other than equality"
            )
        select = correlated.select
        outputs = select.outputs(node)
        if len(outputs) != 1:
            raise source.invalid(node, f"a scalar subquery has one column, not {len(outputs)}")
        value = settle(source, outputs[0].node, outputs[0].value)
        if any(index < AGGREGATES for index in columns_of(value)):
            raise source.invalid(
                outputs[0].node, "a column must stand in GROUP BY or inside an aggregate"
            )
        keys = tuple(inner for _, inner in correlated.keys)
        right = Reduce(input=select.plan, keys=keys, aggregates=tuple(select.aggregates.calls))
        placed = {
            AGGREGATES + i: _of_empty(aggregate, len(keys) + i) if keys else _plain(aggregate, i)
            for i, aggregate in enumerate(select.aggregates.calls)
        }
        pairs = tuple(
            (outer, ColumnReference(index=i, type=inner.type))
            for i, (outer, inner) in enumerate(correlated.keys)
        )
        kind = JoinKind.LEFT if keys else JoinKind.INNER
        return SubqueryValue(
            joins=(SubqueryJoin(kind=kind, right=right, keys=pairs),),
            value=substitute_columns(value, placed),
        )

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
        item = self.context.catalog.get(plan.collection)
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
            pair = _key_pair(condition)
            if pair is None:
                residual.append(condition)
            else:
                keys.append(pair)
        return _Correlated(select=select, keys=tuple(keys), residual=tuple(residual))


_MANY_ROWS = "a scalar subquery that may have several rows (use an aggregate or LIMIT 1)"
_ZERO = Literal(value=0, type=INT64)
_FALSE = Literal(value=False, type=BOOLEAN)
_COUNT = Aggregate(function=AggregateFunction.COUNT, arguments=(), type=INT64)


def _call(function: str, *arguments: Expression) -> Call:
    return Call(function=function, arguments=arguments, type=BOOLEAN)


def _is_null(value: Expression) -> Expression:
    return _call("is_null", value)


def _outer(expression: Expression) -> Expression:
    """An expression over the outer query's columns, marked as such."""
    return shift(expression, OUTER)


def _resolve(
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


def _key_pair(condition: Expression) -> tuple[Expression, Expression] | None:
    """(outer, inner) of an equality whose sides are wholly one and the other."""
    if not (isinstance(condition, Call) and condition.function == "equal"):
        return None
    for outer, inner in (condition.arguments, condition.arguments[::-1]):
        outside, inside = columns_of(outer), columns_of(inner)
        if outside and all(map(is_outer, outside)) and not any(map(is_outer, inside)):
            return remap(outer, {index: index - OUTER for index in outside}), inner
    return None


def _marked(right: Plan, keys: Keys) -> tuple[SubqueryJoin, ColumnReference]:
    """A left join that appends one marker, not null where the keys match."""
    inner = [key for _, key in keys]
    distinct = Distinct(input=computed(right, inner))
    marked = extended(distinct, [TRUE])
    pairs = tuple(
        (outer, ColumnReference(index=i, type=key.type)) for i, (outer, key) in enumerate(keys)
    )
    join = SubqueryJoin(kind=JoinKind.LEFT, right=marked, keys=pairs)
    return join, ColumnReference(index=len(inner), type=BOOLEAN)


def _plain(aggregate: Aggregate, index: int) -> Expression:
    return ColumnReference(index=index, type=aggregate.type)


def _of_empty(aggregate: Aggregate, index: int) -> Expression:
    """The aggregate's column after a left join: a count of nothing is 0, all others are null."""
    column = ColumnReference(index=index, type=aggregate.type)
    if aggregate.function is not AggregateFunction.COUNT:
        return column
    return Call(function="coalesce", arguments=(column, _ZERO), type=INT64)


def _negated(node: exp.Expr) -> tuple[exp.Expr, bool]:
    """What stands under NOT and parentheses, and whether it is negated."""
    negated = False
    while isinstance(node, exp.Not | exp.Paren):
        negated ^= isinstance(node, exp.Not)
        node = node.this
    return node, negated


def _is_in_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.In) and node.args.get("query") is not None


def _has(node: exp.Expr, *parts: str) -> bool:
    return any(node.args.get(part) for part in parts)


def _plain_select(node: exp.Expr) -> exp.Select | None:
    """The SELECT, if what it does after WHERE changes neither EXISTS nor IN."""
    inner = node.this if isinstance(node, exp.Subquery) else node
    if not isinstance(inner, exp.Select):
        return None
    if _has(inner, "group", "having", "limit", "offset", "with_") or _aggregates_in(inner):
        return None
    return inner


def _aggregates_in(select: exp.Select) -> bool:
    """Whether the select list calls an aggregate or a window function of its own."""
    return any(
        isinstance(found, exp.Window)
        or (isinstance(found, exp.Anonymous) and function_name(found) in AGGREGATE_NAMES)
        for item in select.expressions
        for found in item.walk(prune=lambda n: isinstance(n, exp.Query))
    )


def _is_single_aggregate(select: exp.Select) -> bool:
    barred = ("group", "having", "limit", "offset", "distinct", "with_")
    return _aggregates_in(select) and not _has(select, *barred)


def _literal_limit(select: exp.Select) -> int | None:
    limit = select.args.get("limit")
    wanted = None if limit is None else limit.args.get("expression") or limit.args.get("count")
    if wanted is None:
        return None
    is_number = isinstance(wanted, exp.Literal) and wanted.name.isdigit()
    return int(wanted.name) if is_number else 0
