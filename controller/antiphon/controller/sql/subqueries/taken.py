"""When a part of an expression is computed: CASE and COALESCE leave out what they do not need.

What a subquery in such a part computes of the row around it may be an error, which must not be one
of rows that never ask. So the subquery is computed for the rows that do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.controller.sql.algebra.expressions import FALSE, TRUE, any_of, inputs_of
from antiphon.controller.sql.subqueries.correlation import test
from antiphon.protocol.expression import Branch, Call, Case, ColumnReference, Expression
from antiphon.protocol.schema import BOOLEAN

# Of a column the condition under which it is read; None: always.
Conditions = dict[int, Expression | None]


def read_when(
    expressions: Sequence[Expression], is_known: Callable[[Expression], bool]
) -> Conditions:
    """When each column is read by one of the expressions; what `is_known` is not looked into."""
    found: Conditions = {}
    for expression in expressions:
        _note(expression, None, is_known, found)
    return found


def _note(
    expression: Expression,
    taken: Expression | None,
    is_known: Callable[[Expression], bool],
    found: Conditions,
) -> None:
    if is_known(expression):
        return
    if isinstance(expression, ColumnReference):
        before = found.get(expression.index, taken)
        if before is None or taken is None or before == taken:
            found[expression.index] = None if before is None else taken
        else:
            found[expression.index] = any_of([before, taken])
        return
    for part, condition in _parts(expression, taken):
        _note(part, condition, is_known, found)


def _parts(
    expression: Expression, taken: Expression | None
) -> list[tuple[Expression, Expression | None]]:
    """What it is made of, and when each part is computed."""
    passed: list[Branch] = []  # what was not so, for the next to be looked at
    parts: list[tuple[Expression, Expression | None]] = []
    if isinstance(expression, Case):
        for branch in expression.branches:
            parts.append((branch.condition, _within(taken, passed, TRUE)))
            so = Branch(condition=branch.condition, value=TRUE)
            parts.append((branch.value, _within(taken, [*passed, so], FALSE)))
            passed.append(Branch(condition=branch.condition, value=FALSE))
        return [*parts, (expression.otherwise, _within(taken, passed, TRUE))]
    if isinstance(expression, Call) and expression.function == "coalesce":
        for argument in expression.arguments:
            parts.append((argument, _within(taken, passed, TRUE)))
            passed.append(Branch(condition=test("is_not_null", argument), value=FALSE))
        return parts
    return [(part, taken) for part in inputs_of(expression)]


def _within(
    taken: Expression | None, branches: Sequence[Branch], otherwise: Expression
) -> Expression | None:
    """The first of the branches that is so decides, where the whole is computed at all."""
    if not branches:
        return taken
    decided = Case(branches=tuple(branches), otherwise=otherwise, type=BOOLEAN)
    if taken is None:
        return decided
    return Case(branches=(Branch(condition=taken, value=decided),), otherwise=FALSE, type=BOOLEAN)
