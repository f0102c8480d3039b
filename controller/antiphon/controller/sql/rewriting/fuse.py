"""Fewer nodes: adjacent row-wise steps become one, and steps that do nothing go."""

from __future__ import annotations

from antiphon.controller.sql.algebra.expressions import (
    all_of,
    columns_of_all,
    conjuncts,
    remap,
    rewrite,
    substitute,
)
from antiphon.controller.sql.algebra.fold import fold
from antiphon.controller.sql.algebra.plans import identity, width_of, with_children
from antiphon.protocol.expression import ColumnReference, Expression, Literal, Value
from antiphon.protocol.plan import (
    Constant,
    Distinct,
    MapFilterProject,
    Plan,
    Reduce,
    Union,
    children,
    schema_of,
)


def fuse(plan: Plan) -> Plan:
    """An equal plan, from the leaves up."""
    parts = children(plan)
    changed = [fuse(part) for part in parts]
    if any(new is not old for new, old in zip(changed, parts, strict=True)):
        plan = with_children(plan, changed)
    match plan:
        case MapFilterProject():
            return _row_wise(plan)
        case Union():
            flat = [
                inner
                for part in plan.inputs
                for inner in (part.inputs if isinstance(part, Union) else (part,))
            ]
            return _union(flat)
        case Distinct() if isinstance(plan.input, Distinct) or _has_unique_rows(plan.input):
            return plan.input
        case _:
            return plan


def _union(parts: list[Plan]) -> Plan:
    """Their union, without empty parts and with one constant for all."""
    constants = [part for part in parts if isinstance(part, Constant)]
    others: list[Plan] = [part for part in parts if not isinstance(part, Constant)]
    rows = tuple(row for part in constants for row in part.rows)
    if rows or not others:
        others.insert(0, Constant(schema=schema_of(parts[0]), rows=rows))
    return others[0] if len(others) == 1 else Union(inputs=tuple(others))


def _of_constant(plan: MapFilterProject, constant: Constant) -> Constant | None:
    """The step's result, row by row; None if the planner cannot compute all of it."""
    rows: list[tuple[tuple[Value, ...], int]] = []
    for values, count in constant.rows:
        row: list[Expression] = [
            Literal(value=value, type=kind)
            for value, kind in zip(values, constant.schema.types, strict=True)
        ]
        for expression in plan.maps:
            row.append(fold(substitute(expression, row)))
        kept = all_of([fold(substitute(part, row)) for part in plan.filters])
        outputs = [row[index] for index in plan.project]
        literals = [output for output in outputs if isinstance(output, Literal)]
        condition = fold(kept)
        if not isinstance(condition, Literal) or len(literals) < len(outputs):
            return None
        if condition.value is True:
            rows.append((tuple(literal.value for literal in literals), count))
    return Constant(schema=schema_of(plan), rows=tuple(rows))


def _is_empty(plan: Plan) -> bool:
    return isinstance(plan, Constant) and not plan.rows


def _has_unique_rows(plan: Plan) -> bool:
    """Groups have distinct keys, and keep them."""
    return isinstance(plan, Reduce) and bool(plan.keys)


def _row_wise(plan: MapFilterProject) -> Plan:
    inner = plan.input
    if isinstance(inner, MapFilterProject):
        plan = _merged(inner, plan)
    plan = _tidied(plan)
    unchanged = not plan.maps and not plan.filters
    if unchanged and plan.project == identity(width_of(plan.input)):
        return plan.input
    if _is_empty(plan.input) or any(_is_never(part) for part in plan.filters):
        return Constant(schema=schema_of(plan), rows=())
    if isinstance(plan.input, Constant):
        return _of_constant(plan, plan.input) or plan
    return plan


def _is_never(part: Expression) -> bool:
    return isinstance(part, Literal) and part.value is not True


def _merged(inner: MapFilterProject, outer: MapFilterProject) -> MapFilterProject:
    """One step: the inner maps, then the outer ones over them. The inner filters come first, and
    maps are computed only for rows that pass: what may fail sees no more rows than before."""
    base = width_of(inner.input) + len(inner.maps)
    places = dict(enumerate(inner.project))
    for index in range(len(outer.maps)):
        places[len(inner.project) + index] = base + index
    return MapFilterProject(
        input=inner.input,
        maps=(*inner.maps, *(remap(part, places) for part in outer.maps)),
        filters=(*inner.filters, *(remap(part, places) for part in outer.filters)),
        project=tuple(places[index] for index in outer.project),
    )


def _tidied(plan: MapFilterProject) -> MapFilterProject:
    """Maps folded, each once, without mere copies and without those that nobody reads."""
    width = width_of(plan.input)
    places = {index: index for index in range(width)}
    literals: dict[int, Literal] = {}
    maps: list[Expression] = []

    def settled(expression: Expression) -> Expression:
        def replace(part: Expression) -> Expression | None:
            if not isinstance(part, ColumnReference):
                return None
            if part.index in literals:
                return literals[part.index]
            return ColumnReference(index=places[part.index], type=part.type)

        return fold(rewrite(expression, replace))

    for index, expression in enumerate(plan.maps):
        value = settled(expression)
        if isinstance(value, Literal):
            literals[width + index] = value
        if isinstance(value, ColumnReference):
            places[width + index] = value.index
        elif value in maps:
            places[width + index] = width + maps.index(value)
        else:
            places[width + index] = width + len(maps)
            maps.append(value)
    filters = [part for whole in plan.filters for part in conjuncts(settled(whole))]
    tidy = MapFilterProject(
        input=plan.input,
        maps=tuple(maps),
        filters=tuple(dict.fromkeys(filters)),
        project=tuple(places[index] for index in plan.project),
    )
    return _without_unread_maps(tidy, width)


def _without_unread_maps(plan: MapFilterProject, width: int) -> MapFilterProject:
    read = set(plan.project) | columns_of_all(plan.filters)
    for index in reversed(range(len(plan.maps))):
        if width + index in read:
            read |= columns_of_all([plan.maps[index]])
    places = {index: index for index in range(width)}
    maps: list[Expression] = []
    for index, expression in enumerate(plan.maps):
        if width + index in read:
            places[width + index] = width + len(maps)
            maps.append(remap(expression, places))
    return MapFilterProject(
        input=plan.input,
        maps=tuple(maps),
        filters=tuple(remap(part, places) for part in plan.filters),
        project=tuple(places[index] for index in plan.project),
    )
