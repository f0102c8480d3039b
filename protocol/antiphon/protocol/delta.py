"""Deltas: how a collection changes, on the wire and in the store.

A delta is an Arrow record batch: the collection's columns, then `antiphon_time` (uint64) and
`antiphon_diff` (int64, never 0), consolidated, sorted by row hash within a time. Only the record
batch message travels; the schema is known from the catalog. Errors travel in a batch of their own.

A feed's delta holds overwrites instead: `antiphon_diff` is +1 for an upsert and -1 for a delete of
the row's key (other columns null), at most one per key and time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from antiphon.protocol.errors import SchemaMismatch
from antiphon.protocol.schema import Schema, arrow_schema

TIME_COLUMN: Final = "antiphon_time"
DIFF_COLUMN: Final = "antiphon_diff"
_TIME_FIELD: Final = pa.field(TIME_COLUMN, pa.uint64(), nullable=False)
_DIFF_FIELD: Final = pa.field(DIFF_COLUMN, pa.int64(), nullable=False)

# The error side of every collection.
ERROR_SCHEMA: Final = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("message", pa.string(), nullable=False),
        pa.field("expression", pa.string(), nullable=False),
        _TIME_FIELD,
        _DIFF_FIELD,
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Changes of one collection: rows and errors, each over zero or more batches."""

    rows: tuple[pa.RecordBatch, ...] = ()  # of delta_schema
    errors: tuple[pa.RecordBatch, ...] = ()  # of ERROR_SCHEMA

    @property
    def row_count(self) -> int:
        return sum(batch.num_rows for batch in self.rows)


def delta_schema(schema: Schema) -> pa.Schema:
    """The collection's columns, then time and diff."""
    return pa.schema([*arrow_schema(schema), _TIME_FIELD, _DIFF_FIELD])


def encode_batch(batch: pa.RecordBatch) -> bytes:
    """The record batch message alone, without its schema."""
    message: bytes = batch.serialize().to_pybytes()
    return message


def decode_batch(message: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """Zero-copy over `message`.

    Raises:
        SchemaMismatch: the message does not fit the schema.
    """
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), schema)
        batch.validate()  # lengths and buffers, not values: without it a misfit reads past the end
        return batch
    except (pa.ArrowInvalid, OSError, EOFError) as error:
        raise SchemaMismatch(f"a batch does not fit its schema: {error}") from error
