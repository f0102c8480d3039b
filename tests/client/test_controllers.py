"""A client of several addresses goes on with whichever controller is live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from antiphon.client import AsyncClient, connect_async
from antiphon.client.io.connect import split_addresses
from antiphon.protocol.errors import EpochFenced, InvalidArgument, Standby, Unavailable
from antiphon.protocol.schema import INT64, Column, Schema
from tests.client.fake_control import Chunk, FakeControl, Planned

KEYS = Schema((Column(name="k", type=INT64, nullable=False),))
NOBODY = "127.0.0.1:1"


@pytest.fixture
async def pair() -> AsyncIterator[tuple[FakeControl, FakeControl]]:
    async with FakeControl() as one, FakeControl() as two:
        for server in (one, two):
            server.add("t", KEYS)
        yield one, two


async def client_of(*servers: FakeControl) -> AsyncClient:
    return await connect_async([server.address for server in servers], patience_s=5)


def standby(count: int = 99) -> list[Planned]:
    return [Planned(Standby("ask another"), False)] * count


def test_addresses_come_in_a_list_or_between_commas() -> None:
    assert split_addresses("a:1, b:2,a:1") == ["a:1", "b:2"]
    assert split_addresses(["a:1", "b:2"]) == ["a:1", "b:2"]
    for nowhere in (" , ", ":", "a:1,b", "a:0"):
        with pytest.raises(InvalidArgument):
            split_addresses(nowhere)


async def test_what_a_standby_refuses_the_live_one_does(
    pair: tuple[FakeControl, FakeControl],
) -> None:
    one, two = pair
    for method in ("Append", "ListCollections", "Execute", "AddReplica"):
        one.fail(method, *standby())
    two.answers["CREATE TABLE u (k bigint)"] = "CREATE TABLE"
    async with await client_of(one, two) as client:
        await client.append("t", [{"k": 1}])
        await client.sql("CREATE TABLE u (k bigint)")
        assert client.address == two.address
    assert (one.rows("t"), two.rows("t")) == ([], [{"k": 1}])


async def test_one_that_was_replaced_is_left_for_the_next(
    pair: tuple[FakeControl, FakeControl],
) -> None:
    one, two = pair
    async with await client_of(one, two) as client:
        await client.append("t", [{"k": 1}])
        one.fail("Append", *[Planned(EpochFenced("replaced"), False)] * 99)
        await client.append("t", [{"k": 2}])
    assert (one.rows("t"), two.rows("t")) == ([{"k": 1}], [{"k": 2}])


async def test_a_subscription_goes_on_at_the_next(pair: tuple[FakeControl, FakeControl]) -> None:
    one, two = pair
    one.streams.append(([Chunk(0, 5, ((1, 4, 1),))], EpochFenced("replaced")))
    two.streams.append(([Chunk(5, None, ((2, 6, 1),))], None))
    async with await client_of(one, two) as client, client.subscribe("t") as changes:
        rows = [change.row async for batch in changes for change in batch]
    assert rows == [(1,), (2,)]


async def test_it_begins_with_whoever_answers(pair: tuple[FakeControl, FakeControl]) -> None:
    _, two = pair
    async with await connect_async(f"{NOBODY},{two.address}", patience_s=5) as client:
        assert client.address == two.address
    with pytest.raises(Unavailable, match=f"no controller answers at {NOBODY}"):
        await connect_async([NOBODY])


async def test_one_address_alone_hears_what_it_says(pair: tuple[FakeControl, FakeControl]) -> None:
    one, _ = pair
    one.fail("Execute", *standby())
    async with await client_of(one) as client:
        with pytest.raises(Standby, match="ask another"):
            await client.sql("SELECT 1")


@pytest.mark.parametrize("address", [None, 6870, b"a:1", [6870]])
def test_an_address_that_is_no_text_is_refused(address: Any) -> None:
    with pytest.raises(InvalidArgument, match="not the address of a controller: "):
        split_addresses(address)
