"""Window function calls, and what stands in for them until the rows that they see are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of_all
from antiphon.controller.sql.algebra.plans import extended, width_of
from antiphon.controller.sql.binding.coercion import cast, coerce, unify
from antiphon.controller.sql.binding.scope import WINDOWS, is_window
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.parsing.syntax import (
    WINDOW_NAMES,
    expect_only,
    function_name,
    is_aggregate,
    name_of,
)
from antiphon.controller.sql.queries.aggregate_calls import AggregateCall, aggregate_call
from antiphon.controller.sql.queries.ordering import sort_direction
from antiphon.controller.sql.queries.pair_aggregates import is_pair, pair_of
from antiphon.controller.sql.queries.window_frame import frame_of
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import ColumnReference, Expression, Literal
from antiphon.protocol.plan import (
    AggregateFunction,
    Plan,
    SortKey,
    Window,
    WindowFunction,
)
from antiphon.protocol.schema import FLOAT64, INT32, INT64, Type

ROW_NUMBER: Final = "row_number"
# Of functions that see no frame: the fewest and most arguments, and the type, None: the argument's.
_RANKS: Final[Mapping[str, tuple[int, int, Type | None]]] = MappingProxyType(
    {
        ROW_NUMBER: (0, 0, INT64), "rank": (0, 0, INT64), "dense_rank": (0, 0, INT64),
        "percent_rank": (0, 0, FLOAT64), "cume_dist": (0, 0, FLOAT64), "ntile": (1, 1, INT32),
        "lag": (1, 3, None), "lead": (1, 3, None),
    }
)  # fmt: skip
_VALUES: Final[Mapping[str, tuple[int, int, Type | None]]] = MappingProxyType(
    {"first_value": (1, 1, None), "last_value": (1, 1, None), "nth_value": (2, 2, None)}
)
assert _RANKS.keys() | _VALUES.keys() == WINDOW_NAMES, "they are told of without OVER"
_PASSING_NULLS: Final = frozenset({"lag", "lead", *_VALUES})
IGNORING: Final = "_ignoring_nulls"  # how a plan names those that pass nulls over
DISTINCT: Final = "_distinct"  # and those to which a value counts once
_LISTS: Final = (AggregateFunction.STRING_AGG.name, AggregateFunction.ARRAY_AGG.name)


@dataclass(frozen=True, slots=True)
class Over:
    """How rows are divided and ordered."""

    partition_by: tuple[Expression, ...]
    order_by: tuple[tuple[Expression, bool, bool], ...]  # (value, descending, nulls first)

    @property
    def order_values(self) -> tuple[Expression, ...]:
        return tuple(value for value, _, _ in self.order_by)


@dataclass(frozen=True, slots=True)
class WindowCall:
    over: Over
    function: WindowFunction


class Windows:
    """The window calls of one query, each once, in order of first mention."""

    __slots__ = ("_known", "_named", "calls")

    def __init__(self) -> None:
        self.calls: list[WindowCall] = []
        self._known: dict[WindowCall, int] = {}
        self._named: dict[str, exp.Window] = {}

    def name(self, source: Source, nodes: Sequence[exp.Window]) -> None:
        """Take note of the WINDOW clause.

        Raises:
            InvalidSql: a name that is given twice, or that extends one that is not before it.
        """
        for node in nodes:
            name = name_of(node.this)
            if name in self._named:
                raise source.invalid(node, f'window "{name}" is there twice')
            self._parts(source, node, bare=False)  # so a window extends only those before it
            self._named[name] = node

    @property
    def read(self) -> list[Expression]:
        """What the calls read of each row."""
        found: list[Expression] = []
        for call in self.calls:
            condition = call.function.filter
            found += [*call.over.partition_by, *call.over.order_values, *call.function.arguments]
            found += [] if condition is None else [condition]
        return found

    def lower(self, scalars: Scalars, node: exp.Window) -> Expression:
        """The placeholder of a call; `scalars` lowers what it reads.

        Raises:
            UnsupportedSql: a function, or a form of one, that is not served.
            InvalidSql: a call that has no meaning.
        """
        source = scalars.source
        parts = self._parts(source, node, bare=True)
        partition = tuple(scalars.lower(part) for part in parts.partition_by)
        order = tuple((scalars.lower(i.this), *sort_direction(i)) for i in parts.order)
        over = Over(partition, order)
        if is_pair(node.this):
            return self._pair(scalars, node, over, parts.spec)
        function, shown = _function(scalars, node)
        if function.name.removesuffix(IGNORING) not in _RANKS:
            frame = frame_of(source, parts.spec, over.order_values, node)
            function = replace(function, frame=frame)
            _check_exclusion(source, node, function)
        return cast(self._placeholder(source, node, over, function), shown)

    def _pair(
        self, scalars: Scalars, node: exp.Window, over: Over, spec: exp.Expr | None
    ) -> Expression:
        """An aggregate of two values, over what it is made of."""
        source = scalars.source
        frame = frame_of(source, spec, over.order_values, node)

        def place(call: AggregateCall) -> Expression:
            aggregate = call.aggregate
            function = WindowFunction(
                name=aggregate.function.name.lower(), arguments=aggregate.arguments,
                type=aggregate.type, filter=aggregate.filter, frame=frame,
            )  # fmt: skip
            return self._placeholder(source, node, over, function)

        return pair_of(scalars, node.this).over(place)

    def _placeholder(
        self, source: Source, node: exp.Window, over: Over, function: WindowFunction
    ) -> Expression:
        call = WindowCall(over, function)
        conditions = () if function.filter is None else (function.filter,)
        read = columns_of_all(
            (*over.partition_by, *over.order_values, *function.arguments, *conditions)
        )
        if any(is_window(index) for index in read):
            raise source.invalid(node, "a window function cannot stand in another one")
        index = self._known.setdefault(call, len(self.calls))
        if index == len(self.calls):
            self.calls.append(call)
        return ColumnReference(index=WINDOWS + index, type=function.type)

    def _parts(self, source: Source, node: exp.Window, *, bare: bool) -> _Parts:
        """A window's clauses, those of the window that it names included. `bare`: `OVER w`
        without parentheses takes the frame of `w` too."""
        expect_only(source, node, "this", "partition_by", "order", "spec", "over", "alias")
        order = node.args.get("order")
        own = _Parts(
            tuple(node.args.get("partition_by") or ()),
            () if order is None else tuple(order.expressions),
            node.args.get("spec"),
        )
        alias = node.args.get("alias")
        if alias is None:
            return own
        name = name_of(alias)
        if name not in self._named:
            raise source.invalid(node, f'window "{name}" does not exist')
        base = self._parts(source, self._named[name], bare=False)
        if own == _Parts((), (), None) and bare:
            return base
        if own.partition_by:
            raise source.invalid(node, f'the PARTITION BY of window "{name}" cannot be replaced')
        if own.order and base.order:
            raise source.invalid(node, f'the ORDER BY of window "{name}" cannot be replaced')
        if base.spec is not None:
            raise source.invalid(node, f'window "{name}" has a frame: it cannot be extended')
        return _Parts(base.partition_by, own.order or base.order, own.spec)


@dataclass(frozen=True, slots=True)
class _Parts:
    partition_by: tuple[exp.Expr, ...]
    order: tuple[exp.Expr, ...]
    spec: exp.Expr | None


def _function(scalars: Scalars, node: exp.Window) -> tuple[WindowFunction, Type]:
    """The function without its frame, and the type that the user sees."""
    source, call = scalars.source, node.this
    inner = call.this if isinstance(call, exp.Filter) else call
    said = inner if isinstance(inner, exp.IgnoreNulls | exp.RespectNulls) else None
    inner = inner if said is None else said.this
    if not isinstance(inner, exp.Anonymous):
        raise source.unsupported(node, "WITHIN GROUP as a window function")
    name = function_name(inner)
    nodes = list(inner.expressions)
    if nodes and isinstance(nodes[-1], exp.IgnoreNulls | exp.RespectNulls):  # inside, as in DuckDB
        said, nodes[-1] = nodes[-1], nodes[-1].this
    if said is not None and name not in _PASSING_NULLS:
        raise source.unsupported(node, f"IGNORE NULLS or RESPECT NULLS of {name}")
    if is_aggregate(inner):
        return _aggregate(scalars, node, name)
    shape = _RANKS.get(name) or _VALUES.get(name)
    if shape is None:
        raise source.unsupported(node, f"{name} as a window function")
    if isinstance(call, exp.Filter):
        raise source.invalid(node, f"FILTER belongs to aggregates, and {name} is none")
    expect_only(source, inner, "this", "expressions")
    fewest, most, kind = shape
    for argument in nodes:
        if isinstance(argument, exp.Distinct | exp.Order | exp.Star):
            raise source.invalid(node, f"{name} takes values only")
    if not fewest <= len(nodes) <= most:
        count = f"{fewest} to {most}" if most > fewest else f"{fewest or 'no'}"
        raise source.invalid(node, f"{name} takes {count} argument{'s' if most != 1 else ''}")
    arguments = _ARGUMENTS.get(name, _plain)(scalars, name, nodes)
    wanted = arguments[0].type if kind is None else kind
    if isinstance(said, exp.IgnoreNulls):
        name = f"{name}{IGNORING}"
    return WindowFunction(name=name, arguments=arguments, type=wanted), wanted


def _aggregate(scalars: Scalars, node: exp.Window, name: str) -> tuple[WindowFunction, Type]:
    call = aggregate_call(scalars, node.this)
    aggregate = call.aggregate
    if call.order_by:
        hint = "; its values come in the order of the window"
        raise scalars.source.unsupported(node, f"ORDER BY in {name} over a window", hint)
    function = WindowFunction(
        name=aggregate.function.name.lower() + DISTINCT * aggregate.distinct,
        arguments=aggregate.arguments, type=aggregate.type, filter=aggregate.filter,
    )  # fmt: skip
    return function, call.shown


def _check_exclusion(source: Source, node: exp.Window, function: WindowFunction) -> None:
    """
    Raises:
        UnsupportedSql: sums over distinct values of what an exclusion leaves of a frame.
    """
    if function.frame is None or not function.frame.exclude:
        return
    name = function.name.removesuffix(DISTINCT)
    if name != function.name and name.upper() not in _LISTS:
        raise source.unsupported(node, f"{name}(DISTINCT) over a frame with EXCLUDE")


_Nodes = Sequence[exp.Expr]


def _plain(scalars: Scalars, name: str, nodes: _Nodes) -> tuple[Expression, ...]:
    return tuple(scalars.lower(node) for node in nodes)


def _offset(scalars: Scalars, name: str, nodes: _Nodes) -> tuple[Expression, ...]:
    """lag and lead: the value, how far, and what stands for a row that is not there."""
    if len(nodes) < 3:
        found: tuple[Expression, ...] = (scalars.lower(nodes[0]),)
    else:
        pair = (nodes[0], nodes[2])
        found, _ = unify(
            scalars.source, pair, [scalars.typed(node) for node in pair],
            f"the value and the default of {name}",
        )  # fmt: skip
    if len(nodes) == 1:
        return found
    what = f"the offset of {name}"
    far = coerce(scalars.source, nodes[1], scalars.typed(nodes[1]), INT64, what)
    return (found[0], far, *found[1:])


def _counted(place: int) -> Callable[[Scalars, str, _Nodes], tuple[Expression, ...]]:
    def lower(scalars: Scalars, name: str, nodes: _Nodes) -> tuple[Expression, ...]:
        """The argument at `place` is a whole number above zero."""
        source, node = scalars.source, nodes[place]
        count = coerce(source, node, scalars.typed(node), INT64, f"the argument of {name}")
        if isinstance(count, Literal) and isinstance(count.value, int) and count.value <= 0:
            raise source.invalid(node, f"the argument of {name} must be greater than zero")
        return (*(scalars.lower(other) for other in nodes[:place]), count)

    return lower


_ARGUMENTS: Final = MappingProxyType(
    {"lag": _offset, "lead": _offset, "ntile": _counted(0), "nth_value": _counted(1)}
)


def place_windows(
    plan: Plan,
    calls: Sequence[WindowCall],
    places: dict[int, Expression],
    place: Callable[[Expression], Expression],
    ties: Sequence[Expression] = (),
) -> Plan:
    """The plan with a column for each call; says where each placeholder went. `place` brings an
    expression to the plan's columns. Calls over the same window are computed together; rows of
    different `ties`, columns of the plan, are in no window together."""
    windows: dict[Over, list[int]] = {}
    for number, call in enumerate(calls):
        windows.setdefault(call.over, []).append(number)
    for over, numbers in windows.items():
        here = Over(
            partition_by=(*ties, *(place(value) for value in over.partition_by)),
            order_by=tuple((place(v), d, n) for v, d, n in over.order_by),
        )
        functions = [_moved(calls[number].function, place) for number in numbers]
        plan = _placed(plan, here, functions)
        first = width_of(plan) - len(functions)
        for index, number in enumerate(numbers):
            kind = functions[index].type
            places[WINDOWS + number] = ColumnReference(index=first + index, type=kind)
    return plan


def _moved(function: WindowFunction, place: Callable[[Expression], Expression]) -> WindowFunction:
    condition = function.filter
    return replace(
        function,
        arguments=tuple(place(argument) for argument in function.arguments),
        filter=None if condition is None else place(condition),
    )


def _placed(plan: Plan, over: Over, functions: Sequence[WindowFunction]) -> Plan:
    """The plan's columns, what the window goes by, then one column for each function."""
    width = width_of(plan)
    maps: dict[Expression, int] = {}

    def place(value: Expression) -> int:
        if isinstance(value, ColumnReference):
            return value.index
        return maps.setdefault(value, width + len(maps))

    partition_by = tuple(dict.fromkeys(place(value) for value in over.partition_by))
    order_by = tuple(
        SortKey(column=place(value), descending=descending, nulls_first=nulls_first)
        for value, descending, nulls_first in over.order_by
    )
    return Window(
        input=extended(plan, tuple(maps)),
        partition_by=partition_by,
        order_by=order_by,
        functions=tuple(functions),
    )
