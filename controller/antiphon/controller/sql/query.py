"""Any query: SELECT, set operations, VALUES, WITH, and parentheses around them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.coercion import Typed, Unknown, Unsettled, cast, settle, unify
from antiphon.controller.sql.expressions import columns_of_all
from antiphon.controller.sql.from_clause import FromClause
from antiphon.controller.sql.naming import distinct_names
from antiphon.controller.sql.ordering import limit_and_offset, order_items
from antiphon.controller.sql.plans import (
    ONE_ROW,
    computed,
    rewrite_plan,
    walk_plan,
)
from antiphon.controller.sql.recursive import lower_recursive, mentions_itself
from antiphon.controller.sql.relation import (
    CommonTable,
    Context,
    Environment,
    Query,
    Relation,
)
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.scope import (
    Inseparable,
    Scope,
    ScopeColumn,
    inseparable,
    is_outer,
)
from antiphon.controller.sql.select import SelectLowering
from antiphon.controller.sql.subquery import Subqueries
from antiphon.controller.sql.syntax import expect_only, name_of
from antiphon.protocol.expression import ColumnReference, Expression, Literal
from antiphon.protocol.plan import (
    Constant,
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
from antiphon.protocol.schema import TEXT, Column, Schema, Type

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
                return self._values(node, around)
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
        clause = FromClause(
            context=self.context, environment=environment, lower_query=self.lower,
            outer=around.outer, domain=around.domain,
        )  # fmt: skip
        first = node.args.get("from_")
        relation = clause.lower(None if first is None else first.this, node.args.get("joins") or ())
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
        source = self.context.source
        expect_only(source, clause, "expressions", "recursive")
        recursive = bool(clause.args.get("recursive"))
        reach = dict(environment)
        bound: list[tuple[int, Plan]] = []
        for common in clause.expressions:
            expect_only(source, common, "this", "alias", "materialized")
            name = name_of(common.args["alias"].this)
            if any(name == name_of(c.args["alias"].this) for c in clause.expressions[: len(bound)]):
                raise source.invalid(common, f'WITH defines "{name}" twice')
            query = self._common(name, common, reach, around, recursive=recursive)
            columns = self._renamed(common.args["alias"], query.columns)
            schema = Schema(tuple(Column(name=c.name, type=c.type) for c in columns))
            binding = self.context.next_binding()
            bound.append((binding, query.finished()))
            reach[name] = CommonTable(binding=binding, columns=columns, schema=schema)
        query = self._body(node, reach, around)
        plan = query.plan
        for binding, value in reversed(bound):
            plan = bind(binding, value, plan)
        return replace(query, plan=plan)

    def _common(
        self,
        name: str,
        common: exp.Expr,
        reach: Environment,
        around: _Around,
        *,
        recursive: bool,
    ) -> Query:
        outer = around.scope
        try:
            if recursive and mentions_itself(name, common.this):
                return self._recursive(name, common, reach, outer)
            return self.lower(common.this, dict(reach), outer)
        except Inseparable as found:
            # Its rows would differ for each row of the query around.
            raise self.context.source.unsupported(
                common, f'a column of the query around in "{name}" of WITH'
            ) from found

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
        items = order_items(source, node.args.get("order"), names, None)
        limit, offset = limit_and_offset(source, node)
        order_by = tuple(
            SortKey(column=item.output, descending=item.descending, nulls_first=item.nulls_first)
            for item in items
            if item.output is not None
        )
        return replace(query, order_by=order_by, limit=limit, offset=offset)

    # VALUES.

    def _values(self, node: exp.Values, around: _Around) -> Query:
        source = self.context.source
        expect_only(source, node, "expressions", "alias", "order", "limit", "offset", "with_")
        rows = [
            row.expressions if isinstance(row, exp.Tuple) else [row] for row in node.expressions
        ]
        width = len(rows[0])
        scalars = Scalars(
            source=source,
            scope=Scope() if around.domain is None else around.domain.scope,
            outer=around.outer,
            place="VALUES",
            now_us=self.context.now_us,
            statement=self.context.place,
        )
        columns: list[tuple[Expression, ...]] = []
        types: list[Type] = []
        unknown: set[int] = set()
        for row, spot in zip(rows, node.expressions, strict=True):
            if len(row) != width:
                raise source.invalid(spot, f"a row of {len(row)} values among rows of {width}")
        for index in range(width):
            typed = [scalars.typed(row[index]) for row in rows]
            if index < len(self.targets):
                wanted = self.targets[index]
                typed = [
                    settle(source, row[index], value, wanted)
                    if isinstance(value, Unsettled) and wanted.is_nested
                    else value
                    for row, value in zip(rows, typed, strict=True)
                ]
            values, common = unify(
                source, [row[index] for row in rows], typed, f"column {index + 1} of VALUES"
            )
            if common == TEXT and all(isinstance(value, Unknown) for value in typed):
                unknown.add(index)
            if any(is_outer(column) for column in columns_of_all(values)):
                raise inseparable(source, node)
            columns.append(values)
            types.append(common)
        names = [f"column{index + 1}" for index in range(width)]
        ties = () if around.domain is None else around.domain.references
        for tie in ties:
            columns.append((tie,) * len(rows))
            names.append("")
            types.append(tie.type)
        over = ONE_ROW if around.domain is None else around.domain.plan
        query = Query(
            plan=_constant(columns, names, types, over),
            columns=tuple(
                ScopeColumn(name=name, qualifier=None, index=index, type=kind)
                for index, (name, kind) in enumerate(zip(names, types, strict=True))
            ),
            unknown=frozenset(unknown),
            ties=len(ties),
        )
        return self._cut(node, query)


def _constant(
    columns: list[tuple[Expression, ...]], names: list[str], types: list[Type], over: Plan
) -> Plan:
    """The rows as a constant; rows that the planner cannot compute are left to the replica, `over`
    what they mention."""
    schema = Schema(tuple(Column(name=n, type=t) for n, t in zip(names, types, strict=True)))
    ready: list[tuple[tuple[Expression, ...], bool]] = []
    for row in zip(*columns, strict=True):
        ready.append((row, all(isinstance(value, Literal) for value in row)))
    constant = Constant(
        schema=schema,
        rows=tuple(
            (tuple(value.value for value in row if isinstance(value, Literal)), 1)
            for row, folded in ready
            if folded
        ),
    )
    rest = [computed(over, row) for row, folded in ready if not folded]
    if not rest:
        return constant
    inputs: list[Plan] = [constant, *rest] if constant.rows else rest
    return inputs[0] if len(inputs) == 1 else Union(inputs=tuple(inputs))


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
            return Union(inputs=(left, Negate(input=_difference(left, right))))


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
    """The answer's columns, with names that are all different."""
    names = distinct_names([column.name for column in query.columns])
    return Schema(
        tuple(
            Column(name=name, type=c.type, nullable=c.nullable)
            for name, c in zip(names, query.columns, strict=True)
        )
    )
