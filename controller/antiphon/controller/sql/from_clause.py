"""FROM: tables, subqueries, VALUES, and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlglot import exp

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.coercion import cast, unify_compared
from antiphon.controller.sql.expressions import TRUE
from antiphon.controller.sql.introspect import check_unmixed, system_item
from antiphon.controller.sql.plans import ONE_ROW, extended, filtered, joined
from antiphon.controller.sql.relation import Context, Environment, Query, Relation
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.scope import Scope, ScopeColumn, relabel
from antiphon.controller.sql.syntax import describe, expect_only, name_of
from antiphon.controller.sql.table_functions import (
    TableCall,
    column_names,
    is_table_call,
    table_call,
)
from antiphon.controller.sql.types import common_type
from antiphon.protocol.expression import Call, Expression
from antiphon.protocol.plan import Get, JoinKind, LocalGet
from antiphon.protocol.schema import BOOLEAN

# What a FROM that is not there reads.
NOTHING: Final = Relation(plan=ONE_ROW, width=0, scope=Scope())
LowerQuery = Callable[[exp.Expr, Environment], Query]


@dataclass(frozen=True, slots=True)
class _Tree:
    """Items joined by JOIN. `holds_all`: and with what stands before a comma; one reads that."""

    relation: Relation
    holds_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromClause:
    """Lowers what stands in FROM. `lower_query` lowers a subquery there; it sees no outer names."""

    context: Context
    environment: Environment
    lower_query: LowerQuery
    outer: Scope | None = None

    def lower(self, first: exp.Expr | None, joins: Sequence[exp.Expr]) -> Relation:
        """The relation of `FROM first join ... , second join ...`; one row without FROM."""
        if first is None:
            return NOTHING
        before: Relation | None = None
        tree = self._first(first, None)
        for join in joins:
            if self._is_comma(join):
                # A comma binds looser than any JOIN that follows it.
                before = self._whole(join, before, tree)
                tree = self._first(join.this, before)
            else:
                tree = self._join(tree, join, before)
        return self._whole(first, before, tree)

    def _whole(self, spot: exp.Expr, before: Relation | None, tree: _Tree) -> Relation:
        """What stands before a comma, beside a tree of joins after it."""
        if before is None or tree.holds_all:
            return tree.relation
        return self._cross(spot, before, tree.relation)

    def _first(self, node: exp.Expr, before: Relation | None) -> _Tree:
        """The item that a tree of joins begins with."""
        if not is_table_call(node):
            return _Tree(self.item(node))
        call = self._call(node, NOTHING if before is None else before)
        holds_all = bool(call.reads)
        tree = _Tree(call.over(before if holds_all and before else NOTHING), holds_all)
        if holds_all and before is not None:
            self._check_aliases(node, before.scope, call.scope)
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
        if isinstance(node, exp.Table):
            relation = self._table(node)
        elif isinstance(node, exp.Subquery):
            relation = self._subquery(node)
        elif isinstance(node, exp.Values):
            relation = self.lower_query(node, self.environment).relation(_alias_name(node))
        else:
            what = "LATERAL" if isinstance(node, exp.Lateral) else type(node).__name__.upper()
            raise self.context.source.unsupported(node, f"{what} in FROM")
        relation = self._with_column_aliases(node, relation)
        tree = _Tree(relation)
        for join in node.args.get("joins") or ():
            tree = self._join(tree, join, None)
        return tree.relation

    def _call(self, node: exp.Expr, left: Relation) -> TableCall:
        """The calls that an item is, over the columns of what stands to the left of it."""
        scalars = Scalars(
            source=self.context.source, scope=left.scope, place="a function in FROM",
            now_us=self.context.now_us, statement=self.context.place,
        )  # fmt: skip
        call = table_call(scalars, node, _alias_name(node))
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

    def _subquery(self, node: exp.Subquery) -> Relation:
        expect_only(self.context.source, node, "this", "alias", "joins")
        if isinstance(node.this, exp.Table | exp.Subquery) and not isinstance(node.this, exp.Query):
            return self.item(node.this)  # a join in parentheses
        return self.lower_query(node.this, self.environment).relation(_alias_name(node))

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
        expect_only(self.context.source, node, "this", "on", "using", "side", "kind", "method")
        kind = self._kind(node)
        if is_table_call(node.this):
            left = self._whole(node, before, tree)
            call = self._call(node.this, left)
            if call.reads:
                return _Tree(self._beside(node, kind, left, call), holds_all=True)
            right = call.over(NOTHING)
        else:
            right = self.item(node.this)
        if tree.holds_all and before is not None and kind in (JoinKind.RIGHT, JoinKind.FULL):
            what = f"a {kind.name} JOIN after a function that reads what a comma stands behind"
            raise self.context.source.unsupported(node, what)
        return _Tree(self._on(tree.relation, right, kind, node), tree.holds_all)

    def _beside(self, node: exp.Expr, kind: JoinKind, left: Relation, call: TableCall) -> Relation:
        """Each row of the left beside what a function makes of it."""
        source = self.context.source
        if kind not in (JoinKind.INNER, JoinKind.LEFT):
            raise source.invalid(node, f"a {kind.name} JOIN cannot read its left side in FROM")
        if node.args.get("using") or node.args.get("method"):
            raise source.unsupported(node, "USING or NATURAL with a function of the left side")
        self._check_aliases(node, left.scope, call.scope)
        relation = call.over(left, keep_empty=kind is JoinKind.LEFT)
        on = node.args.get("on")
        if on is None:
            return relation
        scalars = Scalars(source=source, scope=relation.scope, place="JOIN ... ON")
        condition = scalars.predicate(on)
        if condition == TRUE:
            return relation
        if kind is JoinKind.LEFT:
            what = "LEFT JOIN of a function of the left side with a condition"
            raise source.unsupported(node, what, "; say ON true")
        return replace(relation, plan=filtered(relation.plan, [condition]))

    def _on(self, left: Relation, right: Relation, kind: JoinKind, node: exp.Expr) -> Relation:
        source = self.context.source
        names = [name_of(column) for column in node.args.get("using") or ()]
        if str(node.args.get("method") or "").upper() == "NATURAL":
            theirs = {c.name for c in right.scope.star()}
            names = [c.name for c in left.scope.star() if c.name in theirs]
        self._check_aliases(node, left.scope, right.scope)
        scope = left.scope.joined(right.scope, left.width)
        if names:
            return self._using(node, kind, left, right, names)
        conditions: list[Expression] = []
        if node.args.get("on") is not None:
            scalars = Scalars(source=source, scope=scope, outer=None, place="JOIN ... ON")
            conditions = [scalars.predicate(node.args["on"])]
        return self._joined(kind, left, right, conditions, scope)

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
        self, node: exp.Expr, kind: JoinKind, left: Relation, right: Relation, names: Sequence[str]
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
        result = self._joined(kind, left, right, conditions, both)
        return _merge(result, kind, pairs)

    def _joined(
        self,
        kind: JoinKind,
        left: Relation,
        right: Relation,
        conditions: Sequence[Expression],
        scope: Scope,
    ) -> Relation:
        width = left.width + right.width
        optional = {
            index
            for index in range(width)
            if (index < left.width and kind in (JoinKind.RIGHT, JoinKind.FULL))
            or (index >= left.width and kind in (JoinKind.LEFT, JoinKind.FULL))
        }
        columns = tuple(
            replace(c, nullable=c.nullable or c.index in optional) for c in scope.columns
        )
        plan = joined(kind, left.plan, right.plan, (), conditions)
        return Relation(plan=plan, width=width, scope=Scope(columns))

    def _check_aliases(self, spot: exp.Expr, left: Scope, right: Scope) -> None:
        """One name for two tables makes every qualified name ambiguous: refuse it at once."""
        known = {c.qualifier for c in left.columns if c.qualifier is not None}
        for column in right.columns:
            if column.qualifier in known:
                raise self.context.source.invalid(
                    spot, f'the name "{column.qualifier}" is given to two tables; use an alias'
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


def _merge(
    relation: Relation, kind: JoinKind, pairs: Sequence[tuple[ScopeColumn, ScopeColumn]]
) -> Relation:
    """The scope in which each pair is one visible column, before all others."""
    hidden = {column.index for pair in pairs for column in pair}
    maps: list[Expression] = []
    merged: list[ScopeColumn] = []
    for left, right in pairs:
        kept = right if kind is JoinKind.RIGHT else left
        if kind is JoinKind.FULL:
            # Whichever side has the row has the value.
            common = common_type(left.type, right.type)
            assert common is not None, "the sides were compared"
            sides = (cast(left.reference, common), cast(right.reference, common))
            maps.append(Call(function="coalesce", arguments=sides, type=common))
            nullable = left.nullable or right.nullable
            index = relation.width + len(maps) - 1
            kept = replace(kept, index=index, type=common, nullable=nullable)
        merged.append(replace(kept, qualifier=None, visible=True))
    rest = tuple(
        replace(c, visible=c.visible and c.index not in hidden) for c in relation.scope.columns
    )
    return Relation(
        plan=extended(relation.plan, maps),
        width=relation.width + len(maps),
        scope=Scope((*merged, *rest)),
    )
