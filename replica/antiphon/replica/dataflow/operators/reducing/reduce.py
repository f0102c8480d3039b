"""Group-by: per group one row of numbers that changes add to, plus arrangements where a group's
rows must be read again. Only groups that a change touches are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.vector import Mask
from antiphon.replica.dataflow.operators.linear import error_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.reducing.accumulators import (
    SUMMED_VALUES_MAX,
    accumulator_for,
)
from antiphon.replica.dataflow.operators.reducing.co_moments import CO_MOMENTS, Products, Side
from antiphon.replica.dataflow.operators.reducing.distinct import Distinct
from antiphon.replica.dataflow.operators.reducing.extremes import Extremes
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
    further,
)
from antiphon.replica.dataflow.operators.reducing.moments import MOMENTS, Powers
from antiphon.replica.dataflow.operators.reducing.results import (
    Extreme,
    Result,
    present,
    result_of,
    summable,
)

_GOES_COMES = np.array([-1, 1])
_FEW_REPLACED = [np.repeat(_GOES_COMES, count) for count in range(65)]
for _diffs in _FEW_REPLACED:
    _diffs.setflags(write=False)
_EXTREMES = (AggregateFunction.MIN, AggregateFunction.MAX)


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
                for place, power in ((index, 1), (further(index, 1), 2)):
                    seen = Distinct(once=True) if source.aggregate.distinct else None
                    self._layout.add(place, source, Powers(source.aggregate, power), seen)
                continue
            if source.aggregate.function in CO_MOMENTS:
                self._layout.add(index, source, Products(source.aggregate))
                for side in (0, 1):
                    place = further(index, 1 + side)
                    self._layout.add(place, source, Side(source.aggregate, side))
                continue
            accumulator = accumulator_for(source.aggregate)
            if accumulator is None:
                name = source.aggregate.function.name.lower()
                raise NotServed(f"the aggregate {name} is not served", function=name)
            distinct = Distinct(once=True) if source.aggregate.distinct else None
            self._layout.add(index, source, accumulator, distinct)
        self._results = [result_of(self._layout, index) for index in range(len(aggregates))]
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
        there = present(numbers[:, ROW_COUNT])
        results = [
            read[index] if result is None else self._finished(result, numbers, there, frame)
            for index, result in enumerate(self._results)
        ]
        same = None
        if frame.failed is None and not self._layout.changes_all(added):
            same = same_halves(results, len(groups))
        return self._difference(keys, groups, there, same, results, frame, step)

    def _first_row(self) -> Zset:
        """The row of no input at all."""
        frame = Frame((), 1)
        nothing: Numbers = np.zeros((1, self._layout.width), np.int64)
        there = present(nothing[:, ROW_COUNT])
        columns = [
            pa.nulls(1, arrow_type(source.aggregate.type))
            if result is None
            else self._finished(result, nothing, there, frame)
            for source, result in zip(self._aggregates, self._results, strict=True)
        ]
        return Zset(tuple(columns), np.ones(1, np.int64))

    def _contributions(self, change: Zset) -> Numbers:
        """What each row of the change adds to its group's numbers: a column for each row."""
        norm = limb.norm(change.diffs)
        self._values_at_most += norm * norm + 1  # or more: for what rounding took
        # Before the first of them is written the layout has room for all.
        summands = [self._summand(change, part, norm) for part in self._layout.sums]
        rows = np.zeros((self._layout.width, change.row_count), np.int64)
        rows[ROW_COUNT] = change.diffs
        for part, diffs, values in summands:
            if part.count != ROW_COUNT:
                rows[part.count] = diffs
            if values is not None:
                assert part.accumulator is not None, "only sums contribute"
                part.accumulator.contribute(values, diffs, rows[part.stretch].T)
        return rows

    def _summand(self, change: Zset, part: Part, norm: float) -> tuple[Part, Diffs, Any]:
        """The diffs with which a sum's values count, and the values, after the layout has room for
        them; None for these: it only counts."""
        source, accumulator = part.source, part.accumulator
        diffs = self._counted(change, source)
        if part.distinct is not None:
            diffs = self._entered(change, part, part.distinct, diffs)
        if source.argument is None:
            return part, diffs, None
        column = change.columns[source.argument]
        if part.count == ROW_COUNT and column.null_count:
            self._layout.count_apart(self._table, part)
        assert accumulator is not None, "only sums read values"
        values = accumulator.read(column)
        low, high = accumulator.room_for(values, diffs, norm)
        if low or high:
            self._layout.make_room(self._table, part, low, high)
        return part, diffs, values

    def _counted(self, change: Zset, source: AggregateInput) -> Diffs:
        """The diffs, 0 where the filter is not true or the argument is null."""
        diffs = change.diffs
        if source.filter is not None:
            condition = change.columns[source.filter]
            diffs = diffs * values_of(condition)
            valid = valid_of(condition)
            diffs = diffs if valid is None else diffs * valid
        if source.argument is not None and change.columns[source.argument].null_count:
            if source.aggregate.function is AggregateFunction.ARRAY_AGG:
                return diffs  # nulls are values of an array
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

    def _finished(
        self, result: Result | Extreme, numbers: Numbers, there: Mask | None, frame: Frame
    ) -> pa.Array:
        if result.adds_values and self._values_at_most >= SUMMED_VALUES_MAX:
            numbers, there = summable(numbers, there, result.part, frame)
        return result.column(numbers, there, frame)

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


def _replaced(count: int) -> Diffs:
    """The diffs of rows that go, then of as many that take their place."""
    if count < len(_FEW_REPLACED):
        return _FEW_REPLACED[count]
    return np.repeat(_GOES_COMES, count)
