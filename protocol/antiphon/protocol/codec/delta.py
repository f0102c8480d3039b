"""Deltas of collections, as tails, snapshots and compare-and-appends carry them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import pyarrow as pa

from antiphon.protocol.codec.field import MalformedMessage, each, require
from antiphon.protocol.codec.frontier import frontier_field, frontier_to_proto
from antiphon.protocol.delta import (
    ERROR_SCHEMA,
    Delta,
    decode_batch,
    delta_schema,
    encode_batch,
)
from antiphon.protocol.errors import SchemaMismatch
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import Schema
from antiphon.v1 import collections_pb2 as pb

SchemaOf = Callable[[CollectionId], Schema | None]


def delta_to_proto(collection: CollectionId, delta: Delta) -> pb.CollectionDelta:
    message = pb.CollectionDelta()
    _fill(message, collection, delta)
    return message


def delta_from_proto(message: pb.CollectionDelta, schema: Schema) -> Delta:
    """The batches are read in place, over the message's own bytes."""
    return Delta(
        rows=each("batches", partial(_batch, delta_schema(schema)), message.batches),
        errors=each("error_batches", partial(_batch, ERROR_SCHEMA), message.error_batches),
    )


def tail_batch_to_proto(
    lower: Frontier, upper: Frontier, deltas: Mapping[CollectionId, Delta]
) -> pb.TailBatch:
    batch = pb.TailBatch(lower=frontier_to_proto(lower), upper=frontier_to_proto(upper))
    for collection, delta in deltas.items():
        _fill(batch.deltas.add(), collection, delta)
    return batch


def tail_batch_from_proto(
    message: pb.TailBatch, schema_of: SchemaOf
) -> tuple[Frontier, Frontier, dict[CollectionId, Delta]]:
    """Lower, upper, and the deltas by collection; `schema_of` knows the tail's collections."""
    lower = frontier_field("lower", message.HasField("lower"), message.lower)
    upper = frontier_field("upper", message.HasField("upper"), message.upper)
    require(lower.less_equal(upper), "upper", f"{upper} is before {lower}")

    def one(item: pb.CollectionDelta) -> tuple[CollectionId, Delta]:
        collection = CollectionId(item.collection)
        schema = schema_of(collection)
        if schema is None:
            raise MalformedMessage(f"{collection} is not of this tail", "collection")
        return collection, delta_from_proto(item, schema)

    deltas = dict(each("deltas", one, message.deltas))
    require(len(deltas) == len(message.deltas), "deltas", "a collection is listed twice")
    return lower, upper, deltas


def _fill(message: pb.CollectionDelta, collection: CollectionId, delta: Delta) -> None:
    # In place: passing one message to another copies it whole.
    message.collection = collection
    message.batches.extend(encode_batch(batch) for batch in delta.rows)
    message.error_batches.extend(encode_batch(batch) for batch in delta.errors)


def _batch(schema: pa.Schema, data: bytes) -> pa.RecordBatch:
    try:
        return decode_batch(data, schema)
    except SchemaMismatch as error:
        raise MalformedMessage(error.message) from None
