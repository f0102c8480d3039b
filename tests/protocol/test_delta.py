"""Deltas: batches without their schema."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.protocol.delta import (
    DIFF_COLUMN,
    ERROR_SCHEMA,
    TIME_COLUMN,
    Delta,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.errors import SchemaMismatch
from antiphon.protocol.schema import INT64, RESERVED_PREFIX, TEXT, Column, Schema, Type

SCHEMA = delta_schema(Schema((Column(name="a", type=INT64), Column(name="b", type=TEXT))))
BATCH = pa.RecordBatch.from_pydict(
    {"a": [1, 2], "b": ["x", None], TIME_COLUMN: [5, 2**64 - 1], DIFF_COLUMN: [1, -1]},
    schema=SCHEMA,
)


def test_time_and_diff_come_last_and_are_never_null() -> None:
    assert SCHEMA.names == ["a", "b", TIME_COLUMN, DIFF_COLUMN]
    for schema in (SCHEMA, ERROR_SCHEMA):
        time, diff = schema.field(TIME_COLUMN), schema.field(DIFF_COLUMN)
        assert (time.type, diff.type) == (pa.uint64(), pa.int64())
        assert not time.nullable
        assert not diff.nullable


def test_their_names_are_reserved() -> None:
    assert TIME_COLUMN.startswith(RESERVED_PREFIX)
    assert DIFF_COLUMN.startswith(RESERVED_PREFIX)


def test_a_batch_survives_without_its_schema() -> None:
    message = encode_batch(BATCH)
    assert decode_batch(message, SCHEMA) == BATCH
    assert len(message) < len(BATCH.schema.serialize()) + BATCH.nbytes + 512


def test_a_slice_is_encoded_as_what_it_shows() -> None:
    assert decode_batch(encode_batch(BATCH.slice(1)), SCHEMA).to_pylist() == BATCH.to_pylist()[1:]


@pytest.mark.parametrize("message", [b"", b"nonsense", b"\xff\xff\xff\xff\x00\x00\x00\x00"])
def test_what_is_no_batch_is_refused(message: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        decode_batch(message, SCHEMA)


@pytest.mark.parametrize("columns", [(TEXT, TEXT), (INT64,), (TEXT, INT64)], ids=str)
def test_a_batch_of_other_columns_is_refused(columns: tuple[Type, ...]) -> None:
    other = delta_schema(Schema(tuple(Column(name="x", type=kind) for kind in columns)))
    with pytest.raises(SchemaMismatch):
        decode_batch(encode_batch(BATCH), other)


def test_a_delta_counts_its_rows() -> None:
    assert Delta(rows=(BATCH, BATCH)).row_count == 4
    assert Delta().row_count == 0
