"""From a group's numbers to what an aggregate says of them. Of which numbers that is made, and how,
is decided once, when the operator is."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.arrangements.group_table import Numbers
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame
from antiphon.replica.dataflow.expressions.vector import Mask
from antiphon.replica.dataflow.operators.reducing.accumulators import (
    SUMMED_VALUES_MAX,
    Accumulator,
)
from antiphon.replica.dataflow.operators.reducing.co_moments import Products, Side, covariance
from antiphon.replica.dataflow.operators.reducing.extremes import tracked_values
from antiphon.replica.dataflow.operators.reducing.layout import ROW_COUNT, Layout, Part, further
from antiphon.replica.dataflow.operators.reducing.moments import Powers, finished

_INT64: Final = pa.int64()
_FEW_COUNTS: Final = 96  # of which Python tells the least sooner than numpy compares them
_NONE: Final = np.array(0)  # without a dimension: a small call costs half of what it does with 0


class Result:
    """Of a sum."""

    def __init__(self, part: Part) -> None:
        assert part.accumulator is not None, "a sum has an accumulator"
        self.part = part
        self.adds_values = part.accumulator.adds_values
        self._accumulator = part.accumulator

    def column(self, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        """One value a group; a group whose result is an error fails in the frame.

        `numbers`: a row a group, one column after another in memory. `there`: where a group has
        rows, None if everywhere.
        """
        part = self.part
        valid = there if part.count == ROW_COUNT else present(numbers[:, part.count])
        if part.is_result:
            return array_of(numbers[:, part.start], _INT64, valid)
        count = numbers[:, part.count]
        return self._accumulator.finish(count, valid, numbers[:, part.stretch], frame)


class Count(Result):
    """Of a count, which the layout keeps."""

    def column(self, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        return array_of(numbers[:, self.part.count], _INT64)


class Moment(Result):
    """Of sums and sums of squares."""

    def __init__(self, part: Part, squares: Part) -> None:
        super().__init__(part)
        self._squares = squares

    def column(self, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        own, squares = self._accumulator, self._squares.accumulator
        assert isinstance(own, Powers), "a moment is made of sums"
        assert isinstance(squares, Powers), "sums and squares go together"
        count = numbers[:, self.part.count]
        of_squares = self._squares.of(numbers)
        return finished(count, own, self.part.of(numbers), squares, of_squares, frame)


class CoMoment(Result):
    """Of sums of products, and of either side's sums."""

    def __init__(self, part: Part, x: Part, y: Part) -> None:
        super().__init__(part)
        self._x, self._y = x, y

    def column(self, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        products, x, y = self._accumulator, self._x.accumulator, self._y.accumulator
        assert isinstance(products, Products), "a covariance is made of products"
        assert isinstance(x, Side), "sums and products go together"
        assert isinstance(y, Side), "sums and products go together"
        return covariance(
            self.part.source.aggregate, numbers[:, self.part.count], (x, y),
            (self._x.of(numbers), self._y.of(numbers)), products, self.part.of(numbers), frame,
        )  # fmt: skip


class Extreme:
    """Of a minimum or maximum that the numbers tell."""

    adds_values = False

    def __init__(self, part: Part) -> None:
        self.part = part

    def column(self, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        aggregate = self.part.source.aggregate
        return tracked_values(self.part.of(numbers), aggregate.function, arrow_type(aggregate.type))


def result_of(layout: Layout, index: int) -> Result | Extreme | None:
    """None: the numbers do not tell, so the group's rows are read."""
    part = layout.parts.get(index)
    if part is None:
        return None
    match part.accumulator:
        case None:
            return Extreme(part)
        case Powers():
            return Moment(part, layout.parts[further(index, 1)])
        case Products():
            x, y = (layout.parts[further(index, number)] for number in (1, 2))
            return CoMoment(part, x, y)
        case Accumulator(width=0):
            return Count(part)
        case _:
            return Result(part)


def present(counts: Numbers) -> Mask | None:
    """Where a count is not 0; None: everywhere, the common case."""
    if len(counts) <= _FEW_COUNTS and min(counts.tolist(), default=1) > 0:
        return None
    found = counts > _NONE
    return None if np.count_nonzero(found) == len(found) else found


def summable(
    numbers: Numbers, there: Mask | None, part: Part, frame: Frame
) -> tuple[Numbers, Mask | None]:
    """What sums are finished from; a group of more values than they are exact for is an error."""
    wrong = numbers[:, part.count] >= SUMMED_VALUES_MAX
    if np.count_nonzero(wrong) == 0:  # a tenth of the time that `any` takes
        return numbers, there
    name = part.source.aggregate.function.name.lower()
    message = f"{name} of {SUMMED_VALUES_MAX} values or more is not computed"
    frame.fail(wrong, OUT_OF_RANGE, message, name)
    return np.where(wrong, 0, numbers.T).T, ~wrong if there is None else there & ~wrong
