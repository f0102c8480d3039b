"""Aggregates of two values, over the rows that have both: covariance, correlation, the line that
fits best, and one value where the other is the largest or least.

The former follow from covariances, variances, averages and counts, each of which is kept exactly.
As in SQL the first argument is the dependent one: `regr_slope(y, x)`. The latter are the largest or
least of structs (y, x): the value decides which of several rows is meant, not who came first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import all_of, any_of
from antiphon.controller.sql.binding.coercion import cast, coerce
from antiphon.controller.sql.binding.types import check_depth
from antiphon.controller.sql.parsing.syntax import PAIR_NAMES, expect_only, function_name
from antiphon.controller.sql.queries.aggregate_calls import AggregateCall, Composed, unless
from antiphon.controller.sql.scalars.functions import call
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import BOOLEAN, FLOAT64, INT32, INT64, Column, Type, struct_of

_F = AggregateFunction
# `max_by(value, key)`: of the row with the largest key the value.
_EXTREMES: Final = MappingProxyType(
    {"max_by": _F.MAX, "arg_max": _F.MAX, "min_by": _F.MIN, "arg_min": _F.MIN}
)


@dataclass(frozen=True, slots=True)
class _Extreme:
    """`both`: structs (key, value), null in rows that have not both."""

    function: AggregateFunction
    both: Expression
    filter: Expression | None

    @property
    def read(self) -> tuple[Expression, ...]:
        return (self.both,) if self.filter is None else (self.both, self.filter)

    def over(self, place: Callable[[AggregateCall], Expression]) -> Expression:
        kind = self.both.type
        aggregate = Aggregate(
            function=self.function, arguments=(self.both,), type=kind, filter=self.filter
        )
        return call(
            "field",
            [place(AggregateCall(aggregate, kind)), Literal(value=1, type=INT32)],
            kind.fields[1].type,
        )


@dataclass(frozen=True, slots=True)
class _Fitted:
    """`y`, `x`: the arguments, null in rows that have not both."""

    name: str
    y: Expression
    x: Expression
    both: Expression
    filter: Expression | None

    @property
    def read(self) -> tuple[Expression, ...]:
        return (self.y, self.x) if self.filter is None else (self.y, self.x, self.filter)

    def over(self, place: Callable[[AggregateCall], Expression]) -> Expression:
        def aggregate(function: AggregateFunction, value: Expression, kind: Type) -> Expression:
            own = Aggregate(function=function, arguments=(value,), type=kind, filter=self.filter)
            return place(AggregateCall(own, kind))

        def real(function: AggregateFunction, value: Expression) -> Expression:
            return aggregate(function, value, FLOAT64)

        match self.name:
            case "covar_pop":
                return real(_F.COVAR_POP, self.both)
            case "covar_samp":
                return real(_F.COVAR_SAMP, self.both)
            case "regr_count":
                return aggregate(_F.COUNT, self.both, INT64)
            case "regr_avgx" | "regr_avgy":
                return real(_F.AVG, self.x if self.name == "regr_avgx" else self.y)
        together = real(_F.COVAR_POP, self.both)
        of_x, of_y = real(_F.VAR_POP, self.x), real(_F.VAR_POP, self.y)
        match self.name:
            case "regr_sxx" | "regr_syy" | "regr_sxy":
                count = cast(aggregate(_F.COUNT, self.both, INT64), FLOAT64)
                value = {"regr_sxx": of_x, "regr_syy": of_y, "regr_sxy": together}[self.name]
                return _real("multiply", value, count)
            case "regr_slope":
                return unless(_is_zero(of_x), _real("divide", together, of_x))
            case "regr_intercept":
                slope = _real("divide", together, of_x)
                risen = _real("multiply", slope, real(_F.AVG, self.x))
                start = _real("subtract", real(_F.AVG, self.y), risen)
                return unless(_is_zero(of_x), start)
        spread = _real("multiply", call("sqrt", [of_x], FLOAT64), call("sqrt", [of_y], FLOAT64))
        likeness = _within_one(_real("divide", together, spread))
        if self.name == "corr":
            return unless(any_of([_is_zero(of_x), _is_zero(of_y)]), likeness)
        assert self.name == "regr_r2", f"no aggregate of two values: {self.name}"
        level = Branch(condition=_is_zero(of_y), value=Literal(value=1.0, type=FLOAT64))
        square = _real("multiply", likeness, likeness)
        return unless(_is_zero(of_x), Case(branches=(level,), otherwise=square, type=FLOAT64))


def _real(function: str, left: Expression, right: Expression) -> Expression:
    return call(function, [left, right], FLOAT64)


def _is_zero(value: Expression) -> Expression:
    return call("equal", [value, Literal(value=0.0, type=FLOAT64)], BOOLEAN)


def _within_one(value: Expression) -> Expression:
    """What rounding has put above 1 or below -1 is that; NaN stays."""
    one, two = (Literal(value=number, type=FLOAT64) for number in (1.0, 2.0))
    less = Literal(value=-1.0, type=FLOAT64)
    above = all_of([call("greater", [value, one], BOOLEAN), call("less", [value, two], BOOLEAN)])
    return Case(
        branches=(
            Branch(condition=above, value=one),
            Branch(condition=call("less", [value, less], BOOLEAN), value=less),
        ),
        otherwise=value, type=FLOAT64,
    )  # fmt: skip


def is_pair(node: exp.Expr) -> bool:
    """Whether it is a call of such an aggregate, with a FILTER or without."""
    inner = node.this if isinstance(node, exp.Filter) else node
    return isinstance(inner, exp.Anonymous) and function_name(inner) in PAIR_NAMES


def pair_of(scalars: Scalars, node: exp.Expr) -> Composed:
    """
    Raises:
        UnsupportedSql: a form of the call that is not served.
    """
    source, condition, inner = scalars.source, None, node
    if isinstance(inner, exp.Filter):
        condition, inner = scalars.predicate(inner.expression.this), inner.this
    assert isinstance(inner, exp.Anonymous), "calls come out as written"
    name, nodes = function_name(inner), inner.expressions
    expect_only(source, inner, "this", "expressions")
    if any(isinstance(part, exp.Distinct | exp.Order) for part in nodes):
        raise source.unsupported(node, f"{name} with DISTINCT or ORDER BY")
    if len(nodes) != 2:
        raise source.invalid(node, f"{name} takes 2 arguments")
    if name in _EXTREMES:
        value, key = (scalars.lower(part) for part in nodes)
        kind = struct_of(Column(name="key", type=key.type), Column(name="value", type=value.type))
        check_depth(source, node, kind)
        return _Extreme(_EXTREMES[name], _where_both((key, value), kind), condition)
    y, x = (
        coerce(source, part, scalars.typed(part), FLOAT64, f"the argument of {name}")
        for part in nodes
    )
    kind = struct_of(Column(name="y", type=FLOAT64), Column(name="x", type=FLOAT64))
    both = _where_both((y, x), kind)
    return _Fitted(name, unless(_is_missing(x), y), unless(_is_missing(y), x), both, condition)


def _where_both(values: tuple[Expression, Expression], kind: Type) -> Expression:
    """A struct of the values, null where one of them is."""
    return unless(any_of([_is_missing(value) for value in values]), call("struct", values, kind))


def _is_missing(value: Expression) -> Expression:
    return call("is_null", [value], BOOLEAN)
