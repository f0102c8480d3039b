"""Running subscriptions: lost connections, slow readers, ends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from antiphon.client import AsyncClient, Frontier, connect_async
from antiphon.protocol.errors import (
    InvalidArgument,
    LimitExceeded,
    RemoteProtocolError,
    SinceViolation,
)
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from tests.client.fake_control import Chunk, ConnectionBroken, FakeControl

SALES = Schema((Column(name="id", type=INT64, nullable=False), Column(name="region", type=TEXT)))


@pytest.fixture
async def control() -> AsyncIterator[FakeControl]:
    async with FakeControl() as server:
        server.add("sales", SALES)
        yield server


@pytest.fixture
async def client(control: FakeControl) -> AsyncIterator[AsyncClient]:
    async with await connect_async(control.address, patience_s=5) as connected:
        yield connected


async def test_a_subscription_goes_on_where_it_was_after_the_controller_is_gone(
    control: FakeControl, client: AsyncClient
) -> None:
    control.streams.append(([Chunk(0, 5, ((1, "a", 4, 1),)), Chunk(5, 7)], ConnectionBroken()))
    control.streams.append(([Chunk(6, 9, ((2, "b", 6, 1), (3, "c", 8, 1)))], None))
    control.streams.append(([Chunk(9, None, ((1, "a", 9, -1),))], None))
    batches = [batch async for batch in client.subscribe("sales")]
    assert [[c.row[0] for c in batch] for batch in batches] == [[1], [3], [1]]
    assert [b.is_snapshot for b in batches] == [True, False, False]
    resumed = [r.resume_from.time for r in control.requests["Subscribe"][1:]]
    assert resumed == [7, 9]
    assert not any(r.with_snapshot for r in control.requests["Subscribe"][1:])


async def test_a_subscription_may_begin_at_a_frontier_of_an_earlier_one(
    control: FakeControl, client: AsyncClient
) -> None:
    control.streams.append(([Chunk(5, 6, ((1, "a", 5, 1),)), Chunk(6, None)], None))
    async with client.subscribe("sales", from_frontier=Frontier(5)) as changes:
        batch = await anext(changes)
        assert not batch.is_snapshot
        assert changes.frontier == Frontier(6)
    assert control.requests["Subscribe"][0].resume_from.time == 5


async def test_progress_is_handed_out_when_asked_for_and_an_empty_snapshot_always(
    control: FakeControl, client: AsyncClient
) -> None:
    chunks = [Chunk(0, 5), Chunk(5, 6), Chunk(6, None)]
    control.streams.append((chunks, None))
    plain = [b.upper async for b in client.subscribe("sales")]
    control.streams.append((chunks, None))
    whole = [b.upper async for b in client.subscribe("sales", with_progress=True)]
    assert plain == [Frontier(5)]
    assert whole == [Frontier(5), Frontier(6), Frontier(None)]


async def test_a_query_is_told_from_a_name(control: FakeControl, client: AsyncClient) -> None:
    control.add("query", SALES)
    control.streams.append(([Chunk(0, None)], None))
    async for _ in client.subscribe("SUBSCRIBE TO (SELECT 1);"):
        pass
    assert control.requests["Subscribe"][0].query == "(SELECT 1)"


async def test_a_subscriber_that_was_too_slow_goes_on_and_one_that_is_too_late_is_told(
    control: FakeControl, client: AsyncClient
) -> None:
    slow = LimitExceeded("too slow", limit="SUBSCRIBE_QUEUE_BYTES_MAX")
    control.streams.append(([Chunk(0, 5)], slow))
    control.streams.append(([Chunk(5, 6, ((1, "a", 5, 1),))], SinceViolation("folded")))
    async with client.subscribe("sales") as changes:
        assert (await anext(changes)).upper == Frontier(5)
        assert (await anext(changes)).upper == Frontier(6)
        with pytest.raises(SinceViolation):
            await anext(changes)


async def test_a_gap_in_a_stream_is_the_servers_fault_and_told(
    control: FakeControl, client: AsyncClient
) -> None:
    control.streams.append(([Chunk(0, 5), Chunk(7, 8)], None))
    async with client.subscribe("sales") as changes:
        await anext(changes)
        with pytest.raises(RemoteProtocolError, match="gap"):
            await anext(changes)


async def test_a_closed_subscription_ends_at_once(
    control: FakeControl, client: AsyncClient
) -> None:
    control.streams.append(([Chunk(0, 5)], None))
    changes = client.subscribe("sales")
    assert changes.frontier is None
    await anext(changes)
    await changes.close()
    assert [batch async for batch in changes] == []


async def test_parts_of_one_interval_come_as_one_batch(
    control: FakeControl, client: AsyncClient
) -> None:
    parts = [Chunk(0, 0, ((1, "a", 4, 1),)), Chunk(0, 5, ((2, "b", 4, 1),)), Chunk(5, None)]
    control.streams.append((parts, None))
    batches = [batch async for batch in client.subscribe("sales")]
    assert [[change.row[0] for change in batch] for batch in batches] == [[1, 2]]


async def test_under_a_hold_it_goes_on_where_it_was_acknowledged(
    control: FakeControl, client: AsyncClient
) -> None:
    chunks = [Chunk(0, 5, ((1, "a", 4, 1),)), Chunk(5, 7, ((2, "b", 6, 1),)), Chunk(7, None)]
    control.streams.append((chunks, None))
    async with client.subscribe("sales", hold="mine", hold_deadline_ms=9) as changes:
        await anext(changes)
        await changes.acknowledge()
        await anext(changes)  # arrived, but never dealt with
    taken, seen = control.requests["HoldSubscription"]
    assert (taken.hold, taken.collection, taken.deadline_ms) == ("mine", "sales", 9)
    assert (seen.acknowledged.time, seen.collection) == (5, "")
    control.streams.append(([Chunk(5, None, ((2, "b", 6, 1),))], None))
    batches = [batch async for batch in client.subscribe("sales", hold="mine")]
    assert [[change.row[0] for change in batch] for batch in batches] == [[2]]
    first, again = control.requests["Subscribe"]
    assert (first.hold, again.hold, again.resume_from.time) == ("mine", "mine", 5)
    assert (first.with_snapshot, again.with_snapshot) == (True, False)


async def test_without_a_hold_there_is_nothing_to_acknowledge(
    control: FakeControl, client: AsyncClient
) -> None:
    async with client.subscribe("sales") as changes:
        with pytest.raises(InvalidArgument):
            await changes.acknowledge()
