"""Leaving out columns that nobody reads: what is not there need not be arranged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from antiphon.controller.sql.algebra.expressions import (
    columns_of,
    columns_of_all,
    remap,
)
from antiphon.controller.sql.algebra.plans import identity, projected, width_of, with_children
from antiphon.protocol.expression import Expression
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
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    WindowFunction,
    children,
)


def prune(plan: Plan) -> Plan:
    """The same rows and columns, computed from no more than they need."""
    return _keep(plan, identity(width_of(plan)))


def _keep(plan: Plan, columns: Sequence[int]) -> Plan:
    """Exactly these columns of `plan`; they are ascending."""
    match plan:
        case Get() | LocalGet():
            return projected(plan, columns)
        case Constant():
            rows = tuple((tuple(row[i] for i in columns), diff) for row, diff in plan.rows)
            return Constant(schema=plan.schema.project(tuple(columns)), rows=rows)
        case MapFilterProject():
            return _projection(plan, columns)
        case Join():
            return _join(plan, columns)
        case Reduce():
            return _reduce(plan, columns)
        case TopK():
            return _top_k(plan, columns)
        case Window():
            return _window(plan, columns)
        case Union():
            return Union(inputs=tuple(_keep(part, columns) for part in plan.inputs))
        case Negate():
            return Negate(input=_keep(plan.input, columns))
        case Let():
            body = _keep(plan.body, columns)
            return Let(binding=plan.binding, value=prune(plan.value), body=body)
        case FlatMap():
            return _flat_map(plan, columns)
        case TemporalFilter():
            return _temporal(plan, columns)
        case Distinct() | Threshold() | Recursion():
            # Every column decides which rows are equal.
            kept = with_children(plan, [prune(part) for part in children(plan)])
            return projected(kept, columns)
        case _:
            assert_never(plan)


def _narrow(plan: Plan, needed: frozenset[int]) -> tuple[Plan, dict[int, int]]:
    """The needed columns of `plan`, and where each went."""
    columns = sorted(needed)
    return _keep(plan, columns), {column: place for place, column in enumerate(columns)}


def _projection(plan: MapFilterProject, columns: Sequence[int]) -> Plan:
    width = width_of(plan.input)
    project = [plan.project[index] for index in columns]
    needed = set(project) | columns_of_all(plan.filters)
    for index in reversed(range(len(plan.maps))):
        if width + index in needed:
            needed |= columns_of(plan.maps[index])
    inputs, places = _narrow(plan.input, frozenset(i for i in needed if i < width))
    narrow = len(places)
    maps: list[Expression] = []
    for index, expression in enumerate(plan.maps):
        if width + index in needed:
            places[width + index] = narrow + len(maps)
            maps.append(remap(expression, places))
    return MapFilterProject(
        input=inputs,
        maps=tuple(maps),
        filters=tuple(remap(part, places) for part in plan.filters),
        project=tuple(places[index] for index in project),
    )


def _temporal(plan: TemporalFilter, columns: Sequence[int]) -> Plan:
    bounds = [bound for bound in (plan.valid_from, plan.valid_until) if bound is not None]
    inputs, places = _narrow(plan.input, frozenset(columns) | columns_of_all(bounds))
    kept = TemporalFilter(
        input=inputs,
        valid_from=None if plan.valid_from is None else remap(plan.valid_from, places),
        valid_until=None if plan.valid_until is None else remap(plan.valid_until, places),
    )
    return projected(kept, [places[index] for index in columns])


def _flat_map(plan: FlatMap, columns: Sequence[int]) -> Plan:
    """Every function decides how many rows there are, so all stay; but not the count."""
    width = width_of(plan.input)
    arguments = columns_of_all(part for f in plan.functions for part in f.arguments)
    needed = frozenset(i for i in columns if i < width) | arguments
    inputs, places = _narrow(plan.input, needed)
    for index in range(len(plan.functions) + 1):
        places[width + index] = len(needed) + index
    kept = FlatMap(
        input=inputs,
        functions=tuple(
            replace(f, arguments=tuple(remap(part, places) for part in f.arguments))
            for f in plan.functions
        ),
        with_ordinality=plan.with_ordinality and width + len(plan.functions) in columns,
        keep_empty=plan.keep_empty,
    )
    return projected(kept, [places[index] for index in columns])


def _join(plan: Join, columns: Sequence[int]) -> Plan:
    width = width_of(plan.left)
    one_sided = plan.kind in (JoinKind.SEMI, JoinKind.ANTI)
    residual = frozenset() if plan.residual is None else columns_of(plan.residual)
    read = frozenset(columns) | residual
    ours = frozenset(i for i in read if i < width) | columns_of_all(plan.left_keys)
    theirs = frozenset(i - width for i in read if i >= width) | columns_of_all(plan.right_keys)
    left, left_places = _narrow(plan.left, ours)
    right, right_places = _narrow(plan.right, theirs)
    places = dict(left_places)
    places.update({i + width: place + len(left_places) for i, place in right_places.items()})
    join = Join(
        kind=plan.kind,
        left=left,
        right=right,
        left_keys=tuple(remap(key, left_places) for key in plan.left_keys),
        right_keys=tuple(remap(key, right_places) for key in plan.right_keys),
        nulls_match=plan.nulls_match,
        residual=None if plan.residual is None else remap(plan.residual, places),
        null_aware=plan.null_aware,
    )
    assert not one_sided or all(i < width for i in columns), "a semijoin has its left columns"
    return projected(join, [places[index] for index in columns])


def _reduce(plan: Reduce, columns: Sequence[int]) -> Plan:
    """Keys decide the groups, so all stay; aggregates that nobody reads go."""
    count = len(plan.keys)
    kept = [index for index in columns if index >= count]
    aggregates = [plan.aggregates[index - count] for index in kept]
    if not plan.keys and not aggregates:
        # Still one row: an aggregate has to stand for it.
        aggregates, kept = [plan.aggregates[0]], [0]
    needed = columns_of_all(plan.keys)
    for aggregate in aggregates:
        needed |= _read_by(aggregate)
    inputs, places = _narrow(plan.input, needed)
    reduced = Reduce(
        input=inputs,
        keys=tuple(remap(key, places) for key in plan.keys),
        aggregates=tuple(_moved(aggregate, places) for aggregate in aggregates),
    )
    where = {index: index for index in range(count)}
    where.update({index: count + place for place, index in enumerate(kept)})
    return projected(reduced, [where[index] for index in columns])


def _read_by(aggregate: Aggregate) -> frozenset[int]:
    filters = () if aggregate.filter is None else (aggregate.filter,)
    ordered = frozenset(key.column for key in aggregate.order_by)
    return columns_of_all((*aggregate.arguments, *filters)) | ordered


def _moved(aggregate: Aggregate, places: dict[int, int]) -> Aggregate:
    return Aggregate(
        function=aggregate.function,
        arguments=tuple(remap(part, places) for part in aggregate.arguments),
        type=aggregate.type,
        distinct=aggregate.distinct,
        filter=None if aggregate.filter is None else remap(aggregate.filter, places),
        order_by=_sorted_by(aggregate.order_by, places),
    )


def _sorted_by(keys: Sequence[SortKey], places: dict[int, int]) -> tuple[SortKey, ...]:
    return tuple(
        SortKey(column=places[key.column], descending=key.descending, nulls_first=key.nulls_first)
        for key in keys
    )


def _top_k(plan: TopK, columns: Sequence[int]) -> Plan:
    needed = frozenset(columns) | frozenset(plan.group_by)
    needed |= frozenset(key.column for key in plan.order_by)
    inputs, places = _narrow(plan.input, needed)
    top = TopK(
        input=inputs,
        group_by=tuple(places[index] for index in plan.group_by),
        order_by=_sorted_by(plan.order_by, places),
        limit=plan.limit,
        offset=plan.offset,
    )
    return projected(top, [places[index] for index in columns])


def _window(plan: Window, columns: Sequence[int]) -> Plan:
    width = width_of(plan.input)
    kept = [index for index in columns if index >= width]
    functions = [plan.functions[index - width] for index in kept]
    if not functions:
        return _keep(plan.input, columns)  # nobody reads what it computes
    needed = frozenset(i for i in columns if i < width) | frozenset(plan.partition_by)
    needed |= frozenset(key.column for key in plan.order_by)
    for function in functions:
        conditions = () if function.filter is None else (function.filter,)
        needed |= columns_of_all((*function.arguments, *conditions))
    inputs, places = _narrow(plan.input, needed)
    window = Window(
        input=inputs,
        partition_by=tuple(places[index] for index in plan.partition_by),
        order_by=_sorted_by(plan.order_by, places),
        functions=tuple(_function(function, places) for function in functions),
    )
    for place, index in enumerate(kept):
        places[index] = len(needed) + place
    return projected(window, [places[index] for index in columns])


def _function(function: WindowFunction, places: dict[int, int]) -> WindowFunction:
    condition = function.filter
    return replace(
        function,
        arguments=tuple(remap(part, places) for part in function.arguments),
        filter=None if condition is None else remap(condition, places),
    )
