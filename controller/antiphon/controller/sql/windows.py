"""Window functions. Only `row_number()` is served, and only where its value is compared with a
constant: the optimiser makes a top-k of it, and refuses what is left."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from antiphon.controller.sql.ordering import sort_direction
from antiphon.controller.sql.plans import extended, width_of
from antiphon.controller.sql.scalar import Scalars
from antiphon.controller.sql.scope import WINDOWS
from antiphon.controller.sql.syntax import expect_only, function_name
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import Plan, SortKey, Window, WindowFunction
from antiphon.protocol.schema import INT64

ROW_NUMBER = "row_number"


@dataclass(frozen=True, slots=True)
class WindowCall:
    partition_by: tuple[Expression, ...]
    order_by: tuple[tuple[Expression, bool, bool], ...]  # (value, descending, nulls first)


class Windows:
    """The window calls of one query, each once, in order of first mention."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[WindowCall] = []

    def lower(self, scalars: Scalars, node: exp.Window) -> Expression:
        """
        Raises:
            UnsupportedSql: any function but row_number(), a frame, a named window.
        """
        source = scalars.source
        expect_only(source, node, "this", "partition_by", "order", "over")
        function = node.this
        if not isinstance(function, exp.Anonymous) or function_name(function) != ROW_NUMBER:
            inner = function.this if isinstance(function, exp.Filter) else function
            shown = function_name(inner) if isinstance(inner, exp.Anonymous) else "it"
            raise source.unsupported(node, f"{shown} as a window function")
        if function.expressions:
            raise source.invalid(node, "row_number takes no arguments")
        partition = tuple(scalars.lower(part) for part in node.args.get("partition_by") or ())
        order = node.args.get("order")
        items = [] if order is None else order.expressions
        call = WindowCall(
            partition_by=partition,
            order_by=tuple((scalars.lower(i.this), *sort_direction(i)) for i in items),
        )
        if call not in self.calls:
            self.calls.append(call)
        return ColumnReference(index=WINDOWS + self.calls.index(call), type=INT64)


def placed(plan: Plan, call: WindowCall) -> tuple[Plan, Expression]:
    """The plan with the call's column appended, and that column. The call's expressions are over
    the plan's columns."""
    width = width_of(plan)
    values = [*call.partition_by, *(value for value, _, _ in call.order_by)]
    maps = [value for value in values if not isinstance(value, ColumnReference)]
    places: list[int] = []
    for value in values:
        if isinstance(value, ColumnReference):
            places.append(value.index)
        else:
            places.append(width + maps.index(value))
    count = len(call.partition_by)
    window = Window(
        input=extended(plan, maps),
        partition_by=tuple(places[:count]),
        order_by=tuple(
            SortKey(column=place, descending=descending, nulls_first=nulls_first)
            for place, (_, descending, nulls_first) in zip(
                places[count:], call.order_by, strict=True
            )
        ),
        functions=(WindowFunction(name=ROW_NUMBER, arguments=(), type=INT64),),
    )
    return window, ColumnReference(index=width + len(maps), type=INT64)
