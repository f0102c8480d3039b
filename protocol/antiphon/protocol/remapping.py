"""Expressions over other columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from antiphon.protocol.expression import (
    Branch,
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)


def remapped(expression: Expression, move: Callable[[int], int]) -> Expression:
    """The same expression, each column read from where `move` says it now is."""
    match expression:
        case Literal():
            return expression
        case ColumnReference():
            return ColumnReference(index=move(expression.index), type=expression.type)
        case Call():
            arguments = tuple(remapped(argument, move) for argument in expression.arguments)
            return Call(function=expression.function, arguments=arguments, type=expression.type)
        case Cast():
            return Cast(input=remapped(expression.input, move), type=expression.type)
        case Case():
            branches = tuple(
                Branch(condition=remapped(b.condition, move), value=remapped(b.value, move))
                for b in expression.branches
            )
            otherwise = remapped(expression.otherwise, move)
            return Case(branches=branches, otherwise=otherwise, type=expression.type)
        case _:
            assert_never(expression)
