"""What replicas read: everything missed, then every tick; and where they write back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from antiphon.controller.io import collections_service, tails
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.history.io.sqlite.rows import RunState
from antiphon.protocol import errors
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.delta import TIME_COLUMN, decode_batch, delta_schema, encode_batch
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


# Appends in pieces.


def batch(rows: Iterable[int], time: int) -> pb.CollectionDelta:
    keys = pa.array(rows, pa.int64())
    arrays = [
        keys,
        pa.array([time] * len(keys), pa.uint64()),
        pa.array([1] * len(keys), pa.int64()),
    ]
    message = encode_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA))
    return pb.CollectionDelta(collection=2, batches=[message])


class Appending:
    """A view `m` of one column, and what a replica sends for it."""

    def __init__(self, controller: Any, client: Client) -> None:
        self._client = client
        self.fence = controller.driver.fence

    async def create(self) -> None:
        await self._client.sql("CREATE TABLE t (k bigint)")
        await self._client.sql("CREATE MATERIALIZED VIEW m AS SELECT k FROM t")

    def first(self, upper: int = 10, **others: Any) -> pb.AppendPiece:
        values = {
            "collection": 2,
            "expected_upper": frontier_to_proto(Frontier(1)),
            "new_upper": frontier_to_proto(Frontier(upper)),
            "delta": batch([0], 5),
            "epoch": self.fence.epoch,
            "claim_id": self.fence.claim_id.value,
            **others,
        }
        return pb.AppendPiece(append=pb.CompareAndAppendRequest(**values))

    def open(self) -> Any:
        return self._client.collections.AppendInPieces()

    async def send(self, *pieces: pb.AppendPiece) -> Any:
        call = self.open()
        for piece in pieces:
            await call.write(piece)
        return call

    async def keys(self) -> list[int]:
        request = pb.SnapshotRequest(collection=2, as_of=9)
        chunks = [chunk async for chunk in self._client.collections.Snapshot(request)]
        rows = [decode_batch(b, SCHEMA) for chunk in chunks for b in chunk.delta.batches]
        return sorted(key for one in rows for key in one.column("k").to_pylist())


def piece(rows: Iterable[int], *, last: bool = False) -> pb.AppendPiece:
    return pb.AppendPiece(delta=batch(rows, 5), last=last)


def drafts(directory: Path) -> int:
    """The runs that nobody reads yet."""
    (found,) = directory.rglob(DATABASE)
    with closing(sqlite3.connect(found)) as connection:
        query = "SELECT count(*) FROM run WHERE state = ?"
        return int(connection.execute(query, (RunState.BUILDING,)).fetchone()[0])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


async def test_pieces_are_one_append(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        call = await view.send(view.first(), piece(range(1, 100)), piece(range(100, 200)))
        await call.write(piece(range(200, 300), last=True))
        answer = await call
        assert answer.applied
        assert frontier_from_proto(answer.upper) == Frontier(10)
        assert await view.keys() == list(range(300))


async def test_more_than_a_message_holds_comes_in_pieces(tmp_path: Path) -> None:
    """And no more than a few pieces of it are in the controller's memory at any time."""
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        call = await view.send(view.first())
        rows_each, count = 400_000, 12
        for number in range(count):
            start = 1 + number * rows_each
            await call.write(piece(range(start, start + rows_each), last=number == count - 1))
        assert (await call).applied
        request = pb.SnapshotRequest(collection=2, as_of=9)
        rows = 0
        async for chunk in client.collections.Snapshot(request):
            rows += sum(decode_batch(b, SCHEMA).num_rows for b in chunk.delta.batches)
        assert rows == 1 + count * rows_each


async def test_a_replica_that_leaves_half_way_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        left = await view.send(view.first(), piece([1]))
        await until(lambda: drafts(tmp_path) > 0)
        left.cancel()
        await until(lambda: drafts(tmp_path) == 0)
        ended = await view.send(view.first(), piece([1]))
        await ended.done_writing()
        assert isinstance(await refused(ended), errors.ProtocolViolated)
        await until(lambda: drafts(tmp_path) == 0)
        call = await view.send(view.first(), piece([2], last=True))
        assert (await call).applied
        assert await view.keys() == [0, 2]


async def test_one_that_is_silent_for_too_long_lets_the_others_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collections_service, "APPEND_SILENCE_MS", 200)
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        silent = await view.send(view.first())
        other = await view.send(view.first(), piece([1], last=True))
        assert isinstance(await refused(silent), errors.LinkTimeout)
        assert (await other).applied
        assert await view.keys() == [0, 1]


async def test_of_two_in_pieces_one_applies_and_the_other_hears_so_early(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        one = await view.send(view.first(), piece([1]))
        other = await view.send(view.first(20))
        await one.write(piece([2], last=True))
        assert (await one).applied
        answer = await other
        assert not answer.applied
        assert frontier_from_proto(answer.upper) == Frontier(10)
        assert await view.keys() == [0, 1, 2]


async def test_what_is_no_append_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        view = Appending(controller, client)
        await view.create()
        for first, expected in (
            (view.first(collection=1), errors.CollectionMissing),
            (view.first(claim_id=b"x"), errors.ProtocolViolated),
            (view.first(epoch=9), errors.EpochFenced),
            (pb.AppendPiece(delta=batch([1], 5)), errors.CollectionMissing),
        ):
            assert isinstance(await refused(await view.send(first)), expected)
        wrong = await view.send(view.first(), pb.AppendPiece(delta=batch([1], 50)))
        assert isinstance(await refused(wrong), errors.InvalidArgument)
        await until(lambda: drafts(tmp_path) == 0)
