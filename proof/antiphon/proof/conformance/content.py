"""The collections of the checks: pairs of a number and a word, small enough for plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from antiphon.protocol.content_digest import digest_bytes, digest_of_rows
from antiphon.protocol.delta import ERROR_SCHEMA, Delta, decode_batch, delta_schema
from antiphon.protocol.errors import SchemaMismatch
from antiphon.protocol.schema import INT64, TEXT, Column, Schema, arrow_schema

PAIRS: Final = Schema((Column(name="k", type=INT64), Column(name="v", type=TEXT)))

Row = tuple[Any, ...]
Change = tuple[Row, int, int]  # (row, time, diff)
# What decoding another's batches may raise.
CONTENT_ERRORS: Final = (SchemaMismatch, pa.ArrowInvalid)


def delta_of(changes: Iterable[Change], errors: Iterable[tuple[str, int, int]] = ()) -> Delta:
    """Changes of PAIRS, and of the error side as (code, time, diff), as a delta."""
    return Delta(
        rows=_batches([(*row, time, diff) for row, time, diff in changes], delta_schema(PAIRS)),
        errors=_batches(
            [(code, f"a {code}", "k", time, diff) for code, time, diff in errors], ERROR_SCHEMA
        ),
    )


def rows_of(batches: Iterable[bytes], schema: Schema = PAIRS) -> list[Row]:
    """The rows of an answer, in order. Raises SchemaMismatch."""
    return [row for message in batches for row in _rows(message, arrow_schema(schema))]


def changes_of(batches: Iterable[bytes], schema: Schema = PAIRS) -> list[Change]:
    """The changes of a delta, in order. Raises SchemaMismatch."""
    return [
        (row[:-2], row[-2], row[-1])
        for message in batches
        for row in _rows(message, delta_schema(schema))
    ]


def summed(changes: Iterable[Change], time: int | None = None) -> Counter[Row]:
    """The rows there are after all changes up to `time`; None: after all of them. A row that is
    there a negative number of times stays, so that it is seen."""
    found: Counter[Row] = Counter()
    for row, when, diff in changes:
        if time is None or when <= time:
            found[row] += diff
    return Counter({row: count for row, count in found.items() if count})


def digest(content: Counter[Row]) -> bytes:
    """The content digest of rows of PAIRS, as it travels."""
    columns = [
        pa.array([row[index] for row in content], column.type)
        for index, column in enumerate(arrow_schema(PAIRS))
    ]
    return digest_bytes(digest_of_rows(columns, np.array(list(content.values()), np.int64)))


def key_stream(keys: Iterable[int]) -> bytes:
    """Key rows of an index on `k`."""
    batch = pa.record_batch([pa.array(list(keys), pa.int64())], names=["k"])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _batches(rows: list[Row], schema: pa.Schema) -> tuple[pa.RecordBatch, ...]:
    if not rows:
        return ()
    columns = [
        pa.array([row[index] for row in rows], column.type) for index, column in enumerate(schema)
    ]
    return (pa.RecordBatch.from_arrays(columns, schema=schema),)


def _rows(message: bytes, schema: pa.Schema) -> list[Row]:
    batch = decode_batch(message, schema)
    return list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
