"""What a null in a column does to what is computed from it."""

from __future__ import annotations

from typing import Final

from antiphon.controller.sql.algebra.expressions import conjuncts
from antiphon.protocol.expression import Call, Cast, ColumnReference, Expression

# Null whatever the other arguments are.
NULL_IF_ANY_IS: Final = frozenset(
    {
        "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "add", "subtract",
        "multiply", "divide", "modulo", "concat", "like", "ilike", "not", "negate", "abs", "lower",
        "upper", "length", "starts_with", "date_trunc",
    }
)  # fmt: skip

_NOWHERE: Final = frozenset[int]()


def null_with(expression: Expression) -> frozenset[int]:
    """Columns of which each makes the expression null by being null. Not all of them are found."""
    match expression:
        case ColumnReference():
            return frozenset({expression.index})
        case Cast():
            return null_with(expression.input)
        case Call() if expression.function in NULL_IF_ANY_IS:
            return _NOWHERE.union(*map(null_with, expression.arguments))
        case _:
            return _NOWHERE


def untrue_with(predicate: Expression) -> frozenset[int]:
    """Columns of which each keeps the predicate from being true by being null."""
    match predicate:
        case Call(function="and"):
            return _NOWHERE.union(*map(untrue_with, predicate.arguments))
        case Call(function="or"):
            first, *others = map(untrue_with, predicate.arguments)
            return first.intersection(*others)
        case Call(function="is_not_null" | "is_true" | "is_false"):
            return null_with(predicate.arguments[0])
        case _:
            return null_with(predicate)


def untrue_with_any(predicates: list[Expression]) -> frozenset[int]:
    """Columns of which each, being null, keeps all of the predicates from being true together."""
    parts = [part for predicate in predicates for part in conjuncts(predicate)]
    return _NOWHERE.union(*map(untrue_with, parts))
