"""Aggregate calls, and what stands in for them until the query's rows are grouped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.coercion import Unknown, cast, coerce
from antiphon.controller.sql.expressions import columns_of_all
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.scope import AGGREGATES, is_outer
from antiphon.controller.sql.syntax import expect_only, function_name
from antiphon.controller.sql.types import average_type, sum_type
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import BOOLEAN, FLOAT32, FLOAT64, INT64, Type

_FUNCTIONS: Final[Mapping[str, AggregateFunction]] = MappingProxyType(
    {
        "count": AggregateFunction.COUNT,
        "sum": AggregateFunction.SUM,
        "avg": AggregateFunction.AVG,
        "min": AggregateFunction.MIN,
        "max": AggregateFunction.MAX,
        "bool_and": AggregateFunction.BOOL_AND,
        "every": AggregateFunction.BOOL_AND,
        "bool_or": AggregateFunction.BOOL_OR,
    }
)
# A value counted twice changes nothing.
_IDEMPOTENT: Final = (
    AggregateFunction.MIN, AggregateFunction.MAX,
    AggregateFunction.BOOL_AND, AggregateFunction.BOOL_OR,
)  # fmt: skip


class Aggregates:
    """The aggregates of one query, each once, in order of first mention."""

    __slots__ = ("_known", "calls")

    def __init__(self) -> None:
        self.calls: list[Aggregate] = []
        self._known: dict[Aggregate, int] = {}

    def lower(self, scalars: Scalars, node: exp.Expr) -> Expression:
        """The placeholder of an aggregate call; `scalars` lowers its arguments.

        Raises:
            UnsupportedSql: an aggregate, or a form of one, that is not served.
        """
        aggregate, shown = aggregate_call(scalars, node)
        conditions = () if aggregate.filter is None else (aggregate.filter,)
        if any(is_outer(index) for index in columns_of_all((*aggregate.arguments, *conditions))):
            source = scalars.source
            raise source.unsupported(node, "a column of the outer query in an aggregate")
        return cast(self._placeholder(aggregate), shown)

    def _placeholder(self, aggregate: Aggregate) -> Expression:
        index = self._known.setdefault(aggregate, len(self.calls))
        if index == len(self.calls):
            self.calls.append(aggregate)
        return ColumnReference(index=AGGREGATES + index, type=aggregate.type)


def aggregate_call(scalars: Scalars, node: exp.Expr) -> tuple[Aggregate, Type]:
    """An aggregate call, and the type of its result where that is computed in another.

    Raises:
        UnsupportedSql: an aggregate, or a form of one, that is not served.
    """
    source = scalars.source
    condition: Expression | None = None
    call = node
    if isinstance(node, exp.Filter):
        condition = scalars.predicate(node.expression.this)
        call = node.this
    if not isinstance(call, exp.Anonymous):
        raise source.unsupported(node, "WITHIN GROUP")
    name = function_name(call)
    function = _FUNCTIONS.get(name)
    if function is None:
        raise source.unsupported(node, f"the aggregate {name}")
    expect_only(source, call, "this", "expressions")
    arguments, distinct = _arguments(scalars, call, name)
    result, wanted = _types(scalars, call, function, name, arguments)
    if wanted is not None:
        arguments = (cast(arguments[0], wanted),)
    aggregate = Aggregate(
        function=function, arguments=arguments, type=wanted or result, filter=condition,
        distinct=distinct and function not in _IDEMPOTENT,
    )  # fmt: skip
    return aggregate, result


def _arguments(
    scalars: Scalars, call: exp.Anonymous, name: str
) -> tuple[tuple[Expression, ...], bool]:
    """The lowered arguments, and whether DISTINCT stands before them."""
    source = scalars.source
    nodes = list(call.expressions)
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        if name != "count":
            raise source.invalid(call, f"{name}(*) has no meaning")
        return (), False
    distinct = len(nodes) == 1 and isinstance(nodes[0], exp.Distinct)
    if distinct:
        expect_only(source, nodes[0], "expressions")
        nodes = list(nodes[0].expressions)
    if any(isinstance(node, exp.Order) for node in nodes):
        raise source.unsupported(call, f"ORDER BY in {name}")
    if len(nodes) != 1:
        raise source.unsupported(call, f"{name} of {len(nodes)} arguments")
    value = scalars.typed(nodes[0])
    if isinstance(value, Unknown):
        if name in ("bool_and", "bool_or", "every"):
            return (coerce(source, nodes[0], value, BOOLEAN, name),), distinct
        if name in ("sum", "avg"):
            raise source.mismatch(nodes[0], f"the type of the argument of {name} is unknown")
        value = scalars.lower(nodes[0])
    return (value,), distinct


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
    if function in (AggregateFunction.SUM, AggregateFunction.AVG):
        if not given.is_numeric:
            raise scalars.source.mismatch(call, f"there is no {name}({given})")
        rule: _Rule = sum_type if function is AggregateFunction.SUM else average_type
        # A sum of reals is kept in double precision, so that it does not depend on the order.
        return rule(given), FLOAT64 if given == FLOAT32 else None
    if function in (AggregateFunction.BOOL_AND, AggregateFunction.BOOL_OR) and given != BOOLEAN:
        raise scalars.source.mismatch(call, f"there is no {name}({given})")
    if function in (AggregateFunction.MIN, AggregateFunction.MAX) and given == BOOLEAN:
        raise scalars.source.mismatch(call, f"there is no {name}(boolean); use bool_and or bool_or")
    return given, None
