"""A read by key in one message, through a real replica; or the word that it does not fit one."""

from __future__ import annotations

from pathlib import Path

import grpc
import pyarrow as pa
import pytest

from antiphon.protocol import errors
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import arrow_stream, serving

pytestmark = [pytest.mark.end_to_end, pytest.mark.asyncio]

ROWS = 200_000
SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount bigint);
CREATE INDEX orders_by_customer ON orders (customer);
CREATE VIEW totals AS SELECT customer, count(*) AS n FROM orders GROUP BY customer;
CREATE INDEX totals_by_customer ON totals (customer)
"""


async def test_a_lookup_is_one_message_or_says_that_there_is_more(tmp_path: Path) -> None:
    async with serving(tmp_path, local_replicas=1) as (_, client):
        await client.sql(SCHEMA)
        await client.ready(1)
        appended = await client.append(
            "orders", id=list(range(ROWS)), customer=["a"] * ROWS, amount=[1] * ROWS
        )
        key = arrow_stream(pa.table({"customer": ["a"]}))
        one = await client.control.Lookup(pb.PeekRequest(collection="totals_by_customer", keys=key))
        assert (one.row_count, one.time, one.more) == (1, appended.time, False)
        schema = pa.ipc.read_schema(pa.py_buffer(one.arrow_schema))
        assert decode_batch(one.batch, schema).to_pylist() == [{"customer": "a", "n": ROWS}]

        many = pb.PeekRequest(collection="orders_by_customer", keys=key)
        assert await client.control.Lookup(many) == pb.PeekChunk(more=True)

        nobody = arrow_stream(pa.table({"customer": ["nobody"]}))
        none = await client.control.Lookup(pb.PeekRequest(collection="totals", keys=nobody))
        assert (none.row_count, none.batch, none.more) == (0, b"", False)
        assert none.arrow_schema

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.control.Lookup(pb.PeekRequest(collection="nothing"))
        assert isinstance(from_rpc_error(caught.value), errors.CollectionMissing)
