"""Arrow messages to tables, and what a broken answer becomes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import pyarrow as pa
import pytest

from antiphon.client.encoding import (
    collect_peek,
    collect_statement,
    decode_batch,
    decode_schema,
    encode_stream,
)
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import OutcomeUnknown, RemoteProtocolError
from antiphon.v1 import control_pb2 as wire

T = TypeVar("T")
TABLE = pa.table({"a": [1, 2], "b": ["x", None]})
SCHEMA = TABLE.schema.serialize().to_pybytes()
BATCH = encode_batch(TABLE.to_batches()[0])


async def stream(messages: Iterable[T]) -> AsyncIterator[T]:
    for message in messages:
        yield message


def test_a_table_survives_the_wire() -> None:
    assert decode_batch(BATCH, decode_schema(SCHEMA)).to_pylist() == TABLE.to_pylist()
    assert pa.ipc.open_stream(encode_stream(TABLE)).read_all() == TABLE


def test_bytes_that_are_no_arrow_are_the_servers_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="schema"):
        decode_schema(b"no schema")
    with pytest.raises(RemoteProtocolError, match="before"):
        decode_batch(BATCH, None)
    with pytest.raises(RemoteProtocolError, match="fit"):
        decode_batch(b"no batch", TABLE.schema)


async def test_a_statement_is_collected_to_its_end() -> None:
    result = await collect_statement(
        stream(
            [
                wire.ExecuteResponse(schema=wire.ResultSchema(arrow_schema=SCHEMA)),
                wire.ExecuteResponse(batch=wire.ResultBatch(batch=BATCH)),
                wire.ExecuteResponse(batch=wire.ResultBatch(batch=BATCH)),
                wire.ExecuteResponse(
                    done=wire.StatementDone(tag="SELECT 4", time=7, notices=["slow"])
                ),
            ]
        )
    )
    assert (result.tag, result.time, result.notices, len(result)) == ("SELECT 4", 7, ("slow",), 4)


async def test_an_answer_that_stops_short_is_of_unknown_outcome() -> None:
    with pytest.raises(OutcomeUnknown):
        await collect_statement(stream([]))


async def test_a_peek_without_rows_still_has_its_columns() -> None:
    table = await collect_peek(stream([wire.PeekChunk(arrow_schema=SCHEMA)]))
    assert (table.num_rows, table.column_names) == (0, ["a", "b"])
    with pytest.raises(RemoteProtocolError, match="no schema"):
        await collect_peek(stream([]))
