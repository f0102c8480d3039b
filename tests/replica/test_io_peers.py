"""State and digests over gRPC, from one real replica to another."""

from __future__ import annotations

from collections import Counter

import grpc
import pytest

from antiphon.protocol.command import (
    AcceptRebuild,
    BaseSource,
    CreateDataflow,
    Schedule,
    StartRebuild,
)
from antiphon.protocol.ids import CollectionId, SessionId
from antiphon.protocol.response import RebuildCompleted, RebuildResult, Status
from antiphon.replica.rebuilding.asked import ASKS_MAX
from antiphon.v1 import compute_pb2
from tests.replica.bench import J, counted
from tests.replica.scripted import FEED, TABLE, changes_of, feed, get, index, read_index
from tests.replica.test_io_process import X, answer_to, connected, running, schedule


async def test_state_and_digests_are_told_to_who_asks() -> None:
    async with running() as shared:
        session = await connected(shared)
        await shared.collections.append(30, TABLE, ((4, "d"), 1))
        await session.send(read_index(1, X, 30))
        await session.until(answer_to(1))
        epoch = (await shared.facts()).highest_epoch
        request = compute_pb2.FetchStateRequest(collection=X, time=20, epoch=epoch)
        chunks = [chunk async for chunk in shared.stub.FetchState(request)]
        assert [(chunk.index, chunk.last, chunk.time) for chunk in chunks] == [(0, True, 20)]
        changes = changes_of((chunks[0].batch,))
        assert Counter({row: diff for row, _, diff in changes}) == shared.collections.store.content(
            TABLE, 20
        )
        wanted = compute_pb2.ProbeRequest(digests_of=[X], digests_at=20)
        (status,) = (await shared.stub.Probe(wanted)).collections
        assert status.content_digest == chunks[0].digest
        late = compute_pb2.ProbeRequest(digests_of=[X], digests_at=10_000)
        assert (await shared.stub.Probe(late)).collections[0].content_digest == b""
        for refused, code in (
            (compute_pb2.FetchStateRequest(collection=99, epoch=epoch), grpc.StatusCode.NOT_FOUND),
            (compute_pb2.FetchStateRequest(collection=X, time=20), grpc.StatusCode.ABORTED),
            (
                compute_pb2.FetchStateRequest(
                    collection=X, time=20, epoch=epoch, history_id=b"o" * 16
                ),
                grpc.StatusCode.FAILED_PRECONDITION,
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as found:
                async for _ in shared.stub.FetchState(refused):
                    pass
            assert found.value.code() is code


async def test_state_comes_in_chunks_and_who_hangs_up_leaves_nothing_behind() -> None:
    async with running() as shared:
        rows = [((number, f"w{number}"), 1) for number in range(40_000)]
        await shared.collections.append(30, TABLE, *rows)
        session = await connected(shared)
        await session.send(read_index(1, X, 30))
        await session.until(answer_to(1))
        epoch = (await shared.facts()).highest_epoch
        request = compute_pb2.FetchStateRequest(collection=X, time=30, epoch=epoch)
        for _ in range(2 * ASKS_MAX):
            call = shared.stub.FetchState(request)
            first = await call.read()
            assert (first.index, first.last) == (0, False)
            call.cancel()
        chunks = [chunk async for chunk in shared.stub.FetchState(request)]
        assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
        assert len(chunks) == 3
        changes = changes_of(tuple(chunk.batch for chunk in chunks))
        assert Counter({row: diff for row, _, diff in changes}) == shared.collections.store.content(
            TABLE, 30
        )
        rest = compute_pb2.FetchStateRequest(collection=X, time=30, epoch=epoch, first_chunk=2)
        assert [chunk async for chunk in shared.stub.FetchState(rest)] == chunks[2:]


async def test_a_feed_is_rebuilt_from_a_peer() -> None:
    """From itself, which is a peer like any other."""
    async with running() as shared:
        shared.collections.store.append(20, FEED, ((1, "a"), 1), ((2, "b"), 1))
        shared.collections.store.upper = 21
        session = shared.connect()
        creation = index(X, imports=(feed(),), plan=get(FEED))
        await session.begin(await shared.facts(), creation, schedule(X))
        await session.send(read_index(1, X, 20))
        await session.until(answer_to(1))
        await session.send(
            StartRebuild(
                session_id=SessionId(1),
                collections=(X,),
                base_time=15,
                target_time=18,
                deadline_ms=20_000,
                peer=shared.address,
            )
        )
        result = await session.until(
            lambda responses: next((r for r in responses if isinstance(r, RebuildResult)), None)
        )
        assert isinstance(result.result, RebuildCompleted)
        await session.send(AcceptRebuild(session_id=SessionId(1)), read_index(2, X, 20))
        answer = await session.until(answer_to(2))
        assert counted(answer) == shared.collections.store.content(FEED, 20)


async def test_a_fresh_replica_takes_a_table_and_a_feed_from_a_peer() -> None:
    """The store is asked for neither. A peer that is not there any more is told of, and waited with
    until another source is named: then the content is the same."""
    async with running() as peer, running() as fresh:
        store = fresh.collections.store = peer.collections.store
        store.append(20, FEED, ((1, "a"), 1), ((2, "b"), 1))
        store.upper = 21
        session = await connected(peer)
        await session.send(feed_index(J), schedule(J), read_index(1, J, 20))
        await session.until(answer_to(1))

        newcomer = fresh.connect()
        created = (index(X, as_of=20), feed_index(J))
        await newcomer.begin(await fresh.facts(), *created)
        await newcomer.send(from_peer(X, TABLE, peer.address), from_peer(J, FEED, peer.address))
        await newcomer.send(read_index(2, X, 20), read_index(3, J, 20))
        assert counted(await newcomer.until(answer_to(2))) == store.content(TABLE, 20)
        assert counted(await newcomer.until(answer_to(3))) == store.content(FEED, 20)
        assert not fresh.collections.snapshots


async def test_a_peer_that_is_gone_is_told_of_until_another_source_is_named() -> None:
    async with running() as fresh:
        newcomer = fresh.connect()
        await newcomer.begin(await fresh.facts(), index(X, as_of=20))
        nobody = f"unix:{fresh.directory}/nobody"
        await newcomer.send(from_peer(X, TABLE, nobody))
        progress = await newcomer.until(
            lambda responses: next(
                (
                    one
                    for response in responses
                    if isinstance(response, Status)
                    for one in response.hydration
                    if one.peer_failed
                ),
                None,
            )
        )
        assert (progress.collection, progress.peer_failed) == (X, nobody)
        assert progress.peer_failure
        assert not fresh.collections.snapshots
        await newcomer.send(schedule(X), read_index(2, X, 20))
        answer = await newcomer.until(answer_to(2))
        assert counted(answer) == fresh.collections.store.content(TABLE, 20)


def feed_index(collection: CollectionId) -> CreateDataflow:
    return index(collection, imports=(feed(),), plan=get(FEED), as_of=20)


def from_peer(collection: CollectionId, source: CollectionId, peer: str) -> Schedule:
    return Schedule(collection=collection, bases=(BaseSource(collection=source, peer=peer),))
