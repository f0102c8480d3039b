"""Intervals by their parts: a month and 30 days are equal in SQL, and are not the same.

Keys are equal as SQL has it. What sums up equal rows tells intervals apart by months, days and
nanoseconds too, or which of the spellings stays would depend on which came first. Here columns
are rewritten, within lists and structs too, so that all else need not know: `in_parts` has the
three parts in place of each interval, `in_one_spelling` has one interval for all that are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import lib

from antiphon.protocol.buffers import array_of, fixed_width, valid_of, values_of
from antiphon.protocol.row_hash import Words, hash_rows, interval_words

_INTERVAL: Final = pa.month_day_nano_interval()
_PARTS: Final = pa.struct(
    [
        pa.field("months", pa.int32()),
        pa.field("days", pa.int32()),
        pa.field("nanoseconds", pa.int64()),
    ]
)
_NESTED: Final = frozenset({lib.Type_LIST, lib.Type_LARGE_LIST, lib.Type_STRUCT})
_MONTH_DAYS: Final = 30
_DAY_NANOSECONDS: Final = 86_400_000_000_000
_INT32: Final = np.iinfo(np.int32)


def has_intervals(kind: pa.DataType) -> bool:
    """Whether values of this type are intervals, or lists or structs with intervals in them."""
    family = kind.id
    if family not in _NESTED:  # asked of each column of each change: the count of fields costs more
        return bool(family == lib.Type_INTERVAL_MONTH_DAY_NANO)
    return any(has_intervals(kind.field(index).type) for index in range(kind.num_fields))


def have_intervals(columns: Iterable[pa.Array]) -> bool:
    return any([has_intervals(column.type) for column in columns])


def in_parts(column: pa.Array) -> pa.Array:
    """The column with a struct for each interval: values that are the same, and no others, are
    equal. Its order is by months, then days, then nanoseconds."""
    return _rewritten(column, _struct_of)


def from_parts(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column of this type that has these parts."""
    if kind.id == lib.Type_INTERVAL_MONTH_DAY_NANO:
        return _interval_of(column)
    if kind.num_fields == 0:
        return column
    if kind.id == lib.Type_STRUCT:
        parts = zip(column.flatten(), kind, strict=True)
        fields = [from_parts(part, field.type) for part, field in parts]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=column.is_null())
    return _list_of(column, from_parts(column.values, kind.field(0).type), kind)


def in_one_spelling(column: pa.Array) -> pa.Array:
    """The column with the same interval for all that are equal: as many whole months, then as many
    whole days, as it has."""
    return _rewritten(column, _canonical)


def part_words(columns: Sequence[pa.Array], count: int) -> tuple[Words, ...]:
    """Words that tell equal rows apart by the parts of their intervals; none without intervals."""
    found = [in_parts(column) for column in columns if has_intervals(column.type)]
    return hash_rows(found, count) if found else ()


def _rewritten(column: pa.Array, rewrite: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """The column with its intervals rewritten."""
    kind = column.type
    if not has_intervals(kind):
        return column
    if kind.id == lib.Type_INTERVAL_MONTH_DAY_NANO:
        return rewrite(column)
    if kind.id == lib.Type_STRUCT:
        fields = [_rewritten(field, rewrite) for field in column.flatten()]
        named = [field.with_type(made.type) for field, made in zip(kind, fields, strict=True)]
        return pa.StructArray.from_arrays(fields, fields=named, mask=column.is_null())
    elements = _rewritten(column.values, rewrite)
    return _list_of(column, elements, pa.list_(kind.field(0).with_type(elements.type)))


def _list_of(column: pa.Array, elements: pa.Array, kind: pa.DataType) -> pa.Array:
    """The lists with other elements."""
    return pa.Array.from_buffers(
        kind, len(column), column.buffers()[:2], offset=column.offset, children=[elements]
    )


def _struct_of(column: pa.Array) -> pa.Array:
    values = values_of(column)
    parts = [array_of(np.ascontiguousarray(values[field.name]), field.type) for field in _PARTS]
    mask = column.is_null() if column.null_count else None
    return pa.StructArray.from_arrays(parts, fields=list(_PARTS), mask=mask)


def _interval_of(column: pa.Array) -> pa.Array:
    fields = zip(_PARTS, column.flatten(), strict=True)
    return _joined({field.name: values_of(part) for field, part in fields}, valid_of(column))


def _canonical(column: pa.Array) -> pa.Array:
    days, rest = interval_words(values_of(column))
    months = np.clip(days // _MONTH_DAYS, _INT32.min, _INT32.max)
    left = days - months * _MONTH_DAYS
    whole = np.clip(left, _INT32.min, _INT32.max)  # of the longest intervals there are
    nanoseconds = rest + (left - whole) * _DAY_NANOSECONDS
    parts = {"months": months, "days": whole, "nanoseconds": nanoseconds}
    return _joined(parts, valid_of(column))


def _joined(parts: dict[str, Any], valid: npt.NDArray[np.bool_] | None) -> pa.Array:
    dtype = fixed_width(_INTERVAL)
    values = np.empty(len(parts["months"]), dtype)
    for name, part in parts.items():
        values[name] = part
    return array_of(values, _INTERVAL, valid)
