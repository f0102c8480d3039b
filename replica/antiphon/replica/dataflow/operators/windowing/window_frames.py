"""Window frames: for each row, the stretches of its partition that a function looks at."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, valid_of, values_of
from antiphon.protocol.errors import NotServed
from antiphon.protocol.expression import Interval, Literal
from antiphon.protocol.plan import Frame, FrameExclusion, FrameUnit, SortKey
from antiphon.protocol.row_hash import Words, interval_words
from antiphon.protocol.schema import TypeKind
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.columns.sort_codes import order_codes
from antiphon.replica.dataflow.expressions.times.temporal import DAY_US, shift
from antiphon.replica.dataflow.expressions.vector import arrow_scalar
from antiphon.replica.dataflow.operators.windowing.window_rows import Ordered

Stretch = tuple[Rows, Rows]  # [start, end) of each row; never end < start
_FAR: Final = 1 << 40  # rows: farther than any partition reaches
_SHORT_DIGITS: Final = 18  # a decimal's that are computed with in 64 bits
_INT64: Final = np.iinfo(np.int64)


def frame_of(frame: Frame | None, rows: Ordered, order_by: Sequence[SortKey]) -> list[Stretch]:
    """One stretch a row, or what an exclusion leaves of it. None: from the first row of the
    partition to the last peer."""
    if frame is None:
        return [(rows.starts, rows.peer_ends)]
    match frame.unit:
        case FrameUnit.ROWS:
            start, end = _by_rows(frame, rows)
        case FrameUnit.GROUPS:
            start, end = _by_peers(frame, rows)
        case _:
            start, end = _by_values(frame, rows, order_by)
    return _without(frame.exclude, (start, np.maximum(start, end)), rows)


def check_frame(frame: Frame, order_by: Sequence[SortKey], kinds: Sequence[pa.DataType]) -> None:
    """
    Raises:
        NotServed: a RANGE at a distance over an order that has no distances.
    """
    if frame.unit is not FrameUnit.RANGE or not _has_distance(frame):
        return
    kind = kinds[order_by[0].column] if len(order_by) == 1 else None
    if kind is None or not _measurable(kind):
        raise NotServed(
            f"a RANGE frame over {kind or 'several columns'} is not served", node="Window"
        )


def _has_distance(frame: Frame) -> bool:
    return frame.start not in (None, 0) or frame.end not in (None, 0)


def _measurable(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_interval(kind)
        or pa.types.is_date(kind)
        or pa.types.is_timestamp(kind)
    )


def _by_rows(frame: Frame, rows: Ordered) -> Stretch:
    start, end = rows.starts, rows.ends
    if frame.start is not None:
        start = np.clip(rows.positions + _near(frame.start), rows.starts, rows.ends)
    if frame.end is not None:
        end = np.clip(rows.positions + (_near(frame.end) + 1), rows.starts, rows.ends)
    return start, end


def _by_peers(frame: Frame, rows: Ordered) -> Stretch:
    first, last = rows.peers[rows.starts], rows.peers[rows.ends - 1] + 1
    start, end = rows.starts, rows.ends
    if frame.start is not None:
        start = rows.peer_edges[np.clip(rows.peers + _near(frame.start), first, last)]
    if frame.end is not None:
        end = rows.peer_edges[np.clip(rows.peers + (_near(frame.end) + 1), first, last)]
    return start, end


def _near(offset: int) -> int:
    return max(-_FAR, min(_FAR, offset))


def _by_values(frame: Frame, rows: Ordered, order_by: Sequence[SortKey]) -> Stretch:
    start = rows.starts if frame.start is None else rows.peer_starts
    end = rows.ends if frame.end is None else rows.peer_ends
    if not _has_distance(frame):
        return start, end
    measure = _Measure(rows, order_by[0])
    if frame.start:
        assert frame.start_distance is not None, "a bound aside is at a distance"
        start = measure.bound(frame.start, frame.start_distance, start, after=False)
    if frame.end:
        assert frame.end_distance is not None, "a bound aside is at a distance"
        end = measure.bound(frame.end, frame.end_distance, end, after=True)
    return start, end


class _Measure:
    """Distances in the order's one column. Nulls are peers of each other and near nothing else."""

    def __init__(self, rows: Ordered, key: SortKey) -> None:
        self._column = rows.columns[key.column]
        self._descending = key.descending
        valid = valid_of(self._column)
        self._valid = np.ones(rows.count, np.bool_) if valid is None else valid
        # The values that are not null lie together, before or behind the nulls.
        known = np.concatenate([[0], np.cumsum(self._valid)])
        some = known[rows.ends] - known[rows.starts]
        nulls_first = ~self._valid[rows.starts] if rows.count else self._valid
        self._starts = np.where(nulls_first, rows.ends - some, rows.starts)
        self._ends = self._starts + some
        self._wide = _wide(self._column)
        self._codes = self._directed(order_codes(_instants(self._column)))

    def bound(self, side: int, distance: Literal, of_nulls: Rows, *, after: bool) -> Rows:
        """The first row at or after the value at the distance (`after`: behind all up to it)."""
        subtract = (side < 0) != self._descending
        own, codes = self._compared(distance, subtract=subtract)
        low, high = self._starts.copy(), self._ends.copy()
        last = max(len(low) - 1, 0)
        while True:
            open_ = low < high
            if not open_.any():
                return np.where(self._valid, low, of_nulls)
            middle = (low + high) >> 1
            here = own[np.minimum(middle, last)]
            beyond = here <= codes if after else here < codes
            low = np.where(open_ & beyond, middle + 1, low)
            high = np.where(open_ & ~beyond, middle, high)

    def _compared(self, distance: Literal, *, subtract: bool) -> tuple[Words, Words]:
        """Codes of the values, and of what is at the distance of each."""
        if self._wide is None:
            moved = _moved(self._column, distance, -1 if subtract else 1)
            return self._codes, self._directed(order_codes(moved))
        move = pc.subtract if subtract else pc.add
        moved = move(self._wide, _wide_distance(distance, self._wide.type))
        # Ranks: they mean something among each other alone.
        both = order_codes(pa.concat_arrays([self._wide.cast(moved.type), moved]))
        own, codes = np.split(self._directed(both), 2)
        return own, codes

    def _directed(self, codes: Words) -> Words:
        return ~codes if self._descending else codes


def _wide(column: pa.Array) -> pa.Array | None:
    """Long decimals, and intervals in nanoseconds, as decimals that any distance can be added to;
    None of all other types."""
    kind = column.type
    if pa.types.is_interval(kind):
        valid = valid_of(column)
        days, rest = (
            array_of(part, pa.int64(), valid) for part in interval_words(values_of(column))
        )
        whole = pc.multiply(days.cast(pa.decimal128(19, 0)), pa.scalar(Decimal(DAY_US * 1000)))
        return pc.add(whole, rest.cast(pa.decimal128(19, 0))).cast(pa.decimal256(38, 0))
    if pa.types.is_decimal(kind) and kind.precision > _SHORT_DIGITS:
        return column.cast(pa.decimal256(38, kind.scale))
    return None


def _wide_distance(distance: Literal, kind: pa.DataType) -> pa.Scalar:
    """Cut after the last digit and to twice the largest value: no two values differ by a fraction
    of the former, nor by more than the latter."""
    value = distance.value
    if isinstance(value, Interval):
        days = value.months * 30 + value.days
        units = (days * DAY_US + value.microseconds) * 1000
    else:
        assert isinstance(value, int | Decimal), "a distance of exact numbers is one"
        units = min(int(Fraction(value) * 10**kind.scale), 2 * 10**kind.precision)
    return pa.scalar(
        Decimal(f"{units}E-{kind.scale}"), pa.decimal256(kind.precision + 1, kind.scale)
    )


def _instants(column: pa.Array) -> pa.Array:
    """Dates as instants: they too are moved by intervals."""
    if not pa.types.is_date(column.type):
        return column
    values = values_of(column).astype(np.int64) * DAY_US
    return array_of(values, pa.int64(), valid_of(column))


def _moved(column: pa.Array, distance: Literal, sign: int) -> pa.Array:
    """Each value less or more the distance, as a column whose order codes compare with the
    column's own; what is out of range is as far away as can be."""
    if isinstance(distance.value, Interval):
        instants = values_of(_instants(column))
        valid = valid_of(column)
        instants = instants if valid is None else np.where(valid, instants, 0)
        interval = np.broadcast_to(values_of(_array(distance)), (len(instants),))
        moved, wrong = shift(instants, interval, sign)
        moved = np.where(wrong, _INT64.max if sign > 0 else _INT64.min, moved)
        return array_of(moved, pa.int64())
    if pa.types.is_floating(column.type):
        with np.errstate(over="ignore", invalid="ignore"):
            floats = values_of(column).astype(np.float64) + sign * _float(distance)
        return array_of(floats, pa.float64())
    step = _whole(distance, column.type)
    if pa.types.is_decimal(column.type):
        raw = np.frombuffer(column.buffers()[1], np.int64, 2 * len(column), 16 * column.offset)
        values = raw[0::2]
    else:
        values = values_of(column).astype(np.int64)
    if sign > 0:
        return array_of(np.where(values > _INT64.max - step, _INT64.max, values + step), pa.int64())
    return array_of(np.where(values < _INT64.min + step, _INT64.min, values - step), pa.int64())


def _array(literal: Literal) -> pa.Array:
    return pa.array([arrow_scalar(literal.type, literal.value)])


def _float(distance: Literal) -> float:
    assert isinstance(distance.value, int | float), "a distance of floats is a number"
    return float(distance.value)


def _whole(distance: Literal, kind: pa.DataType) -> int:
    """The distance in units of the column's last digit, cut: no two values differ by a fraction."""
    value = distance.value
    assert not isinstance(value, str | bytes | tuple | Interval), "a distance is a number"
    assert value is not None, "a distance is not null"
    if distance.type.kind is TypeKind.DECIMAL or pa.types.is_decimal(kind):
        scale = kind.scale if pa.types.is_decimal(kind) else 0
        return min(int(value * 10**scale), _INT64.max)
    return int(value)


def _without(exclude: FrameExclusion, whole: Stretch, rows: Ordered) -> list[Stretch]:
    start, end = whole
    match exclude:
        case FrameExclusion.NONE:
            return [whole]
        case FrameExclusion.CURRENT_ROW:
            first, last = rows.positions, rows.positions + 1
        case FrameExclusion.GROUP | FrameExclusion.TIES:
            first, last = rows.peer_starts, rows.peer_ends
    parts = [_cut(start, np.minimum(end, first))]
    if exclude is FrameExclusion.TIES:
        here = rows.positions
        parts.append(_cut(np.maximum(start, here), np.minimum(end, here + 1)))
    parts.append(_cut(np.maximum(start, last), end))
    return parts


def _cut(start: Rows, end: Rows) -> Stretch:
    return start, np.maximum(start, end)
