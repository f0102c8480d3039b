"""Expressions that are computed for some rows alone."""

from __future__ import annotations

from antiphon.protocol.expression import Branch, Case, ColumnReference, Expression, Literal


def only_where(condition: Expression | None, value: Expression) -> Expression:
    """The value where the condition is true, else null: there it is not computed, and cannot fail.

    For what is not counted where the condition is not true, as an argument of an aggregate.
    """
    if condition is None or isinstance(value, ColumnReference | Literal):
        return value
    branch = Branch(condition=condition, value=value)
    return Case(branches=(branch,), otherwise=Literal(value=None, type=value.type), type=value.type)
