"""Group-by: per group one row of numbers that changes add to, plus arrangements where a group's
rows must be read again. Only groups that a change touches are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import valid_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.plan import AggregateFunction
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.arrangements.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.columns import limbs as limb
from antiphon.replica.dataflow.columns.equality import same_halves
from antiphon.replica.dataflow.columns.gather import Rows, taken_rows, twice_over
from antiphon.replica.dataflow.columns.groups import Groups, group_rows
from antiphon.replica.dataflow.columns.sort_codes import has_global_codes
from antiphon.replica.dataflow.columns.zset import Diffs, Zset
from antiphon.replica.dataflow.expressions.frame import OUT_OF_RANGE, Frame
from antiphon.replica.dataflow.expressions.vector import Mask
from antiphon.replica.dataflow.operators.linear import error_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.reducing.accumulators import (
    SUMMED_VALUES_MAX,
    accumulator_for,
)
from antiphon.replica.dataflow.operators.reducing.co_moments import (
    CO_MOMENTS,
    Products,
    Side,
    covariance,
)
from antiphon.replica.dataflow.operators.reducing.distinct import Distinct
from antiphon.replica.dataflow.operators.reducing.extremes import Extremes, tracked_values
from antiphon.replica.dataflow.operators.reducing.gathered import (
    GATHERED,
    Gathered,
    Gathering,
    gathering_of,
)
from antiphon.replica.dataflow.operators.reducing.layout import (
    ROW_COUNT,
    AggregateInput,
    Layout,
    Part,
)
from antiphon.replica.dataflow.operators.reducing.moments import MOMENTS, Powers, finished

_GOES_COMES = np.array([-1, 1])
_FEW_REPLACED = [np.repeat(_GOES_COMES, count) for count in range(65)]
for _diffs in _FEW_REPLACED:
    _diffs.setflags(write=False)
_EXTREMES = (AggregateFunction.MIN, AggregateFunction.MAX)
_NONE: Final = np.array(0)  # without a dimension: a small call costs half of what it does with 0


class Reduce(Operator):
    """The input's columns `keys` are the key; the aggregates say where their arguments are.

    Without keys there is one row always, from the first step on.
    """

    def __init__(self, keys: Sequence[int], aggregates: Sequence[AggregateInput]) -> None:
        self.runs_first = not keys
        self._keys = tuple(keys)
        self._aggregates = tuple(aggregates)
        self._layout = Layout()
        # By argument and filter: min and max of one column share its values.
        self._extremes: dict[tuple[int, int | None], Extremes] = {}
        # By what they gather: aggregates that need the rows of their group again.
        self._gathered: dict[Gathering, Gathered] = {}
        for index, source in enumerate(aggregates):
            if source.aggregate.function in GATHERED:
                self._gathered[gathering_of(source)] = Gathered(len(keys))
                continue
            if source.aggregate.function in _EXTREMES:
                assert source.argument is not None, "min and max have an argument"
                self._extremes[source.argument, source.filter] = Extremes(len(keys))
                if has_global_codes(arrow_type(source.aggregate.type)):
                    self._layout.add(index, source)
                continue
            if source.aggregate.function in MOMENTS:
                for place, power in ((index, 1), (_other(index, 1), 2)):
                    seen = Distinct(once=True) if source.aggregate.distinct else None
                    self._layout.add(place, source, Powers(source.aggregate, power), seen)
                continue
            if source.aggregate.function in CO_MOMENTS:
                self._layout.add(index, source, Products(source.aggregate))
                for side in (0, 1):
                    place = _other(index, 1 + side)
                    self._layout.add(place, source, Side(source.aggregate, side))
                continue
            accumulator = accumulator_for(source.aggregate)
            if accumulator is None:
                name = source.aggregate.function.name.lower()
                raise NotServed(f"the aggregate {name} is not served", function=name)
            distinct = Distinct(once=True) if source.aggregate.distinct else None
            self._layout.add(index, source, accumulator, distinct)
        self._table = GroupTable(self._layout.width)
        self._values_at_most = 0.0  # that any group can have, by all changes so far
        distincts = [part.distinct for part in self._layout.parts.values()]
        self._parts: tuple[Distinct | Extremes | Gathered, ...] = (
            *[distinct for distinct in distincts if distinct is not None],
            *self._extremes.values(),
            *self._gathered.values(),
        )
        self._pending: tuple[Rows, Groups, Numbers] | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        if change is None:
            assert self.runs_first, "the scheduler runs only what has input"
            assert step.is_first, "without input only the first step has output"
            return self._first_row()
        keys = [change.columns[i] for i in self._keys]
        groups = group_rows(keys, change.row_count)
        added = groups.sums(self._contributions(change))
        slots, stored = self._table.look_up(groups.low, groups.high)
        # One column of numbers after another: what follows goes by column.
        before = stored.T.copy()
        sums = before + added
        after = sums.T
        for part in self._layout.carrying:
            assert part.accumulator is not None, "it has something to carry"
            part.accumulator.normalise(part.of(after))
        read = self._follow_extremes(change, groups, after) if self._extremes else {}
        if self._gathered:
            self._gather(change, groups, read)
        self._pending = (slots, groups, after)
        numbers = np.concatenate((before, sums), axis=1).T
        frame = Frame((), len(numbers))
        there = _present(numbers, ROW_COUNT)
        results = [
            read[index] if index in read else self._finished(index, numbers, there, frame)
            for index in range(len(self._aggregates))
        ]
        same = None
        if frame.failed is None and not self._layout.changes_all(added):
            same = same_halves(results, len(groups))
        return self._difference(keys, groups, there, same, results, frame, step)

    def _first_row(self) -> Zset:
        """The row of no input at all."""
        frame = Frame((), 1)
        nothing: Numbers = np.zeros((1, self._layout.width), np.int64)
        columns = []
        for index, source in enumerate(self._aggregates):
            if index in self._layout.parts:
                there = _present(nothing, ROW_COUNT)
                columns.append(self._finished(index, nothing, there, frame))
            else:
                columns.append(pa.nulls(1, arrow_type(source.aggregate.type)))
        return Zset(tuple(columns), np.ones(1, np.int64))

    def _contributions(self, change: Zset) -> Numbers:
        """What each row of the change adds to its group's numbers: a column for each row."""
        squares = limb.squares(change.diffs)
        self._values_at_most += squares
        summed: list[tuple[Part, Any, Diffs]] = []
        for part in self._layout.sums:
            diffs = self._counted(change, part.source)
            if part.distinct is not None:
                diffs = self._entered(change, part, part.distinct, diffs)
            values = self._read(change, part, diffs, squares)
            summed.append((part, values, diffs))
        rows = np.zeros((self._layout.width, change.row_count), np.int64)
        rows[0] = change.diffs
        numbers: Numbers = rows.T
        for part, values, diffs in summed:
            if part.count != ROW_COUNT:
                rows[part.count] = diffs
            if values is not None:
                assert part.accumulator is not None, "only sums contribute"
                part.accumulator.contribute(values, diffs, part.of(numbers))
        return rows

    def _read(self, change: Zset, part: Part, diffs: Diffs, squares: float) -> Any:
        """A sum's values, after the layout has room for them; None: it only counts."""
        if part.source.argument is None:
            return None
        column, accumulator = change.columns[part.source.argument], part.accumulator
        assert accumulator is not None, "only sums read values"
        if part.count == ROW_COUNT and column.null_count:
            self._layout.count_apart(self._table, part)
        values = accumulator.read(column)
        low, high = accumulator.room_for(values, diffs, squares)
        if low or high:
            self._layout.make_room(self._table, part, low, high)
        return values

    def _counted(self, change: Zset, source: AggregateInput) -> Diffs:
        """The diffs, 0 where the filter is not true or the argument is null."""
        diffs = change.diffs
        if source.filter is not None:
            condition = change.columns[source.filter]
            diffs = diffs * values_of(condition)
            valid = valid_of(condition)
            diffs = diffs if valid is None else diffs * valid
        if source.aggregate.function is AggregateFunction.ARRAY_AGG:
            return diffs  # nulls are values of an array
        if source.argument is not None and change.columns[source.argument].null_count:
            valid = valid_of(change.columns[source.argument])
            diffs = diffs if valid is None else diffs * valid
        return diffs

    def _entered(self, change: Zset, part: Part, distinct: Distinct, diffs: Diffs) -> Diffs:
        """Instead of the diffs: +1 where a value enters its group, -1 where the last one leaves."""
        assert part.source.argument is not None, "distinct values of an argument"
        columns = (*(change.columns[i] for i in self._keys), change.columns[part.source.argument])
        rows, moved = distinct.transitions(Zset(columns, diffs))
        entered = np.zeros(change.row_count, np.int64)
        entered[rows] = moved
        return entered

    def _follow_extremes(self, change: Zset, groups: Groups, after: Numbers) -> dict[int, pa.Array]:
        """Update tracked extremes in `after`; returns the others' columns, before and after."""
        keys = [change.columns[i] for i in self._keys]
        found: dict[int, pa.Array] = {}
        for place, extremes in self._extremes.items():
            wanted = [
                index
                for index, source in enumerate(self._aggregates)
                if source.aggregate.function in _EXTREMES
                and (source.argument, source.filter) == place
            ]
            functions = [self._aggregates[index].aggregate.function for index in wanted]
            diffs = self._counted(change, self._aggregates[wanted[0]])
            column = change.columns[place[0]]
            if wanted[0] in self._layout.parts:
                own = [self._layout.parts[index].of(after) for index in wanted]
                tracked = list(zip(functions, own, strict=True))
                extremes.track(keys, column, diffs, groups, tracked)
            else:
                columns = extremes.read(keys, column, diffs, groups, functions)
                found.update(zip(wanted, columns, strict=True))
        return found

    def _gather(self, change: Zset, groups: Groups, found: dict[int, pa.Array]) -> None:
        """Add the columns, before and after, of aggregates that read their groups again."""
        keys = [change.columns[i] for i in self._keys]
        for place, gathered in self._gathered.items():
            wanted = [
                index
                for index, source in enumerate(self._aggregates)
                if source.aggregate.function in GATHERED and gathering_of(source) == place
            ]
            diffs = self._counted(change, self._aggregates[wanted[0]])
            values = [change.columns[i] for i in place.columns]
            aggregates = [self._aggregates[index].aggregate for index in wanted]
            columns = gathered.read(keys, values, diffs, groups, place, aggregates)
            found.update(zip(wanted, columns, strict=True))

    def _finished(self, index: int, numbers: Numbers, there: Mask | None, frame: Frame) -> pa.Array:
        part = self._layout.parts[index]
        adds_values = part.accumulator is not None and part.accumulator.adds_values
        if adds_values and self._values_at_most >= SUMMED_VALUES_MAX:
            numbers, there = _summable(numbers, there, part, frame)
        count = numbers[:, part.count]
        if isinstance(part.accumulator, Powers):
            other = self._layout.parts[_other(index, 1)]
            assert isinstance(other.accumulator, Powers), "sums and squares go together"
            own, squares = part.of(numbers), other.of(numbers)
            return finished(count, part.accumulator, own, other.accumulator, squares, frame)
        if isinstance(part.accumulator, Products):
            return self._covariance(index, part.accumulator, count, numbers, frame)
        if part.accumulator is not None:
            valid = there if part.count == ROW_COUNT else _present(numbers, part.count)
            return part.accumulator.finish(count, valid, part.of(numbers), frame)
        aggregate = part.source.aggregate
        return tracked_values(part.of(numbers), aggregate.function, arrow_type(aggregate.type))

    def _covariance(
        self, index: int, products: Products, count: Numbers, numbers: Numbers, frame: Frame
    ) -> pa.Array:
        part = self._layout.parts[index]
        x, y = (self._layout.parts[_other(index, number)] for number in (1, 2))
        assert isinstance(x.accumulator, Side), "sums and products go together"
        assert isinstance(y.accumulator, Side), "sums and products go together"
        return covariance(
            part.source.aggregate, count, (x.accumulator, y.accumulator),
            (x.of(numbers), y.of(numbers)), products, part.of(numbers), frame,
        )  # fmt: skip

    def _difference(
        self,
        keys: Sequence[pa.Array],
        groups: Groups,
        present: Mask | None,
        same: Mask | None,
        results: list[pa.Array],
        frame: Frame,
        step: Step,
    ) -> Zset | None:
        """The groups' rows as they were, negative, and as they are; errors in place of rows."""
        count = len(groups)
        replaces = present is None if keys else not step.is_first
        if replaces and same is None and frame.failed is None:
            # Every group was there and is different now, as in most small changes.
            if groups.singles:
                twice = tuple([twice_over(key) for key in keys])
            else:
                first = groups.first_rows
                twice = taken_rows(keys, np.concatenate((first, first)))
            return Zset((*twice, *results), _replaced(count), is_distinct=True)
        if not keys:  # its one row is there from the first step on
            there, stays = np.array([not step.is_first]), np.ones(1, np.bool_)
        elif present is None:
            there = stays = np.ones(count, np.bool_)
        else:
            there, stays = present[:count], present[count:]
        if same is not None:
            unchanged = there & stays & same
            there, stays = there & ~unchanged, stays & ~unchanged
        diffs = np.concatenate([-there.astype(np.int64), stays.astype(np.int64)])
        if frame.failed is not None:
            for error in error_rows(frame, diffs):
                step.errors.append(error.take(np.flatnonzero(error.diffs)))
            diffs = np.where(frame.failed, 0, diffs)
        rows = np.flatnonzero(diffs)
        if len(rows) == 0:
            return None
        columns = (*taken_rows(keys, groups.first_rows[rows % count]), *taken_rows(results, rows))
        return Zset(columns, diffs[rows], is_distinct=frame.failed is None)

    def commit(self) -> None:
        if self._pending is None:
            return
        slots, groups, after = self._pending
        self._table.write(slots, groups.low, groups.high, after)
        self._pending = None
        for part in self._parts:
            part.commit()

    def maintain(self, fuel_rows: int) -> bool:
        more = self._table.maintain(fuel_rows)
        for part in self._parts:
            more |= part.maintain(fuel_rows)
        return more

    @property
    def state_rows(self) -> int:
        return self._table.group_count + sum(part.state_rows for part in self._parts)

    @property
    def state_bytes(self) -> int:
        return self._table.byte_count + sum(part.state_bytes for part in self._parts)


def _summable(
    numbers: Numbers, there: Mask | None, part: Part, frame: Frame
) -> tuple[Numbers, Mask | None]:
    """What sums are finished from; a group of more values than they are exact for is an error."""
    wrong = numbers[:, part.count] >= SUMMED_VALUES_MAX
    if np.count_nonzero(wrong) == 0:  # a tenth of the time that `any` takes
        return numbers, there
    name = part.source.aggregate.function.name.lower()
    message = f"{name} of {SUMMED_VALUES_MAX} values or more is not computed"
    frame.fail(wrong, OUT_OF_RANGE, message, name)
    return np.where(wrong[:, None], 0, numbers), ~wrong if there is None else there & ~wrong


def _present(numbers: Numbers, count: int) -> Mask | None:
    """Where a count is not 0; None: everywhere, the common case."""
    present = numbers[:, count] > _NONE
    return None if np.count_nonzero(present) == len(present) else present


def _other(index: int, number: int) -> int:
    """Where the layout has the second (1) and third (2) sum that an aggregate is made of."""
    return -2 * index - number


def _replaced(count: int) -> Diffs:
    """The diffs of rows that go, then of as many that take their place."""
    if count < len(_FEW_REPLACED):
        return _FEW_REPLACED[count]
    return np.repeat(_GOES_COMES, count)
