"""Plans for people: an operator on each line, inputs indented below it.

Columns are called by their names; what has none by its place, `#2`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import assert_never

from antiphon.controller.catalog import KIND_NAMES, Catalog, ItemKind
from antiphon.controller.sql.explaining.explain_expressions import show_expression, show_value
from antiphon.controller.sql.explaining.explain_joins import JoinReasons, is_ordered
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.plan import (
    Aggregate,
    Constant,
    Distinct,
    FlatMap,
    Get,
    Join,
    JoinKind,
    Let,
    LocalGet,
    MapFilterProject,
    Negate,
    Plan,
    Recursion,
    Reduce,
    SortKey,
    TableFunction,
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    WindowFunction,
    children,
    schema_of,
)
from antiphon.protocol.ranges import range_of

_ROWS_SHOWN = 3
_NAME_MAX = 40


def explain_plan(plan: Plan, catalog: Catalog, reasons: JoinReasons | None = None) -> list[str]:
    """The plan's lines; with the reasons of its joins below each, if they are given."""
    tree = _Tree(catalog, reasons)
    tree.render(plan, 0, {})
    return tree.lines


def explain_finishing(finishing: Finishing, names: Sequence[str]) -> str | None:
    """How the answer is ordered and cut, or None if it is not."""
    keys = tuple(SortKey(column=c, descending=d, nulls_first=n) for c, d, n in finishing.order_by)
    parts = [f"order by {_order(keys, names)}"] if keys else []
    if finishing.offset:
        parts.append(f"offset {finishing.offset}")
    if finishing.limit is not None:
        parts.append(f"limit {finishing.limit}")
    return f"Finish {' '.join(parts)}" if parts else None


def column_names(plan: Plan) -> list[str]:
    """What a plan's columns are called: by name or by what computes them; `#i` where two would be
    called alike or the text is long."""
    names = _origins(plan)
    return [
        name if name and names.count(name) == 1 and len(name) <= _NAME_MAX else f"#{index}"
        for index, name in enumerate(names)
    ]


def _origins(plan: Plan) -> list[str]:
    match plan:
        case MapFilterProject():
            names = column_names(plan.input)
            for expression in plan.maps:
                names.append(show_expression(expression, names))
            return [names[index] for index in plan.project]
        case Reduce():
            names = column_names(plan.input)
            keys = [show_expression(key, names) for key in plan.keys]
            return keys + [_aggregate(aggregate, names) for aggregate in plan.aggregates]
        case Join(kind=JoinKind.SEMI | JoinKind.ANTI):
            return column_names(plan.left)
        case Join():
            return [*column_names(plan.left), *column_names(plan.right)]
        case Distinct() | TopK() | Negate() | Threshold() | TemporalFilter():
            return column_names(plan.input)
        case Union():
            return column_names(plan.inputs[0])
        case Window():
            names = column_names(plan.input)
            return names + [_window_function(function, names) for function in plan.functions]
        case FlatMap():
            names = column_names(plan.input)
            names += [_table_function(function, names) for function in plan.functions]
            return [*names, "ordinality"] if plan.with_ordinality else names
        case Let():
            return column_names(plan.body)
        case _:
            return [column.name for column in schema_of(plan).columns]


class _Tree:
    """Lines, each operator's above those of its inputs."""

    def __init__(self, catalog: Catalog, reasons: JoinReasons | None) -> None:
        self.lines: list[str] = []
        self._catalog = catalog
        self._reasons = reasons

    def render(
        self,
        plan: Plan,
        depth: int,
        bindings: Mapping[int, Plan],
        *,
        is_top: bool = True,
        filters: tuple[Expression, ...] = (),
    ) -> None:
        """`bindings`: of the `Let`s around it; `is_top`: it is no input of an inner join;
        `filters`: what the rows are tested for in the step above."""
        columns = ", ".join(
            f"{name} {kind}"
            for name, kind in zip(column_names(plan), schema_of(plan).types, strict=True)
        )
        self.lines.append(f"{'  ' * depth}{_head(plan, self._catalog, filters)}  -> ({columns})")
        if self._reasons is not None and isinstance(plan, Join):
            for line in self._reasons.of(plan, bindings, filters, is_top=is_top):
                self.lines.append(f"{'  ' * depth}  | {line}")
        below = is_top if isinstance(plan, MapFilterProject) else not is_ordered(plan)
        tested = plan.filters if isinstance(plan, MapFilterProject) else ()
        for part in children(plan):
            inner = bindings
            if isinstance(plan, Let) and part is plan.body:
                inner = {**bindings, plan.binding: plan.value}
            self.render(part, depth + 1, inner, is_top=below, filters=tested)


def _head(plan: Plan, catalog: Catalog, filters: tuple[Expression, ...]) -> str:
    match plan:
        case Get():
            return f"Get {describe_collection(plan.collection, catalog)}"
        case LocalGet():
            return f"Get binding {plan.binding}"
        case Constant():
            return _constant(plan)
        case MapFilterProject():
            return _row_wise(plan)
        case Join():
            return _join(plan, filters)
        case Reduce():
            return _reduce(plan)
        case Distinct():
            return "Distinct"
        case TopK():
            return _top_k(plan)
        case Union():
            return "Union"
        case Negate():
            return "Negate"
        case Threshold():
            return "Threshold"
        case Let():
            return f"Let binding {plan.binding}"
        case Window():
            return _window(plan)
        case FlatMap():
            return _flat_map(plan)
        case TemporalFilter():
            return _temporal_filter(plan)
        case Recursion():
            return f"Recursion binding {plan.binding}"
        case _:
            assert_never(plan)


def _temporal_filter(plan: TemporalFilter) -> str:
    names = column_names(plan.input)
    text = "TemporalFilter"
    if plan.valid_from is not None:
        text += f" from {show_expression(plan.valid_from, names)}"
    if plan.valid_until is not None:
        text += f" until {show_expression(plan.valid_until, names)}"
    return text


def _flat_map(plan: FlatMap) -> str:
    names = column_names(plan.input)
    text = f"FlatMap {', '.join(_table_function(function, names) for function in plan.functions)}"
    text += " with ordinality" if plan.with_ordinality else ""
    return text + (" keeps rows of which nothing comes" if plan.keep_empty else "")


def _table_function(function: TableFunction, names: Sequence[str]) -> str:
    inner = ", ".join(show_expression(part, names) for part in function.arguments)
    return f"{function.name}({inner})"


def describe_collection(collection: CollectionId, catalog: Catalog) -> str:
    """`table flights (u1)`, `index by_origin on board (u7) by (origin)`."""
    item = catalog.items.get(collection)
    if item is None:
        return show(collection)
    text = f"{KIND_NAMES[item.kind]} {item.name}"
    if item.kind is ItemKind.INDEX and item.on is not None:
        key = ", ".join(item.schema.columns[index].name for index in item.key_columns)
        text += f" on {catalog.get(item.on).name} by ({key})"
    return f"{text} ({show(collection)})"


def _constant(plan: Constant) -> str:
    shown = [
        "(" + ", ".join(show_value(Literal(value=v, type=t)) for v, t in zip(
            row, plan.schema.types, strict=True)) + ")"
        for row, _ in plan.rows[:_ROWS_SHOWN]
    ]  # fmt: skip
    more = len(plan.rows) - _ROWS_SHOWN
    return "Constant " + (", ".join(shown) or "no rows") + (f", {more} more" if more > 0 else "")


def _row_wise(plan: MapFilterProject) -> str:
    inputs = column_names(plan.input)
    names = list(inputs)
    for expression in plan.maps:
        names.append(show_expression(expression, names))
    parts = ["Project"] if not plan.filters else ["Filter"]
    if plan.filters:
        parts.append(" AND ".join(show_expression(part, names) for part in plan.filters))
    shown = [names[index] for index in plan.project]
    if shown != inputs:
        parts.append(f"[{', '.join(shown)}]")
    return " ".join(parts)


def _join(plan: Join, filters: tuple[Expression, ...]) -> str:
    left, right = column_names(plan.left), column_names(plan.right)
    sign = "<=>" if plan.nulls_match else "="
    keys = " AND ".join(
        f"{show_expression(a, left)} {sign} {show_expression(b, right)}"
        for a, b in zip(plan.left_keys, plan.right_keys, strict=True)
    )
    if keys:
        text = f"Join {plan.kind.name.lower()} on {keys}"
    else:
        text = _without_keys(plan, [*left, *right], filters)
    if plan.residual is not None:
        text += f" if {show_expression(plan.residual, [*left, *right])}"
    return text + (" null aware" if plan.null_aware else "")


def _without_keys(plan: Join, names: Sequence[str], filters: tuple[Expression, ...]) -> str:
    """By ranges, or where there is nothing to look a row up by, each with the whole other side."""
    inner = plan.kind is JoinKind.INNER
    conditions = () if plan.residual is None else (plan.residual,)
    width = len(schema_of(plan.left))
    found = range_of((*conditions, *(filters if inner else ())), width, len(names))
    if plan.null_aware or found is None:
        return f"Join {'cross' if inner else plan.kind.name.lower()} of all pairs"
    shown = [
        f"{show_expression(pair[0], names)} {sign} {show_expression(pair[1], names)}"
        for sign, pair in (("<=", found.below), (">=", found.above))
        if pair is not None
    ]
    return f"Join {plan.kind.name.lower()} by ranges {' AND '.join(shown)}"


def _reduce(plan: Reduce) -> str:
    names = column_names(plan.input)
    keys = ", ".join(show_expression(key, names) for key in plan.keys)
    aggregates = ", ".join(_aggregate(aggregate, names) for aggregate in plan.aggregates)
    return f"Reduce by ({keys})" + (f" {aggregates}" if aggregates else "")


def _aggregate(aggregate: Aggregate, names: Sequence[str]) -> str:
    inner = ", ".join(show_expression(part, names) for part in aggregate.arguments) or "*"
    if aggregate.order_by:
        inner += f" order by {_order(aggregate.order_by, names)}"
    text = f"{aggregate.function.name.lower()}({'distinct ' if aggregate.distinct else ''}{inner})"
    if aggregate.filter is not None:
        text += f" filter ({show_expression(aggregate.filter, names)})"
    return text


def _top_k(plan: TopK) -> str:
    names = column_names(plan.input)
    parts = ["TopK"]
    if plan.group_by:
        parts.append(f"by ({', '.join(names[index] for index in plan.group_by)})")
    if plan.order_by:
        parts.append(f"order by {_order(plan.order_by, names)}")
    if plan.limit is not None:
        parts.append(f"limit {plan.limit}")
    if plan.offset:
        parts.append(f"offset {plan.offset}")
    return " ".join(parts)


def _window(plan: Window) -> str:
    names = column_names(plan.input)
    parts = ["Window", ", ".join(_window_function(f, names) for f in plan.functions)]
    if plan.partition_by:
        parts.append(f"by ({', '.join(names[index] for index in plan.partition_by)})")
    if plan.order_by:
        parts.append(f"order by {_order(plan.order_by, names)}")
    return " ".join(parts)


def _window_function(function: WindowFunction, names: Sequence[str]) -> str:
    inner = ", ".join(show_expression(part, names) for part in function.arguments)
    text = f"{function.name}({inner or ('*' if function.name == 'count' else '')})"
    if function.filter is not None:
        text += f" filter ({show_expression(function.filter, names)})"
    frame = function.frame
    if frame is None:
        return text
    start = _bound(frame.start, frame.start_distance, "preceding")
    end = _bound(frame.end, frame.end_distance, "following")
    text += f" over {frame.unit.name.lower()} {start} to {end}"
    if frame.exclude:
        text += f" without {frame.exclude.name.lower().replace('_', ' ')}"
    return text


def _bound(offset: int | None, distance: Literal | None, unbounded: str) -> str:
    if offset is None:
        return f"unbounded {unbounded}"
    if offset == 0:
        return "current row"
    shown = abs(offset) if distance is None else show_value(distance)
    return f"{shown} {'preceding' if offset < 0 else 'following'}"


def _order(keys: Sequence[SortKey], names: Sequence[str]) -> str:
    parts: list[str] = []
    for key in keys:
        text = names[key.column] + (" desc" if key.descending else "")
        if key.nulls_first != key.descending:
            text += " nulls first" if key.nulls_first else " nulls last"
        parts.append(text)
    return ", ".join(parts)
