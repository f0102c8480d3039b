"""Between deltas as they travel and the engine's Z-sets.

The worker alone opens Arrow bytes: it is the one party that knows each collection's schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from antiphon.protocol.delta import (
    ERROR_SCHEMA,
    Delta,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.columns.zset import Zset, split_delta, to_delta, without_errors
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


def in_pieces(ticks: Ticks, bytes_max: int) -> Iterator[Ticks]:
    """The same changes in the same order, in pieces of at most so many bytes unless it is one row;
    at least one piece. No row of a tick is in two of them, so each can be encoded by itself."""
    piece: Ticks = []
    room = bytes_max
    for time, change in ticks:
        for part in _parts(change.consolidated(), bytes_max):
            size = _size(part)
            if piece and size > room:
                yield piece
                piece, room = [], bytes_max
            piece.append((time, part))
            room -= size
    yield piece


def _parts(change: Zset, bytes_max: int) -> Iterator[Zset]:
    """Rows, then errors, halved until they are small enough: of texts some may be far longer than
    others. O(parts log parts)."""
    if _size(change) <= bytes_max:
        yield change
        return
    nothing = change.slice(0, 0)
    yield from _halved(without_errors(change), bytes_max)
    if change.errors is not None:
        for errors in _halved(change.errors, bytes_max):
            yield Zset(nothing.columns, nothing.diffs, errors)


def _halved(rows: Zset, bytes_max: int) -> Iterator[Zset]:
    half = rows.row_count // 2
    if half == 0 or _size(rows) <= bytes_max:
        if rows.row_count:
            yield rows
        return
    yield from _halved(rows.slice(0, half), bytes_max)
    yield from _halved(rows.slice(half, rows.row_count - half), bytes_max)


def _size(change: Zset) -> int:
    errors = 0 if change.errors is None else _size(change.errors)
    return int(change.diffs.nbytes) + sum(int(column.nbytes) for column in change.columns) + errors
