"""Rows that come and go by the clock: each is there from one time until another.

The clock of a dataflow is its logical time in whole seconds: at time t, in milliseconds, it says
`t // 1000`. So all replicas agree at every time, and what happens by itself happens at most once a
second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from antiphon.protocol.buffers import values_of
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows
from antiphon.replica.dataflow.operators.operator import Operator, Step
from antiphon.replica.dataflow.operators.reducing.calendar import Calendar, Seconds

MILLISECONDS = 1_000
MICROSECONDS = 1_000_000
ALWAYS, NEVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class TemporalFilter(Operator):
    """The first `width` columns of rows whose bounds follow: the first and the last moment, both
    timestamps and never null; the last is no longer within."""

    def __init__(self, width: int, *, has_from: bool, has_until: bool) -> None:
        self._width = width
        self._has_from = has_from
        self._has_until = has_until
        self._calendar = Calendar()
        self._next: tuple[int, Zset, Seconds] | None = None

    @property
    def next_time(self) -> int | None:
        second = self._calendar.next_second
        return None if second is None else second * MILLISECONDS

    def step(self, inputs: Sequence[Zset | None], step: Step) -> Zset | None:
        now = step.time // MILLISECONDS
        output = self._calendar.due(now)
        change = inputs[0]
        if change is None:
            # A bucket may begin with nothing in it that is due: the calendar moves on all the same.
            self._next = (now, _NOTHING, _NO_SECONDS)
            return concat_rows(output)
        first, last = self._bounds(change)
        rows = Zset(change.columns[: self._width], change.diffs)
        output.append(rows.take(np.flatnonzero((first <= now) & (now < last))))
        comes = np.flatnonzero((first > now) & (first < last))
        goes = np.flatnonzero((last > now) & (first < last) & (last != NEVER))
        later = concat_rows([rows.take(comes), rows.take(goes).negated()])
        assert later is not None, "two parts"
        self._next = (now, later, np.concatenate([first[comes], last[goes]]))
        return concat_rows(output)

    def commit(self) -> None:
        if self._next is not None:
            self._calendar.advance(*self._next)
            self._next = None

    def _bounds(self, change: Zset) -> tuple[Seconds, Seconds]:
        """The seconds at which each row comes and goes. O(rows)."""
        given = iter(change.columns[self._width :])
        count = change.row_count
        first = _ceiling(values_of(next(given))) if self._has_from else np.full(count, ALWAYS)
        last = _ceiling(values_of(next(given))) if self._has_until else np.full(count, NEVER)
        return first, last

    @property
    def state_rows(self) -> int:
        return self._calendar.row_count

    @property
    def state_bytes(self) -> int:
        return self._calendar.byte_count


_NOTHING = Zset((), np.zeros(0, np.int64))
_NO_SECONDS = np.zeros(0, np.int64)


def _ceiling(moments: npt.NDArray[np.int64]) -> Seconds:
    """Microseconds as whole seconds, rounded up."""
    return -((-moments) // MICROSECONDS)
