"""There is one zero: a float that is -0.0 is 0.0, wherever it is stored, sent or computed.

The two are equal in SQL, so rows that differ in them alone are one row; which of the two it showed
would depend on the order in which changes came, and so on the replica.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import lib

from antiphon.protocol.buffers import array_of, valid_of, values_of

_FLOATS = (lib.Type_FLOAT, lib.Type_DOUBLE)


def has_floats(kind: pa.DataType) -> bool:
    """Whether values of this type are floats, or lists or structs with floats in them."""
    if kind.id in _FLOATS:
        return True
    return any(has_floats(kind.field(index).type) for index in range(kind.num_fields))


def with_one_zero(column: pa.Array) -> pa.Array:
    """The column with every -0.0 as 0.0, within lists and structs too; itself if it has none."""
    kind = column.type
    if not has_floats(kind):
        return column
    if kind.id in _FLOATS:
        values = values_of(column)
        if not bool((np.signbit(values) & (values == 0)).any()):
            return column
        return array_of(values + values.dtype.type(0), kind, valid_of(column))
    if kind.id == lib.Type_STRUCT:
        fields = [with_one_zero(field) for field in column.flatten()]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=column.is_null())
    before = column.values
    elements = with_one_zero(before)
    if elements is before:
        return column
    return pa.Array.from_buffers(
        kind, len(column), column.buffers()[:2], offset=column.offset, children=[elements]
    )


def batch_with_one_zero(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each column of it `with_one_zero`."""
    if not any(has_floats(field.type) for field in batch.schema):
        return batch
    columns = [with_one_zero(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
