"""Aggregate calls, and what stands in for them until the query's rows are grouped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of_all, null
from antiphon.controller.sql.algebra.plans import extended, width_of
from antiphon.controller.sql.binding.coercion import Unknown, cast, coerce
from antiphon.controller.sql.binding.scope import AGGREGATES, inseparable, is_outer, is_subquery
from antiphon.controller.sql.binding.types import average_type, check_depth, sum_type
from antiphon.controller.sql.parsing.syntax import expect_only, function_name
from antiphon.controller.sql.queries.ordering import sort_direction
from antiphon.controller.sql.queries.pair_aggregates import is_pair, pair_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Branch, Case, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Aggregate, AggregateFunction, Plan, Reduce, SortKey
from antiphon.protocol.schema import (
    BOOLEAN,
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    TEXT,
    Type,
    list_of,
)

SORTS: Final = 1 << 19  # what calls are sorted by, until the rows that are grouped have columns
GROUPINGS: Final = AGGREGATES + (1 << 19)  # GROUPING() calls
_F = AggregateFunction
_FUNCTIONS: Final[Mapping[str, AggregateFunction]] = MappingProxyType(
    {
        "count": _F.COUNT, "sum": _F.SUM, "avg": _F.AVG, "min": _F.MIN, "max": _F.MAX,
        "bool_and": _F.BOOL_AND, "every": _F.BOOL_AND, "bool_or": _F.BOOL_OR,
        "any_value": _F.MIN, "string_agg": _F.STRING_AGG, "array_agg": _F.ARRAY_AGG,
        "percentile_cont": _F.PERCENTILE_CONT, "percentile_disc": _F.PERCENTILE_DISC,
        "median": _F.PERCENTILE_CONT, "mode": _F.MODE,
        "stddev": _F.STDDEV_SAMP, "stddev_samp": _F.STDDEV_SAMP, "stddev_pop": _F.STDDEV_POP,
        "variance": _F.VAR_SAMP, "var_samp": _F.VAR_SAMP, "var_pop": _F.VAR_POP,
        "bit_and": _F.BIT_AND, "bit_or": _F.BIT_OR, "bit_xor": _F.BIT_XOR,
    }
)  # fmt: skip
# A value counted twice changes nothing.
_IDEMPOTENT: Final = (_F.MIN, _F.MAX, _F.BOOL_AND, _F.BOOL_OR, _F.BIT_AND, _F.BIT_OR)
MOMENTS: Final = (_F.VAR_SAMP, _F.VAR_POP, _F.STDDEV_SAMP, _F.STDDEV_POP)
_NUMERIC: Final = (
    _F.SUM, _F.AVG, _F.PERCENTILE_CONT, _F.BIT_AND, _F.BIT_OR, _F.BIT_XOR, *MOMENTS
)  # fmt: skip
_GROUPING_BITS: Final = 31
_ORDERED: Final = (_F.STRING_AGG, _F.ARRAY_AGG)
_ORDERED_SETS: Final = (_F.PERCENTILE_CONT, _F.PERCENTILE_DISC, _F.MODE)


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


class Aggregates:
    """The aggregates of one query, each once, in order of first mention."""

    __slots__ = ("_known", "calls", "groupings", "sorts")

    def __init__(self) -> None:
        self.calls: list[Aggregate] = []
        self.sorts: list[Expression] = []
        self.groupings: list[tuple[Expression, ...]] = []  # the keys that each call asks about
        self._known: dict[Aggregate, int] = {}

    @property
    def is_used(self) -> bool:
        return bool(self.calls or self.groupings)

    @property
    def read(self) -> list[Expression]:
        """What the calls read of each row."""
        conditions = [call.filter for call in self.calls if call.filter is not None]
        arguments = [part for call in self.calls for part in call.arguments]
        return [*arguments, *conditions, *self.sorts]

    def placed(self, place: Callable[[Expression], Expression]) -> Aggregates:
        """The same calls over the columns that `place` gives."""
        result = Aggregates()
        result.calls = [
            replace(
                call,
                arguments=tuple(map(place, call.arguments)),
                filter=None if call.filter is None else place(call.filter),
            )
            for call in self.calls
        ]
        result.sorts = list(map(place, self.sorts))
        result.groupings = [tuple(map(place, keys)) for keys in self.groupings]
        return result

    def lower(self, scalars: Scalars, node: exp.Expr) -> Expression:
        """The placeholder of an aggregate call; `scalars` lowers its arguments.

        Raises:
            UnsupportedSql: an aggregate, or a form of one, that is not served.
        """
        if isinstance(node, exp.Anonymous) and function_name(node) == "grouping":
            return self._grouping(scalars, node)
        if is_pair(node):
            pair = pair_of(scalars, node)
            self._check(scalars, node, pair.read)
            return pair.over(self._placeholder)
        call = aggregate_call(scalars, node)
        self._check(scalars, node, call.read)
        order_by = tuple(
            SortKey(
                column=self._sort(_where(call.aggregate.filter, value)),
                descending=descending, nulls_first=nulls_first,
            )
            for value, descending, nulls_first in call.order_by
        )  # fmt: skip
        aggregate = replace(call.aggregate, order_by=order_by)
        return cast(self._placeholder(aggregate), call.shown)

    def _check(self, scalars: Scalars, node: exp.Expr, values: Sequence[Expression]) -> None:
        """
        Raises:
            UnsupportedSql: what a call reads is not of its own query.
        """
        read = columns_of_all(values)
        if any(is_outer(index) for index in read):
            what = "a column of the outer query in an aggregate"
            raise inseparable(scalars.source, node, what)
        around = {c.index for c in scalars.scope.columns if c.level > 0}
        if read and read <= around:
            # It would be an aggregate of the query around.
            what = "an aggregate of columns of the outer query alone"
            raise scalars.source.unsupported(node, what)
        own = {index for index in read - around if not is_subquery(index)}
        if read and not own and (around or scalars.outer is not None):
            # Whose aggregate it is depends on what the subquery mentions.
            what = "an aggregate of a subquery alone, inside of a subquery,"
            hint = "; give the value a name in FROM: (SELECT (SELECT ...) AS v FROM ...) q"
            raise scalars.source.unsupported(node, what, hint)

    def _grouping(self, scalars: Scalars, node: exp.Anonymous) -> Expression:
        """GROUPING(key, ...): a bit for each, 1 where the row's grouping set leaves it out."""
        expect_only(scalars.source, node, "this", "expressions")
        if not 1 <= len(node.expressions) <= _GROUPING_BITS:
            message = f"grouping takes 1 to {_GROUPING_BITS} arguments"
            raise scalars.source.invalid(node, message)
        keys = tuple(scalars.lower(part) for part in node.expressions)
        if keys not in self.groupings:
            self.groupings.append(keys)
        return ColumnReference(index=GROUPINGS + self.groupings.index(keys), type=INT32)

    def reduce(self, plan: Plan, keys: Sequence[Expression]) -> Reduce:
        """The rows of `plan` in groups, with a column for each call."""
        width = width_of(plan)
        maps = [value for value in self.sorts if not isinstance(value, ColumnReference)]

        def placed(key: SortKey) -> SortKey:
            value = self.sorts[key.column - SORTS]
            if isinstance(value, ColumnReference):
                return replace(key, column=value.index)
            return replace(key, column=width + maps.index(value))

        calls = [
            replace(call, order_by=tuple(placed(key) for key in call.order_by))
            for call in self.calls
        ]
        return Reduce(input=extended(plan, maps), keys=tuple(keys), aggregates=tuple(calls))

    def _sort(self, value: Expression) -> int:
        if value not in self.sorts:
            self.sorts.append(value)
        return SORTS + self.sorts.index(value)

    def _placeholder(self, aggregate: Aggregate) -> Expression:
        index = self._known.setdefault(aggregate, len(self.calls))
        if index == len(self.calls):
            self.calls.append(aggregate)
        return ColumnReference(index=AGGREGATES + index, type=aggregate.type)


def _where(condition: Expression | None, value: Expression) -> Expression:
    """What orders the rows that FILTER takes must not fail in another."""
    is_there = isinstance(value, ColumnReference) and not is_subquery(value.index)
    if condition is None or is_there or isinstance(value, Literal):
        return value
    branch = Branch(condition=condition, value=value)
    return Case(branches=(branch,), otherwise=null(value.type), type=value.type)


def aggregate_call(scalars: Scalars, node: exp.Expr) -> AggregateCall:
    """
    Raises:
        UnsupportedSql: an aggregate, or a form of one, that is not served.
    """
    source = scalars.source
    condition: Expression | None = None
    call, within = node, None
    if isinstance(call, exp.Filter):
        condition = scalars.predicate(call.expression.this)
        call = call.this
    if isinstance(call, exp.WithinGroup):
        call, within = call.this, call.expression
    assert isinstance(call, exp.Anonymous), "calls come out as written"
    name = function_name(call)
    function = _FUNCTIONS.get(name)
    if function is None:
        raise source.unsupported(node, f"the aggregate {name}")
    expect_only(source, call, "this", "expressions")
    if function in _ORDERED_SETS and name != "median":
        found = _ordered_set(scalars, call, within, function, name)
    elif within is not None:
        raise source.invalid(node, f"{name} takes no WITHIN GROUP")
    else:
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


def _ordered_set(
    scalars: Scalars,
    call: exp.Anonymous,
    within: exp.Expr | None,
    function: AggregateFunction,
    name: str,
) -> AggregateCall:
    """`percentile_cont(0.5) WITHIN GROUP (ORDER BY x)` and its like."""
    source = scalars.source
    if within is None or len(within.expressions) != 1:
        raise source.invalid(call, f"{name} needs WITHIN GROUP (ORDER BY one expression)")
    item = within.expressions[0]
    value = scalars.lower(item.this)
    result = value.type
    if function is _F.PERCENTILE_CONT:
        if not value.type.is_numeric:
            raise source.unsupported(call, f"percentile_cont of {value.type}")
        value, result = cast(value, FLOAT64), FLOAT64
    count = 0 if function is _F.MODE else 1
    if len(call.expressions) != count:
        raise source.invalid(call, f"{name} takes {count or 'no'} argument{'s' * (count != 1)}")
    arguments: tuple[Expression, ...] = (value,)
    if count:
        node = call.expressions[0]
        fraction = coerce(source, node, scalars.typed(node), FLOAT64, f"the fraction of {name}")
        if not isinstance(fraction, Literal) or not isinstance(fraction.value, float):
            raise source.unsupported(node, f"a fraction of {name} that is no constant")
        if not 0 <= fraction.value <= 1:
            raise source.invalid(node, f"the fraction of {name} is between 0 and 1")
        arguments = (value, fraction)
    descending, _ = sort_direction(item)
    order = ((value, True, False),) if descending else ()
    return AggregateCall(
        Aggregate(function=function, arguments=arguments, type=result), result, order
    )


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
    if function in MOMENTS:
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
