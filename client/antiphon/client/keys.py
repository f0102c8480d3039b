"""The keys of a peek: whatever form a user gives them in, as rows of the key's columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from antiphon.client.conform import column_of_values, conform, unknown_columns
from antiphon.protocol.errors import InvalidArgument


def key_table(key: Any, schema: pa.Schema) -> pa.Table:
    """Rows of `schema`, which holds the key's columns in order.

    `key` is one value (of a one-column key), one tuple or dict (one row), a list of any of these
    (several rows), or an Arrow table.

    Raises:
        InvalidArgument: the collection has no key, or a row has another number of values.
        SchemaMismatch: a value is not of its column's type.
    """
    if len(schema) == 0:
        raise InvalidArgument("the collection has no key to look up by: leave `key` out")
    if isinstance(key, pa.RecordBatch):
        key = pa.Table.from_batches([key])
    if isinstance(key, pa.Table):
        return conform(key, schema, key=tuple(schema.names))
    rows = [_values(row, schema) for row in (key if isinstance(key, list) else [key])]
    columns = [
        column_of_values([row[index] for row in rows], field) for index, field in enumerate(schema)
    ]
    return pa.table(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))


def _values(row: Any, schema: pa.Schema) -> Sequence[Any]:
    names = schema.names
    if isinstance(row, Mapping):
        absent = [name for name in names if name not in row]
        if absent:
            raise InvalidArgument(f"the key lacks {', '.join(absent)}")
        if len(row) > len(names):
            raise unknown_columns([name for name in row if name not in names], schema)
        return [row[name] for name in names]
    values = row if isinstance(row, tuple) else (row,)
    if len(values) != len(names):
        raise InvalidArgument(
            f"the key is ({', '.join(names)}): {len(names)} values, not {len(values)}"
        )
    return values
