"""`row_number() OVER (PARTITION BY ... ORDER BY ...)`, compared with constants, is a top-k."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.controller.sql.algebra.plans import extended, filtered, width_of, with_children
from antiphon.protocol.expression import Call, Cast, ColumnReference, Expression, Literal
from antiphon.protocol.plan import Plan, TopK, Window
from antiphon.protocol.schema import INT64

_MIRRORED = {
    "less": "greater", "less_equal": "greater_equal", "greater": "less",
    "greater_equal": "less_equal", "equal": "equal",
}  # fmt: skip


def numbers_rows(window: Window) -> bool:
    """Whether row_number() is all that it computes."""
    return [function.name for function in window.functions] == ["row_number"]


def bounded(window: Window, predicates: Sequence[Expression]) -> Plan:
    """The window's rows for which `predicates` are true.

    With an upper bound on the row number, only the first rows of each partition are kept below the
    window. If the bounds leave one number, it is a constant and the window is gone; if nobody
    reads the number, pruning removes the window.
    """
    column = width_of(window.input)
    low, high = 1, None
    rest: list[Expression] = []
    for predicate in predicates:
        bound = _bound(predicate, column)
        if bound is None:
            rest.append(predicate)
            continue
        function, value = bound
        if function in ("less", "less_equal", "equal"):
            top = value - 1 if function == "less" else value
            high = top if high is None else min(high, top)
        if function in ("greater", "greater_equal", "equal"):
            low = max(low, value + 1 if function == "greater" else value)
    if high is None:
        return filtered(window, predicates)
    count = max(high - low + 1, 0)
    top_k = TopK(
        input=window.input, group_by=window.partition_by, order_by=window.order_by,
        limit=count if low == 1 or count <= 1 else high, offset=low - 1 if count <= 1 else 0,
    )  # fmt: skip
    if count <= 1:
        only = Literal(value=low, type=INT64)
        return filtered(extended(top_k, [only]), rest)
    numbered = with_children(window, [top_k])
    if low == 1:
        return filtered(numbered, rest)
    return filtered(numbered, predicates)


def _bound(predicate: Expression, column: int) -> tuple[str, int] | None:
    """(comparison, constant) if the predicate compares the row number with a constant."""
    if not (isinstance(predicate, Call) and predicate.function in _MIRRORED):
        return None
    a, b = predicate.arguments
    function = predicate.function
    if isinstance(a, Literal):
        a, b, function = b, a, _MIRRORED[function]
    if isinstance(a, Cast):
        a = a.input
    if not (isinstance(a, ColumnReference) and a.index == column and isinstance(b, Literal)):
        return None
    return (function, b.value) if type(b.value) is int else None
