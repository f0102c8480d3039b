"""Where each aggregate keeps its numbers in a group's row, even when one needs more room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from antiphon.protocol.plan import Aggregate, SortKey
from antiphon.replica.dataflow.arrangements.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.operators.reducing.accumulators import Accumulator
from antiphon.replica.dataflow.operators.reducing.distinct import Distinct
from antiphon.replica.dataflow.operators.reducing.extremes import TRACKED_WIDTH

ROW_COUNT: Final = 0  # the column that has how many rows a group has


@dataclass(frozen=True, slots=True)
class AggregateInput:
    """Where an aggregate finds its argument and its filter among the input's columns."""

    aggregate: Aggregate
    argument: int | None
    filter: int | None
    order_by: tuple[SortKey, ...] = ()  # of the aggregate, by the input's columns


@dataclass(slots=True, eq=False)
class Part:
    """An aggregate's stretch of the numbers: an accumulator's, or a tracked extreme's.

    `count` is where the number of its values stands: with the group's rows while all of them
    count, in front of the stretch from the first null, filter or distinct value on.
    """

    source: AggregateInput
    start: int
    count: int = ROW_COUNT
    accumulator: Accumulator | None = None
    distinct: Distinct | None = None  # the values seen, if each counts once
    # Set when the layout settles: its columns, and whether the first is the result as it stands.
    stretch: slice = field(init=False)
    is_result: bool = field(init=False)

    @property
    def carries(self) -> bool:
        """Whether sums of its numbers must be normalised: a single one has nothing to carry."""
        own = self.accumulator
        normalises = own is not None and type(own).normalise is not Accumulator.normalise
        return normalises and self.width > 1

    @property
    def told_by(self) -> int | None:
        """The one number that the result says, if it says no more."""
        own = self.accumulator
        if own is None or not own.is_one_number:
            return None
        return self.start if own.width else self.count

    @property
    def width(self) -> int:
        return TRACKED_WIDTH if self.accumulator is None else self.accumulator.width

    def of(self, numbers: Numbers) -> Numbers:
        """This part's columns, a view."""
        return numbers[:, self.stretch]


class Layout:
    """The first number of a row is how many rows the group has; the parts follow.

    It seldom changes. All that a tick wants to know of it is written down when it does.
    """

    def __init__(self) -> None:
        self.parts: dict[int, Part] = {}  # by the aggregate's index
        self.sums: list[Part] = []  # those that changes add to, but for the count of rows
        self.carrying: list[Part] = []
        self.width = 1
        # Numbers each of which is some aggregate's result: where one differs, so does that.
        self._telling: list[int] = []

    def add(
        self,
        index: int,
        source: AggregateInput,
        accumulator: Accumulator | None = None,
        distinct: Distinct | None = None,
    ) -> None:
        part = Part(source, self.width, ROW_COUNT, accumulator, distinct)
        self.parts[index] = part
        if accumulator is not None:
            if source.filter is not None or distinct is not None:
                part.count = part.start
                part.start += 1
            if source.filter is not None or source.argument is not None:
                self.sums.append(part)  # any other is the count of rows itself
        self.width = part.start + part.width
        self._settle()

    def count_apart(self, table: GroupTable, part: Part) -> None:
        """Widen the state where a sum meets its first null."""
        at = part.start
        table.widen(at, table.all_numbers[:, ROW_COUNT : ROW_COUNT + 1])
        self._shift(part, at, 1)
        part.count, part.start = at, at + 1
        self._settle()

    def make_room(self, table: GroupTable, part: Part, low: int, high: int) -> None:
        """Widen the state by what a sum has no `room_for`; numbers stay what they are."""
        accumulator = part.accumulator
        assert accumulator is not None, "extremes have a fixed width"
        if high:
            end = part.start + part.width
            _lift(table, end, high)
            self._shift(part, end, high)
        at = part.start + accumulator.grow(low, high)
        if low:
            table.widen(at, np.zeros((len(table.all_numbers), low), np.int64))
            self._shift(part, at, low)
        self._settle()

    def changes_all(self, added: Numbers) -> bool:
        """Whether some result becomes another in every group by what is added, a row of numbers
        for each column. Other results need not be compared then."""
        for place in self._telling:
            number = added[place]
            if np.count_nonzero(number) == len(number):
                return True
        return False

    def _settle(self) -> None:
        """Write down what follows from where the parts stand and how wide they are."""
        parts = self.parts.values()
        for part in parts:
            part.stretch = slice(part.start, part.start + part.width)
            part.is_result = part.accumulator is not None and part.accumulator.is_the_number
        self.carrying = [part for part in parts if part.carries]
        self._telling = [told for part in parts if (told := part.told_by) is not None]

    def _shift(self, grown: Part, at: int, columns: int) -> None:
        """Columns were inserted at `at` for a part: those of the others from there on move."""
        self.width += columns
        for other in self.parts.values():
            if other is not grown and other.start >= at:
                other.start += columns
            if other is not grown and other.count >= at:
                other.count += columns


def further(index: int, number: int) -> int:
    """Where the layout has the second (1) and third (2) sum that an aggregate is made of."""
    return -2 * index - number


def _lift(table: GroupTable, end: int, high: int) -> None:
    """Put `high` limbs above the last one, which carries the sign: spread it upwards."""
    last = table.all_numbers[:, end - 1]
    lifted: Numbers = np.empty((len(last), high), np.int64)
    lifted[:, 1:] = np.where(last < 0, 0xFFFFFFFF, 0)[:, None]
    lifted[:, 0] = last >> 32
    if high > 1:  # only the topmost limb may be negative
        lifted[:, 0] &= 0xFFFFFFFF
        lifted[:, -1] = np.where(last < 0, -1, 0)
    table.widen(end, lifted)
    table.all_numbers[:, end - 1] &= 0xFFFFFFFF
