"""Reads by key over a fake controller: which call asks, and what it is asked again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pyarrow as pa
import pytest

from antiphon.client import AsyncClient, connect_async
from antiphon.client.lookups import LARGE_KEPT_MAX, Lookups
from antiphon.protocol.errors import CollectionMissing, NotServed
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.v1 import control_pb2 as wire
from tests.client.fake_control import FakeControl, Planned, broken

SALES = Schema((Column(name="id", type=INT64), Column(name="region", type=TEXT)))
ROW = pa.table({"id": [1], "region": ["a"]})


@pytest.fixture
async def control() -> AsyncIterator[FakeControl]:
    async with FakeControl() as control:
        control.add("sales", SALES, key=("id",))
        control.collections["sales"].batches.append(ROW)
        yield control


@pytest.fixture
async def client(control: FakeControl) -> AsyncIterator[AsyncClient]:
    async with await connect_async(control.address) as client:
        yield client


async def test_a_small_answer_takes_one_call(control: FakeControl, client: AsyncClient) -> None:
    assert await client.peek("sales", key=1) == ROW
    assert (len(control.requests["Lookup"]), len(control.requests["Peek"])) == (1, 0)


async def test_no_rows_are_an_answer_too(control: FakeControl, client: AsyncClient) -> None:
    control.collections["sales"].batches.clear()
    table = await client.peek("sales", key=1)
    assert (table.num_rows, table.schema.names) == (0, ["id", "region"])
    assert len(control.requests["Peek"]) == 0


async def test_a_large_answer_is_streamed_and_the_next_one_at_once(
    control: FakeControl, client: AsyncClient
) -> None:
    control.collections["sales"].batches.append(ROW)
    for asked in (1, 2):
        assert (await client.peek("sales", key=1)).num_rows == 2
        assert (len(control.requests["Lookup"]), len(control.requests["Peek"])) == (1, asked)


async def test_an_older_controller_is_asked_for_a_stream(
    control: FakeControl, client: AsyncClient
) -> None:
    control.serves_lookups = False
    for asked in (1, 2):
        assert await client.peek("sales", key=1) == ROW
        assert (len(control.requests["Lookup"]), len(control.requests["Peek"])) == (1, asked)


async def test_what_is_not_served_at_all_does_not_end_the_lookups(
    control: FakeControl, client: AsyncClient
) -> None:
    for method in ("Lookup", "Peek"):
        control.fail(method, Planned(NotServed("no such reads")))
    with pytest.raises(NotServed, match="no such reads"):
        await client.peek("sales", key=1)
    assert await client.peek("sales", key=1) == ROW
    assert (len(control.requests["Lookup"]), len(control.requests["Peek"])) == (2, 1)


async def test_a_broken_connection_is_tried_again(
    control: FakeControl, client: AsyncClient
) -> None:
    control.fail("Lookup", *broken(2))
    assert await client.peek("sales", key=1) == ROW
    control.fail("Lookup", Planned(CollectionMissing("dropped")))
    with pytest.raises(CollectionMissing):
        await client.peek("sales", key=1)


async def test_what_is_remembered_is_bounded(control: FakeControl) -> None:
    async with await connect_async(control.address) as client:
        lookups = Lookups(client._control)
        control.collections["sales"].batches.append(ROW)
        lookups._large = {f"c{n}": None for n in range(LARGE_KEPT_MAX)}
        await lookups.read(wire.PeekRequest(collection="sales"))
        assert list(lookups._large) == ["sales"]
