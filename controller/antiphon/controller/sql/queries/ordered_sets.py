"""Aggregates of rows in an order: WITHIN GROUP (ORDER BY ...).

A percentile and a mode are aggregates of their own; several fractions give a list of percentiles.
The place that a row would have (`rank(5) WITHIN GROUP ...`) follows from how many rows are before
it, so these are counts and nothing is kept in order for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, any_of, columns_of_all, null
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import Unknown, cast, coerce, unify
from antiphon.controller.sql.parsing.syntax import (
    AGGREGATE_NAMES,
    HYPOTHETICAL_NAMES,
    expect_only,
    function_name,
)
from antiphon.controller.sql.queries.aggregate_calls import AggregateCall, Composed, unless
from antiphon.controller.sql.queries.ordering import sort_direction
from antiphon.controller.sql.scalars.functions import call
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import BOOLEAN, FLOAT64, INT64, Column, TypeKind, list_of, struct_of

_F = AggregateFunction
_FUNCTIONS: Final = MappingProxyType(
    {
        "percentile_cont": _F.PERCENTILE_CONT, "percentile_disc": _F.PERCENTILE_DISC,
        "mode": _F.MODE,
    }
)  # fmt: skip
_Place = Callable[[AggregateCall], Expression]


@dataclass(frozen=True, slots=True)
class _Percentiles:
    """One for each fraction, in a list; null where there is no value. None: a null fraction."""

    parts: tuple[AggregateCall | None, ...]
    count: AggregateCall

    @property
    def read(self) -> tuple[Expression, ...]:
        return (*self.count.read, *(value for part in self.parts if part for value in part.read))

    def over(self, place: _Place) -> Expression:
        kind = self.count.aggregate.arguments[0].type
        found = [null(kind) if part is None else place(part) for part in self.parts]
        none = call("equal", [place(self.count), Literal(value=0, type=INT64)], BOOLEAN)
        return unless(none, call("list", found, list_of(kind)))


@dataclass(frozen=True, slots=True)
class _Hypothetical:
    """`before`, `upto`: whether a row comes before the one that is asked about, or is its peer."""

    name: str
    values: tuple[Expression, ...]
    before: Expression
    upto: Expression
    filter: Expression | None

    @property
    def read(self) -> tuple[Expression, ...]:
        return (self.upto,) if self.filter is None else (self.upto, self.filter)

    def over(self, place: _Place) -> Expression:
        one = Literal(value=1, type=INT64)

        def count(condition: Expression | None, *values: Expression) -> Expression:
            where = self._where(condition)
            aggregate = Aggregate(
                function=_F.COUNT, arguments=values, type=INT64, distinct=bool(values), filter=where
            )
            return place(AggregateCall(aggregate, INT64))

        def ratio(part: Expression, whole: Expression) -> Expression:
            return call("divide", [cast(part, FLOAT64), cast(whole, FLOAT64)], FLOAT64)

        match self.name:
            case "rank":
                return call("add", [count(self.before), one], INT64)
            case "dense_rank":
                fields = [Column(name=f"k{i}", type=v.type) for i, v in enumerate(self.values)]
                together = call("struct", self.values, struct_of(*fields))
                return call("add", [count(self.before, together), one], INT64)
            case "percent_rank":
                total = count(None)
                none = call("equal", [total, Literal(value=0, type=INT64)], BOOLEAN)
                start = Branch(condition=none, value=Literal(value=0.0, type=FLOAT64))
                share = ratio(count(self.before), total)
                return fold(Case(branches=(start,), otherwise=share, type=FLOAT64))
        assert self.name == "cume_dist", f"no place of a row: {self.name}"
        with_it = (call("add", [count(rows), one], INT64) for rows in (self.upto, None))
        return ratio(*with_it)

    def _where(self, condition: Expression | None) -> Expression | None:
        """Rows that FILTER leaves out are not compared."""
        if condition is None or self.filter is None:
            return condition or self.filter
        branch = Branch(condition=self.filter, value=condition)
        return fold(Case(branches=(branch,), otherwise=null(BOOLEAN), type=BOOLEAN))


def is_ordered_set(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Filter) else node
    return isinstance(inner, exp.WithinGroup)


def ordered_set_of(scalars: Scalars, node: exp.Expr) -> Composed:
    """
    Raises:
        UnsupportedSql: a form of the call that is not served.
        InvalidSql: a call that has no meaning.
    """
    source, condition, inner = scalars.source, None, node
    if isinstance(inner, exp.Filter):
        condition, inner = scalars.predicate(inner.expression.this), inner.this
    assert isinstance(inner, exp.WithinGroup), "asked before"
    own, items = inner.this, inner.expression.expressions
    assert isinstance(own, exp.Anonymous), "calls come out as written"
    name = function_name(own)
    expect_only(source, own, "this", "expressions")
    if name in HYPOTHETICAL_NAMES:
        return _hypothetical(scalars, node, name, own.expressions, items, condition)
    function = _FUNCTIONS.get(name)
    if name not in AGGREGATE_NAMES:
        raise source.unsupported(node, f"the aggregate {name}")
    if function is None:
        raise source.invalid(node, f"{name} takes no WITHIN GROUP")
    if len(items) != 1:
        raise source.invalid(own, f"{name} needs WITHIN GROUP (ORDER BY one expression)")
    return _ordered(scalars, own, function, items[0], condition)


def _ordered(
    scalars: Scalars,
    node: exp.Anonymous,
    function: AggregateFunction,
    item: exp.Expr,
    condition: Expression | None,
) -> Composed:
    """`percentile_cont(0.5) WITHIN GROUP (ORDER BY x)` and its like."""
    source, name = scalars.source, function_name(node)
    value = scalars.lower(item.this)
    if function is _F.PERCENTILE_CONT:
        if not value.type.is_numeric:
            raise source.unsupported(node, f"percentile_cont of {value.type}")
        value = cast(value, FLOAT64)
    wanted = 0 if function is _F.MODE else 1
    if len(node.expressions) != wanted:
        raise source.invalid(node, f"{name} takes {wanted or 'no'} argument{'s' * (wanted != 1)}")
    descending, _ = sort_direction(item)
    order = ((value, True, False),) if descending else ()

    def aggregate(*fraction: Expression) -> AggregateCall:
        own = Aggregate(
            function=function, arguments=(value, *fraction), type=value.type, filter=condition
        )
        return AggregateCall(own, value.type, order)

    if not wanted:
        return aggregate()
    fractions, is_list = _fractions(scalars, node.expressions[0], name)
    calls = [None if part.value is None else aggregate(part) for part in fractions]
    if not is_list and calls[0] is not None:
        return calls[0]
    count = Aggregate(function=_F.COUNT, arguments=(value,), type=INT64, filter=condition)
    return _Percentiles(tuple(calls), AggregateCall(count, INT64))


def _fractions(scalars: Scalars, node: exp.Expr, name: str) -> tuple[list[Literal], bool]:
    """The fractions, and whether they come as a list."""
    source, what = scalars.source, f"the fraction of {name}"
    typed = scalars.typed(node)
    is_list = not isinstance(typed, Unknown) and typed.type.kind is TypeKind.LIST
    given = coerce(source, node, typed, list_of(FLOAT64) if is_list else FLOAT64, what)
    if not isinstance(given, Literal) or given.value is None:
        raise source.unsupported(node, f"a fraction of {name} that is no constant")
    members = given.value if isinstance(given.value, tuple) else (given.value,)
    for member in members:
        if member is not None and not (isinstance(member, float) and 0 <= member <= 1):
            raise source.invalid(node, f"{what} is between 0 and 1")
    return [Literal(value=member, type=FLOAT64) for member in members], is_list


def _hypothetical(
    scalars: Scalars,
    node: exp.Expr,
    name: str,
    asked: Sequence[exp.Expr],
    items: Sequence[exp.Expr],
    condition: Expression | None,
) -> _Hypothetical:
    source = scalars.source
    if len(asked) != len(items):
        raise source.invalid(node, f"{name} takes a value for each expression of its ORDER BY")
    values: list[Expression] = []
    before: list[Expression] = []
    same: list[Expression] = []
    for part, item in zip(asked, items, strict=True):
        spots = (part, item.this)
        typed = [scalars.typed(spot) for spot in spots]
        (wanted, value), _ = unify(source, spots, typed, f"the argument of {name} and its ORDER BY")
        if columns_of_all([wanted]):
            raise source.unsupported(part, f"an argument of {name} that is no constant")
        values.append(value)
        before.append(_precedes(value, wanted, *sort_direction(item)))
        same.append(call("is_not_distinct_from", [value, wanted], BOOLEAN))
    earlier, upto = before[-1], any_of([before[-1], same[-1]])
    for first, equal in zip(before[-2::-1], same[-2::-1], strict=True):
        earlier = any_of([first, all_of([equal, earlier])])
        upto = any_of([first, all_of([equal, upto])])
    return _Hypothetical(name, tuple(values), fold(earlier), fold(upto), condition)


def _precedes(
    value: Expression, wanted: Expression, descending: bool, nulls_first: bool
) -> Expression:
    """Whether the value comes before a constant; never null."""
    missing = call("is_null", [wanted], BOOLEAN)
    is_null, is_there = (call(test, [value], BOOLEAN) for test in ("is_null", "is_not_null"))
    nothing = Literal(value=False, type=BOOLEAN)
    compared = call("greater" if descending else "less", [value, wanted], BOOLEAN)
    of_nulls = Branch(condition=missing, value=nothing if nulls_first else is_there)
    null_value = Literal(value=nulls_first, type=BOOLEAN)
    branches = (of_nulls, Branch(condition=is_null, value=null_value))
    return fold(Case(branches=branches, otherwise=compared, type=BOOLEAN))
