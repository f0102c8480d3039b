"""What stands in FROM by itself: tables, subqueries, VALUES, calls of functions, LATERAL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.binding.relation import (
    CommonQuery,
    Context,
    Environment,
    Query,
    Relation,
)
from antiphon.controller.sql.binding.scope import (
    EXACT,
    Scope,
    ScopeColumn,
    inseparable,
    is_outer,
    relabel,
)
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import (
    PUBLIC,
    describe,
    expect_only,
    has_query,
    name_of,
)
from antiphon.controller.sql.queries.introspect import check_unmixed, system_item
from antiphon.controller.sql.queries.lateral import Called, Lateral, Reader
from antiphon.controller.sql.queries.table_functions import (
    TableCall,
    as_select,
    column_names,
    is_table_call,
    table_call,
)
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.controller.sql.scalars.whole_rows import marked
from antiphon.controller.sql.subqueries.domain import Applied, applied
from antiphon.protocol.plan import Get, LocalGet


class LowerQuery(Protocol):
    """Lowers any query: it may mention `outer`, or is computed over a domain."""

    def __call__(
        self,
        node: exp.Expr,
        environment: Environment,
        outer: Scope | None,
        domain: Relation | None,
    ) -> Query: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FromItems:
    """Lowers the items of one FROM. `lower_query` lowers a subquery there; `domain`: what the whole
    query is computed over, without which nothing of `outer` may be read."""

    context: Context
    environment: Environment
    lower_query: LowerQuery
    outer: Scope | None
    domain: Relation | None

    @property
    def around(self) -> Scope | None:
        """What may be mentioned of the queries around, whether it is at hand or not."""
        return self.outer if self.domain is None else self.domain.scope

    def item(self, node: exp.Expr) -> Relation:
        """An item that reads nothing to its left, without the joins that it brings along."""
        if isinstance(node, exp.Table):
            relation = self._table(node)
        elif isinstance(node, exp.Subquery | exp.Values):
            _check_plain(self.context.source, node)
            query = self.lower_query(_query_in(node), self.environment, self.around, None)
            relation = query.relation(alias_name(node))
        else:
            what = "LATERAL" if isinstance(node, exp.Lateral) else type(node).__name__.upper()
            raise self.context.source.unsupported(node, f"{what} in FROM")
        named = self._with_column_aliases(node, relation)
        alias = alias_name(node) or (name_of(node.this) if isinstance(node, exp.Table) else None)
        return named if alias is None else marked(self.context, named, alias, node)

    def reader(self, node: exp.Expr, left: Relation) -> Reader | None:
        """An item that may read what stands to its left; None: it is of a kind that may not."""
        if is_table_call(node):
            select = as_select(node) if has_query(node) else None
            if select is not None:
                return self._lateral(select, select.this, left.scope)
            return Called(context=self.context, call=self._call(node, left))
        if isinstance(node, exp.Lateral):
            expect_only(self.context.source, node, "this", "alias", "joins")
            if not isinstance(node.this, exp.Subquery) or is_join(node.this):
                raise self.context.source.unsupported(node, "LATERAL before what is no subquery")
            return self._lateral(node, node.this, left.scope)
        common = self._common_query(node)
        if common is not None and self.domain is not None:
            return self._read_common(node, common, left.scope)
        if self.domain is None or not isinstance(node, exp.Subquery | exp.Values) or is_join(node):
            return None
        # Of the queries around a subquery may mention all that this query may, LATERAL or not.
        around = tuple(column for column in left.scope.columns if column.level > 0)
        return self._lateral(node, node, Scope(around))

    def _common_query(self, node: exp.Expr) -> CommonQuery | None:
        """What is read by name, if its rows depend on the query around."""
        named = isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier)
        if not named or node.args.get("db") is not None:
            return None
        found = self.environment.get(name_of(node.this))
        return found if isinstance(found, CommonQuery) else None

    def _read_common(self, node: exp.Expr, common: CommonQuery, left: Scope) -> Lateral:
        """A query of WITH, read here as if it stood here; its names mean what they meant there."""
        expect_only(self.context.source, node, "this", "alias", "joins")
        between = self.context.domain_depth - common.depth
        around = Scope(tuple(column for column in left.columns if column.level > between))
        found = self._applied(node, common.node, common.environment, around)
        alias = alias_name(node) or name_of(node.this)
        scope = Scope(relabel(found.query.columns[: found.width], alias))
        named = self._renamed(node, scope, common.names)
        shown = Relation(plan=found.query.plan, width=found.width, scope=named)
        scope = self._with_column_aliases(node, shown).scope
        return Lateral(context=self.context, applied=found, scope=scope)

    def _lateral(self, node: exp.Expr, query: exp.Expr, left: Scope) -> Lateral:
        _check_plain(self.context.source, query)
        around = left.within(self.outer)
        found = self._applied(node, _query_in(query), self.environment, around)
        answer = found.query.columns[: found.width]
        relation = Relation(
            plan=found.query.plan, width=found.width,
            scope=Scope(relabel(answer, alias_name(node))),
        )  # fmt: skip
        named = self._with_column_aliases(node, relation)
        return Lateral(context=self.context, applied=found, scope=named.scope)

    def _applied(
        self, node: exp.Expr, inner: exp.Expr, environment: Environment, around: Scope
    ) -> Applied:
        found = applied(
            self.context,
            around,
            inner,
            lambda domain: self.lower_query(
                inner, environment, around if domain is None else None, domain
            ),
        )
        if found.domain is not None and found.domain.reaches_out:
            raise inseparable(self.context.source, node)
        return found

    def _call(self, node: exp.Expr, left: Relation) -> TableCall:
        """The calls that an item is, over the columns of what stands to the left of it."""
        scalars = Scalars(
            source=self.context.source, scope=left.scope, place="a function in FROM",
            outer=self.outer, now_us=self.context.now_us, statement=self.context.place,
        )  # fmt: skip
        call = table_call(scalars, node, alias_name(node))
        if any(is_outer(index) for index in call.reads):
            raise inseparable(self.context.source, node)
        scope = self._renamed(node, call.scope, column_names(node))
        return replace(call, scope=scope)

    def _table(self, node: exp.Table) -> Relation:
        source, catalog = self.context.source, self.context.catalog
        expect_only(source, node, "this", "alias", "joins", "db")
        if not isinstance(node.this, exp.Identifier):
            raise source.unsupported(node, f"{describe(node.this)} in FROM")
        name = name_of(node.this)
        in_schema = node.args.get("db") is not None
        if in_schema and name_of(node.args["db"]) != PUBLIC:
            return _stored(system_item(self.context, node), alias_name(node) or name)
        alias = alias_name(node) or name
        common = None if in_schema else self.environment.get(name)
        if isinstance(common, CommonQuery):
            raise inseparable(source, node)
        if common is not None:
            return Relation(
                plan=LocalGet(binding=common.binding, schema=common.schema),
                width=len(common.columns),
                scope=Scope(relabel(common.columns, alias)),
            )
        item = catalog.find(name)
        if item is None:
            relations = [i.name for i in catalog.items.values() if i.is_relation]
            raise source.missing(node, "table", name, [*relations, *self.environment])
        if item.kind is ItemKind.INDEX:
            raise source.invalid(node, f'"{name}" is an index; select from what it is on')
        check_unmixed(self.context, node)
        self.context.used.setdefault(item.id)
        return _stored(item, alias)

    def _with_column_aliases(self, node: exp.Expr, relation: Relation) -> Relation:
        """`AS name(a, b)`: new names for the first columns."""
        alias = node.args.get("alias")
        if not isinstance(alias, exp.TableAlias):
            return relation
        expect_only(self.context.source, alias, "this", "columns", EXACT)
        names = [name_of(column) for column in alias.args.get("columns") or ()]
        if alias.args.get(EXACT) and len(names) != relation.width:
            message = f"{len(names)} values are compared with {relation.width} columns"
            raise self.context.source.invalid(node, message)
        return replace(relation, scope=self._renamed(alias, relation.scope, names))

    def _renamed(self, spot: exp.Expr, scope: Scope, names: Sequence[str]) -> Scope:
        width = 1 + max((column.index for column in scope.columns), default=-1)
        if len(names) > width:
            raise self.context.source.invalid(
                spot, f"{len(names)} column names for {width} columns"
            )
        return Scope(
            tuple(
                replace(c, name=names[c.index]) if c.index < len(names) else c
                for c in scope.columns
            )
        )


def is_join(node: exp.Expr) -> bool:
    """Joins in parentheses."""
    inner = node.this
    return isinstance(node, exp.Subquery) and not isinstance(inner, exp.Query | exp.Values)


def _check_plain(source: Source, node: exp.Expr) -> None:
    if isinstance(node, exp.Subquery):
        expect_only(source, node, "this", "alias", "joins")


def _query_in(node: exp.Expr) -> exp.Expr:
    """The query that an item of FROM is."""
    return node.this if isinstance(node, exp.Subquery) else node


def _stored(item: CatalogItem, alias: str) -> Relation:
    """All rows of an item."""
    columns = tuple(
        ScopeColumn(name=c.name, qualifier=alias, index=i, type=c.type, nullable=c.nullable)
        for i, c in enumerate(item.schema.columns)
    )
    return Relation(
        plan=Get(collection=item.id, schema=item.schema),
        width=len(columns),
        scope=Scope(columns),
    )


def alias_name(node: exp.Expr) -> str | None:
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias) or alias.this is None:
        return None
    return name_of(alias.this)
