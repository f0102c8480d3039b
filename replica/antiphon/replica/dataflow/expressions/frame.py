"""Where an expression is evaluated: the columns, which rows count, and what went wrong in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.expression import Call, ColumnReference
from antiphon.protocol.schema import Type
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

OUT_OF_RANGE: Final = "numeric_value_out_of_range"
DIVISION_BY_ZERO: Final = "division_by_zero"


@dataclass(frozen=True, slots=True)
class RowErrors:
    """The first error of some rows. `messages`: one for all, or one for each of all rows."""

    rows: Mask
    code: str
    messages: str | pa.Array
    expression: str


class Frame:
    """A batch of rows under evaluation.

    A guarded error must not fire: `case when b <> 0 then a / b end`. So branches are evaluated for
    all rows, but only rows that are `active` at that point can fail.
    """

    def __init__(self, columns: Sequence[pa.Array], count: int) -> None:
        self.columns = columns
        self.count = count
        self.active: Mask | None = None  # None: all rows
        self.failed: Mask | None = None  # None: no row
        self.errors: list[RowErrors] = []
        self._depth = 0

    @property
    def is_guarded(self) -> bool:
        """Inside a branch: what is computed here was checked for this branch's rows only."""
        return self._depth > 0

    @contextmanager
    def only(self, rows: Mask) -> Iterator[None]:
        """Within, only these rows of the active ones can fail."""
        before = self.active
        self.active = rows if before is None else before & rows
        self._depth += 1
        try:
            yield
        finally:
            self.active = before
            self._depth -= 1

    def vector(self, reference: ColumnReference) -> Vector:
        """A column's values; a subclass may compute some when they are first asked for."""
        return Vector.of_array(reference.type, self.columns[reference.index])

    def fail(self, rows: Mask, code: str, messages: str | pa.Array, expression: str) -> None:
        """Rows that are active and have not failed yet fail now."""
        if not rows.any():
            return
        if self.active is not None:
            rows = rows & self.active
        if self.failed is not None:
            rows = rows & ~self.failed
        if not rows.any():
            return
        self.errors.append(RowErrors(rows, code, messages, expression))
        self.failed = rows if self.failed is None else self.failed | rows


def everywhere(count: int) -> Mask:
    return np.ones(count, np.bool_)


def fail_valid(
    frame: Frame, call: Call, rows: Mask, valid: Mask | None, code: str, message: str
) -> None:
    """Fail those of `rows` in which no argument is null."""
    frame.fail(rows if valid is None else rows & valid, code, message, call.function)


def fail_zero(frame: Frame, call: Call, rows: Mask, valid: Mask | None) -> None:
    fail_valid(frame, call, rows, valid, DIVISION_BY_ZERO, "division by zero")


def out_of_range(kind: Type) -> str:
    return f"{kind} out of range"
