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

from antiphon.controller.sql.algebra.expressions import (
    FALSE,
    TRUE,
    all_of,
    any_of,
    equal,
)
from antiphon.controller.sql.algebra.plans import extended, joined, width_of
from antiphon.controller.sql.binding.coercion import settle, unify_compared
from antiphon.controller.sql.binding.relation import Context, Environment, Query, Relation
from antiphon.controller.sql.binding.scope import Inseparable, Scope, inseparable
from antiphon.controller.sql.parsing.syntax import (
    is_array_query,
    is_in_query,
    is_row,
    plain_select,
    quantified_query,
    without_not,
)
from antiphon.controller.sql.scalars.quantifiers import over_rows
from antiphon.controller.sql.scalars.scalar import COMPARISONS, Scalars
from antiphon.controller.sql.scalars.whole_rows import spelled_out
from antiphon.controller.sql.subqueries.correlation import (
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
from antiphon.controller.sql.subqueries.domain import Applied, Domain, applied, within
from antiphon.controller.sql.subqueries.grouped import DomainJoin, grouped
from antiphon.controller.sql.subqueries.quantified import NEGATED, aggregates_of, compared
from antiphon.controller.sql.subqueries.scalar_subquery import array_value, scalar_value
from antiphon.protocol.expression import (
    Branch,
    Case,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Join,
    JoinKind,
    Plan,
    Reduce,
)
from antiphon.protocol.schema import BOOLEAN, INT64, TypeKind

if TYPE_CHECKING:
    from antiphon.controller.sql.queries.select import SelectLowering


class OpenSelect(Protocol):
    """Begins a SELECT: its FROM is lowered, nothing else."""

    def __call__(
        self, node: exp.Select, environment: Environment, outer: Scope | None
    ) -> SelectLowering: ...


class LowerWhole(Protocol):
    """Lowers any query."""

    def __call__(
        self,
        node: exp.Expr,
        environment: Environment,
        outer: Scope | None,
        domain: Relation | None = None,
    ) -> Query: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlated:
    """A SELECT after FROM and WHERE, with the conditions that tie it to the outer query."""

    select: SelectLowering
    keys: Keys
    residual: tuple[Expression, ...]  # over OUTER and inner columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tied:
    """A subquery's rows, and what ties them to the query around; over a domain, all by residual."""

    plan: Plan
    keys: Keys = ()
    residual: tuple[Expression, ...] = ()  # over OUTER and inner columns
    domain: Domain | None = None


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
            tied = self._existence(inner.this, scalars)
            return self._semi(kind, plan, tied, tied.keys, tied.residual)
        tied, pairs = self._membership(inner, scalars)
        if not negated or not pairs:
            return self._semi(kind, plan, tied, (*pairs, *tied.keys), tied.residual)
        if not tied.keys and not tied.residual and len(pairs) == 1:
            right = tied.plan
            anti = joined(kind, plan, right, pairs)
            return Join(
                kind=kind, left=plan, right=right, left_keys=anti.left_keys,
                right_keys=anti.right_keys, null_aware=True,
            )  # fmt: skip
        # A row stays only if every inner row of its group is surely different.
        possible = [
            any_of([equal(outer_of(a), b), is_null(outer_of(a)), is_null(b)]) for a, b in pairs
        ]
        return self._semi(kind, plan, tied, tied.keys, (*tied.residual, *possible))

    def _semi(
        self, kind: JoinKind, plan: Plan, tied: _Tied, keys: Keys, residual: Sequence[Expression]
    ) -> Plan:
        base = width_of(plan)
        conditions = [resolved(part, lambda e: e, base) for part in residual]

        def build(rows: Plan) -> Plan:
            return joined(kind, rows, tied.plan, keys, conditions)

        return build(plan) if tied.domain is None else tied.domain.around(plan, _here, build)

    def _existence(self, node: exp.Expr, scalars: Scalars) -> _Tied:
        try:
            select = plain_select(node)
            if select is None:
                return _Tied(plan=self.whole(node, scalars.around).finished())
            correlated = self.correlated(select, scalars.around)
            return _Tied(
                plan=correlated.select.plan, keys=correlated.keys, residual=correlated.residual
            )
        except Inseparable:
            return _over_domain(self.applied(node, scalars.around))

    def _members(self, node: exp.Expr, scalars: Scalars) -> tuple[_Tied, list[ColumnReference]]:
        """The plan of a subquery, and its columns there."""
        select = plain_select(node)
        if select is None:
            whole = self.whole(node, scalars.around)
            return _Tied(plan=whole.finished()), [c.reference for c in whole.columns]
        correlated = self.correlated(select, scalars.around)
        lowering = correlated.select
        outputs = lowering.outputs(select)
        lowering.join_values()
        settled = [settle(self.context.source, o.node, o.value) for o in outputs]
        values = [lowering.place(value) for value in settled]
        width = width_of(lowering.plan)
        inner = [
            ColumnReference(index=width + i, type=value.type) for i, value in enumerate(values)
        ]
        plan = extended(lowering.plan, values)
        return _Tied(plan=plan, keys=correlated.keys, residual=correlated.residual), inner

    def _membership(self, node: exp.Expr, scalars: Scalars) -> tuple[_Tied, Keys]:
        """The subquery, and the pairs that IN compares."""
        source = self.context.source
        sides = node.this.expressions if is_row(node.this) else [node.this]
        query = node.args["query"]
        try:
            tied, inner = self._members(query, scalars)
        except Inseparable:
            found = self.applied(query, scalars.around)
            tied = _over_domain(found)
            inner = [c.reference for c in found.query.columns[: found.width]]
        if len(inner) != len(sides):
            raise source.invalid(node, f"IN compares {len(sides)} values with {len(inner)} columns")
        pairs = tuple(
            unify_compared(source, (side, query), scalars.typed(side), column, "IN")
            for side, column in zip(sides, inner, strict=True)
        )
        return tied, pairs

    # Values.

    def value(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        """The value of EXISTS, IN, ARRAY or a scalar subquery anywhere in an expression."""
        if isinstance(node, exp.Exists):
            return self._exists_value(node, scalars)
        if isinstance(node, exp.In):
            return self._in_value(node, scalars)
        if quantified_query(node) is not None:
            return self._quantified(node, scalars)
        if is_array_query(node):
            return array_value(self, node, scalars.around)
        return scalar_value(self, node, scalars)

    def _exists_value(self, node: exp.Exists, scalars: Scalars) -> SubqueryValue:
        tied = self._existence(node.this, scalars)
        if tied.residual or not tied.keys:
            counted, (rows,) = self._grouped(tied, (COUNT_ROWS,))
            value = SubqueryValue(joins=(counted,), value=test("greater", rows, ZERO))
            return within(tied.domain, value)
        join, marker = marked_join(tied.plan, tied.keys)
        return SubqueryValue(joins=(join,), value=test("is_not_null", marker))

    def _in_value(self, node: exp.In, scalars: Scalars) -> SubqueryValue:
        """Three-valued membership: a match; else unknown if either side had a null; else false."""
        tied, pairs = self._membership(node, scalars)
        if tied.keys or tied.residual or len(pairs) != 1:
            return self._in_group(tied, pairs)
        ((outer, inner),) = pairs
        counts = Reduce(
            input=tied.plan,
            keys=(),
            aggregates=(
                COUNT_ROWS,
                Aggregate(function=AggregateFunction.COUNT, arguments=(inner,), type=INT64),
            ),
        )
        join, marker = marked_join(tied.plan, pairs)
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

    def _in_group(self, tied: _Tied, pairs: Keys) -> SubqueryValue:
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
        join, (same_rows, possible_rows) = self._grouped(tied, counts)
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
        return within(tied.domain, SubqueryValue(joins=(join,), value=value))

    def _quantified(self, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
        """A comparison, other than those that are IN, with any or with all rows of a subquery."""
        source = self.context.source
        function, symbol = COMPARISONS[type(node)]
        if function not in NEGATED:
            raise source.unsupported(node, f"{symbol} ANY or ALL")
        query = quantified_query(node)
        assert query is not None, "ANY or ALL of a subquery"
        if is_row(node.this):
            return self._by_rows(node, query, scalars)
        member = exp.In(this=node.this, query=query)
        tied, pairs = self._membership(member, scalars)
        ((outer, inner),) = pairs
        if inner.type.kind is TypeKind.BOOLEAN:  # there is no least of them
            return self._by_rows(node, query, scalars)
        join, columns = self._grouped(tied, aggregates_of(inner))
        with_all = isinstance(node.expression, exp.All)
        value = compared(function, outer_of(outer), columns, with_all=with_all)
        return within(tied.domain, SubqueryValue(joins=(join,), value=value))

    def _by_rows(self, node: exp.Expr, query: exp.Expr, scalars: Scalars) -> SubqueryValue:
        """The same, each row compared by itself."""
        sides = node.this.expressions if is_row(node.this) else [node.this]
        width = len(spelled_out(scalars, sides))

        def test(columns: list[exp.Expr]) -> exp.Expr:
            row = exp.Tuple(expressions=columns) if is_row(node.this) else columns[0]
            return type(node)(this=node.this.copy(), expression=row)

        with_all = isinstance(node.expression, exp.All)
        return scalar_value(self, over_rows(query, width, test, with_all=with_all), scalars)

    # Shared parts.

    def whole(self, node: exp.Expr, around: Scope) -> Query:
        """
        Raises:
            Inseparable: it mentions the query around.
        """
        return self.lower_whole(_unwrapped(node), self.environment, around)

    def applied(self, node: exp.Expr, around: Scope) -> Applied:
        """A query that mentions the query around wherever it likes.

        Raises:
            Inseparable: it mentions one further out.
        """
        inner = _unwrapped(node)
        found = applied(
            self.context,
            around,
            inner,
            lambda domain: self.lower_whole(
                inner, self.environment, around if domain is None else None, domain
            ),
        )
        if found.domain is not None and found.domain.reaches_out:
            raise inseparable(self.context.source, node)
        return found

    def _grouped(
        self, tied: _Tied, aggregates: Sequence[Aggregate]
    ) -> tuple[SubqueryJoin | DomainJoin, tuple[Expression, ...]]:
        return grouped(self.context, tied.plan, tied.keys, tied.residual, aggregates)

    def correlated(self, node: exp.Select, around: Scope) -> Correlated:
        """FROM and WHERE of a plain SELECT, with the correlated conditions set apart.

        Raises:
            Inseparable: the query around is mentioned in another place.
        """
        select = self.open_select(node, self.environment, around)
        keys: list[tuple[Expression, Expression]] = []
        residual: list[Expression] = []
        for condition, _ in select.split_where(node.args.get("where")):
            pair = key_pair(condition)
            if pair is None:
                residual.append(condition)
            else:
                keys.append(pair)
        return Correlated(select=select, keys=tuple(keys), residual=tuple(residual))


def _over_domain(found: Applied) -> _Tied:
    if found.domain is None:
        return _Tied(plan=found.query.finished())
    return _Tied(
        plan=found.query.finished(), residual=found.domain.conditions(found.width),
        domain=found.domain,
    )  # fmt: skip


def _unwrapped(node: exp.Expr) -> exp.Expr:
    return node.this if isinstance(node, exp.Subquery) else node


def _here(expression: Expression) -> Expression:
    """In WHERE the columns of FROM are where they were."""
    return expression
