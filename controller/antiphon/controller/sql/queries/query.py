"""Any query: SELECT, set operations, VALUES, WITH, and parentheses around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.plans import (
    computed,
    rewrite_plan,
    walk_plan,
)
from antiphon.controller.sql.binding.coercion import Typed, Unknown, cast, unify
from antiphon.controller.sql.binding.naming import distinct_names
from antiphon.controller.sql.binding.relation import (
    CommonQuery,
    CommonTable,
    Context,
    Environment,
    Query,
    Relation,
)
from antiphon.controller.sql.binding.scope import (
    Inseparable,
    Scope,
    ScopeColumn,
)
from antiphon.controller.sql.parsing.syntax import expect_only, has_query, name_of
from antiphon.controller.sql.queries.ending import with_ties
from antiphon.controller.sql.queries.from_clause import FromClause
from antiphon.controller.sql.queries.from_items import FromItems
from antiphon.controller.sql.queries.ordering import (
    Shown,
    keeps_ties,
    limit_and_offset,
    order_items,
)
from antiphon.controller.sql.queries.recursive import lower_recursive, mentions_itself
from antiphon.controller.sql.queries.select import SelectLowering
from antiphon.controller.sql.queries.value_rows import as_selects, lower_values
from antiphon.controller.sql.statements.column_definitions import too_many_columns
from antiphon.controller.sql.subqueries.subquery import Subqueries
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.limits import COLUMNS_MAX
from antiphon.protocol.plan import (
    Distinct,
    Join,
    JoinKind,
    Let,
    LocalGet,
    Negate,
    Plan,
    SortKey,
    Threshold,
    Union,
    schema_of,
)
from antiphon.protocol.schema import Column, Schema, Type

Bound = tuple[tuple[int, Plan], ...]  # the values of bindings, in the order of WITH
NO_TABLES: Final[Environment] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Around:
    """What a query may mention of those around it: where that can be set apart, or everywhere."""

    outer: Scope | None
    domain: Relation | None

    @property
    def scope(self) -> Scope | None:
        return self.outer if self.domain is None else self.domain.scope


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLowering:
    """Lowers the queries of one statement."""

    context: Context
    targets: tuple[Type, ...] = ()  # of VALUES in INSERT: what the columns are to become

    def lower(
        self,
        node: exp.Expr,
        environment: Environment = NO_TABLES,
        outer: Scope | None = None,
        domain: Relation | None = None,
    ) -> Query:
        """A query, which may mention `outer` where its conditions can be set apart; or which is
        computed over a domain, and mentions that wherever it likes.

        Raises:
            Inseparable: it mentions `outer` elsewhere.
            InvalidSql, TypeMismatch, CollectionMissing, UnsupportedSql: with their place.
        """
        with_clause = node.args.get("with_")
        if with_clause is not None:
            return self._with(with_clause, node, environment, _Around(outer, domain))
        return self._body(node, environment, _Around(outer, domain))

    def _body(self, node: exp.Expr, environment: Environment, around: _Around) -> Query:
        match node:
            case exp.Select():
                return self._opened(node, environment, around).query(node)
            case exp.SetOperation():
                return self._set_operation(node, environment, around)
            case exp.Subquery():
                return self._parenthesized(node, environment, around)
            case exp.Values():
                return self._values(node, environment, around)
            case _:
                raise self.context.source.unsupported(node, type(node).__name__.upper())

    def open_select(
        self, node: exp.Select, environment: Environment, outer: Scope | None
    ) -> SelectLowering:
        """A SELECT of which FROM is lowered and nothing else."""
        return self._opened(node, environment, _Around(outer, None))

    def _opened(
        self, node: exp.Select, environment: Environment, around: _Around
    ) -> SelectLowering:
        items = FromItems(
            context=self.context, environment=environment, lower_query=self.lower,
            outer=around.outer, domain=around.domain,
        )  # fmt: skip

        def narrowed(relation: Relation, conditions: Sequence[exp.Expr]) -> Plan:
            over = self._over(relation, environment, _Around(around.outer, None))
            over.hold(conditions, "JOIN ... ON")
            return over.plan

        clause = FromClause(
            context=self.context, items=items, narrowed=narrowed, outer=around.outer,
            domain=around.domain,
        )  # fmt: skip
        first = node.args.get("from_")
        relation = clause.lower(None if first is None else first.this, node.args.get("joins") or ())
        return self._over(relation, environment, around)

    def over(self, relation: Relation, environment: Environment) -> SelectLowering:
        """Clauses over a relation that is there."""
        return self._over(relation, environment, _Around(None, None))

    def _over(
        self, relation: Relation, environment: Environment, around: _Around
    ) -> SelectLowering:
        return SelectLowering(
            context=self.context,
            relation=relation,
            plan=relation.plan,
            outer=around.outer,
            domain=around.domain,
            subqueries=Subqueries(
                context=self.context,
                environment=environment,
                open_select=self.open_select,
                lower_whole=self.lower,
            ),
        )

    # WITH.

    def _with(
        self,
        clause: exp.Expr,
        node: exp.Expr,
        environment: Environment,
        around: _Around,
    ) -> Query:
        reach, bound = self._tables(clause, environment, around)
        query = self._body(node, reach, around)
        return replace(query, plan=bind_all(bound, query.plan))

    def tables(self, clause: exp.Expr | None) -> tuple[Environment, Bound]:
        """What WITH in front of a change defines, and what that is bound to."""
        if clause is None:
            return NO_TABLES, ()
        return self._tables(clause, NO_TABLES, _Around(None, None))

    def _tables(
        self, clause: exp.Expr, environment: Environment, around: _Around
    ) -> tuple[Environment, Bound]:
        source = self.context.source
        if (search := clause.args.get("search")) is not None:
            word = "CYCLE" if search.args["kind"] == "CYCLE" else "SEARCH"
            what = f"{word} in WITH RECURSIVE"
            raise source.unsupported(clause, what, "; keep the way as a list: way || [x]")
        expect_only(source, clause, "expressions", "recursive")
        recursive = bool(clause.args.get("recursive"))
        reach = dict(environment)
        bound: list[tuple[int, Plan]] = []
        names: list[str] = []
        for common in clause.expressions:
            expect_only(source, common, "this", "alias", "materialized")
            name = name_of(common.args["alias"].this)
            if name in names:
                raise source.invalid(common, f'WITH defines "{name}" twice')
            names.append(name)
            if isinstance(common.this, exp.Insert | exp.Update | exp.Delete):
                what = f"{type(common.this).__name__.upper()} in WITH"
                hint = "; run it by itself, and read what its RETURNING answers"
                raise source.unsupported(common.this, what, hint)
            query = self._common(name, common, reach, around, recursive=recursive)
            if query is None:
                reach[name] = self._common_query(common, reach)
                continue
            columns = self._renamed(common.args["alias"], query.columns)
            schema = Schema(tuple(Column(name=c.name, type=c.type) for c in columns))
            binding = self.context.next_binding()
            bound.append((binding, query.finished()))
            reach[name] = CommonTable(binding=binding, columns=columns, schema=schema)
        return reach, tuple(bound)

    def _common(
        self,
        name: str,
        common: exp.Expr,
        reach: Environment,
        around: _Around,
        *,
        recursive: bool,
    ) -> Query | None:
        """None: it mentions the query around, over whose domain this one is computed."""
        outer = around.scope
        recurs = recursive and mentions_itself(name, common.this)
        try:
            if recurs:
                return self._recursive(name, common, reach, outer)
            return self.lower(common.this, dict(reach), outer)
        except Inseparable as found:
            if around.domain is None:
                raise
            if not recurs:
                return None
            # Its rounds would differ for each row of the query around.
            what = f'a column of the query around in "{name}" of WITH RECURSIVE'
            raise self.context.source.unsupported(common, what) from found

    def _common_query(self, common: exp.Expr, reach: Environment) -> CommonQuery:
        self.context.common.append(common.this)
        names = tuple(name_of(column) for column in common.args["alias"].args.get("columns") or ())
        return CommonQuery(
            node=common.this, names=names, environment=dict(reach),
            depth=self.context.domain_depth,
        )  # fmt: skip

    def _recursive(
        self, name: str, common: exp.Expr, reach: Environment, outer: Scope | None
    ) -> Query:
        def lower(node: exp.Expr, environment: Environment) -> Query:
            return self.lower(node, environment, outer)

        def rename(columns: tuple[ScopeColumn, ...]) -> tuple[ScopeColumn, ...]:
            return self._renamed(common.args["alias"], columns)

        return lower_recursive(self.context, name, common.this, dict(reach), lower, rename)

    def _renamed(
        self, alias: exp.Expr, columns: tuple[ScopeColumn, ...]
    ) -> tuple[ScopeColumn, ...]:
        names = [name_of(column) for column in alias.args.get("columns") or ()]
        if len(names) > len(columns):
            raise self.context.source.invalid(
                alias, f"{len(names)} column names for {len(columns)} columns"
            )
        given = [*names, *(c.name for c in columns[len(names) :])]
        return tuple(replace(c, name=name) for c, name in zip(columns, given, strict=True))

    # Set operations.

    def _set_operation(
        self, node: exp.SetOperation, environment: Environment, around: _Around
    ) -> Query:
        source = self.context.source
        expect_only(
            source, node, "this", "expression", "distinct", "order", "limit", "offset", "with_"
        )
        sides = [
            self.lower(side, environment, around.outer, around.domain)
            for side in (node.this, node.expression)
        ]
        if len(sides[0].columns) != len(sides[1].columns):
            counts = " and ".join(str(len(side.columns) - side.ties) for side in sides)
            raise source.invalid(node, f"the sides of a set operation have {counts} columns")
        plans, columns, unknown = self._aligned(node, sides[0], sides[1])
        plan = _combine(node, plans[0], plans[1])
        query = Query(plan=plan, columns=columns, unknown=unknown, ties=sides[0].ties)
        return self._cut(node, query)

    def _aligned(
        self, node: exp.SetOperation, left: Query, right: Query
    ) -> tuple[list[Plan], tuple[ScopeColumn, ...], frozenset[int]]:
        """Both sides with columns of the same types, and what the columns are called."""
        source = self.context.source
        columns: list[ScopeColumn] = []
        outputs: tuple[list[Expression], list[Expression]] = ([], [])
        for index, (a, b) in enumerate(zip(left.columns, right.columns, strict=True)):
            typed: list[Typed] = [
                Unknown(None) if index in side.unknown else column.reference
                for side, column in ((left, a), (right, b))
            ]
            _, common = unify(source, (node.this, node.expression), typed, f'column "{a.name}"')
            for side, column in zip(outputs, (a, b), strict=True):
                side.append(cast(column.reference, common))
            nullable = a.nullable or b.nullable
            columns.append(replace(a, type=common, nullable=nullable))
        plans = [
            computed(query.finished(), side)
            for query, side in zip((left, right), outputs, strict=True)
        ]
        return plans, tuple(columns), left.unknown & right.unknown

    def _parenthesized(
        self, node: exp.Subquery, environment: Environment, around: _Around
    ) -> Query:
        expect_only(self.context.source, node, "this", "order", "limit", "offset", "with_")
        query = self.lower(node.this, environment, around.outer, around.domain)
        if not any(node.args.get(part) for part in ("order", "limit", "offset")):
            return query
        inner = replace(query, plan=query.finished(), order_by=(), limit=None, offset=0)
        return self._cut(node, inner)

    def _cut(self, node: exp.Expr, query: Query) -> Query:
        """ORDER BY, LIMIT and OFFSET over a query whose columns can only be named."""
        source = self.context.source
        names = [column.name for column in query.columns[: len(query.columns) - query.ties]]
        items = order_items(source, node.args.get("order"), Shown(names), None)
        limit, offset = limit_and_offset(source, node)
        order_by = tuple(
            SortKey(column=item.output, descending=item.descending, nulls_first=item.nulls_first)
            for item in items
            if item.output is not None
        )
        cut = replace(query, order_by=order_by, limit=limit, offset=offset)
        return with_ties(cut) if keeps_ties(source, node) else cut

    def _values(self, node: exp.Values, environment: Environment, around: _Around) -> Query:
        expect_only(
            self.context.source, node, "expressions", "alias", "order", "limit", "offset", "with_"
        )
        if any(has_query(row) for row in node.expressions):
            selects = as_selects(self.context.source, node)
            query = self.lower(selects, environment, around.outer, around.domain)
            return self._cut(node, query)
        query = lower_values(self.context, node, self.targets, around.outer, around.domain)
        return self._cut(node, query)


def _combine(node: exp.SetOperation, left: Plan, right: Plan) -> Plan:
    """The set operation, in multiplicities: `m` on the left, `n` on the right."""
    distinct = bool(node.args.get("distinct"))
    match node:
        case exp.Union():
            both = Union(inputs=(left, right))
            return Distinct(input=both) if distinct else both
        case exp.Except():
            if distinct:
                return _matching(JoinKind.ANTI, Distinct(input=left), right)
            return _difference(left, right)
        case _:
            if distinct:
                return _matching(JoinKind.SEMI, Distinct(input=left), right)
            # min(m, n) = m - max(m - n, 0)
            least = Union(inputs=(left, Negate(input=_difference(left, right))))
            # Of equal rows that are not the same, others may be left than are taken away.
            loose = any(kind.has_intervals for kind in schema_of(left).types)
            return Threshold(input=least) if loose else least


def _difference(left: Plan, right: Plan) -> Plan:
    """max(m - n, 0)."""
    return Threshold(input=Union(inputs=(left, Negate(input=right))))


def _matching(kind: JoinKind, left: Plan, right: Plan) -> Plan:
    """Rows of the left that are, or are not, on the right; nulls are equal here."""
    keys = tuple(
        ColumnReference(index=i, type=kind_) for i, kind_ in enumerate(schema_of(left).types)
    )
    return Join(
        kind=kind, left=left, right=right, left_keys=keys, right_keys=keys, nulls_match=True
    )


def bind_all(bound: Bound, body: Plan) -> Plan:
    """`body` with all bindings in reach, of which later ones may read earlier ones."""
    for binding, value in reversed(bound):
        body = bind(binding, value, body)
    return body


def bind(binding: int, value: Plan, body: Plan) -> Plan:
    """`body` with the binding in reach: in place if it is read once, shared if more often."""
    uses = sum(isinstance(node, LocalGet) and node.binding == binding for node in walk_plan(body))
    if uses == 0:
        return body
    if uses > 1:
        return Let(binding=binding, value=value, body=body)

    def replace_get(node: Plan) -> Plan | None:
        return value if isinstance(node, LocalGet) and node.binding == binding else None

    return rewrite_plan(body, replace_get)


def named_schema(query: Query) -> Schema:
    """The answer's columns, with names that are all different.

    Raises:
        LimitExceeded: they are too many.
    """
    return named_schema_of(query.schema().columns)


def named_schema_of(columns: Sequence[Column]) -> Schema:
    """The columns, with names that are all different.

    Raises:
        LimitExceeded: they are too many.
    """
    if len(columns) > COLUMNS_MAX:
        raise too_many_columns(len(columns))
    names = distinct_names([column.name for column in columns])
    return Schema(tuple(replace(c, name=name) for name, c in zip(names, columns, strict=True)))
