"""Literals as Arrow columns: for constants and what a statement spells out, not for data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.expression import Interval, Value
from antiphon.protocol.one_zero import with_one_zero
from antiphon.protocol.schema import Type, TypeKind, arrow_type


def literal_array(kind: Type, values: Sequence[Value]) -> pa.Array:
    """Literals of one type as a column; dates and times are integers, as in plans."""
    storage = arrow_type(kind)
    match kind.kind:
        case TypeKind.DATE:
            return pa.array(values, pa.int32()).view(storage)
        case TypeKind.TIMESTAMP | TypeKind.TIMESTAMPTZ:
            return pa.array(values, pa.int64()).view(storage)
        case TypeKind.INTERVAL:
            return pa.array([_month_day_nano(value) for value in values], storage)
        case TypeKind.FLOAT32:
            with np.errstate(over="ignore"):
                floats = [None if v is None else np.float32(v) for v in values]  # type: ignore[arg-type]
            return with_one_zero(pa.array(floats, storage))
        case TypeKind.FLOAT64:
            return with_one_zero(pa.array(values, storage))
        case TypeKind.LIST:
            assert kind.element is not None, "a list without an element type"
            flat = [element for value in values for element in _elements(value)]
            sizes = [len(_elements(value)) for value in values]
            ends = np.cumsum([0, *sizes]).astype(np.int32)
            offsets = pa.array(ends, mask=np.array([v is None for v in values] + [False]))
            return pa.ListArray.from_arrays(
                offsets, literal_array(kind.element, flat), type=storage
            )
        case TypeKind.STRUCT:
            fields = [
                literal_array(f.type, [None if v is None else _elements(v)[i] for v in values])
                for i, f in enumerate(kind.fields)
            ]
            missing = pa.array([value is None for value in values], pa.bool_())
            return pa.StructArray.from_arrays(fields, fields=list(storage), mask=missing)
        case _:
            return pa.array(values, storage)


def _elements(value: Value) -> tuple[Value, ...]:
    assert value is None or isinstance(value, tuple), f"not a tuple: {value!r}"
    return () if value is None else value


def _month_day_nano(value: Value) -> pa.MonthDayNano | None:
    if value is None:
        return None
    assert isinstance(value, Interval), f"not an interval: {value!r}"
    return pa.MonthDayNano([value.months, value.days, value.microseconds * 1000])
