"""Queries that read columns of a query around them, wherever they mention them.

What a subquery mentions of the query around it is its *domain*: the combinations of these columns
that occur, each once; of intervals, which may be equal and not the same, the text is a column too.
The subquery is computed over its domain, as if each of its FROMs began with
it: the domain's columns are among the keys of its groups, windows, limits and distinct rows, and
the last of its answer, its *ties*. By these it is joined to the query around it, nulls included.

Cheaper, where it can be done, is to set apart the conditions that mention the query around (see
`correlation`); what cannot be taken apart so raises `scope.Inseparable`, and is computed over its
domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of, is_risky
from antiphon.controller.sql.algebra.plans import (
    computed,
    filtered,
    identity,
    projected,
    width_of,
    with_children,
)
from antiphon.controller.sql.binding.relation import Context, Query, Relation
from antiphon.controller.sql.binding.scope import OUTER, Mention, Scope
from antiphon.controller.sql.parsing.syntax import name_of
from antiphon.controller.sql.subqueries.correlation import Appending, SubqueryValue, outer_of, test
from antiphon.protocol.expression import Cast, ColumnReference, Expression
from antiphon.protocol.limits import DOMAIN_DEPTH_MAX
from antiphon.protocol.plan import Distinct, Join, JoinKind, Let, LocalGet, Plan, schema_of
from antiphon.protocol.schema import TEXT, Column, Schema

Place = Callable[[Expression], Expression]
Tie = ColumnReference | Cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """`columns`, of the query around, are what a subquery mentions. Two bindings: what `rows` is
    bound to is the query around, `binding` the combinations."""

    rows: int
    binding: int
    columns: tuple[Tie, ...]

    @property
    def reaches_out(self) -> bool:
        """Whether it mentions queries further out, however far, of which nothing is at hand."""
        return any(index >= OUTER for column in self.columns for index in columns_of(column))

    def around(
        self,
        plan: Plan,
        place: Place,
        build: Callable[[Plan], Plan],
        taken: Expression | None = None,
    ) -> Plan:
        """What `build` makes of the query around, `plan`, with the combinations in reach, of the
        rows of which `taken` is true. `place` puts the columns of the domain where they are in
        `plan`."""
        rows = LocalGet(binding=self.rows, schema=schema_of(plan))
        asking = rows if taken is None else filtered(rows, [taken])
        combinations = Distinct(
            input=computed(asking, [placed(column, place) for column in self.columns])
        )
        body = Let(binding=self.binding, value=combinations, body=build(rows))
        return Let(binding=self.rows, value=plan, body=body)

    @property
    def schema(self) -> Schema:
        return Schema(tuple(Column(name="", type=column.type) for column in self.columns))

    def ties(self, first: int) -> tuple[ColumnReference, ...]:
        """The columns of an answer that holds the domain from column `first` on."""
        return tuple(
            ColumnReference(index=first + i, type=column.type)
            for i, column in enumerate(self.columns)
        )

    def conditions(self, first: int) -> tuple[Expression, ...]:
        """That these are the outer columns, as OUTER."""
        return tuple(
            test("is_not_distinct_from", outer_of(mine), tie)
            for mine, tie in zip(self.columns, self.ties(first), strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A query, computed over its domain; None: it mentions nothing of the query around."""

    query: Query
    domain: Domain | None

    @property
    def width(self) -> int:
        """Of the answer without the ties."""
        return len(self.query.columns) - self.query.ties


def applied(
    context: Context, around: Scope, node: exp.Expr, lower: Callable[[Relation | None], Query]
) -> Applied:
    """The query `node`, which may mention the columns of `around` everywhere. `lower` lowers it
    over a domain, or over none: at first over all columns of which it might mention the name.

    Raises:
        UnsupportedSql: such queries are nested too deeply; each level is lowered several times.
    """
    if context.domain_depth == DOMAIN_DEPTH_MAX:
        what = f"a query that reads those around it, more than {DOMAIN_DEPTH_MAX} deep,"
        raise context.source.unsupported(node, what, "; nest them less")
    context.domain_depth += 1
    try:
        return _applied(context, around, node, lower)
    finally:
        context.domain_depth -= 1


def _applied(
    context: Context, around: Scope, node: exp.Expr, lower: Callable[[Relation | None], Query]
) -> Applied:
    wanted = _nameable(around, [node, *context.common])
    while wanted.columns:
        mentions: dict[int, Mention] = {c.index: Mention() for c in wanted.columns}
        places = {index: place for place, index in enumerate(mentions)}
        types = {c.index: c.type for c in wanted.columns}
        columns = tuple(ColumnReference(index=i, type=types[i]) for i in mentions)
        domain = new_domain(context, columns)
        query = lower(_relation(domain, wanted, places, mentions))
        if all(mention.is_made for mention in mentions.values()):
            for column in wanted.columns:
                column.note()
            return Applied(query=query, domain=domain)
        wanted = Scope(tuple(c for c in wanted.columns if mentions[c.index].is_made))
    return Applied(query=lower(None), domain=None)


def new_domain(context: Context, columns: tuple[ColumnReference, ...]) -> Domain:
    domain = Domain(
        rows=context.next_binding(), binding=context.next_binding(), columns=ties_of(columns)
    )
    context.domains.add(domain.rows)
    return domain


def narrowed(context: Context, plan: Plan, predicates: Sequence[Expression]) -> Plan:
    """The rows of FROM for which all predicates are true. Those on the rows around a domain, which
    are its first columns, go to these, so that the domain has no more than they need."""
    if isinstance(plan, Let) and plan.binding in context.domains:
        below = _on_left(plan.value, predicates)
        value = narrowed(context, plan.value, below)
        kept = Let(binding=plan.binding, value=value, body=plan.body)
        return filtered(kept, [part for part in predicates if part not in below])
    if isinstance(plan, Join) and _holds_domain(context, plan):
        left = narrowed(context, plan.left, _on_left(plan.left, predicates))
        # Above the join as well: there it may say something of the right side too.
        return filtered(with_children(plan, [left, plan.right]), predicates)
    return filtered(plan, predicates)


def _holds_domain(context: Context, plan: Plan) -> bool:
    """Whether it begins with rows around a domain, joined only in ways that let filters through."""
    if isinstance(plan, Join) and plan.kind in (JoinKind.INNER, JoinKind.LEFT):
        return _holds_domain(context, plan.left)
    return isinstance(plan, Let) and plan.binding in context.domains


def _on_left(left: Plan, predicates: Sequence[Expression]) -> list[Expression]:
    """Those that read the left alone, and fail on none of its rows."""
    width = width_of(left)
    return [
        part
        for part in predicates
        if all(index < width for index in columns_of(part)) and not is_risky(part)
    ]


def ties_of(columns: tuple[ColumnReference, ...]) -> tuple[Tie, ...]:
    """The columns, then the texts of those with intervals."""
    texts = [Cast(input=column, type=TEXT) for column in columns if column.type.has_intervals]
    return (*columns, *texts)


def placed(column: Tie, place: Place) -> Expression:
    return replace(column, input=place(column.input)) if isinstance(column, Cast) else place(column)


def _nameable(around: Scope, nodes: Sequence[exp.Expr]) -> Scope:
    """The columns that something in the queries might mean."""
    names: set[str] = set()  # membership only
    stars: set[str | None] = set()
    for found in (column for node in nodes for column in node.find_all(exp.Column)):
        table = found.args.get("table")
        if isinstance(found.this, exp.Identifier):
            names.add(name_of(found.this))
        elif table is not None:
            stars.add(name_of(table))
    stars |= names  # a table's name may stand for its row
    return Scope(tuple(c for c in around.columns if c.name in names or c.qualifier in stars))


def _relation(
    domain: Domain, wanted: Scope, places: dict[int, int], mentions: dict[int, Mention]
) -> Relation:
    """The combinations, as what a FROM begins with: their names give way to all others."""
    columns = tuple(
        replace(c, index=places[c.index], level=c.level + 1, mention=mentions[c.index])
        for c in wanted.columns
    )
    return Relation(
        plan=LocalGet(binding=domain.binding, schema=domain.schema),
        width=len(domain.columns),
        scope=Scope(columns),
    )


def beside(
    domain: Domain, kind: JoinKind, left: Plan, right: Plan, condition: Expression | None
) -> Plan:
    """Each row of `left` beside the rows of `right`, whose last columns are the ties, that belong
    to it; `condition` is over the columns of both."""
    width = width_of(left) + width_of(right) - len(domain.columns)

    def build(rows: Plan) -> Plan:
        join = Join(
            kind=kind, left=rows, right=right, left_keys=domain.columns,
            right_keys=domain.ties(width - width_of(left)), nulls_match=True, residual=condition,
        )  # fmt: skip
        return projected(join, identity(width))

    return domain.around(left, lambda column: column, build)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Around:
    """Joins that append columns, with the combinations in reach."""

    domain: Domain
    joins: tuple[Appending, ...]

    def onto(self, plan: Plan, place: Place, taken: Expression | None) -> Plan:
        def build(rows: Plan) -> Plan:
            for join in self.joins:
                rows = join.onto(rows, place, taken)
            return rows

        return self.domain.around(plan, place, build, taken)


def within(domain: Domain | None, value: SubqueryValue) -> SubqueryValue:
    """A value whose joins read the combinations of `domain`."""
    if domain is None:
        return value
    return replace(value, joins=(_Around(domain=domain, joins=value.joins),))


@dataclass(frozen=True, slots=True, kw_only=True)
class TieJoin:
    """Appends the one row, or nulls, of `right` that belongs to a row."""

    domain: Domain
    right: Plan

    def onto(self, plan: Plan, place: Place, taken: Expression | None) -> Plan:
        first = width_of(self.right) - len(self.domain.columns)
        return Join(
            kind=JoinKind.LEFT, left=plan, right=self.right,
            left_keys=tuple(placed(column, place) for column in self.domain.columns),
            right_keys=self.domain.ties(first), nulls_match=True,
        )  # fmt: skip
