"""Rows of plan values, for what the planner itself computes."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from antiphon.protocol.expression import Value
from antiphon.protocol.literal_array import literal_array
from antiphon.protocol.schema import Schema, arrow_schema


def batch_of(schema: Schema, rows: Sequence[Sequence[Value]]) -> pa.RecordBatch:
    """Rows as a record batch of the schema."""
    columns = [
        literal_array(kind, [row[index] for row in rows]) for index, kind in enumerate(schema.types)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))
