"""Arrow at the edge of the wire: messages and streams to tables, tables to streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final

import pyarrow as pa

from antiphon.client.result import Result
from antiphon.protocol.errors import OutcomeUnknown, RemoteProtocolError
from antiphon.v1 import control_pb2 as wire

_SCHEMAS_KEPT_MAX: Final = 256  # the same reads come again, with the same columns


@lru_cache(_SCHEMAS_KEPT_MAX)
def decode_schema(message: bytes) -> pa.Schema:
    """Raises:
    RemoteProtocolError: the bytes are no schema message.
    """
    try:
        return pa.ipc.read_schema(pa.py_buffer(message))
    except (pa.ArrowInvalid, OSError) as error:
        raise RemoteProtocolError(f"the server sent no Arrow schema: {error}") from error


def decode_batch(message: bytes, schema: pa.Schema | None) -> pa.RecordBatch:
    """Zero-copy over `message`.

    Raises:
        RemoteProtocolError: the message came before its schema, or does not fit it.
    """
    if schema is None:
        raise RemoteProtocolError("the server sent rows before their schema")
    try:
        return pa.ipc.read_record_batch(pa.py_buffer(message), schema)
    except (pa.ArrowInvalid, OSError) as error:
        raise RemoteProtocolError(f"the server sent rows that fit no schema: {error}") from error


def encode_stream(table: pa.Table) -> bytes:
    """An Arrow IPC stream: schema, batches, end."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


async def collect_statement(stream: AsyncIterator[wire.ExecuteResponse]) -> Result:
    """The answer of one statement, once it is complete."""
    schema: pa.Schema | None = None
    batches: list[pa.RecordBatch] = []
    done: wire.StatementDone | None = None
    async for response in stream:
        match response.WhichOneof("result"):
            case "schema":
                schema = decode_schema(response.schema.arrow_schema)
            case "batch":
                batches.append(decode_batch(response.batch.batch, schema))
            case "done":
                done = response.done
            case _:
                pass  # a part that a later version adds
    if done is None:
        raise OutcomeUnknown("the answer ended before the statement was done")
    table = None if schema is None else pa.Table.from_batches(batches, schema=schema)
    return Result(
        tag=done.tag,
        table=table,
        row_count=done.row_count if table is None else table.num_rows,
        time=done.time if done.HasField("time") else None,
        notices=tuple(done.notices),
    )


async def collect_peek(stream: AsyncIterator[wire.PeekChunk]) -> pa.Table:
    """The rows of one peek, once they are complete."""
    schema: pa.Schema | None = None
    batches: list[pa.RecordBatch] = []
    async for chunk in stream:
        if chunk.arrow_schema:
            schema = decode_schema(chunk.arrow_schema)
        if chunk.batch:
            batches.append(decode_batch(chunk.batch, schema))
    if schema is None:
        raise RemoteProtocolError("the answer of a peek has no schema")
    return pa.Table.from_batches(batches, schema=schema)
