"""FROM: how its items are joined, and what they may read of what stands to their left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, columns_of, conjuncts, shift
from antiphon.controller.sql.algebra.plans import (
    ONE_ROW,
    computed,
    identity,
    joined,
    projected,
    width_of,
)
from antiphon.controller.sql.binding.coercion import unify_compared
from antiphon.controller.sql.binding.joined_columns import merged, shown
from antiphon.controller.sql.binding.relation import Context, Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn, inseparable, is_outer
from antiphon.controller.sql.parsing.dialect import USING_ALIAS
from antiphon.controller.sql.parsing.syntax import expect_only, name_of
from antiphon.controller.sql.queries.from_items import FromItems, alias_name, is_join
from antiphon.controller.sql.queries.join_conditions import Conditions, Joining, Narrowing, parted
from antiphon.controller.sql.queries.lateral import NOTHING, Reader
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Call, ColumnReference, Expression
from antiphon.protocol.plan import Constant, Join, JoinKind, Plan, schema_of
from antiphon.protocol.schema import BOOLEAN, Schema


@dataclass(frozen=True, slots=True)
class _Tree:
    """Items joined by JOIN. `holds_all`: and with what stands before a comma; one reads that.
    `holds_domain`: the domain's columns are its first ones."""

    relation: Relation
    holds_all: bool = False
    holds_domain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FromClause:
    """Lowers what stands in FROM. `domain`: what the whole query is computed over, before all else
    in FROM; without it nothing of `outer` may be read. `narrowed`: what WHERE makes of conditions
    that are no plain expressions."""

    context: Context
    items: FromItems
    narrowed: Narrowing
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

    def _whole(self, spot: exp.Expr, before: Relation | None, tree: _Tree) -> Relation:
        """What stands before a comma, beside a tree of joins after it."""
        if before is None or tree.holds_all or (tree.holds_domain and before is self.domain):
            return tree.relation
        if tree.holds_domain:
            return self._by_domain(before, tree.relation, JoinKind.INNER, ())
        return self._cross(spot, before, tree.relation)

    def _first(self, node: exp.Expr, before: Relation | None) -> _Tree:
        """The item that a tree of joins begins with, and joins that it brings along."""
        reader = self.items.reader(node, before or NOTHING)
        if reader is not None and reader.reads:
            assert before is not None, "nothing is read of nothing"
            self._check_aliases(node, before.scope, reader.scope)
            tree = _Tree(_beside(reader, JoinKind.INNER, before, ()), holds_all=True)
        elif is_join(node):
            inner = self._first(node.this, before)
            tree = replace(inner, relation=self._under_alias(node, inner.relation))
        else:
            tree = _Tree(self.items.item(node) if reader is None else reader.alone())
        for join in node.args.get("joins") or ():
            tree = self._join(tree, join, before)
        return tree

    def _under_alias(self, node: exp.Expr, joined: Relation) -> Relation:
        """`(joins) AS name (columns)`: the visible columns under this name alone."""
        alias = node.args.get("alias")
        if alias is None:
            return joined
        own = joined.scope.star()
        names = [name_of(column) for column in alias.args.get("columns") or ()]
        if len(names) > len(own):
            message = f"{len(names)} column names for {len(own)} columns"
            raise self.context.source.invalid(alias, message)
        given = [*names, *(column.name for column in own[len(names) :])]
        shown = [
            replace(c, qualifier=alias_name(node), name=name)
            for c, name in zip(own, given, strict=True)
        ]
        around = [column for column in joined.scope.columns if column.level]
        return replace(joined, scope=Scope((*around, *shown)))

    def _is_comma(self, join: exp.Expr) -> bool:
        """Whether a comma, and not JOIN without a condition, stands before the relation."""
        parts = ("on", "using", "side", "kind", "method")
        if any(join.args.get(part) for part in parts):
            return False
        if self.context.source.follows_word(join.this, "JOIN"):
            raise self.context.source.invalid(join, "JOIN needs ON or USING")
        return True

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
        expect_only(source, node, "this", "on", "using", "side", "kind", "method", USING_ALIAS)
        kind = self._kind(node)
        inner = kind in (JoinKind.INNER, JoinKind.LEFT)
        whole = self._whole(node, before, tree)
        reader = self.items.reader(node.this, whole)
        if reader is not None and reader.reads:
            if inner:
                return _Tree(self._read(whole, reader, kind, node), holds_all=True)
            if self.domain is None or isinstance(node.this, exp.Lateral):
                raise source.invalid(node, f"a {kind.name} JOIN cannot read its left side in FROM")
            reader = None  # it reads the domain alone
        right = self._right(node.this) if reader is None else _Tree(reader.alone())
        asks = right.holds_domain or self._mentions_domain(node, tree, right)
        if not inner and tree.holds_all and before is not None and before is not self.domain:
            what = f"a {kind.name} JOIN to what reads from before a comma"
            raise source.unsupported(node, what)
        if self.domain is not None and (
            right.holds_domain or (not inner and (asks or tree.holds_all or tree.holds_domain))
        ):
            return self._over_domain(tree, right, kind, node)
        if asks and not tree.holds_domain:
            tree = _Tree(whole, holds_all=True)
        joined_tree = self._on(tree.relation, right.relation, kind, node)
        return replace(tree, relation=joined_tree)

    def _right(self, node: exp.Expr) -> _Tree:
        """The right side of a join: an item, or joins in parentheses."""
        tree = self._first(node, self.domain)
        holds = self.domain is not None and (tree.holds_all or tree.holds_domain)
        return _Tree(tree.relation, holds_domain=holds)

    def _mentions_domain(self, node: exp.Expr, left: _Tree, right: _Tree) -> bool:
        """Whether the condition needs a query around, whose columns are not at hand yet."""
        on = node.args.get("on")
        if self.domain is None or on is None:
            return False
        plain, others = parted(self.context, on)
        scope = left.relation.scope.joined(right.relation.scope, left.relation.width)
        scalars = self._scalars(scope, self.domain.scope)
        found = [scalars.predicate(part) for part in plain]
        # A subquery might mention it.
        return bool(others) or any(is_outer(i) for part in found for i in columns_of(part))

    def _over_domain(self, left: _Tree, right: _Tree, kind: JoinKind, node: exp.Expr) -> _Tree:
        """Both sides for each row of the domain: so each of these has its own unmatched rows."""
        domain = self.domain
        assert domain is not None, "there is one"

        def over(tree: _Tree) -> Relation:
            if tree.holds_all or tree.holds_domain:
                return tree.relation
            return self._cross(node, domain, tree.relation)

        def join(how: JoinKind, one: Plan, other: Plan, conditions: Sequence[Expression]) -> Plan:
            pairs = replace(ours, plan=one), replace(theirs, plan=other)
            return self._by_domain(*pairs, how, conditions).plan

        ours, theirs = over(left), over(right)
        own = tuple(c for c in theirs.scope.columns if c.index >= domain.width)
        shown_right = replace(theirs, scope=Scope(own))
        relation = self._matched(node, kind, ours, shown_right, join)
        return replace(left, relation=relation, holds_domain=True)

    def _by_domain(
        self, left: Relation, right: Relation, kind: JoinKind, conditions: Sequence[Expression]
    ) -> Relation:
        """Two relations that begin with the domain, joined by it; it comes first again, from
        whichever side has the row. The right one's copy has no names."""
        assert self.domain is not None, "there is one"
        keys = self.domain.references
        parts = [part for condition in conditions for part in conjuncts(condition)]
        # Equal values that are null are no pair: the condition itself says so, of what is found.
        pairs = [pair for pair in (_key_pair(part, left.width) for part in parts) if pair]
        plan: Plan = Join(
            kind=kind, left=left.plan, right=right.plan,
            left_keys=(*keys, *(mine for mine, _ in pairs)),
            right_keys=(*keys, *(other for _, other in pairs)),
            nulls_match=True, residual=all_of(parts) if parts else None,
        )  # fmt: skip
        columns: list[Expression] = [
            ColumnReference(index=i, type=t) for i, t in enumerate(schema_of(plan).types)
        ]
        for index, key in enumerate(keys):
            sides = (key, ColumnReference(index=left.width + index, type=key.type))
            columns[index] = Call(function="coalesce", arguments=sides, type=key.type)
        if kind in (JoinKind.RIGHT, JoinKind.FULL):
            plan = computed(plan, columns)
        own = Scope(tuple(c for c in right.scope.columns if c.index >= len(keys)))
        return Relation(
            plan=plan, width=left.width + right.width, scope=left.scope.joined(own, left.width)
        )

    def _scalars(self, scope: Scope, outer: Scope | None) -> Scalars:
        return Scalars(
            source=self.context.source, scope=scope, outer=outer, place="JOIN ... ON",
            now_us=self.context.now_us, statement=self.context.place,
        )  # fmt: skip

    def _on(self, left: Relation, right: Relation, kind: JoinKind, node: exp.Expr) -> Relation:
        def join(how: JoinKind, one: Plan, other: Plan, conditions: Sequence[Expression]) -> Plan:
            return joined(how, one, other, (), conditions)

        return self._matched(node, kind, left, right, join)

    def _read(self, left: Relation, reader: Reader, kind: JoinKind, node: exp.Expr) -> Relation:
        """The left beside what reads it."""

        def join(how: JoinKind, one: Plan, other: Plan, conditions: Sequence[Expression]) -> Plan:
            return reader.beside(how, one, conditions)

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
        if names:
            return self._using(node, kind, left, right, names, join)
        scope = left.scope.joined(right.scope, left.width)
        plain, others = self._conditions(node, scope)
        conditions = Conditions(
            context=self.context, scope=scope, plain=plain, others=tuple(others),
            narrowed=self.narrowed,
        )  # fmt: skip
        if others and width_of(right.plan) == right.width:
            left, right, conditions = self._narrowed_sides(kind, left, right, conditions)
        return shown(kind, left, right, conditions.join(kind, left, right, join), scope)

    def _conditions(
        self, node: exp.Expr, scope: Scope
    ) -> tuple[tuple[Expression, ...], list[exp.Expr]]:
        on = node.args.get("on")
        if on is None:
            return (), []
        plain, others = parted(self.context, on)
        scalars = self._scalars(scope, self.items.around)
        lowered = tuple(scalars.predicate(part) for part in (plain if others else [on]))
        if any(is_outer(index) for part in lowered for index in columns_of(part)):
            assert self.domain is None, "its columns are at hand"
            raise inseparable(self.context.source, node)
        return lowered, others

    def _narrowed_sides(
        self, kind: JoinKind, left: Relation, right: Relation, conditions: Conditions
    ) -> tuple[Relation, Relation, Conditions]:
        """With conditions on the one side that an outer join does not keep applied to it."""
        schema = Schema((*schema_of(left.plan).columns, *schema_of(right.plan).columns))
        nothing = Constant(schema=schema, rows=())

        def narrowed(side: Relation, parts: Sequence[exp.Expr]) -> Relation:
            if not parts:
                return side
            plan = projected(self.narrowed(side, parts), identity(side.width))
            return replace(side, plan=plan)

        if kind is JoinKind.LEFT:
            places = range(left.width, left.width + right.width)
            conditions, apart = conditions.of(places, nothing)
            right = narrowed(right, apart)
        if kind is JoinKind.RIGHT:
            conditions, apart = conditions.of(range(left.width), nothing)
            left = narrowed(left, apart)
        return left, right, conditions

    def _kind(self, node: exp.Expr) -> JoinKind:
        side = str(node.args.get("side") or "").upper()
        kind = str(node.args.get("kind") or "").upper()
        method = str(node.args.get("method") or "").upper()
        if method not in ("", "NATURAL"):
            raise self.context.source.unsupported(node, f"{method} JOIN")
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
        plan = join(kind, left.plan, right.plan, conditions)
        result = merged(shown(kind, left, right, plan, both), kind, pairs)
        alias = node.args.get(USING_ALIAS)
        return result if alias is None else self._using_named(node, result, name_of(alias), names)

    def _using_named(
        self, node: exp.Expr, joined: Relation, alias: str, names: Sequence[str]
    ) -> Relation:
        """USING (...) AS alias: the merged columns are reached by this name as well."""
        named = [
            replace(c, qualifier=alias, visible=False)
            for c in joined.scope.star()
            if c.name in names
        ]
        self._check_aliases(node, joined.scope, Scope(tuple(named)))
        return replace(joined, scope=Scope((*joined.scope.columns, *named)))

    def _check_aliases(self, spot: exp.Expr, left: Scope, right: Scope) -> None:
        """One name for two tables makes every qualified name ambiguous: refuse it at once."""
        known = {c.qualifier for c in left.columns if c.qualifier is not None and c.level == 0}
        for column in right.columns:
            if column.qualifier in known:
                raise self.context.source.invalid(
                    spot, f'the name "{column.qualifier}" is given to two tables; use an alias'
                )


def _key_pair(condition: Expression, width: int) -> tuple[Expression, Expression] | None:
    """Both sides of an equality of the left, `width` wide, and the right, each over its own."""
    if not isinstance(condition, Call) or condition.function != "equal":
        return None
    for mine, other in (condition.arguments, condition.arguments[::-1]):
        here, there = columns_of(mine), columns_of(other)
        if here and there and max(here) < width <= min(there):
            return mine, shift(other, -width)
    return None


def _beside(
    reader: Reader, kind: JoinKind, left: Relation, conditions: Sequence[Expression]
) -> Relation:
    return Relation(
        plan=reader.beside(kind, left.plan, conditions),
        width=left.width + reader.width,
        scope=left.scope.joined(reader.scope, left.width),
    )
