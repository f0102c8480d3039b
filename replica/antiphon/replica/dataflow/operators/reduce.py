"""Group-by: per group one row of numbers that changes add to, plus arrangements where a group's
rows must be read again. Only groups that a change touches are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.plan import Aggregate, AggregateFunction
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.batch import Rows
from antiphon.replica.dataflow.equality import equal_rows
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.group_table import GroupTable, Numbers
from antiphon.replica.dataflow.groups import Groups, group_rows
from antiphon.replica.dataflow.operators.accumulators import Accumulator, accumulator_for
from antiphon.replica.dataflow.operators.distinct import Distinct
from antiphon.replica.dataflow.operators.extremes import Extremes
from antiphon.replica.dataflow.operators.linear import error_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.zset import Diffs, Zset

_EXTREMES = (AggregateFunction.MIN, AggregateFunction.MAX)


@dataclass(frozen=True, slots=True)
class AggregateInput:
    """Where an aggregate finds its argument and its filter among the input's columns."""

    aggregate: Aggregate
    argument: int | None
    filter: int | None


@dataclass(slots=True)
class _Accumulated:
    """An accumulator, the column its numbers start at, and the distinct values it has seen."""

    accumulator: Accumulator
    source: AggregateInput
    start: int
    distinct: Distinct | None


class Reduce(Operator):
    """The input's columns are `key_count` keys, then arguments and filters.

    Without keys there is one row always, from the first step on.
    """

    def __init__(self, key_count: int, aggregates: Sequence[AggregateInput]) -> None:
        self.runs_first = key_count == 0
        self._key_count = key_count
        self._aggregates = tuple(aggregates)
        self._accumulated: dict[int, _Accumulated] = {}
        self._extremes: dict[tuple[int, int | None], Extremes] = {}
        width = 1  # the first number: how many rows the group has
        for index, source in enumerate(aggregates):
            if source.aggregate.function in _EXTREMES:
                assert source.argument is not None, "min and max have an argument"
                self._extremes[source.argument, source.filter] = Extremes(key_count)
                continue
            accumulator = accumulator_for(source.aggregate)
            if accumulator is None:
                name = source.aggregate.function.name.lower()
                raise NotServed(f"the aggregate {name} is not served", function=name)
            distinct = Distinct(once=True) if source.aggregate.distinct else None
            self._accumulated[index] = _Accumulated(accumulator, source, width, distinct)
            width += accumulator.width
        self._table = GroupTable(width)
        self._width = width
        self._pending: tuple[Rows, Groups, Numbers] | None = None

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        if change is None:
            assert self.runs_first and step.is_first, "the scheduler runs only what has input"
            return self._first_row(step)
        keys = change.columns[: self._key_count]
        groups = group_rows(keys, change.row_count)
        numbers = self._contributions(change, step)
        sums = np.add.reduceat(numbers[groups.order], groups.heads, axis=0)
        slots = self._table.locate(groups.low, groups.high)
        before = self._table.read(slots)
        after = before + sums
        for part in self._accumulated.values():
            part.accumulator.normalise(after[:, part.start : part.start + part.accumulator.width])
        self._pending = (slots, groups, after)
        results, frame = self._results(change, groups, np.concatenate([before, after]))
        return self._difference(keys, groups, before, after, results, frame, step)

    def _first_row(self, step: Step) -> Zset:
        """The row of no input at all."""
        frame = Frame((), 1)
        nothing: Numbers = np.zeros((1, self._width), np.int64)
        columns = []
        for index, source in enumerate(self._aggregates):
            if index in self._accumulated:
                columns.append(self._finished(index, nothing, frame))
            else:
                columns.append(pa.nulls(1, _arrow(source)))
        return Zset(tuple(columns), np.ones(1, np.int64))

    def _contributions(self, change: Zset, step: Step) -> Numbers:
        count = change.row_count
        counted = []
        for part in self._accumulated.values():
            diffs = self._counted(change, part.source)
            if part.distinct is not None:
                diffs = self._distinct(change, part, diffs, step)
            counted.append(diffs)
            self._make_room(change, part, diffs)
        numbers: Numbers = np.empty((count, self._width), np.int64)
        numbers[:, 0] = change.diffs
        for part, diffs in zip(self._accumulated.values(), counted, strict=True):
            own = numbers[:, part.start : part.start + part.accumulator.width]
            argument = part.source.argument
            if argument is None:
                own[:, 0] = diffs
            else:
                part.accumulator.contribute(change.columns[argument], diffs, own)
        return numbers

    def _counted(self, change: Zset, source: AggregateInput) -> Diffs:
        """The diffs, 0 where the filter is not true or the argument is null."""
        diffs = change.diffs
        if source.filter is not None:
            condition = change.columns[source.filter]
            diffs = diffs * values_of(condition)
            valid = valid_of(condition)
            diffs = diffs if valid is None else diffs * valid
        if source.argument is not None:
            valid = valid_of(change.columns[source.argument])
            diffs = diffs if valid is None else diffs * valid
        return diffs

    def _distinct(
        self, change: Zset, part: _Accumulated, diffs: Diffs, step: Step
    ) -> Diffs:
        """Instead of the diffs: +1 where a value enters its group, -1 where the last one leaves."""
        assert part.distinct is not None and part.source.argument is not None, "distinct of a value"
        keys = change.columns[: self._key_count]
        columns = (*keys, change.columns[part.source.argument])
        entered = np.zeros(change.row_count, np.int64)
        rows, moved = part.distinct.transitions(Zset(columns, diffs))
        entered[rows] = moved
        return entered

    def _make_room(self, change: Zset, part: _Accumulated, diffs: Diffs) -> None:
        """Widen the state where a sum meets bits beyond its window; numbers stay what they are."""
        if part.source.argument is None:
            return
        low, high = part.accumulator.room_for(change.columns[part.source.argument], diffs)
        if low == 0 and high == 0:
            return
        end = part.start + part.accumulator.width
        slots = len(self._table.all_numbers)
        if high:
            # The last limb carries the sign: spread it upwards, and keep 32 bits of it.
            last = self._table.all_numbers[:, end - 1]
            spread = np.repeat((last >> 32)[:, None], 1, axis=1)
            fill = np.repeat(np.where(last < 0, 0xFFFFFFFF, 0)[:, None], high - 1, axis=1)
            self._table.widen(end, _lifted(last, spread, fill, high))
            self._table.all_numbers[:, end - 1] &= 0xFFFFFFFF
        at = part.start + part.accumulator.grow(low, high)
        if low:
            self._table.widen(at, np.zeros((slots, low), np.int64))
        self._width += low + high
        for other in self._accumulated.values():
            if other.start > part.start:
                other.start += low + high

    def _results(
        self, change: Zset, groups: Groups, numbers: Numbers
    ) -> tuple[list[pa.Array], Frame]:
        """Each aggregate's column: the groups as they were, then as they are now."""
        frame = Frame((), len(numbers))
        columns: list[pa.Array | None] = [None] * len(self._aggregates)
        for index in self._accumulated:
            columns[index] = self._finished(index, numbers, frame)
        for (argument, condition), extremes in self._extremes.items():
            wanted = [
                i for i, source in enumerate(self._aggregates)
                if source.aggregate.function in _EXTREMES
                and (source.argument, source.filter) == (argument, condition)
            ]  # fmt: skip
            source = self._aggregates[wanted[0]]
            found = extremes.step(
                change.columns[: self._key_count],
                change.columns[argument],
                self._counted(change, source),
                groups,
                [self._aggregates[i].aggregate.function for i in wanted],
            )
            for i, column in zip(wanted, found, strict=True):
                columns[i] = column
        return [column for column in columns if column is not None], frame

    def _finished(self, index: int, numbers: Numbers, frame: Frame) -> pa.Array:
        part = self._accumulated[index]
        own = numbers[:, part.start : part.start + part.accumulator.width]
        return part.accumulator.finish(own, frame)

    def _difference(
        self,
        keys: Sequence[pa.Array],
        groups: Groups,
        before: Numbers,
        after: Numbers,
        results: list[pa.Array],
        frame: Frame,
        step: Step,
    ) -> Zset | None:
        count = len(groups)
        if self._key_count:
            there, stays = before[:, 0] > 0, after[:, 0] > 0
        else:
            stays = np.ones(1, np.bool_)
            there = np.zeros(1, np.bool_) if step.is_first else stays
        every = np.arange(count)
        same = equal_rows(results, every, results, every + count)
        if frame.failed is None:
            unchanged = there & stays
            unchanged = unchanged if same is None else unchanged & same
            there, stays = there & ~unchanged, stays & ~unchanged
        diffs = np.concatenate([-there.astype(np.int64), stays.astype(np.int64)])
        if frame.failed is not None:
            frame.failed = frame.failed & (diffs != 0)
            step.errors.extend(_present(error) for error in error_rows(frame, diffs))
            diffs = np.where(frame.failed, 0, diffs)
        rows = np.flatnonzero(diffs)
        if len(rows) == 0:
            return None
        key_index = array_of(groups.first_rows[rows % count], pa.int64())
        index = array_of(rows, pa.int64())
        columns = [key.take(key_index) for key in keys]
        columns += [result.take(index) for result in results]
        return Zset(tuple(columns), diffs[rows])

    def commit(self) -> None:
        if self._pending is None:
            return
        slots, groups, after = self._pending
        self._table.write(slots, groups.low, groups.high, after)
        self._pending = None
        for part in self._accumulated.values():
            if part.distinct is not None:
                part.distinct.commit()
        for extremes in self._extremes.values():
            extremes.commit()

    def maintain(self, fuel_rows: int) -> bool:
        more = self._table.maintain(fuel_rows)
        for part in self._accumulated.values():
            if part.distinct is not None:
                more |= part.distinct.maintain(fuel_rows)
        for extremes in self._extremes.values():
            more |= extremes.maintain(fuel_rows)
        return more

    def _parts(self) -> list[Distinct | Extremes]:
        distincts = [p.distinct for p in self._accumulated.values() if p.distinct is not None]
        return [*distincts, *self._extremes.values()]

    @property
    def state_rows(self) -> int:
        return self._table.group_count + sum(part.state_rows for part in self._parts())

    @property
    def state_bytes(self) -> int:
        return self._table.byte_count + sum(part.state_bytes for part in self._parts())


def _lifted(last: Rows, spread: Numbers, fill: Numbers, high: int) -> Numbers:
    """The limbs above one that held the sign: its upper half, then the sign."""
    lifted = np.concatenate([spread, fill], axis=1)
    if high > 1:  # only the topmost limb may be negative
        lifted[:, 0] &= 0xFFFFFFFF
        lifted[:, -1] = np.where(last < 0, -1, 0)
    return lifted


def _present(error: Zset) -> Zset:
    rows = np.flatnonzero(error.diffs)
    return error.take(rows)


def _arrow(source: AggregateInput) -> pa.DataType:
    return arrow_type(source.aggregate.type)
