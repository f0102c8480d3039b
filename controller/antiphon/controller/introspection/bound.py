"""How many rows a query may meet at most, from the sizes of what it reads.

Introspection is evaluated beside the controller's own work, so it is refused before it begins where
it could take the memory that everybody else needs. Joins count as if every pair matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

from antiphon.protocol.errors import LimitExceeded
from antiphon.protocol.expression import Literal
from antiphon.protocol.ids import CollectionId
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
    TableFunction,
    TemporalFilter,
    Threshold,
    TopK,
    Union,
    Window,
)

INTROSPECTION_ROWS_MAX: Final = 1_000_000  # that one query may meet, as far as can be known


def check(plan: Plan, sizes: Mapping[CollectionId, int]) -> None:
    """
    Raises:
        LimitExceeded: some step may see more than INTROSPECTION_ROWS_MAX rows.
    """
    _rows(plan, sizes, {})


def _rows(plan: Plan, sizes: Mapping[CollectionId, int], bound: Mapping[int, int]) -> int:
    match plan:
        case Get(collection=collection):
            return _checked(sizes[collection])
        case LocalGet(binding=binding):
            return bound[binding]
        case Constant(rows=rows):
            return sum(abs(count) for _, count in rows)
        case Join(kind=JoinKind.SEMI | JoinKind.ANTI):
            _rows(plan.right, sizes, bound)
            return _rows(plan.left, sizes, bound)
        case Join():
            # An outer join gives the rows without a partner as well.
            left, right = _rows(plan.left, sizes, bound), _rows(plan.right, sizes, bound)
            return _checked(max(left, 1) * max(right, 1))
        case Union(inputs=inputs):
            return _checked(sum(_rows(part, sizes, bound) for part in inputs))
        case Let():
            value = _rows(plan.value, sizes, bound)
            return _rows(plan.body, sizes, {**bound, plan.binding: value})
        case MapFilterProject() | Reduce() | Distinct() | TopK() | Negate() | Threshold():
            return _rows(plan.input, sizes, bound)
        case Window() | TemporalFilter():
            return _rows(plan.input, sizes, bound)
        case FlatMap():
            most = max(_values(function) for function in plan.functions)
            return _checked(_rows(plan.input, sizes, bound) * max(most, 1))
        case Recursion():
            raise LimitExceeded(
                "what a recursion meets is not known beforehand", limit="INTROSPECTION_ROWS_MAX"
            )
        case _:
            assert_never(plan)


def _values(function: TableFunction) -> int:
    """How many values a row gets, which only literals tell."""
    literals = [part.value for part in function.arguments if isinstance(part, Literal)]
    numbers = [value for value in literals if isinstance(value, int)]
    if len(numbers) == len(function.arguments) >= 2:
        first, last, step = (*numbers, 1)[:3]
        return max((last - first) // step + 1, 0) if step else 0
    if len(literals) == 1 and isinstance(literals[0], tuple):
        return len(literals[0])
    raise LimitExceeded(
        f"how much {function.name} gives is not known beforehand", limit="INTROSPECTION_ROWS_MAX"
    )


def _checked(rows: int) -> int:
    if rows > INTROSPECTION_ROWS_MAX:
        raise LimitExceeded(
            f"the query may meet {rows} rows of antiphon's own collections, at most "
            f"{INTROSPECTION_ROWS_MAX}; read them one by one, or join less",
            limit="INTROSPECTION_ROWS_MAX",
            value=INTROSPECTION_ROWS_MAX,
            found=rows,
        )
    return rows
