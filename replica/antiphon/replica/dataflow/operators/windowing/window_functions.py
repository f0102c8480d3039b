"""What window functions compute, for all rows of some partitions at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.buffers import array_of, valid_of, values_of
from antiphon.protocol.plan import SortKey, WindowFunction
from antiphon.protocol.schema import arrow_type
from antiphon.replica.dataflow.columns.gather import Rows, taken
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.operators.windowing.window_aggregates import (
    aggregate_over,
    check_aggregate,
)
from antiphon.replica.dataflow.operators.windowing.window_frames import Stretch, frame_of
from antiphon.replica.dataflow.operators.windowing.window_rows import Mask, Ordered

NOT_POSITIVE: Final = "invalid_argument"


@dataclass(frozen=True, slots=True)
class WindowCall:
    """A function, and where its arguments and its filter stand among the rows' columns."""

    function: WindowFunction
    arguments: tuple[int, ...]
    filter: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One function over one version of the rows."""

    rows: Ordered
    function: WindowFunction
    arguments: tuple[pa.Array, ...]
    frame: list[Stretch]
    errors: Frame


def check_call(call: WindowCall) -> None:
    """
    Raises:
        NotServed: a function that is not evaluated.
    """
    if call.function.name not in _KERNELS:
        check_aggregate(call.function)


def computed(
    call: WindowCall, rows: Ordered, order_by: Sequence[SortKey], errors: Frame
) -> pa.Array:
    """The function's column; rows in which it fails fail in `errors`."""
    function = call.function
    arguments = tuple(rows.columns[index] for index in call.arguments)
    kernel = _KERNELS.get(function.name)
    if kernel is not None and function.name not in _FRAMED:
        return kernel(Call(rows, function, arguments, [], errors))
    frame = frame_of(function.frame, rows, order_by)
    if kernel is not None:
        return kernel(Call(rows, function, arguments, frame, errors))
    condition = None if call.filter is None else rows.columns[call.filter]
    return aggregate_over(function, arguments, condition, frame, rows, errors)


# Ranks.


def _integers(call: Call, values: Rows) -> pa.Array:
    kind = arrow_type(call.function.type)
    width = np.int32 if pa.types.is_int32(kind) else np.int64
    return array_of(np.ascontiguousarray(values.astype(width)), kind)


def _row_number(call: Call) -> pa.Array:
    return _integers(call, call.rows.positions - call.rows.starts + 1)


def _rank(call: Call) -> pa.Array:
    return _integers(call, call.rows.peer_starts - call.rows.starts + 1)


def _dense_rank(call: Call) -> pa.Array:
    rows = call.rows
    return _integers(call, rows.peers - rows.peers[rows.starts] + 1)


def _percent_rank(call: Call) -> pa.Array:
    rows = call.rows
    others = np.maximum(rows.ends - rows.starts - 1, 1)
    return array_of((rows.peer_starts - rows.starts) / others, pa.float64())


def _cume_dist(call: Call) -> pa.Array:
    rows = call.rows
    return array_of((rows.peer_ends - rows.starts) / (rows.ends - rows.starts), pa.float64())


def _ntile(call: Call) -> pa.Array:
    rows, (column,) = call.rows, call.arguments
    buckets = values_of(column).astype(np.int64)
    valid = valid_of(column)
    wrong = buckets <= 0
    wrong = wrong if valid is None else wrong & valid
    call.errors.fail(
        wrong, NOT_POSITIVE, "the argument of ntile must be greater than zero", "ntile"
    )
    buckets = np.maximum(buckets, 1)
    size, larger = np.divmod(rows.ends - rows.starts, buckets)  # `larger` buckets have one more
    place = rows.positions - rows.starts
    inside = larger * (size + 1)
    late = larger + (place - inside) // np.maximum(size, 1)
    tile = np.where(place < inside, place // (size + 1), late) + 1
    kind = arrow_type(call.function.type)
    return array_of(tile.astype(np.int32 if pa.types.is_int32(kind) else np.int64), kind, valid)


# Other rows.


def _at(column: pa.Array, places: Rows, present: Mask) -> pa.Array:
    """The column's values at these places; null where not present."""
    return taken(column, array_of(np.where(present, places, 0), pa.int64(), present))


def _offset(sign: int) -> Callable[[Call], pa.Array]:
    def neighbour(call: Call) -> pa.Array:
        rows, column = call.rows, call.arguments[0]
        far = np.ones(rows.count, np.int64)
        known: Mask | None = None
        if len(call.arguments) > 1:
            far = values_of(call.arguments[1]).astype(np.int64)
            known = valid_of(call.arguments[1])
        # No partition is longer than this, and nothing overflows.
        far = np.clip(far, -rows.count - 1, rows.count + 1)
        places = rows.positions + sign * far
        inside = (places >= rows.starts) & (places < rows.ends)
        if len(call.arguments) < 3:
            return _at(column, places, inside if known is None else inside & known)
        both = pa.concat_arrays([column, call.arguments[2]])
        places = np.where(inside, places, rows.positions + rows.count)
        return _at(both, places, np.ones(rows.count, np.bool_) if known is None else known)

    return neighbour


def _first_value(call: Call) -> pa.Array:
    return _nth(call, np.ones(call.rows.count, np.int64))


def _last_value(call: Call) -> pa.Array:
    count = call.rows.count
    place, found = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for start, end in call.frame:
        some = end > start
        place = np.where(some, end - 1, place)
        found |= some
    return _at(call.arguments[0], place, found)


def _nth_value(call: Call) -> pa.Array:
    column = call.arguments[1]
    number = values_of(column).astype(np.int64)
    valid = valid_of(column)
    wrong = number <= 0
    wrong = wrong if valid is None else wrong & valid
    call.errors.fail(
        wrong, NOT_POSITIVE, "the argument of nth_value must be greater than zero", "nth_value"
    )
    return _nth(call, number if valid is None else np.where(valid, number, 0))


def _nth(call: Call, number: Rows) -> pa.Array:
    """The value at this place of the frame, from 1; null beyond it."""
    left = number - 1
    place, found = np.zeros(len(number), np.int64), np.zeros(len(number), np.bool_)
    for start, end in call.frame:
        size = end - start
        here = ~found & (left >= 0) & (left < size)
        place = np.where(here, start + left, place)
        found |= here
        left = left - size
    return _at(call.arguments[0], place, found)


# The same where nulls are passed over: among the rows that have a value.


def _before(column: pa.Array) -> tuple[Rows, Rows]:
    """(how many values stand before each row and before the end, where the values are)."""
    valid = valid_of(column)
    present = np.ones(len(column), np.bool_) if valid is None else valid
    return np.concatenate([[0], np.cumsum(present)]), np.flatnonzero(present)


def _among_values(kernel: Callable[[Call], pa.Array]) -> Callable[[Call], pa.Array]:
    def passing(call: Call) -> pa.Array:
        before, places = _before(call.arguments[0])
        values = taken(call.arguments[0], array_of(places, pa.int64()))
        frame = [(before[start], before[end]) for start, end in call.frame]
        return kernel(replace(call, frame=frame, arguments=(values, *call.arguments[1:])))

    return passing


def _other_value(sign: int) -> Callable[[Call], pa.Array]:
    def neighbour(call: Call) -> pa.Array:
        """The value that is so many values away; 0: the row's own, null or not."""
        rows, column = call.rows, call.arguments[0]
        before, places = _before(column)
        far, known = np.ones(rows.count, np.int64), np.ones(rows.count, np.bool_)
        if len(call.arguments) > 1:
            valid = valid_of(call.arguments[1])
            known = known if valid is None else valid
            far = np.where(known, values_of(call.arguments[1]), 0)
        far = np.clip(far, -rows.count, rows.count) * sign
        here = rows.positions
        target = np.where(far > 0, before[here + 1] + far - 1, before[here] + far)
        inside = (target >= before[rows.starts]) & (target < before[rows.ends])
        own = far == 0
        found = np.concatenate([places, [0]])[np.where(inside, target, len(places))]
        found, inside = np.where(own, here, found), inside | own
        if len(call.arguments) < 3:
            return _at(column, found, inside & known)
        both = pa.concat_arrays([column, call.arguments[2]])
        return _at(both, np.where(inside, found, here + rows.count), known)

    return neighbour


_KERNELS: Final[Mapping[str, Callable[[Call], pa.Array]]] = MappingProxyType(
    {
        "row_number": _row_number,
        "rank": _rank,
        "dense_rank": _dense_rank,
        "percent_rank": _percent_rank,
        "cume_dist": _cume_dist,
        "ntile": _ntile,
        "lag": _offset(-1),
        "lead": _offset(1),
        "first_value": _first_value,
        "last_value": _last_value,
        "nth_value": _nth_value,
        "lag_ignoring_nulls": _other_value(-1),
        "lead_ignoring_nulls": _other_value(1),
        "first_value_ignoring_nulls": _among_values(_first_value),
        "last_value_ignoring_nulls": _among_values(_last_value),
        "nth_value_ignoring_nulls": _among_values(_nth_value),
    }
)
_FRAMED: Final = frozenset(
    f"{name}{nulls}"
    for name in ("first_value", "last_value", "nth_value")
    for nulls in ("", "_ignoring_nulls")
)
