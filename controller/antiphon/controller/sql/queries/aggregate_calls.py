"""One call of an aggregate: its arguments, its type, and the type that it is computed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Protocol

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import null
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.binding.coercion import Unknown, cast, coerce
from antiphon.controller.sql.binding.types import average_type, check_depth, sum_type
from antiphon.controller.sql.parsing.syntax import expect_only, function_name
from antiphon.controller.sql.queries.ordering import sort_direction
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Branch, Case, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import BOOLEAN, FLOAT32, FLOAT64, INT64, TEXT, Type, list_of

_F = AggregateFunction
_FUNCTIONS: Final[Mapping[str, AggregateFunction]] = MappingProxyType(
    {
        "count": _F.COUNT, "sum": _F.SUM, "avg": _F.AVG, "min": _F.MIN, "max": _F.MAX,
        "bool_and": _F.BOOL_AND, "every": _F.BOOL_AND, "bool_or": _F.BOOL_OR,
        "any_value": _F.MIN, "string_agg": _F.STRING_AGG, "array_agg": _F.ARRAY_AGG,
        "median": _F.PERCENTILE_CONT,
        "stddev": _F.STDDEV_SAMP, "stddev_samp": _F.STDDEV_SAMP, "stddev_pop": _F.STDDEV_POP,
        "variance": _F.VAR_SAMP, "var_samp": _F.VAR_SAMP, "var_pop": _F.VAR_POP,
        "bit_and": _F.BIT_AND, "bit_or": _F.BIT_OR, "bit_xor": _F.BIT_XOR,
    }
)  # fmt: skip
# A value counted twice changes nothing.
_IDEMPOTENT: Final = (_F.MIN, _F.MAX, _F.BOOL_AND, _F.BOOL_OR, _F.BIT_AND, _F.BIT_OR)
_MOMENTS: Final = (_F.VAR_SAMP, _F.VAR_POP, _F.STDDEV_SAMP, _F.STDDEV_POP)
_NUMERIC: Final = (
    _F.SUM, _F.AVG, _F.PERCENTILE_CONT, _F.BIT_AND, _F.BIT_OR, _F.BIT_XOR, *_MOMENTS
)  # fmt: skip
_ORDERED: Final = (_F.STRING_AGG, _F.ARRAY_AGG)
_ORDERED_SETS: Final = ("percentile_cont", "percentile_disc", "mode")


class Composed(Protocol):
    """A call that is made of others, or of itself alone."""

    @property
    def read(self) -> tuple[Expression, ...]:
        """What it reads of each row."""

    def over(self, place: Callable[[AggregateCall], Expression]) -> Expression:
        """Its value, made of what `place` puts somewhere."""


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """A call; `shown`: the type of its result where that is computed in another one."""

    aggregate: Aggregate
    shown: Type
    order_by: tuple[tuple[Expression, bool, bool], ...] = ()  # (value, descending, nulls first)

    @property
    def read(self) -> tuple[Expression, ...]:
        """What it reads of each row."""
        own = self.aggregate
        conditions = () if own.filter is None else (own.filter,)
        return (*own.arguments, *conditions, *(value for value, _, _ in self.order_by))

    def over(self, place: Callable[[AggregateCall], Expression]) -> Expression:
        return place(self)


def aggregate_call(scalars: Scalars, node: exp.Expr) -> AggregateCall:
    """
    Raises:
        UnsupportedSql: an aggregate, or a form of one, that is not served.
    """
    source = scalars.source
    condition: Expression | None = None
    call = node
    if isinstance(call, exp.Filter):
        condition = scalars.predicate(call.expression.this)
        call = call.this
    assert isinstance(call, exp.Anonymous), "calls come out as written"
    name = function_name(call)
    function = _FUNCTIONS.get(name)
    if name in _ORDERED_SETS:
        raise source.invalid(call, f"{name} needs WITHIN GROUP (ORDER BY one expression)")
    if function is None:
        raise source.unsupported(node, f"the aggregate {name}")
    expect_only(source, call, "this", "expressions")
    found = _plain_call(scalars, call, function, name)
    return replace(found, aggregate=replace(found.aggregate, filter=condition))


def _plain_call(
    scalars: Scalars, call: exp.Anonymous, function: AggregateFunction, name: str
) -> AggregateCall:
    source = scalars.source
    nodes, distinct, order = _written(scalars, call, name)
    wanted_count = 2 if function is _F.STRING_AGG else 1
    counts_rows = len(nodes) == 1 and isinstance(nodes[0], exp.Star)
    if len(nodes) != wanted_count:
        raise source.unsupported(call, f"{name} of {len(nodes)} arguments")
    arguments: tuple[Expression, ...] = ()
    if not counts_rows:
        arguments = (_argument(scalars, nodes[0], function, name),)
    result, wanted = _types(scalars, call, function, name, arguments)
    if wanted is not None:
        arguments = (cast(arguments[0], wanted),)
    if name == "median":
        arguments = (*arguments, Literal(value=0.5, type=FLOAT64))
    if function is _F.STRING_AGG:
        arguments = (*arguments, _separator(scalars, nodes[1]))
    if distinct and any(value != arguments[0] for value, _, _ in order):
        raise source.invalid(call, f"with DISTINCT, {name} is ordered by its argument alone")
    aggregate = Aggregate(
        function=function, arguments=arguments, type=wanted or result,
        distinct=distinct and function not in _IDEMPOTENT,
    )  # fmt: skip
    if name == "median":
        aggregate = replace(aggregate, type=FLOAT64)
    return AggregateCall(aggregate, result, order if function in _ORDERED else ())


def _written(
    scalars: Scalars, call: exp.Anonymous, name: str
) -> tuple[list[exp.Expr], bool, tuple[tuple[Expression, bool, bool], ...]]:
    """The arguments; whether DISTINCT stands before them; the ORDER BY behind them."""
    source = scalars.source
    nodes = list(call.expressions)
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        if name != "count":
            raise source.invalid(call, f"{name}(*) has no meaning")
        return nodes, False, ()
    items: list[exp.Expr] = []
    if nodes and isinstance(nodes[-1], exp.Order):
        items = list(nodes[-1].expressions)
        nodes[-1] = nodes[-1].this
    distinct = len(nodes) == 1 and isinstance(nodes[0], exp.Distinct)
    if distinct:
        expect_only(source, nodes[0], "expressions")
        nodes = list(nodes[0].expressions)
        if any(isinstance(part, exp.Star) for part in nodes):
            raise source.unsupported(call, f"{name}(DISTINCT *)", "; name the columns in a row")
    order = tuple((scalars.lower(item.this), *sort_direction(item)) for item in items)
    return nodes, distinct, order


def _argument(
    scalars: Scalars, node: exp.Expr, function: AggregateFunction, name: str
) -> Expression:
    source, value = scalars.source, scalars.typed(node)
    if isinstance(value, Unknown):
        if function in (_F.BOOL_AND, _F.BOOL_OR):
            return coerce(source, node, value, BOOLEAN, name)
        if function in _NUMERIC:
            raise source.mismatch(node, f"the type of the argument of {name} is unknown")
        return scalars.lower(node)
    return value


def _separator(scalars: Scalars, node: exp.Expr) -> Literal:
    what = "the separator of string_agg"
    value = coerce(scalars.source, node, scalars.typed(node), TEXT, what)
    if not isinstance(value, Literal):
        raise scalars.source.unsupported(node, f"{what} as an expression")
    return value if value.value is not None else Literal(value="", type=TEXT)


_Rule = Callable[[Type], Type]


def _types(
    scalars: Scalars,
    call: exp.Anonymous,
    function: AggregateFunction,
    name: str,
    arguments: tuple[Expression, ...],
) -> tuple[Type, Type | None]:
    """The result's type, and the type to compute in where that is another one."""
    if function is AggregateFunction.COUNT:
        return INT64, None
    given = arguments[0].type
    if function is _F.STRING_AGG:
        if given != TEXT:
            raise scalars.source.mismatch(call, f"there is no string_agg({given}); cast it to text")
        return TEXT, None
    if function is _F.ARRAY_AGG:
        check_depth(scalars.source, call, list_of(given))
        return list_of(given), None
    if function is _F.PERCENTILE_CONT:
        if not given.is_numeric:
            raise scalars.source.unsupported(call, f"{name} of {given}")
        return FLOAT64, FLOAT64
    if function in _MOMENTS:
        if not given.is_numeric:
            raise scalars.source.mismatch(call, f"there is no {name}({given})")
        return FLOAT64, None
    if function in (_F.BIT_AND, _F.BIT_OR, _F.BIT_XOR):
        if not given.is_integer:
            raise scalars.source.mismatch(call, f"there is no {name}({given})")
        return given, None
    if function in (AggregateFunction.SUM, AggregateFunction.AVG):
        if not given.is_numeric:
            raise scalars.source.mismatch(call, f"there is no {name}({given})")
        rule: _Rule = sum_type if function is AggregateFunction.SUM else average_type
        # A sum of reals is kept in double precision, so that it does not depend on the order.
        return rule(given), FLOAT64 if given == FLOAT32 else None
    if function in (AggregateFunction.BOOL_AND, AggregateFunction.BOOL_OR) and given != BOOLEAN:
        raise scalars.source.mismatch(call, f"there is no {name}({given})")
    if name in ("min", "max") and given == BOOLEAN:
        raise scalars.source.mismatch(call, f"there is no {name}(boolean); use bool_and or bool_or")
    return given, None


def unless(condition: Expression, value: Expression) -> Expression:
    """Null where the condition is true."""
    nothing = Branch(condition=condition, value=null(value.type))
    return fold(Case(branches=(nothing,), otherwise=value, type=value.type))
