"""Plan values as Arrow columns, for rows that the planner itself computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.protocol.expression import Interval, Value
from antiphon.protocol.schema import Schema, Type, TypeKind, arrow_schema, arrow_type

_STORED = {
    TypeKind.DATE: pa.int32(),
    TypeKind.TIMESTAMP: pa.int64(),
    TypeKind.TIMESTAMPTZ: pa.int64(),
}


def column_of(values: Sequence[Value], kind: Type) -> pa.Array:
    """Values of one type as a column; dates and times are integers, as in plans."""
    wanted = arrow_type(kind)
    stored = _STORED.get(kind.kind)
    if stored is not None:
        return pa.array(values, stored).view(wanted)
    if kind.kind is TypeKind.INTERVAL:
        return pa.array([_interval(value) for value in values], wanted)
    if kind.kind is TypeKind.FLOAT32:
        with np.errstate(over="ignore"):
            floats = [None if v is None else np.float32(v) for v in values]  # type: ignore[arg-type]
        return pa.array(floats, wanted)
    return pa.array(values, wanted)


def _interval(value: Value) -> tuple[int, int, int] | None:
    if value is None:
        return None
    assert isinstance(value, Interval), f"not an interval: {value!r}"
    return value.months, value.days, value.microseconds * 1000


def batch_of(schema: Schema, rows: Sequence[Sequence[Value]]) -> pa.RecordBatch:
    """Rows as a record batch of the schema."""
    columns = [
        column_of([row[index] for row in rows], kind) for index, kind in enumerate(schema.types)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))
