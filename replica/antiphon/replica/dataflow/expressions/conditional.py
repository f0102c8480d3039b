"""What evaluates only as much as it needs: and, or, case, coalesce; and the choosers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of
from antiphon.protocol.expression import Call, Case, Expression
from antiphon.protocol.schema import BOOLEAN, Type
from antiphon.replica.dataflow.expressions.compare import equal_mask, less_mask
from antiphon.replica.dataflow.expressions.frame import Frame, everywhere
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

Evaluate = Callable[[Frame, Expression], Vector]


def conjunction(frame: Frame, call: Call, evaluate: Evaluate) -> Vector:
    """AND: a later argument counts only where no earlier one is false."""
    return _connective(frame, call, evaluate, decided_by=False)


def disjunction(frame: Frame, call: Call, evaluate: Evaluate) -> Vector:
    """OR: a later argument counts only where no earlier one is true."""
    return _connective(frame, call, evaluate, decided_by=True)


def _connective(frame: Frame, call: Call, evaluate: Evaluate, *, decided_by: bool) -> Vector:
    decided = np.zeros(frame.count, np.bool_)
    unknown = np.zeros(frame.count, np.bool_)
    for position, argument in enumerate(call.arguments):
        if position and decided.all():
            break
        with frame.only(~decided):
            vector = evaluate(frame, argument)
        valid = vector.valid
        decides = vector.values if decided_by else ~vector.values
        if valid is None:
            decided |= decides
        else:
            decided |= decides & valid
            unknown |= ~valid
    unknown &= ~decided
    values = decided if decided_by else ~decided
    return Vector.of_values(BOOLEAN, values, ~unknown if unknown.any() else None)


def case(frame: Frame, expression: Case, evaluate: Evaluate) -> Vector:
    left = everywhere(frame.count)
    chosen: list[tuple[Mask, Vector]] = []
    for branch in expression.branches:
        with frame.only(left):
            hit = evaluate(frame, branch.condition).truth & left
        if not hit.any():
            continue
        with frame.only(hit):
            chosen.append((hit, evaluate(frame, branch.value)))
        left = left & ~hit
        if not left.any():
            break
    if left.any() or not chosen:
        with frame.only(left):
            result = evaluate(frame, expression.otherwise)
    else:
        result = chosen.pop()[1]
    for hit, vector in chosen:
        result = choose(expression.type, hit, vector, result)
    return result


def coalesce(frame: Frame, call: Call, evaluate: Evaluate) -> Vector:
    result = evaluate(frame, call.arguments[0])
    for argument in call.arguments[1:]:
        present = result.valid
        if present is None:
            break
        with frame.only(~present):
            result = choose(call.type, present, result, evaluate(frame, argument))
    return result


def choose(kind: Type, first: Mask, when: Vector, otherwise: Vector) -> Vector:
    """`when` where `first`, else `otherwise`."""
    chosen = pc.if_else(array_of(first, pa.bool_()), when.array, otherwise.array)
    return Vector.of_array(kind, chosen)


def _nullif(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    left, right = arguments
    same = equal_mask(left, right)
    for vector in (left, right):
        valid = vector.valid
        same = same if valid is None else same & valid
    missing = Vector.of_literal(call.type, None, frame.count)
    return choose(call.type, same, missing, left) if same.any() else left


def _extreme(*, largest: bool) -> Callable[[Frame, Call, list[Vector]], Vector]:
    def extreme(_: Frame, call: Call, arguments: list[Vector]) -> Vector:
        """Nulls are passed over; null only if all are."""
        best = arguments[0]
        for vector in arguments[1:]:
            better = less_mask(best, vector) if largest else less_mask(vector, best)
            if vector.valid is not None:
                better = better & vector.valid
            if best.valid is not None:
                better = better | ~best.valid
            best = choose(call.type, better, vector, best)
        return best

    return extreme


def _only_row(frame: Frame, call: Call, arguments: list[Vector]) -> Vector:
    """The value of a subquery, of which there are so many rows."""
    value, rows = arguments
    message = "more than one row returned by a subquery used as an expression"
    frame.fail(rows.values > 1, "cardinality_violation", message, call.function)
    return value


FUNCTIONS: Final[dict[str, Callable[[Frame, Call, list[Vector]], Vector]]] = {
    "nullif": _nullif,
    "only_row": _only_row,
    "greatest": _extreme(largest=True),
    "least": _extreme(largest=False),
}
