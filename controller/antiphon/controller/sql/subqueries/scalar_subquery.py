"""Subqueries that are one value: an aggregate, the first row, the one row there is.

That there is only one row may be known (an aggregate, LIMIT 1, a primary key). Where it is not, the
rows are counted beside the value, and the value of several is an error: as data, of each row that
asks for it, for as long as there are several.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    columns_of_all,
    substitute_columns,
)
from antiphon.controller.sql.algebra.plans import computed
from antiphon.controller.sql.binding.coercion import settle
from antiphon.controller.sql.binding.scope import AGGREGATES, Inseparable, Scope, is_subquery
from antiphon.controller.sql.binding.types import check_depth
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import (
    has_clause,
    is_single_aggregate,
    literal_limit,
    sets_in,
    windows_in,
)
from antiphon.controller.sql.queries.introspect import catalog_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.subqueries.correlation import (
    COUNT_ROWS,
    Keys,
    SubqueryJoin,
    SubqueryValue,
    of_empty_group,
)
from antiphon.controller.sql.subqueries.domain import Domain, TieJoin, within
from antiphon.controller.sql.subqueries.grouped import grouped
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import (
    Aggregate,
    AggregateFunction,
    Get,
    JoinKind,
    MapFilterProject,
    Plan,
    Reduce,
    SortKey,
    TopK,
)
from antiphon.protocol.schema import BOOLEAN, list_of

if TYPE_CHECKING:
    from antiphon.controller.sql.binding.relation import Query
    from antiphon.controller.sql.subqueries.subquery import Subqueries


def scalar_value(subqueries: Subqueries, node: exp.Expr, scalars: Scalars) -> SubqueryValue:
    """The value of a subquery that stands in an expression."""
    try:
        return _apart(subqueries, node, scalars.around)
    except Inseparable:
        return _applied(subqueries, node, scalars.around)


def _apart(subqueries: Subqueries, node: exp.Expr, around: Scope) -> SubqueryValue:
    """With the conditions that mention the query around set apart."""
    query = node.this
    plain = isinstance(query, exp.Select) and not windows_in(query) and not sets_in(query)
    select = query if plain else None
    if select is not None and is_single_aggregate(select):
        return _aggregate(subqueries, select, around)
    barred = ("group", "having", "distinct", "offset", "with_", "qualify")
    if select is not None and not has_clause(select, *barred):
        limit = literal_limit(select)
        if limit == 1 or limit is None:
            return _row(subqueries, node, select, around, limited=limit == 1)
    return _whole(subqueries, node, subqueries.whole(query, around))


def _whole(subqueries: Subqueries, node: exp.Expr, whole: Query) -> SubqueryValue:
    """Of a query that mentions nothing of the one around it."""
    _check_width(subqueries.context.source, node, len(whole.columns))
    if _has_one_row(node.this, whole):
        return SubqueryValue(
            joins=(SubqueryJoin(kind=JoinKind.LEFT, right=whole.finished()),),
            value=whole.columns[0].reference,
        )
    return _only(subqueries, whole.finished(), (), (), whole.columns[0].reference)


def _applied(subqueries: Subqueries, node: exp.Expr, around: Scope) -> SubqueryValue:
    """Computed over what it mentions of the query around."""
    found = subqueries.applied(node.this, around)
    if found.domain is None:
        return _whole(subqueries, node, found.query)
    _check_width(subqueries.context.source, node, found.width)
    right, value = found.query.finished(), found.query.columns[0].reference
    if _has_one_row(node.this, found.query):
        joins = (TieJoin(domain=found.domain, right=right),)
        return within(found.domain, SubqueryValue(joins=joins, value=value))
    aggregates = (COUNT_ROWS, _some(value))
    join = TieJoin(
        domain=found.domain, right=_by_ties(found.domain, right, found.width, aggregates)
    )
    rows, least = (ColumnReference(index=i, type=a.type) for i, a in enumerate(aggregates))
    only = _if_only(least, of_empty_group(COUNT_ROWS, rows))
    return within(found.domain, SubqueryValue(joins=(join,), value=only))


def array_value(subqueries: Subqueries, node: exp.Expr, around: Scope) -> SubqueryValue:
    """ARRAY(query): the rows of any query, in its order, as a list."""
    inner = node.expressions[0]
    try:
        query, domain = subqueries.whole(inner, around), None
    except Inseparable:
        found = subqueries.applied(inner, around)
        query, domain = found.query, found.domain
    _check_width(subqueries.context.source, node, len(query.columns) - query.ties)
    value = query.columns[0].reference
    kind = list_of(value.type)
    check_depth(subqueries.context.source, node, kind)
    gathered = Aggregate(
        function=AggregateFunction.ARRAY_AGG, arguments=(value,), type=kind, order_by=query.order_by
    )
    column = ColumnReference(index=0, type=kind)
    whole = Call(function="coalesce", arguments=(column, Literal(value=(), type=kind)), type=kind)
    if domain is None:
        right: Plan = Reduce(input=query.cut(), keys=(), aggregates=(gathered,))
        join: SubqueryJoin = SubqueryJoin(kind=JoinKind.INNER, right=right)
        return SubqueryValue(joins=(join,), value=whole)
    right = _by_ties(domain, query.cut(), 1, [gathered])
    return within(domain, SubqueryValue(joins=(TieJoin(domain=domain, right=right),), value=whole))


def _has_one_row(node: exp.Expr, query: Query) -> bool:
    """Whether there is at most one row for each of the query around."""
    return query.limit == 1 or (isinstance(node, exp.Select) and is_single_aggregate(node))


def _by_ties(domain: Domain, right: Plan, first: int, aggregates: Sequence[Aggregate]) -> Plan:
    """The aggregates for each of the domain's rows, which `right` has from column `first` on, then
    the ties."""
    ties = domain.ties(first)
    reduced = Reduce(input=right, keys=ties, aggregates=tuple(aggregates))
    columns = [ColumnReference(index=len(ties) + i, type=a.type) for i, a in enumerate(aggregates)]
    return computed(reduced, [*columns, *domain.ties(0)])


def _check_width(source: Source, node: exp.Expr, count: int) -> None:
    if count != 1:
        raise source.invalid(node, f"a scalar subquery has one column, not {count}")


def _some(value: Expression) -> Aggregate:
    """The value of one row, if there is one: least and all are the same then."""
    is_boolean = value.type == BOOLEAN
    function = AggregateFunction.BOOL_AND if is_boolean else AggregateFunction.MIN
    return Aggregate(function=function, arguments=(value,), type=value.type)


def _if_only(value: Expression, rows: Expression) -> Expression:
    """The value; of more rows than one an error."""
    return Call(function="only_row", arguments=(value, rows), type=value.type)


def _only(
    subqueries: Subqueries,
    right: Plan,
    keys: Keys,
    residual: tuple[Expression, ...],
    value: Expression,
) -> SubqueryValue:
    """`value` of the one row of `right` that the conditions tie to a row."""
    aggregates = (COUNT_ROWS, _some(value))
    join, (rows, least) = grouped(subqueries.context, right, keys, residual, aggregates)
    return SubqueryValue(joins=(join,), value=_if_only(least, rows))


def _aggregate(subqueries: Subqueries, node: exp.Select, around: Scope) -> SubqueryValue:
    """One aggregate value for each combination of the correlated columns."""
    source = subqueries.context.source
    correlated = subqueries.correlated(node, around)
    select = correlated.select
    outputs = select.outputs(node)
    _check_width(source, node, len(outputs))
    if select.aggregates.groupings:
        raise source.invalid(node, "the arguments of grouping must stand in GROUP BY")
    value = settle(source, outputs[0].node, outputs[0].value)
    if any(index < AGGREGATES for index in columns_of(value)):
        raise source.invalid(
            outputs[0].node, "a column must stand in GROUP BY or inside an aggregate"
        )
    if any(is_subquery(index) for index in columns_of_all([value, *select.aggregates.read])):
        raise select.inseparable(node)
    whole = select.aggregates.reduce(select.plan, ())
    join, columns = grouped(
        subqueries.context, whole.input, correlated.keys, correlated.residual, whole.aggregates
    )
    placed = {AGGREGATES + i: column for i, column in enumerate(columns)}
    return SubqueryValue(joins=(join,), value=substitute_columns(value, placed))


def _row(
    subqueries: Subqueries, node: exp.Expr, select: exp.Select, around: Scope, *, limited: bool
) -> SubqueryValue:
    """A subquery without aggregates: its first row, or its only one."""
    source = subqueries.context.source
    correlated = subqueries.correlated(select, around)
    lowering = correlated.select
    outputs = lowering.outputs(select)
    _check_width(source, node, len(outputs))
    settled = settle(source, outputs[0].node, outputs[0].value)
    order = lowering.sort_values(select, outputs)
    lowering.refuse_grouping(node, "this subquery")
    lowering.join_values()
    keys = [inner for _, inner in correlated.keys]
    if not limited and (correlated.residual or not _is_unique(subqueries, lowering.plan, keys)):
        value = substitute_columns(settled, lowering.places)
        return _only(subqueries, lowering.plan, correlated.keys, correlated.residual, value)
    if correlated.residual:
        raise lowering.inseparable(node)
    value = lowering.place(settled)
    sorts = [lowering.place(v) for v, _, _ in order]
    right = computed(lowering.plan, [*keys, value, *sorts])
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
    pairs = tuple(
        (outer, ColumnReference(index=i, type=inner.type))
        for i, (outer, inner) in enumerate(correlated.keys)
    )
    return SubqueryValue(
        joins=(SubqueryJoin(kind=JoinKind.LEFT, right=right, keys=pairs),),
        value=ColumnReference(index=len(keys), type=value.type),
    )


def _is_unique(subqueries: Subqueries, plan: Plan, keys: Sequence[Expression]) -> bool:
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
    item = catalog_of(subqueries.context).get(plan.collection)
    return bool(item.key_columns) and set(item.key_columns) <= fixed
