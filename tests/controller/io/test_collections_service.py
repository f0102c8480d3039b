"""What replicas read: everything missed, then every tick; and where they write back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from antiphon.controller.io import collections_service, tails
from antiphon.protocol import errors
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.delta import TIME_COLUMN, decode_batch, delta_schema
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.v1 import collections_pb2 as pb
from tests.controller.io.serving import Client, serving

SCHEMA = delta_schema(Schema((Column(name="k", type=INT64),)))


def tail_request(**lowers: int) -> pb.TailRequest:
    """From a frontier for each collection: `_1=5` is collection 1 from 5."""
    return pb.TailRequest(
        collections=[
            pb.TailFrom(collection=int(name[1:]), lower=frontier_to_proto(Frontier(lower)))
            for name, lower in lowers.items()
        ]
    )


def keys(batch: Any) -> list[int]:
    return [
        key
        for delta in batch.deltas
        for message in delta.batches
        for key in decode_batch(message, SCHEMA).column("k").to_pylist()
    ]


async def refused(call: Any) -> errors.ComputeError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def write(client: Client, *values: int) -> int:
    return int((await client.append("t", k=list(values))).time)


async def test_a_tail_begins_with_what_was_missed_and_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        first, second = await write(client, 1), await write(client, 2)
        call = client.collections.Tail(tail_request(_1=first + 1))
        missed = await call.read()
        assert keys(missed) == [2]
        assert frontier_from_proto(missed.lower) == Frontier(first + 1)
        assert frontier_from_proto(missed.upper) == Frontier(second + 1)
        third = await write(client, 3)
        live = await call.read()
        assert keys(live) == [3]
        assert frontier_from_proto(live.lower) == Frontier(second + 1)
        assert frontier_from_proto(live.upper) == Frontier(third + 1)
        call.cancel()


async def test_collections_may_start_at_frontiers_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE TABLE u (k bigint)")
        first = await write(client, 1)
        await client.append("u", k=[10])
        call = client.collections.Tail(tail_request(_1=first + 1, _2=1))
        missed = await call.read()
        assert frontier_from_proto(missed.lower) == Frontier(1)
        assert keys(missed) == [10]
        call.cancel()


async def test_a_long_absence_comes_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections_service, "BACKLOG_BYTES_MAX", 100)
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        for key in range(20):
            await write(client, key)
        call = client.collections.Tail(tail_request(_1=1))
        seen: list[int] = []
        lower, pieces = Frontier(1), 0
        while lower != Frontier(controller.driver.timeline_upper):
            piece = await call.read()
            assert frontier_from_proto(piece.lower) == lower
            lower, pieces = frontier_from_proto(piece.upper), pieces + 1
            seen += keys(piece)
        assert seen == list(range(20))
        assert pieces >= 4
        call.cancel()


async def test_a_tail_that_falls_behind_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "TAIL_QUEUE_BYTES_MAX", 5_000_000)
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint)")
        call = client.collections.Tail(tail_request(_1=1))
        await call.read()
        for _ in range(20):
            await write(client, *range(100_000))

        async def read_all() -> None:
            while True:
                await call.read()

        assert isinstance(await refused(read_all()), errors.LimitExceeded)


async def test_only_what_the_store_holds_has_a_tail(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE VIEW w AS SELECT k FROM t")
        for collection in (2, 9):
            call = client.collections.Tail(tail_request(**{f"_{collection}": 1}))
            assert isinstance(await refused(call.read()), errors.CollectionMissing)


async def test_a_snapshot_is_the_content_at_its_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        first = await write(client, 1)
        await write(client, 2)

        async def snapshot(as_of: int) -> tuple[list[int], list[int]]:
            request = pb.SnapshotRequest(collection=1, as_of=as_of)
            chunks = [chunk async for chunk in client.collections.Snapshot(request)]
            assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
            rows = [
                decode_batch(message, SCHEMA) for chunk in chunks for message in chunk.delta.batches
            ]
            return (
                sorted(k for batch in rows for k in batch.column("k").to_pylist()),
                sorted({t for batch in rows for t in batch.column(TIME_COLUMN).to_pylist()}),
            )

        assert await snapshot(first) == ([1], [first])
        latest = controller.driver.timeline_upper - 1
        assert await snapshot(latest) == ([1, 2], [latest])
        assert await snapshot(0) == ([], [])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await snapshot(latest + 1)
        assert isinstance(from_rpc_error(caught.value), errors.NotComplete)


async def test_a_view_is_written_by_whom_this_claim_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        await client.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM t")
        fence = controller.driver.fence

        def request(expected: int, new: int, epoch: int = fence.epoch) -> Any:
            return client.collections.CompareAndAppend(
                pb.CompareAndAppendRequest(
                    collection=2,
                    expected_upper=frontier_to_proto(Frontier(expected)),
                    new_upper=frontier_to_proto(Frontier(new)),
                    delta=pb.CollectionDelta(collection=2),
                    epoch=epoch,
                    claim_id=fence.claim_id.value,
                )
            )

        assert (await request(1, 10)).applied
        second = await request(1, 20)
        assert not second.applied
        assert frontier_from_proto(second.upper) == Frontier(10)
        assert isinstance(await refused(request(10, 20, epoch=9)), errors.EpochFenced)
