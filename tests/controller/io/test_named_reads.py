"""Reads of a named collection fail in the words of SQL, which says the same with a place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from antiphon.protocol.errors import CollectionMissing, ComputeError, DataError
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client, arrow_stream, serving, until

pytestmark = [pytest.mark.end_to_end, pytest.mark.asyncio]

SCHEMA = """
CREATE TABLE t (id bigint PRIMARY KEY, s text);
CREATE VIEW ratios AS SELECT id, 10 / id AS r FROM t;
CREATE INDEX ON ratios (id);
CREATE VIEW numbers AS SELECT id, CAST(s AS integer) AS n FROM t;
CREATE INDEX ON numbers (id);
INSERT INTO t VALUES (0, 'seven'), (1, '1')
"""
TAIL = "until changed, deleted or filtered out"


async def refused(call: Awaitable[Any]) -> ComputeError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


def ways(client: Client, name: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    """All ways to read a collection by name."""
    key = arrow_stream(pa.table({"id": [0]}))
    request = pb.PeekRequest(collection=name)
    subscribe = pb.SubscribeRequest(collection=name, with_snapshot=True)
    return {
        "peek": lambda: client.peek(name),
        "lookup": lambda: client.control.Lookup(request),
        "lookup by key": lambda: client.control.Lookup(pb.PeekRequest(collection=name, keys=key)),
        "subscribe": lambda: client.control.Subscribe(subscribe).read(),
    }


async def test_data_that_fails_is_told_in_the_same_words(tmp_path: Path) -> None:
    async with serving(tmp_path, local_replicas=1) as (_, client):
        await client.sql(SCHEMA)
        await client.ready(1)
        for name, said, spelt in (
            ("ratios", "division by zero", "/"),
            ("numbers", 'invalid input syntax for type integer: "seven"', "CAST"),
        ):
            told = await refused(client.sql(f"SELECT * FROM {name}"))
            assert told.message == f'{said}: 1 row fails in reading "{name}", {TAIL}'
            assert told.details["expression"] == spelt
            for way, call in ways(client, name).items():
                error = await refused(call())
                assert isinstance(error, DataError)
                assert (error.message, error.details) == (told.message, told.details), way


async def test_a_name_that_is_not_there_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE orders (id bigint)")
        missing = '"order" does not exist; did you mean "orders"?'
        sql = await refused(client.sql('SELECT * FROM "order"'))
        assert sql.message == f"line 1:15: table {missing}"
        calls = ways(client, "order")
        calls["append"] = lambda: client.append("order", id=[1])
        for way, call in calls.items():
            error = await refused(call())
            assert isinstance(error, CollectionMissing)
            assert (error.message, error.details["name"]) == (missing, "order"), way


async def test_a_subscriber_is_told_what_was_dropped_by_its_name(tmp_path: Path) -> None:
    async with serving(tmp_path, local_replicas=1) as (controller, client):
        await client.sql("CREATE TABLE t (id bigint); CREATE VIEW v AS SELECT id FROM t")
        await client.sql("CREATE INDEX by_id ON v (id)")
        await client.ready(1)
        named = client.control.Subscribe(pb.SubscribeRequest(collection="v"))
        asked = client.control.Execute(pb.ExecuteRequest(sql="SUBSCRIBE v"))
        await until(lambda: controller.driver.status().subscribes_active == 2, "both have begun")
        await client.sql("DROP VIEW v CASCADE")
        for call in (named, asked):
            error = await refused(_to_the_end(call))
            assert isinstance(error, CollectionMissing)
            assert error.message == '"by_id" was dropped', "what it was read by"


async def _to_the_end(call: Any) -> None:
    async for _ in call:
        pass
