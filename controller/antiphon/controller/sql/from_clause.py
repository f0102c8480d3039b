"""FROM: tables, subqueries, VALUES, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlglot import exp

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.coercion import unify_compared
from antiphon.controller.sql.domain import applied
from antiphon.controller.sql.expressions import columns_of
from antiphon.controller.sql.introspect import check_unmixed, system_item
from antiphon.controller.sql.joined_columns import merged, shown
from antiphon.controller.sql.lateral import NOTHING, Called, Lateral, Reader
from antiphon.controller.sql.plans import ONE_ROW, joined
from antiphon.controller.sql.relation import Context, Environment, Query, Relation
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.scope import (
    Scope,
    ScopeColumn,
    inseparable,
    is_outer,
    relabel,
)
from antiphon.controller.sql.source import Source
from antiphon.controller.sql.syntax import describe, expect_only, name_of
from antiphon.controller.sql.table_functions import (
    TableCall,
    column_names,
    is_table_call,
    table_call,
)
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import Get, JoinKind, LocalGet, Plan
from antiphon.protocol.schema import BOOLEAN

Joining = Callable[[Sequence[Expression]], Plan]


class LowerQuery(Protocol):
    """Lowers any query: it may mention `outer`, or is computed over a domain."""

    def __call__(
        self,
        node: exp.Expr,
        environment: Environment,
        outer: Scope | None,
        domain: Relation | None,
    ) -> Query: ...


@dataclass(frozen=True, slots=True)
class _Tree:
    """Items joined by JOIN. `holds_all`: and with what stands before a comma; one reads that."""

    relation: Relation
    holds_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromClause:
    """Lowers what stands in FROM. `lower_query` lowers a subquery there. `domain`: what the whole
    query is computed over, before all else in FROM; without it nothing of `outer` may be read."""

    context: Context
    environment: Environment
    lower_query: LowerQuery
    outer: Scope | None = None
    domain: Relation | None = None

    def lower(self, first: exp.Expr | None, joins: Sequence[exp.Expr]) -> Relation:
        """The relation of `FROM first join ... , second join ...`; one row without FROM."""
        if first is None:
            return self.domain or NOTHING
        before = self.domain
        tree = self._first(first, before)
        for join in joins:
            if self._is_comma(join):
                # A comma binds looser than any JOIN that follows it.
                before = self._whole(join, before, tree)
                tree = self._first(join.this, before)
            else:
                tree = self._join(tree, join, before)
        return self._whole(first, before, tree)

    @property
    def _around(self) -> Scope | None:
        """What may be mentioned of the queries around, whether it is at hand or not."""
        return self.outer if self.domain is None else self.domain.scope

    def _whole(self, spot: exp.Expr, before: Relation | None, tree: _Tree) -> Relation:
        """What stands before a comma, beside a tree of joins after it."""
        if before is None or tree.holds_all:
            return tree.relation
        return self._cross(spot, before, tree.relation)

    def _first(self, node: exp.Expr, before: Relation | None) -> _Tree:
        """The item that a tree of joins begins with, and joins that it brings along."""
        reader = self._reader(node, before or NOTHING)
        if reader is not None and reader.reads:
            assert before is not None, "nothing is read of nothing"
            self._check_aliases(node, before.scope, reader.scope)
            tree = _Tree(_beside(reader, JoinKind.INNER, before, ()), holds_all=True)
        elif _is_join(node):
            tree = self._first(node.this, before)
        else:
            tree = _Tree(self.item(node) if reader is None else reader.alone())
        for join in node.args.get("joins") or ():
            tree = self._join(tree, join, before)
        return tree

    def _is_comma(self, join: exp.Expr) -> bool:
        """Whether a comma, and not JOIN without a condition, stands before the relation."""
        parts = ("on", "using", "side", "kind", "method")
        if any(join.args.get(part) for part in parts):
            return False
        if self.context.source.follows_word(join.this, "JOIN"):
            raise self.context.source.invalid(join, "JOIN needs ON or USING")
        return True

    def item(self, node: exp.Expr) -> Relation:
        """An item that reads nothing to its left, without the joins that it brings along."""
        if isinstance(node, exp.Table):
            relation = self._table(node)
        elif isinstance(node, exp.Subquery | exp.Values):
            _check_plain(self.context.source, node)
            query = self.lower_query(_query_in(node), self.environment, self._around, None)
            relation = query.relation(_alias_name(node))
        else:
            what = "LATERAL" if isinstance(node, exp.Lateral) else type(node).__name__.upper()
            raise self.context.source.unsupported(node, f"{what} in FROM")
        return self._with_column_aliases(node, relation)

    def _reader(self, node: exp.Expr, left: Relation) -> Reader | None:
        """An item that may read what stands to its left; None: it is of a kind that may not."""
        if is_table_call(node):
            return Called(context=self.context, call=self._call(node, left))
        if isinstance(node, exp.Lateral):
            expect_only(self.context.source, node, "this", "alias", "joins")
            if not isinstance(node.this, exp.Subquery) or _is_join(node.this):
                raise self.context.source.unsupported(node, "LATERAL before what is no subquery")
            return self._lateral(node, node.this, left.scope)
        if self.domain is None or not isinstance(node, exp.Subquery | exp.Values) or _is_join(node):
            return None
        # Of the queries around a subquery may mention all that this query may, LATERAL or not.
        around = tuple(column for column in left.scope.columns if column.level > 0)
        return self._lateral(node, node, Scope(around))

    def _lateral(self, node: exp.Expr, query: exp.Expr, left: Scope) -> Lateral:
        inner = _query_in(query)
        _check_plain(self.context.source, query)
        around = left.within(self.outer)
        found = applied(
            self.context,
            around,
            inner,
            lambda domain: self.lower_query(
                inner, self.environment, around if domain is None else None, domain
            ),
        )
        domain = found.domain
        if domain is not None and domain.reaches_out:
            raise inseparable(self.context.source, node)
        answer = found.query.columns[: found.width]
        relation = Relation(
            plan=found.query.plan, width=found.width,
            scope=Scope(relabel(answer, _alias_name(node))),
        )  # fmt: skip
        named = self._with_column_aliases(node, relation)
        return Lateral(context=self.context, applied=found, scope=named.scope)

    def _call(self, node: exp.Expr, left: Relation) -> TableCall:
        """The calls that an item is, over the columns of what stands to the left of it."""
        scalars = Scalars(
            source=self.context.source, scope=left.scope, place="a function in FROM",
            outer=self.outer, now_us=self.context.now_us, statement=self.context.place,
        )  # fmt: skip
        call = table_call(scalars, node, _alias_name(node))
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
        if node.args.get("db") is not None:
            return _stored(system_item(self.context, node), _alias_name(node) or name)
        alias = _alias_name(node) or name
        common = self.environment.get(name)
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
        expect_only(self.context.source, alias, "this", "columns")
        names = [name_of(column) for column in alias.args.get("columns") or ()]
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

    def _cross(self, spot: exp.Expr, left: Relation, right: Relation) -> Relation:
        self._check_aliases(spot, left.scope, right.scope)
        return Relation(
            plan=joined(JoinKind.INNER, left.plan, right.plan),
            width=left.width + right.width,
            scope=left.scope.joined(right.scope, left.width),
        )

    def _join(self, tree: _Tree, node: exp.Expr, before: Relation | None) -> _Tree:
        """The tree joined with one more item, which may read what stands `before` the tree."""
        source = self.context.source
        expect_only(source, node, "this", "on", "using", "side", "kind", "method")
        kind = self._kind(node)
        inner = kind in (JoinKind.INNER, JoinKind.LEFT)
        whole = self._whole(node, before, tree)
        reader = self._reader(node.this, whole)
        if reader is not None and reader.reads:
            if not inner:
                raise source.invalid(node, f"a {kind.name} JOIN cannot read its left side in FROM")
            return _Tree(self._read(whole, reader, kind, node), holds_all=True)
        right = self._right(node.this) if reader is None else reader.alone()
        left = tree
        if not left.holds_all and before is not None and self._mentions_domain(node, left, right):
            left = _Tree(whole, holds_all=True)
        if left.holds_all and before is not None and not inner:
            what = f"a {kind.name} JOIN with columns of the query around, or from before a comma,"
            raise source.unsupported(node, what)
        return _Tree(self._on(left.relation, right, kind, node), left.holds_all)

    def _right(self, node: exp.Expr) -> Relation:
        """The right side of a join: an item, or joins in parentheses."""
        return self._first(node, None).relation

    def _mentions_domain(self, node: exp.Expr, left: _Tree, right: Relation) -> bool:
        """Whether the condition needs a query around, whose columns are not at hand yet."""
        on = node.args.get("on")
        if self.domain is None or on is None:
            return False
        scope = left.relation.scope.joined(right.scope, left.relation.width)
        found = self._scalars(scope, self.domain.scope).predicate(on)
        return any(is_outer(index) for index in columns_of(found))

    def _scalars(self, scope: Scope, outer: Scope | None) -> Scalars:
        return Scalars(source=self.context.source, scope=scope, outer=outer, place="JOIN ... ON")

    def _on(self, left: Relation, right: Relation, kind: JoinKind, node: exp.Expr) -> Relation:
        def join(conditions: Sequence[Expression]) -> Plan:
            return joined(kind, left.plan, right.plan, (), conditions)

        return self._matched(node, kind, left, right, join)

    def _read(self, left: Relation, reader: Reader, kind: JoinKind, node: exp.Expr) -> Relation:
        """The left beside what reads it."""

        def join(conditions: Sequence[Expression]) -> Plan:
            return reader.beside(kind, left.plan, conditions)

        right = Relation(plan=ONE_ROW, width=reader.width, scope=reader.scope)
        return self._matched(node, kind, left, right, join)

    def _matched(
        self, node: exp.Expr, kind: JoinKind, left: Relation, right: Relation, join: Joining
    ) -> Relation:
        """Both sides joined, by `join`, on the conditions that the node has."""
        names = [name_of(column) for column in node.args.get("using") or ()]
        if str(node.args.get("method") or "").upper() == "NATURAL":
            theirs = {c.name for c in right.scope.star()}
            names = [c.name for c in left.scope.star() if c.name in theirs]
        self._check_aliases(node, left.scope, right.scope)
        scope = left.scope.joined(right.scope, left.width)
        if names:
            return self._using(node, kind, left, right, names, join)
        conditions: list[Expression] = []
        if node.args.get("on") is not None:
            conditions = [self._scalars(scope, self._around).predicate(node.args["on"])]
            if any(is_outer(index) for index in columns_of(conditions[0])):
                if self.domain is None:
                    raise inseparable(self.context.source, node)
                what = "a column of the query around in a join in parentheses"
                raise self.context.source.unsupported(node, what)
        return shown(kind, left, right, join(conditions), scope)

    def _kind(self, node: exp.Expr) -> JoinKind:
        side = str(node.args.get("side") or "").upper()
        kind = str(node.args.get("kind") or "").upper()
        if kind in ("SEMI", "ANTI", "STRAIGHT_JOIN") or side not in ("", "LEFT", "RIGHT", "FULL"):
            raise self.context.source.unsupported(node, f"{side} {kind} JOIN".strip())
        has_condition = any(node.args.get(part) for part in ("on", "using", "method"))
        if kind != "CROSS" and not has_condition:
            raise self.context.source.invalid(node, "JOIN needs ON or USING")
        if not side:
            return JoinKind.INNER
        return JoinKind[side]

    def _using(
        self,
        node: exp.Expr,
        kind: JoinKind,
        left: Relation,
        right: Relation,
        names: Sequence[str],
        join: Joining,
    ) -> Relation:
        """Equal columns of one name on both sides become one visible column."""
        source = self.context.source
        both = left.scope.joined(right.scope, left.width)
        conditions: list[Expression] = []
        pairs: list[tuple[ScopeColumn, ScopeColumn]] = []
        for name in names:
            sides: list[ScopeColumn] = []
            for scope in (left.scope, Scope(both.columns[len(left.scope.columns) :])):
                found = scope.find(name, None)
                if len(found) != 1:
                    problem = "is ambiguous" if found else "is not on both sides"
                    raise source.invalid(node, f'column "{name}" in USING {problem}')
                sides.append(found[0])
            pairs.append((sides[0], sides[1]))
            a, b = unify_compared(source, (node, node), sides[0].reference, sides[1].reference, "=")
            conditions.append(Call(function="equal", arguments=(a, b), type=BOOLEAN))
        result = shown(kind, left, right, join(conditions), both)
        return merged(result, kind, pairs)

    def _check_aliases(self, spot: exp.Expr, left: Scope, right: Scope) -> None:
        """One name for two tables makes every qualified name ambiguous: refuse it at once."""
        known = {c.qualifier for c in left.columns if c.qualifier is not None and c.level == 0}
        for column in right.columns:
            if column.qualifier in known:
                raise self.context.source.invalid(
                    spot, f'the name "{column.qualifier}" is given to two tables; use an alias'
                )


def _is_join(node: exp.Expr) -> bool:
    """Joins in parentheses."""
    inner = node.this
    return isinstance(node, exp.Subquery) and not isinstance(inner, exp.Query | exp.Values)


def _check_plain(source: Source, node: exp.Expr) -> None:
    if isinstance(node, exp.Subquery):
        expect_only(source, node, "this", "alias", "joins")


def _query_in(node: exp.Expr) -> exp.Expr:
    """The query that an item of FROM is."""
    return node.this if isinstance(node, exp.Subquery) else node


def _beside(
    reader: Reader, kind: JoinKind, left: Relation, conditions: Sequence[Expression]
) -> Relation:
    return Relation(
        plan=reader.beside(kind, left.plan, conditions),
        width=left.width + reader.width,
        scope=left.scope.joined(reader.scope, left.width),
    )


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


def _alias_name(node: exp.Expr) -> str | None:
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias) or alias.this is None:
        return None
    return name_of(alias.this)
