"""How a SELECT ends: the columns of its answer, what it is sorted by behind them, DISTINCT, and
how many of its rows there are if it is not by number alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final

from sqlglot import exp

from antiphon.controller.sql.algebra.plans import computed, filtered, identity, projected, width_of
from antiphon.controller.sql.binding.relation import Query
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.queries.ordering import OrderItem, Shown, order_item
from antiphon.protocol.expression import Call, ColumnReference, Expression, Literal
from antiphon.protocol.plan import (
    Distinct,
    Plan,
    SortKey,
    TopK,
    Window,
    WindowFunction,
    schema_of,
)
from antiphon.protocol.schema import BOOLEAN, INT64

INT64_MAX: Final = 2**63 - 1
Place = Callable[[Expression, exp.Expr | None], Expression]


def distinct_on(
    source: Source,
    node: exp.Select,
    shown: Shown,
    lower: Callable[[exp.Expr], Expression],
) -> list[OrderItem] | None:
    """What DISTINCT ON names, by the rules of ORDER BY; None: it is not there."""
    distinct = node.args.get("distinct")
    if distinct is None or distinct.args.get("on") is None:
        return None
    on = distinct.args["on"]
    items = on.expressions if isinstance(on, exp.Tuple) else [on]
    return [order_item(source, exp.Ordered(this=item), shown, lower) for item in items]


def ended(
    source: Source,
    node: exp.Select,
    plan: Plan,
    columns: Sequence[Expression],
    ties: int,
    order: Sequence[OrderItem],
    on: Sequence[OrderItem] | None,
    place: Place,
) -> tuple[Plan, tuple[SortKey, ...]]:
    """The select list, the last `ties` of which are a domain's, what to sort by behind it, and
    DISTINCT.

    Raises:
        InvalidSql: SELECT DISTINCT is ordered by what it does not show; DISTINCT ON is ordered
            by something else before all that it names.
    """
    outputs = list(columns)

    def position(value: Expression) -> int:
        if value not in outputs:
            outputs.append(value)
        return outputs.index(value)

    def column_of(item: OrderItem) -> int:
        if item.output is not None:
            return position(outputs[item.output])
        assert item.value is not None, "an output or a value"
        return position(place(item.value, item.node))

    order_by = tuple(
        SortKey(column=column_of(item), descending=item.descending, nulls_first=item.nulls_first)
        for item in order
    )
    if on is not None:
        groups = [column_of(item) for item in on]
        _check_order(source, node, groups, order_by)
        groups += range(len(columns) - ties, len(columns))
        top = TopK(
            input=computed(plan, outputs), group_by=tuple(groups), order_by=order_by, limit=1
        )
        return top, order_by
    result = computed(plan, outputs)
    if node.args.get("distinct") is not None:
        if len(outputs) > len(columns):
            raise source.invalid(
                node.args["order"],
                "with SELECT DISTINCT, ORDER BY may only name columns of the select list",
            )
        result = Distinct(input=result)
    assert width_of(result) == len(outputs), f"{schema_of(result)} for {len(outputs)} outputs"
    return result, order_by


def _check_order(
    source: Source, node: exp.Select, groups: Sequence[int], order_by: Sequence[SortKey]
) -> None:
    """The order decides which row of a group is the first, so it begins with what groups."""
    keys = [key.column for key in order_by]
    leading = list(takewhile(lambda column: column in groups, keys))
    if leading != keys and set(leading) != set(groups):
        message = "ORDER BY has to begin with what DISTINCT ON names, in any order"
        raise source.invalid(node.args["order"], message)


def with_ties(query: Query) -> Query:
    """The query, cut so that rows equal to its last one in the order are in it too."""
    if query.limit is None:
        return query
    width = width_of(query.plan)
    count = len(query.columns)
    ranked = Window(
        input=query.plan, partition_by=tuple(range(count - query.ties, count)),
        order_by=query.order_by,
        functions=(
            WindowFunction(name="rank", arguments=(), type=INT64),
            WindowFunction(name="row_number", arguments=(), type=INT64),
        ),
    )  # fmt: skip
    rank, number = (ColumnReference(index=width + i, type=INT64) for i in (0, 1))
    ends = min(query.offset + query.limit, INT64_MAX), query.offset
    last, first = (Literal(value=end, type=INT64) for end in ends)
    kept = [
        Call(function="less_equal", arguments=(rank, last), type=BOOLEAN),
        Call(function="greater", arguments=(number, first), type=BOOLEAN),
    ]
    none = Literal(value=query.limit > 0, type=BOOLEAN)
    plan = projected(filtered(ranked, [*kept, none]), identity(width))
    return replace(query, plan=plan, limit=None, offset=0)
