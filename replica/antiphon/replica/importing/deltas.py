"""Between deltas as they travel and the engine's Z-sets.

The worker alone opens Arrow bytes: it is the one party that knows each collection's schema.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.protocol.delta import (
    ERROR_SCHEMA,
    Delta,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset, split_delta, to_delta
from antiphon.replica.ports import EncodedDelta

Ticks = list[tuple[int, Zset]]  # changes by time, strictly ascending


def decode(delta: EncodedDelta, schema: Schema) -> Ticks:
    """The changes, over the message's own bytes.

    Raises:
        SchemaMismatch: a batch is not one of the collection's.
    """
    wanted = delta_schema(schema)
    return split_delta(
        Delta(
            rows=tuple(decode_batch(batch, wanted) for batch in delta.rows),
            errors=tuple(decode_batch(batch, ERROR_SCHEMA) for batch in delta.errors),
        ),
        schema,
    )


def encode(schema: Schema, ticks: Iterable[tuple[int, Zset]]) -> EncodedDelta:
    """Consolidated within each time, in canonical order."""
    delta = to_delta(schema, ticks)
    return EncodedDelta(
        rows=tuple(encode_batch(batch) for batch in delta.rows),
        errors=tuple(encode_batch(batch) for batch in delta.errors),
    )
