"""A real replica: processes, sockets, signals. The controller is scripted, the store honest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from antiphon.protocol.command import (
    AllowWrites,
    Schedule,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import MaterializedViewExport, SubscribeExport
from antiphon.protocol.errors import (
    EpochFenced,
    OutcomeUnknown,
    ProtocolViolated,
    StaleFacts,
    Unavailable,
)
from antiphon.protocol.ids import ClaimId, CollectionId, transient
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.response import (
    Draining,
    PeekResponse,
    PeekStashed,
    Response,
    Status,
    SubscribeBatch,
    SubscribeResponse,
)
from antiphon.replica.io.process import CRASHED, OK
from antiphon.v1 import compute_pb2
from tests.replica.bench import counted, rows, total
from tests.replica.scripted import (
    TABLE,
    create_instance,
    dataflow,
    index,
    peek_id,
    read_index,
    rows_of,
    sent,
)
from tests.replica.served import PATIENCE_S, Connection, Served, served
from tests.replica.stored import Store

X = CollectionId(7)
S = transient(1)


def schedule(collection: int) -> Schedule:
    return Schedule(collection=CollectionId(collection))


pytestmark = pytest.mark.asyncio(loop_scope="module")


def filled() -> Store:
    store = Store(upper=1)
    store.append(5, TABLE, *rows((1, "a"), (2, "b"), (3, "c")))
    store.upper = 20
    return store


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Served]:
    # Not pytest's directory: the path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        async with served(Path(directory), filled()) as found:
            await found.start()
            yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting() -> AsyncIterator[Served]:
    async with running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def shared(lasting: Served) -> AsyncIterator[Served]:
    """The one replica of all tests that leave it alive, and a fresh store: each new session is a
    full set, so that nothing of an earlier test is left."""
    lasting.collections.store = filled()
    yield lasting
    await lasting.hang_up()


@pytest_asyncio.fixture(loop_scope="module")
async def replica() -> AsyncIterator[Served]:
    """A replica of one's own."""
    async with running() as found:
        yield found


def answer_to(number: int) -> Any:
    def find(responses: list[Response]) -> Any:
        for response in responses:
            if isinstance(response, PeekResponse) and response.peek_id == peek_id(number):
                return response.result
        return None

    return find


async def connected(replica: Served, **options: Any) -> Connection:
    """A session with an index of the table."""
    session = replica.connect()
    await session.begin(await replica.facts(), index(X), schedule(X), **options)
    return session


async def worker_of(replica: Served) -> int:
    """The process id of the replica's worker."""
    assert replica.process is not None
    children = Path(f"/proc/{replica.process.pid}/task/{replica.process.pid}/children")
    (worker,) = children.read_text().split()
    return int(worker)


async def until(reached: Callable[[], bool], what: str) -> None:
    for _ in range(int(PATIENCE_S / 0.05)):
        if reached():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_peek_goes_all_the_way_and_follows_what_is_appended(shared: Served) -> None:
    session = await connected(shared)
    await session.send(read_index(1, X, 15), read_index(2, X, 30))
    first = await session.until(answer_to(1))
    assert counted(first) == shared.collections.store.content(TABLE, 15)
    await shared.collections.append(30, TABLE, ((1, "a"), -1), ((4, "d"), 1))
    second = await session.until(answer_to(2))
    assert counted(second) == Counter({(2, "b"): 1, (3, "c"): 1, (4, "d"): 1})
    assert set(session.ids) == {session.id}


async def test_the_heartbeat_comes_by_itself(shared: Served) -> None:
    session = await connected(shared)
    status: Status = await session.until(
        lambda responses: next((r for r in responses if isinstance(r, Status)), None)
    )
    assert status.resident_bytes > 1 << 20
    assert status.dataflow_count == 1


async def test_a_subscribe_and_a_view_follow_together(shared: Served) -> None:
    view = dataflow((8, MaterializedViewExport()))
    session = shared.connect()
    await session.begin(await shared.facts(), view, schedule(8))
    await session.send(AllowWrites(), dataflow((S, SubscribeExport()), as_of=15), schedule(S))
    for number in range(5):
        await shared.collections.append(30 + number, TABLE, ((10 + number, "x"), 1))

    def batches(responses: list[Response]) -> list[SubscribeBatch]:
        return [
            r.result
            for r in responses
            if isinstance(r, SubscribeResponse) and isinstance(r.result, SubscribeBatch)
        ]

    await session.until(lambda responses: batches(responses)[-1:] and (
        batches(responses)[-1].upper.time == 35
    ))  # fmt: skip
    store = shared.collections.store
    assert total(batches(session.responses), 34) == store.content(TABLE, 34)

    def is_written() -> bool:
        shard = store.shards.get(CollectionId(8))
        return shard is not None and shard.upper.time == 35

    await until(is_written, "the view is written")
    assert store.content(CollectionId(8), 34) == store.content(TABLE, 34)


async def test_a_large_result_is_fetched_once_and_in_chunks(shared: Served) -> None:
    many = [((number, "x" * 1_000), 1) for number in range(4_000)]
    session = await connected(shared)
    await shared.collections.append(30, TABLE, *many)
    await session.send(read_index(1, X, 30))
    stashed = await session.until(answer_to(1))
    assert isinstance(stashed, PeekStashed)
    batches = await shared.fetch(peek_id(1))
    assert len(batches) > 3
    found = Counter(rows_of(batches))
    assert found == shared.collections.store.content(TABLE, 30)
    assert stashed.row_count == found.total()
    with pytest.raises(Unavailable):
        await shared.fetch(peek_id(1))


async def test_5_an_older_epoch_is_refused_and_the_incumbent_works_on(shared: Served) -> None:
    epoch = (await shared.facts()).highest_epoch + 5
    incumbent = await connected(shared, epoch=epoch)
    await incumbent.until(lambda responses: responses)
    old = shared.connect()
    await old.begin(await shared.facts(), epoch=epoch - 1)
    assert isinstance(await old.end(), EpochFenced)
    other_claim = shared.connect()
    await other_claim.begin(await shared.facts(), claim=ClaimId(b"x" * 16))
    assert isinstance(await other_claim.end(), EpochFenced)
    await incumbent.send(read_index(1, X, 15))
    await incumbent.until(answer_to(1))


async def test_6_a_newer_epoch_evicts_at_once(shared: Served) -> None:
    epoch = (await shared.facts()).highest_epoch + 1
    incumbent = await connected(shared, epoch=epoch)
    await incumbent.until(lambda responses: responses)
    newcomer = await connected(shared, epoch=epoch + 1)
    assert isinstance(await incumbent.end(), EpochFenced)
    await newcomer.send(read_index(1, X, 15))
    await newcomer.until(answer_to(1))
    assert set(newcomer.ids) == {newcomer.id}


async def test_the_fence_survives_kill_9_and_the_replica_comes_back(replica: Served) -> None:
    session = await connected(replica, epoch=5)
    await session.until(lambda responses: responses)
    before = await replica.facts()
    assert replica.process is not None
    worker = await worker_of(replica)
    replica.process.send_signal(signal.SIGKILL)
    assert isinstance(await session.end(), OutcomeUnknown)
    await until(lambda: is_gone(worker), "no worker outlives its front")
    await replica.exited()
    await replica.start()
    after = await replica.facts()
    assert after.incarnation != before.incarnation
    assert after.highest_epoch == 5
    assert after.instance_id == before.instance_id
    old = replica.connect()
    await old.begin(after, epoch=4)
    assert isinstance(await old.end(), EpochFenced)
    stale = replica.connect()
    await stale.begin(before, epoch=6)
    assert isinstance(await stale.end(), StaleFacts)
    again = await connected(replica, epoch=6)
    await again.send(read_index(1, X, 15))
    result = await again.until(answer_to(1))
    assert counted(result) == replica.collections.store.content(TABLE, 15)


async def test_one_process_lost_is_the_replica_lost(replica: Served) -> None:
    session = await connected(replica)
    await session.until(lambda responses: responses)
    os.kill(await worker_of(replica), signal.SIGKILL)
    assert isinstance(await session.end(), Unavailable | OutcomeUnknown)
    assert await replica.exited() == CRASHED


async def test_a_worker_that_hangs_is_ended_with_its_replica(
    replica: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its front beats on, so nobody else would; and its holds would pin the store for ever."""
    assert replica.process is not None
    replica.process.kill()
    await replica.exited()
    monkeypatch.setenv("ANTIPHON_REPLICA_WORKER_SILENCE_MS_MAX", "8000")
    await replica.start()
    session = await connected(replica)
    await session.until(lambda responses: responses)
    worker = await worker_of(replica)
    os.kill(worker, signal.SIGSTOP)
    await session.send(index(99))
    error = await session.end()
    assert isinstance(error, Unavailable)
    assert "its worker was silent for" in error.message
    assert await replica.exited() == CRASHED
    await until(lambda: is_gone(worker), "the worker has ended")


async def test_sigterm_is_announced_and_ends_both_processes(replica: Served) -> None:
    session = await connected(replica)
    await session.until(lambda responses: responses)
    worker = await worker_of(replica)
    assert replica.process is not None
    replica.process.send_signal(signal.SIGTERM)
    assert isinstance(await session.end(), Unavailable)
    assert await replica.exited() == OK
    assert any(isinstance(response, Draining) for response in session.responses)
    await until(lambda: is_gone(worker), "the worker has ended")


async def test_a_replica_ends_with_its_parent(replica: Served) -> None:
    assert replica.process is not None
    replica.process.kill()
    await replica.exited()
    await replica.start(watch_stdin=True)
    assert replica.process.stdin is not None
    replica.process.stdin.close()
    assert await replica.exited() == OK


async def test_health_and_reflection_are_served(shared: Served) -> None:
    channel = open_channel(shared.address)
    stub = health_pb2_grpc.HealthStub(channel)
    service = compute_pb2.DESCRIPTOR.services_by_name["Compute"].full_name
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await channel.close()


async def test_2_and_3_illegal_commands_close_the_stream_with_a_typed_error(
    shared: Served,
) -> None:
    first = shared.connect()
    await first.say(create_instance())
    assert isinstance(await first.end(), ProtocolViolated)
    second = shared.connect()
    await second.begin(await shared.facts())
    await second.send(schedule(99))
    assert isinstance(await second.end(), ProtocolViolated)


async def test_bytes_that_are_no_message_end_their_stream_alone(shared: Served) -> None:
    incumbent = await connected(shared)
    await incumbent.until(lambda responses: responses)
    async with open_channel(shared.address) as channel:
        session = channel.stream_stream("/antiphon.v1.Compute/Session")
        call = session(iter([b"\xff\xff\xff"]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    error = from_rpc_error(caught.value)
    assert isinstance(error, ProtocolViolated)
    assert "a message cannot be read" in error.message
    await incumbent.send(read_index(1, X, 15))
    await incumbent.until(answer_to(1))


async def test_a_broken_tail_is_taken_up_where_it_was(shared: Served) -> None:
    session = await connected(shared)
    await shared.collections.append(30, TABLE, ((4, "d"), 1))
    await session.send(read_index(1, X, 30))
    await session.until(answer_to(1))
    await shared.collections.break_off()
    await asyncio.sleep(0.3)
    shared.collections.broken = False
    await shared.collections.append(40, TABLE, ((5, "e"), 1))
    await session.send(read_index(2, X, 40))
    result = await session.until(answer_to(2))
    assert counted(result) == shared.collections.store.content(TABLE, 40)
    assert shared.collections.tails[-1].collections[0].lower.time == 31


async def test_configuration_reaches_a_running_worker(shared: Served) -> None:
    session = await connected(shared)
    await session.send(UpdateConfiguration(values={"result_bytes_max": "1"}), read_index(1, X, 15))
    failure = await session.until(answer_to(1))
    assert failure.code == "limit_exceeded"


async def test_a_replica_logs_once_that_it_is_full_and_once_that_it_is_not(
    shared: Served,
) -> None:
    session = await connected(shared)
    for value, said in (("1", '"full"'), ("default", '"not full any more"')):
        await session.send(UpdateConfiguration(values={"state_bytes_max": value}))
        await until(lambda said=said: f'"event": {said}' in shared.log(), said)  # type: ignore[misc]
        await asyncio.sleep(0.6)
        assert shared.log().count(f'"event": {said}') == 1


async def test_a_second_replica_on_one_address_is_refused_in_one_line(shared: Served) -> None:
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        async with served(Path(directory), Store()) as other:
            other.address = shared.address
            other.spawn()
            assert await other.exited() == 1
            assert other.log().strip().splitlines()[-1].startswith("AddressInUse: ")


async def test_two_replicas_cannot_share_a_data_directory(shared: Served) -> None:
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        async with served(Path(directory), Store()) as other:
            (other.directory / "data").symlink_to(shared.directory / "data")
            other.spawn()
            assert await other.exited() == 1
            said = other.log().strip().splitlines()[-1]
            assert said.startswith("DirectoryInUse: another replica (process ")
            assert shared.process is not None
            assert str(shared.process.pid) in said


async def test_an_idle_session_stays_and_the_next_command_is_heard(shared: Served) -> None:
    session = await connected(shared)
    await session.until(lambda responses: sum(isinstance(r, Status) for r in responses) >= 3)
    await session.say(sent(read_index(1, X, 15)))
    await session.until(answer_to(1))
