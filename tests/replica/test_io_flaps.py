"""Sync 33 over real streams: a thousand connections come and go, and leave nothing at a replica."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from antiphon.replica.rebuilding.asked import ASKS_MAX
from antiphon.v1 import compute_pb2
from tests.replica.bench import counted
from tests.replica.scripted import TABLE, create_instance, hello, index, peek_id, read_index
from tests.replica.served import Served
from tests.replica.test_io_process import X, answer_to, connected, running, schedule, worker_of

FLAPS = 1_000
WARM_UP = 50  # what is made once, and kept, is made by then
HELD_MAX = 4  # descriptors and threads that a library may add at a whim

pytestmark = [pytest.mark.slow]


def held(process: int) -> tuple[int, int]:
    """(open descriptors, threads)."""
    here = Path(f"/proc/{process}")
    return len(list((here / "fd").iterdir())), len(list((here / "task").iterdir()))


async def flap(replica: Served, number: int) -> None:
    """One connection that ends in the middle of something: at once, half said, with a read that
    waits, with state that is being fetched."""
    facts = await replica.facts()
    session = replica.connect()
    match number % 4:
        case 0:
            pass
        case 1:
            options = {"session": facts.session_id + 1, "connection_id": 10_000 + number}
            first = hello(
                incarnation=facts.incarnation, position=facts.applied_position, epoch=1, **options
            )
            await session.say(first, create_instance())
        case _:
            await session.begin(facts, index(X), schedule(X), connection_id=10_000 + number)
            await session.send(read_index(number, X, 10_000))
    if number % 4 == 3:
        request = compute_pb2.FetchStateRequest(collection=X, time=19, epoch=1)
        call = replica.stub.FetchState(request)
        reading = asyncio.ensure_future(call.read())
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await session.close()


async def test_a_thousand_connections_leave_no_descriptor_thread_session_or_read() -> None:
    async with running() as replica:
        for number in range(WARM_UP):
            await flap(replica, number)
        assert replica.process is not None
        processes = (replica.process.pid, await worker_of(replica))
        before = [held(process) for process in processes]
        for number in range(WARM_UP, FLAPS):
            await flap(replica, number)
        session = await connected(replica, connection_id=99_999)
        await session.send(read_index(1, X, 19))
        answer = await session.until(answer_to(1))
        assert counted(answer) == replica.collections.store.content(TABLE, 19)
        await replica.collections.append(10_000, TABLE, ((7, "late"), 1))
        await session.send(read_index(2, X, 10_000))
        await session.until(answer_to(2))
        late = [r for r in session.responses if getattr(r, "peek_id", peek_id(1)) not in MINE]
        assert not late, "a read of a connection that is gone was answered"
        request = compute_pb2.FetchStateRequest(collection=X, time=19, epoch=1)
        for _ in range(ASKS_MAX + 1):  # no place is taken by who hung up
            assert [chunk.last async for chunk in replica.stub.FetchState(request)] == [True]
        for process, (descriptors, threads) in zip(processes, before, strict=True):
            now = held(process)
            assert now[0] <= descriptors + HELD_MAX
            assert now[1] <= threads + HELD_MAX


MINE = {peek_id(1), peek_id(2)}
