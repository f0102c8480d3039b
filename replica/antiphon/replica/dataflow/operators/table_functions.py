"""Functions that give any number of values for each row: of all rows at once, one after another.

A series counts how many members each row has, refuses what is too much, and computes all members
in one go. Only a step of months together with days or hours is walked, one member of every row at
a time: each member's month decides where the next one is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, fixed_width, values_of
from antiphon.protocol.limits import SERIES_ROWS_MAX
from antiphon.protocol.plan import TableFunction
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.times.temporal import DAY_US, parts_of, shift
from antiphon.replica.dataflow.expressions.vector import Mask, Vector, both_valid

Numbers = npt.NDArray[np.int64]
_WALKED_ROWS_MAX: Final = 10_000  # of a series that is walked: each member costs a round
_DAYS_OF_MONTH: Final = 30  # as intervals are compared


@dataclass(frozen=True, slots=True)
class Spread:
    """How many values each row has, and all values, in the order of the rows."""

    counts: Numbers
    values: pa.Array


def _unnest(frame: Frame, function: TableFunction, arguments: list[Vector]) -> Spread:
    """The members of a list; none of one that is null."""
    lists = arguments[0].array
    counts = values_of(pc.fill_null(pc.list_value_length(lists), 0)).astype(np.int64)
    return Spread(counts, lists.flatten().cast(arrow_type(function.type)))


def _series(frame: Frame, function: TableFunction, arguments: list[Vector]) -> Spread:
    """From the first to the last, which belongs to it if a step falls on it; none where one of
    these is null. Of timestamps the step is an interval."""
    alive = np.ones(frame.count, np.bool_)
    valid = both_valid(*arguments)
    if valid is not None:
        alive &= valid
    if frame.failed is not None:
        alive &= ~frame.failed
    first, last = (side.values.astype(np.int64) for side in arguments[:2])
    if function.type.is_integer:
        step = np.ones(frame.count, np.int64)
        if len(arguments) == 3:
            step = arguments[2].values.astype(np.int64)
        alive &= ~_failed(frame, alive & (step == 0), _NO_STEP)
        spread = _even(frame, alive, first, last, step)
    else:
        spread = _of_instants(frame, alive, first, last, arguments[2].values)
    kind = arrow_type(function.type)
    dtype = fixed_width(kind)
    return Spread(spread[0], array_of(spread[1].astype(dtype), kind))


_NO_STEP: Final = ("invalid_parameter_value", "step size cannot equal zero")
_TOO_MANY: Final = (
    "program_limit_exceeded", f"generate_series gives more than {SERIES_ROWS_MAX} rows",
)  # fmt: skip
_TOO_FAR: Final = (
    "program_limit_exceeded",
    f"generate_series by months and days gives more than {_WALKED_ROWS_MAX} rows",
)


def _failed(frame: Frame, rows: Mask, error: tuple[str, str]) -> Mask:
    """The rows, which fail."""
    code, message = error
    frame.fail(rows, code, message, "generate_series")
    return rows


_Members = tuple[Numbers, Numbers]  # how many of each row; all of them


def _even(frame: Frame, alive: Mask, first: Numbers, last: Numbers, step: Numbers) -> _Members:
    """Members a fixed distance apart. Differences of 64 bits are taken without their sign."""
    rises = step > 0
    alive = alive & np.where(rises, first <= last, first >= last) & (step != 0)
    with np.errstate(over="ignore"):
        span = np.where(rises, last - first, first - last).view(np.uint64)
        width = np.where(alive, np.abs(step), 1).view(np.uint64)
    counts = np.minimum(span // width, np.uint64(SERIES_ROWS_MAX)).astype(np.int64) + 1
    alive &= ~_failed(frame, alive & (counts > SERIES_ROWS_MAX), _TOO_MANY)
    counts = np.where(alive, counts, 0)
    rows, places = _spread(counts)
    return counts, first[rows] + places * step[rows]


def _of_instants(
    frame: Frame, alive: Mask, first: Numbers, last: Numbers, steps: npt.NDArray[Any]
) -> _Members:
    months, days, microseconds = parts_of(steps)
    fixed = days * DAY_US + microseconds
    length = months * (_DAYS_OF_MONTH * DAY_US) + fixed
    alive = alive & ~_failed(frame, alive & (length == 0), _NO_STEP)
    by_months = months != 0
    if not (alive & by_months).any():
        return _even(frame, alive, first, last, fixed)
    walked = by_months & (fixed != 0)
    return _merged(
        [
            _even(frame, alive & ~by_months, first, last, fixed),
            _monthly(frame, alive & by_months & ~walked, first, last, months),
            _walk(frame, alive & walked, first, last, steps, length > 0),
        ]
    )


def _monthly(frame: Frame, alive: Mask, first: Numbers, last: Numbers, months: Numbers) -> _Members:
    """Members whole months apart. A month that is too short cuts the day for all that follow."""
    day, time = np.divmod(first, DAY_US)
    begin = day.astype("datetime64[D]").astype("datetime64[M]")
    end = (last // DAY_US).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    month = begin.astype(np.int64)
    step = np.where(months == 0, 1, months)
    most = (end - month) // step + 1
    alive = alive & (most > 0) & np.where(step > 0, first <= last, first >= last)
    alive &= ~_failed(frame, alive & (most > SERIES_ROWS_MAX + 1), _TOO_MANY)
    rows, places = _spread(np.where(alive, most, 0))
    there = (month[rows] + places * step[rows]).astype("datetime64[M]")
    starts = there.astype("datetime64[D]").astype(np.int64)
    following = (there + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64)
    number = (day - begin.astype("datetime64[D]").astype(np.int64))[rows]  # of the day, from 0
    for days in (30, 29, 28):
        number = np.where(
            _seen_before(following - starts <= days, rows, places), np.minimum(number, days - 1),
            number,
        )  # fmt: skip
    members = (starts + number) * DAY_US + time[rows]
    within = np.where(step[rows] > 0, members <= last[rows], members >= last[rows])
    counts = np.bincount(rows[within], minlength=frame.count).astype(np.int64)
    gone = _failed(frame, counts > SERIES_ROWS_MAX, _TOO_MANY)
    within &= ~gone[rows]
    return np.where(gone, 0, counts), members[within]


def _seen_before(there: Mask, rows: Numbers, places: Numbers) -> Mask:
    """Whether it is there at a member or at one before it, of the same row."""
    total = np.cumsum(there)
    before: Numbers = total - there
    seen: Mask = total > before[np.arange(len(rows)) - places]
    return seen


def _walk(
    frame: Frame,
    alive: Mask,
    first: Numbers,
    last: Numbers,
    steps: npt.NDArray[Any],
    rises: Mask,
) -> _Members:
    current = np.flatnonzero(alive)
    at = first[current]
    found: list[tuple[Numbers, Numbers]] = []
    while True:
        within = np.where(rises[current], at <= last[current], at >= last[current])
        current, at = current[within], at[within]
        if len(current) == 0 or len(found) == _WALKED_ROWS_MAX:
            break
        found.append((current, at))
        at, wrong = shift(at, steps[current], 1)
        current, at = current[~wrong], at[~wrong]
    gone = np.zeros(frame.count, np.bool_)
    gone[current] = True
    _failed(frame, gone, _TOO_FAR)
    rows = np.concatenate([rows for rows, _ in found] or [_NONE])
    members = np.concatenate([members for _, members in found] or [_NONE])
    kept = ~gone[rows]
    order = np.argsort(rows[kept], kind="stable")
    counts = np.bincount(rows[kept], minlength=frame.count).astype(np.int64)
    return counts, members[kept][order]


_NONE: Final = np.zeros(0, np.int64)


def _merged(parts: list[_Members]) -> _Members:
    """Of parts that have different rows, all rows in order."""
    owners = [np.repeat(np.arange(len(counts)), counts) for counts, _ in parts]
    order = np.argsort(np.concatenate(owners), kind="stable")
    counts = np.sum([counts for counts, _ in parts], axis=0)
    return counts, np.concatenate([members for _, members in parts])[order]


def _spread(counts: Numbers) -> tuple[Numbers, Numbers]:
    """Of every member: its row, and its place among the members of that row, from 0."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


FUNCTIONS: Final[dict[str, Callable[[Frame, TableFunction, list[Vector]], Spread]]] = {
    "unnest": _unnest,
    "generate_series": _series,
}
