"""From parsed scalar expressions to typed ones.

Names are resolved and types decided here, by PostgreSQL's rules; aggregates, window functions and
subqueries are handed to the query that is being lowered, or refused where they may not stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, any_of, negation
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import (
    Typed,
    Unknown,
    coerce,
    settle,
    snug,
    unify,
    unify_compared,
)
from antiphon.controller.sql.binding.scope import Scope, resolve
from antiphon.controller.sql.binding.types import arithmetic_type
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import (
    PUBLIC,
    as_in,
    describe,
    expect_only,
    is_aggregate,
    is_row,
    is_set_returning,
    name_of,
    quantified_list,
    quantified_query,
)
from antiphon.controller.sql.scalars import temporal
from antiphon.controller.sql.scalars.forms import HANDLERS
from antiphon.controller.sql.scalars.functions import call
from antiphon.controller.sql.scalars.nested import compared_with_any, field_of
from antiphon.controller.sql.scalars.quantifiers import row_of
from antiphon.controller.sql.scalars.whole_rows import spelled_out, whole_row
from antiphon.controller.sql.subqueries.quantified import NEGATED
from antiphon.protocol.expression import Expression
from antiphon.protocol.schema import BOOLEAN

# Whoever lowers a query decides what these nodes become: aggregates, windows, subqueries.
Special = Callable[[exp.Expr], Expression]
_SPECIAL_NODES: Final = (exp.Filter, exp.WithinGroup, exp.Window, exp.Subquery, exp.Exists)

_ARITHMETIC: Final[Mapping[type[exp.Expr], tuple[str, str]]] = MappingProxyType(
    {
        exp.Add: ("add", "+"), exp.Sub: ("subtract", "-"), exp.Mul: ("multiply", "*"),
        exp.Div: ("divide", "/"), exp.Mod: ("modulo", "%"),
    }
)  # fmt: skip
COMPARISONS: Final[Mapping[type[exp.Expr], tuple[str, str]]] = MappingProxyType(
    {
        exp.EQ: ("equal", "="), exp.NEQ: ("not_equal", "<>"), exp.LT: ("less", "<"),
        exp.LTE: ("less_equal", "<="), exp.GT: ("greater", ">"), exp.GTE: ("greater_equal", ">="),
        exp.NullSafeEQ: ("is_not_distinct_from", "IS NOT DISTINCT FROM"),
        exp.NullSafeNEQ: ("is_distinct_from", "IS DISTINCT FROM"),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalars:
    """Lowers expressions over one scope. `special` None: those nodes are refused, since they stand
    in `place`. `now_us`: what `now()` means, or None where no time is known (a view)."""

    source: Source
    scope: Scope
    place: str
    outer: Scope | None = None
    special: Special | None = None
    now_us: int | None = None
    statement: str = "a query"  # what is planned, for messages

    @property
    def around(self) -> Scope:
        """What a subquery that stands here may mention."""
        return self.scope.within(self.outer)

    def lower(self, node: exp.Expr) -> Expression:
        """The expression with a type; text where its type is unknown."""
        return settle(self.source, node, self.typed(node))

    def predicate(self, node: exp.Expr) -> Expression:
        """The expression, which must be boolean.

        Raises:
            TypeMismatch
        """
        what = f"the condition in {self.place}"
        return coerce(self.source, node, self.typed(node), BOOLEAN, what)

    def typed(self, node: exp.Expr) -> Typed:
        if isinstance(node, _SPECIAL_NODES) or is_aggregate(node) or is_set_returning(node):
            return self.handed_over(node)
        if isinstance(node, exp.In) and node.args.get("query") is not None:
            return self.handed_over(node)
        kind = type(node)
        if kind in _ARITHMETIC:
            return self._arithmetic(node)
        if kind in COMPARISONS:
            return self._comparison(node)
        handler = HANDLERS.get(kind)
        if handler is None:
            raise self.source.unsupported(node, describe(node))
        return handler(self, node)

    def handed_over(self, node: exp.Expr) -> Expression:
        """What the query that is being lowered makes of the node."""
        if self.special is None:
            raise self.source.unsupported(node, f"{describe(node)} in {self.place}")
        return self.special(node)

    def column(self, node: exp.Expr) -> Expression:
        expect_only(self.source, node, "this", "table", "db", "catalog")
        whole = whole_row(self, node)
        if whole is not None:
            return whole
        if isinstance(node.this, exp.Star):
            raise self.source.unsupported(node, f"* in {self.place}")
        parts = (node.args.get(part) for part in ("catalog", "db", "table", "this"))
        names = [name_of(part) for part in parts if part is not None]
        count = _names_of_column(names, self.scope, self.outer)
        if count == 0 and names[0] == PUBLIC:
            names = names[1:]
            count = _names_of_column(names, self.scope, self.outer)
        if count == 0:
            raise self.source.unsupported(node, "a name with a schema")
        qualifier = names[0] if count == 2 else None
        value: Expression = resolve(
            self.source, node, self.scope, self.outer, names[count - 1], qualifier
        )
        for field in names[count:]:
            value = field_of(self, node, value, field)
        return value

    def _arithmetic(self, node: exp.Expr) -> Expression:
        expect_only(self.source, node, "this", "expression", "typed", "safe")
        function, symbol = _ARITHMETIC[type(node)]
        left, right = self.typed(node.this), self.typed(node.expression)
        moment = temporal.arithmetic(self.source, node, function, left, right)
        if moment is not None:
            return moment
        left, right = snug(left, right), snug(right, left)
        (a, b), common = unify(
            self.source, (node.this, node.expression), (left, right), f'the sides of "{symbol}"'
        )
        if isinstance(left, Unknown) and isinstance(right, Unknown):
            raise self.source.mismatch(node, f'the types of both sides of "{symbol}" are unknown')
        if not common.is_numeric:
            raise self.source.mismatch(node, f"cannot compute {a.type} {symbol} {b.type}")
        kinds = [side.type for side in (left, right) if not isinstance(side, Unknown)]
        result = arithmetic_type(function, kinds[0], kinds[-1])
        return call(function, (a, b), result)

    def _comparison(self, node: exp.Expr) -> Expression:
        expect_only(self.source, node, "this", "expression")
        function, symbol = COMPARISONS[type(node)]
        if isinstance(node.expression, exp.Any | exp.All) or quantified_list(node) is not None:
            return self._quantified(node, function, symbol)
        if is_row(node.this) and _is_query_of_rows(node.expression):
            if function not in NEGATED:
                raise self.source.unsupported(node, f"{symbol} of a row and a subquery")
            width = len(spelled_out(self, node.this.expressions))
            right = row_of(node.expression, width)
            return self.compare_rows(node, function, symbol, node.this, right)
        if is_row(node.this) and is_row(node.expression):
            return self.compare_rows(node, function, symbol, node.this, node.expression)
        return self.compare(function, symbol, node.this, node.expression)

    def _quantified(self, node: exp.Expr, function: str, symbol: str) -> Expression:
        """A comparison with any, or with all, of a subquery's rows or of an array's members."""
        if (found := as_in(node)) is not None:
            member, negated = found
            value = self.handed_over(member)
            return fold(negation(value)) if negated else value
        if quantified_query(node) is not None:
            return self.handed_over(node)
        quantified = quantified_list(node)
        assert quantified is not None, "ANY or ALL"
        members, with_all = quantified
        if isinstance(members, exp.Array) and members.expressions:
            parts = [self.compare(function, symbol, node.this, m) for m in members.expressions]
            return fold(all_of(parts) if with_all else any_of(parts))
        if function not in NEGATED:
            raise self.source.unsupported(node, f"{symbol} ANY or ALL")
        if with_all:  # all compare so unless any compares the other way
            other = compared_with_any(self, node, NEGATED[function], symbol, members)
            return fold(negation(other))
        return compared_with_any(self, node, function, symbol, members)

    def compare(self, function: str, symbol: str, left: exp.Expr, right: exp.Expr) -> Expression:
        sides = unify_compared(
            self.source, (left, right), self.typed(left), self.typed(right), symbol
        )
        return call(function, sides, BOOLEAN)

    def compare_rows(
        self, spot: exp.Expr, function: str, symbol: str, left: exp.Expr, right: exp.Expr
    ) -> Expression:
        """Two rows that are spelled out, value by value: a null in one makes unknown what depends
        on it."""
        values = [spelled_out(self, side.expressions) for side in (left, right)]
        pairs = list(zip(*values, strict=False))
        sizes = len(values[0]), len(values[1])
        if sizes[0] != sizes[1] or not pairs:
            raise self.source.invalid(spot, f"rows of {sizes[0]} and {sizes[1]} values")

        def each(one: str) -> list[Expression]:
            return [self.compare(one, symbol, a, b) for a, b in pairs]

        match function:
            case "equal" | "is_not_distinct_from":
                return fold(all_of(each(function)))
            case "not_equal":
                return fold(negation(all_of(each("equal"))))
            case "is_distinct_from":
                return fold(any_of(each(function)))
        # The first pair that differs decides.
        strict = each(function.removesuffix("_equal"))
        result = self.compare(function, symbol, *pairs[-1])
        for less, same in reversed(list(zip(strict[:-1], each("equal")[:-1], strict=True))):
            result = any_of([less, all_of([same, result])])
        return fold(result)

    def members(self, nodes: Sequence[exp.Expr], what: str) -> tuple[Expression, ...]:
        values, _ = unify(self.source, tuple(nodes), [self.typed(n) for n in nodes], what)
        return values


def _is_query_of_rows(node: exp.Expr) -> bool:
    """Whether it is a subquery that may have several columns."""
    if not isinstance(node, exp.Subquery):
        return False
    select = node.this
    items = select.expressions if isinstance(select, exp.Select) else []
    return len(items) != 1 or bool(items[0].is_star)


def _names_of_column(names: Sequence[str], scope: Scope, outer: Scope | None) -> int:
    """How many of the names say which column is meant: `a` and `t.a` do, and what follows them are
    fields. A table's name counts before a column's; 0 if no column can be meant."""
    for near in (scope, outer):
        if near is None:
            continue
        if len(names) > 1 and near.find(names[1], names[0]):
            return 2
        if near.find(names[0], None):
            return 1
    return len(names) if len(names) <= 2 else 0
