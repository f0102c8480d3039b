"""Intervals that are equal and spelled otherwise, beside operators that have them for one value.

A group goes by SQL: a month and 30 days are one key. What it shows is the least by parts of the
keys that its rows have at that time, so that it depends on the rows alone. To that end the parts go
beside the rows, the grouping takes their minimum, and the key is made of that again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import values_of
from antiphon.protocol.interval_parts import from_parts, in_one_spelling, in_parts
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.operators.operator import Operator, Step


class WithParts(Operator):
    """The input's columns, then one with the parts of all intervals in some of them: rows that are
    equal with it are the same."""

    def __init__(self, columns: Sequence[int]) -> None:
        self._columns = tuple(columns)

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        parts = [in_parts(change.columns[column]) for column in self._columns]
        names = [str(column) for column in self._columns]
        beside = pa.StructArray.from_arrays(parts, names)
        return Zset((*change.columns, beside), change.diffs, is_distinct=change.is_distinct)


class Shown(Operator):
    """Groups as they are shown: `columns`, those with intervals, are made of the last column, which
    has their parts. `repeats`: the column before it says how often each group is there."""

    def __init__(self, columns: Sequence[int], *, repeats: bool = False) -> None:
        self._columns = tuple(columns)
        self._repeats = repeats

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        *columns, parts = change.columns
        for column, own in zip(self._columns, parts.flatten(), strict=True):
            columns[column] = from_parts(own, columns[column].type)
        if not self._repeats:
            return Zset(tuple(columns), change.diffs, is_distinct=change.is_distinct)
        counts = values_of(columns.pop())
        return Zset(tuple(columns), np.asarray(change.diffs * counts))


class OneSpelling(Operator):
    """Equal intervals as one, for keys that nobody is shown."""

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        change = inputs[0]
        assert change is not None, "the scheduler runs only what has input"
        columns = tuple([in_one_spelling(column) for column in change.columns])
        return Zset(columns, change.diffs)
