"""VALUES as a query: a constant, where the planner can compute it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from antiphon.controller.sql.algebra.expressions import columns_of_all
from antiphon.controller.sql.algebra.plans import ONE_ROW, computed
from antiphon.controller.sql.binding.coercion import Unknown, Unsettled, settle, unify
from antiphon.controller.sql.binding.relation import Context, Query, Relation
from antiphon.controller.sql.binding.scope import Scope, ScopeColumn, inseparable, is_outer
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.scalars.scalar import Scalars
from antiphon.protocol.expression import Expression, Literal
from antiphon.protocol.plan import Constant, Plan, Union
from antiphon.protocol.schema import TEXT, Column, Schema, Type


def as_selects(source: Source, node: exp.Values) -> exp.Expr:
    """A SELECT for each row, united: there subqueries may stand.

    Raises:
        InvalidSql: rows of different widths.
    """
    _rows(source, node)
    return _united([_select(row) for row in node.expressions])


def _united(selects: Sequence[exp.Expr]) -> exp.Expr:
    """By halves, so that many rows are not nested deeply."""
    if len(selects) == 1:
        return selects[0]
    half = len(selects) // 2
    sides = _united(selects[:half]), _united(selects[half:])
    return exp.Union(this=sides[0], expression=sides[1], distinct=False)


def _rows(source: Source, node: exp.Values) -> list[list[exp.Expr]]:
    rows = [_cells(row) for row in node.expressions]
    for row, spot in zip(rows, node.expressions, strict=True):
        if len(row) != len(rows[0]):
            raise source.invalid(spot, f"a row of {len(row)} values among rows of {len(rows[0])}")
    return rows


def _cells(row: exp.Expr) -> list[exp.Expr]:
    return list(row.expressions) if isinstance(row, exp.Tuple) else [row]


def _select(row: exp.Expr) -> exp.Select:
    cells = _cells(row)
    named = [
        exp.alias_(cell.copy(), f"column{index + 1}", copy=False)
        for index, cell in enumerate(cells)
    ]
    return exp.Select(expressions=named)


def lower_values(
    context: Context,
    node: exp.Values,
    targets: Sequence[Type],
    outer: Scope | None,
    domain: Relation | None,
) -> Query:
    """VALUES without subqueries, before it is ordered and cut. `targets`: what the columns are to
    become, if it is known.

    Raises:
        Inseparable: it mentions `outer`.
    """
    source = context.source
    rows = _rows(source, node)
    width = len(rows[0])
    scalars = Scalars(
        source=source,
        scope=Scope() if domain is None else domain.scope,
        outer=outer,
        place="VALUES",
        now_us=context.now_us,
        statement=context.place,
    )
    columns: list[tuple[Expression, ...]] = []
    types: list[Type] = []
    unknown: set[int] = set()
    for index in range(width):
        typed = [scalars.typed(row[index]) for row in rows]
        if index < len(targets):
            wanted = targets[index]
            typed = [
                settle(source, row[index], value, wanted)
                if isinstance(value, Unsettled) and wanted.is_nested
                else value
                for row, value in zip(rows, typed, strict=True)
            ]
        values, common = unify(
            source, [row[index] for row in rows], typed, f"column {index + 1} of VALUES"
        )
        if common == TEXT and all(isinstance(value, Unknown) for value in typed):
            unknown.add(index)
        if any(is_outer(column) for column in columns_of_all(values)):
            raise inseparable(source, node)
        columns.append(values)
        types.append(common)
    names = [f"column{index + 1}" for index in range(width)]
    ties = () if domain is None else domain.references
    for tie in ties:
        columns.append((tie,) * len(rows))
        names.append("")
        types.append(tie.type)
    over = ONE_ROW if domain is None else domain.plan
    return Query(
        plan=_constant(columns, names, types, over),
        columns=tuple(
            ScopeColumn(name=name, qualifier=None, index=index, type=kind)
            for index, (name, kind) in enumerate(zip(names, types, strict=True))
        ),
        unknown=frozenset(unknown),
        ties=len(ties),
    )


def _constant(
    columns: list[tuple[Expression, ...]], names: list[str], types: list[Type], over: Plan
) -> Plan:
    """The rows as a constant; rows that the planner cannot compute are left to the replica, `over`
    what they mention."""
    schema = Schema(tuple(Column(name=n, type=t) for n, t in zip(names, types, strict=True)))
    ready: list[tuple[tuple[Expression, ...], bool]] = []
    for row in zip(*columns, strict=True):
        ready.append((row, all(isinstance(value, Literal) for value in row)))
    constant = Constant(
        schema=schema,
        rows=tuple(
            (tuple(value.value for value in row if isinstance(value, Literal)), 1)
            for row, folded in ready
            if folded
        ),
    )
    rest = [computed(over, row) for row, folded in ready if not folded]
    if not rest:
        return constant
    inputs: list[Plan] = [constant, *rest] if constant.rows else rest
    return inputs[0] if len(inputs) == 1 else Union(inputs=tuple(inputs))
