"""Taking plans apart and putting them together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, assert_never

from antiphon.controller.sql.algebra.expressions import TRUE, all_of, conjuncts, substitute
from antiphon.controller.sql.algebra.fold import fold
from antiphon.protocol.expression import ColumnReference, Expression
from antiphon.protocol.plan import (
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
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
    children,
    schema_of,
)
from antiphon.protocol.schema import Schema

NO_COLUMNS: Final = Schema(())
# One row without columns: what SELECT without FROM reads.
ONE_ROW: Final = Constant(schema=NO_COLUMNS, rows=(((), 1),))


def width_of(plan: Plan) -> int:
    return len(schema_of(plan))


def with_children(plan: Plan, parts: Sequence[Plan]) -> Plan:
    """The same node over other inputs, given as `children` gives them."""
    match plan:
        case Get() | LocalGet() | Constant():
            return plan
        case Join():
            return Join(
                kind=plan.kind, left=parts[0], right=parts[1], left_keys=plan.left_keys,
                right_keys=plan.right_keys, nulls_match=plan.nulls_match,
                residual=plan.residual, null_aware=plan.null_aware,
            )  # fmt: skip
        case Union():
            return Union(inputs=tuple(parts))
        case Let():
            return Let(binding=plan.binding, value=parts[0], body=parts[1])
        case Recursion():
            return Recursion(
                binding=plan.binding, schema=plan.schema, value=parts[0], body=parts[1]
            )
        case MapFilterProject():
            return MapFilterProject(
                input=parts[0], maps=plan.maps, filters=plan.filters, project=plan.project
            )
        case Reduce():
            return Reduce(input=parts[0], keys=plan.keys, aggregates=plan.aggregates)
        case Distinct():
            return Distinct(input=parts[0])
        case TopK():
            return TopK(
                input=parts[0], group_by=plan.group_by, order_by=plan.order_by,
                limit=plan.limit, offset=plan.offset,
            )  # fmt: skip
        case Window():
            return Window(
                input=parts[0], partition_by=plan.partition_by, order_by=plan.order_by,
                functions=plan.functions,
            )  # fmt: skip
        case Negate():
            return Negate(input=parts[0])
        case Threshold():
            return Threshold(input=parts[0])
        case FlatMap():
            return FlatMap(
                input=parts[0], functions=plan.functions, with_ordinality=plan.with_ordinality,
                keep_empty=plan.keep_empty,
            )  # fmt: skip
        case TemporalFilter():
            return TemporalFilter(
                input=parts[0], valid_from=plan.valid_from, valid_until=plan.valid_until
            )
        case _:
            assert_never(plan)


def rewrite_plan(plan: Plan, replace: Callable[[Plan], Plan | None]) -> Plan:
    """From the root down: where `replace` gives something, that; otherwise the same node over
    rewritten inputs."""
    found = replace(plan)
    if found is not None:
        return found
    parts = children(plan)
    changed = [rewrite_plan(part, replace) for part in parts]
    if all(new is old for new, old in zip(changed, parts, strict=True)):
        return plan
    return with_children(plan, changed)


def walk_plan(plan: Plan) -> Iterator[Plan]:
    """The plan and everything in it, a node before its inputs."""
    stack = [plan]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def inlined_maps(plan: MapFilterProject) -> list[Expression]:
    """The input's columns and the maps, each over the input's columns alone."""
    values: list[Expression] = [
        ColumnReference(index=index, type=kind)
        for index, kind in enumerate(schema_of(plan.input).types)
    ]
    for expression in plan.maps:
        values.append(fold(substitute(expression, values)))
    return values


def identity(width: int) -> tuple[int, ...]:
    return tuple(range(width))


def filtered(plan: Plan, predicates: Sequence[Expression]) -> Plan:
    """The rows for which all predicates are true."""
    parts = tuple(part for predicate in predicates for part in conjuncts(predicate))
    if not parts:
        return plan
    return MapFilterProject(input=plan, maps=(), filters=parts, project=identity(width_of(plan)))


def extended(plan: Plan, maps: Sequence[Expression]) -> Plan:
    """The plan's columns, then one for each expression."""
    if not maps:
        return plan
    width = width_of(plan)
    return MapFilterProject(
        input=plan, maps=tuple(maps), filters=(), project=identity(width + len(maps))
    )


def projected(plan: Plan, columns: Sequence[int]) -> Plan:
    """These columns of the plan, in this order."""
    if tuple(columns) == identity(width_of(plan)):
        return plan
    return MapFilterProject(input=plan, maps=(), filters=(), project=tuple(columns))


def computed(plan: Plan, outputs: Sequence[Expression]) -> Plan:
    """One column for each expression, in this order."""
    width = width_of(plan)
    maps: list[Expression] = []
    project: list[int] = []
    for output in outputs:
        if isinstance(output, ColumnReference):
            project.append(output.index)
        else:
            project.append(width + len(maps))
            maps.append(output)
    if not maps:
        return projected(plan, project)
    return MapFilterProject(input=plan, maps=tuple(maps), filters=(), project=tuple(project))


def joined(
    kind: JoinKind,
    left: Plan,
    right: Plan,
    keys: Sequence[tuple[Expression, Expression]] = (),
    conditions: Sequence[Expression] = (),
) -> Join:
    """A join on pairs of (left, right) expressions and on conditions over both sides."""
    condition = all_of([part for c in conditions for part in conjuncts(c)])
    return Join(
        kind=kind,
        left=left,
        right=right,
        left_keys=tuple(key for key, _ in keys),
        right_keys=tuple(key for _, key in keys),
        residual=None if condition == TRUE else condition,
    )
