"""Evaluation of an expression over a frame: dispatch, and the check that everything is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import (
    Call,
    Case,
    Cast,
    ColumnReference,
    Expression,
    Literal,
)
from antiphon.replica.dataflow.expressions import compare, conditional
from antiphon.replica.dataflow.expressions.casting import casts, list_text
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested import list_order, list_search, lists, structs
from antiphon.replica.dataflow.expressions.numbers import arithmetic, bits, mathematics, numeric
from antiphon.replica.dataflow.expressions.text import (
    byte_strings,
    code_points,
    encodings,
    number_texts,
    regexp_replacing,
    regexps,
    textual,
)
from antiphon.replica.dataflow.expressions.times import temporal_fields, temporal_values, time_zones
from antiphon.replica.dataflow.expressions.vector import Vector

_LAZY: Final[dict[str, Callable[[Frame, Call, conditional.Evaluate], Vector]]] = {
    "and": conditional.conjunction,
    "or": conditional.disjunction,
    "coalesce": conditional.coalesce,
}
_STRICT: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    **compare.FUNCTIONS,
    **arithmetic.FUNCTIONS,
    **conditional.FUNCTIONS,
    **numeric.FUNCTIONS,
    **mathematics.FUNCTIONS,
    **bits.FUNCTIONS,
    **lists.FUNCTIONS,
    **list_search.FUNCTIONS,
    **list_order.FUNCTIONS,
    **list_text.FUNCTIONS,
    **structs.FUNCTIONS,
    **textual.FUNCTIONS,
    **code_points.FUNCTIONS,
    **encodings.FUNCTIONS,
    **byte_strings.FUNCTIONS,
    **number_texts.FUNCTIONS,
    **regexps.FUNCTIONS,
    **regexp_replacing.FUNCTIONS,
    **temporal_fields.FUNCTIONS,
    **temporal_values.FUNCTIONS,
    **time_zones.FUNCTIONS,
}


def evaluate(frame: Frame, expression: Expression) -> Vector:
    """The expression's value in every row of the frame; failures are reported to the frame.

    The expression must have passed `check`.
    """
    match expression:
        case ColumnReference():
            return frame.vector(expression)
        case Literal():
            return Vector.of_literal(expression.type, expression.value, frame.count)
        case Call():
            lazy = _LAZY.get(expression.function)
            if lazy is not None:
                return lazy(frame, expression, evaluate)
            arguments = [evaluate(frame, argument) for argument in expression.arguments]
            return _STRICT[expression.function](frame, expression, arguments)
        case Cast():
            return casts.cast(frame, expression, evaluate(frame, expression.input))
        case Case():
            return conditional.case(frame, expression, evaluate)
        case _:
            assert_never(expression)


def check(expression: Expression) -> None:
    """Raises NotServed, naming what it is, if anything in the expression cannot be evaluated."""
    match expression:
        case ColumnReference() | Literal():
            return
        case Call():
            if expression.function not in _LAZY and expression.function not in _STRICT:
                raise NotServed(
                    f"the function {expression.function} is not served",
                    function=expression.function,
                )
            if expression.function == "field" and not structs.names_a_field(expression):
                raise NotServed("a field that is not named by its place", function="field")
        case Cast():
            source, target = expression.input.type, expression.type
            try:
                casts.rule_for(source, target)
            except KeyError:
                raise NotServed(
                    f"the cast from {source} to {target} is not served",
                    source=str(source), target=str(target),
                ) from None  # fmt: skip
        case Case():
            pass
        case _:
            assert_never(expression)
    for part in parts_of(expression):
        check(part)


def parts_of(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside, in order."""
    match expression:
        case ColumnReference() | Literal():
            return ()
        case Call():
            return expression.arguments
        case Cast():
            return (expression.input,)
        case Case():
            inner = tuple(part for b in expression.branches for part in (b.condition, b.value))
            return (*inner, expression.otherwise)
        case _:
            assert_never(expression)


def columns_of(expression: Expression) -> set[int]:
    """The columns it mentions. A set: for membership only."""
    if isinstance(expression, ColumnReference):
        return {expression.index}
    found: set[int] = set()
    for part in parts_of(expression):
        found |= columns_of(part)
    return found
