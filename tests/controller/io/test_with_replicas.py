"""The whole path with real replica processes: SQL in, answers out, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from antiphon.controller.io import link as links
from antiphon.controller.io.process import Controller
from antiphon.protocol import errors
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ReplicaId
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client, Row, arrow_stream, serving, until

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600, method="signal"),
]

SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer text, amount bigint);
CREATE FEED prices (item text PRIMARY KEY, price bigint);
CREATE VIEW totals AS SELECT customer, count(*) AS n, sum(amount) AS total FROM orders
    GROUP BY customer;
CREATE INDEX totals_by_customer ON totals (customer);
CREATE MATERIALIZED VIEW large AS SELECT id, amount FROM orders WHERE amount >= 100
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Controller, Client]]:
    """Two replicas, for all tests: processes take their time to start."""
    async with serving(tmp_path_factory.mktemp("system"), local_replicas=2) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def system(
    running: tuple[Controller, Client],
) -> AsyncIterator[tuple[Controller, Client]]:
    """The same two, up to date with an example that no other test has touched."""
    _, client = running
    await client.sql(SCHEMA)
    await client.ready(2)
    yield running
    await client.sql("DROP TABLE orders CASCADE; DROP FEED prices CASCADE")


def process_of(status: pb.GetStatusResponse, name: str) -> int:
    (found,) = [r.process_id for r in status.replicas if r.name == name]
    return int(found)


async def replaced(client: Client, name: str, process_id: int) -> None:
    """Another process runs in place of one that was killed."""

    async def reached() -> bool:
        return process_of(await client.status(), name) not in (0, process_id)

    await until(reached, f"another process of {name}")


async def answer_of(client: Client, sql: str, replica: str) -> list[Row]:
    """What one replica answers, as soon as it does: its link may be lost at any moment."""
    found: list[list[Row]] = []

    async def answered() -> bool:
        try:
            found.append(await client.sql(sql, replica=replica))
        except grpc.aio.AioRpcError as error:
            if not isinstance(from_rpc_error(error), errors.ReplicaFailed):
                raise
        return bool(found)

    await until(answered, f"{replica} answers")
    return found[0]


async def few_tasks(before: int) -> None:
    """A task that stays of each connection would make more than a question to a replica's health,
    or a tail, that is under way at one moment and not at the other."""
    await until(lambda: len(asyncio.all_tasks()) <= before + 4, "no task is left")


class Subscriber:
    """Adds up what it is told, and checks that it is told everything once."""

    def __init__(self, client: Client, name: str, **options: Any) -> None:
        self.rows: Counter[tuple[Any, ...]] = Counter()
        self.upper: Frontier | None = None
        self.first_lower: Frontier | None = None
        request = pb.SubscribeRequest(collection=name, with_snapshot=True, **options)
        self._call = client.control.Subscribe(request)
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        schema = None
        async for chunk in self._call:
            if chunk.arrow_schema:
                schema = pa.ipc.read_schema(pa.py_buffer(chunk.arrow_schema))
            if self.first_lower is None:
                self.first_lower = frontier_from_proto(chunk.lower)
            if self.upper is not None:
                assert frontier_from_proto(chunk.lower) == self.upper, "a gap, or a repeat"
            for message in chunk.batches:
                batch = pa.ipc.read_record_batch(pa.py_buffer(message), schema)
                for row in batch.to_pylist():
                    diff = row.pop("antiphon_diff")
                    row.pop("antiphon_time")
                    self.rows[tuple(row.values())] += diff
            self.upper = frontier_from_proto(chunk.upper)

    def content(self) -> dict[tuple[Any, ...], int]:
        return {row: count for row, count in self.rows.items() if count}

    async def reach(self, time: int) -> None:
        def reached() -> bool:
            assert not self._task.done(), self._task
            return self.upper is not None and self.upper.passes(time)

        await until(reached, f"the subscriber passes {time}")

    def stop(self) -> None:
        self._call.cancel()


async def test_every_kind_of_statement(system: tuple[Controller, Client]) -> None:
    _controller, client = system
    assert await client.tags("INSERT INTO orders VALUES (1, 'a', 50), (2, 'b', 150)") == [
        "INSERT 2"
    ]
    totals = "SELECT customer, n, total FROM totals ORDER BY customer"
    rows = [(r["customer"], r["n"], int(r["total"])) for r in await client.sql(totals)]
    assert rows == [("a", 1, 50), ("b", 1, 150)]
    assert await client.tags("UPDATE orders SET amount = amount + 100 WHERE id = 1") == ["UPDATE 1"]
    assert await client.sql("SELECT id, amount FROM large ORDER BY id") == [
        {"id": 1, "amount": 150},
        {"id": 2, "amount": 150},
    ]
    assert await client.tags("DELETE FROM orders WHERE id = 2") == ["DELETE 1"]
    select = "INSERT INTO orders SELECT id + 10, customer, amount FROM orders"
    assert await client.tags(select) == ["INSERT 1"]
    found = await client.sql("SELECT total FROM totals WHERE customer = 'a'")
    assert int(found[0]["total"]) == 300
    await client.append("prices", item=["x", "y"], price=[1, 2])
    await client.append("prices", item=["x"], price=[3])
    await client.append("prices", item=["y"], antiphon_diff=[-1])
    assert await client.sql("SELECT * FROM prices") == [{"item": "x", "price": 3}]
    replicas = await client.sql("SHOW REPLICAS")
    assert [row["name"] for row in replicas] == ["r1", "r2"]
    assert len(await client.sql("EXPLAIN SELECT * FROM totals WHERE customer = 'a'")) > 0


async def test_a_change_returns_its_rows_and_the_same_when_it_is_retried(
    system: tuple[Controller, Client],
) -> None:
    _, client = system
    written = await client.sql(
        "INSERT INTO orders VALUES (1, 'a', 10), (2, 'b', 20) RETURNING id, upper(customer) AS c"
    )
    assert written == [{"id": 1, "c": "A"}, {"id": 2, "c": "B"}]
    change = "UPDATE orders SET amount = amount + 1 WHERE id = 1 RETURNING amount, old.amount AS o"
    producer = pb.Producer(producer_id=b"r" * 16, sequence=1)
    assert await client.sql(change, producer=producer) == [{"amount": 11, "o": 10}]
    assert await client.sql("DELETE FROM orders RETURNING id") in (
        [{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 1}],
    )  # fmt: skip
    assert await client.sql(change, producer=producer) == [{"amount": 11, "o": 10}]
    assert await client.sql("SELECT * FROM orders") == []


async def test_reads_by_key_by_time_and_by_replica(system: tuple[Controller, Client]) -> None:
    _, client = system
    first = await client.append("orders", id=[1], customer=["a"], amount=[10])
    await client.append("orders", id=[2], customer=["a"], amount=[20])
    keys = arrow_stream(pa.table({"customer": ["a", "nobody"]}))
    (row,) = await client.peek("totals", keys=keys, columns=["n", "customer"])
    assert row == {"n": 2, "customer": "a"}
    (row,) = await client.peek("totals", keys=keys, as_of=first.time)
    assert row["n"] == 1
    for name in ("r1", "r2"):
        chunks = client.control.Peek(pb.PeekRequest(collection="orders", replica=name))
        assert {chunk.replica async for chunk in chunks} == {name}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.peek("orders", replica="r3")
    assert isinstance(from_rpc_error(caught.value), errors.ReplicaMissing)


async def test_large_answers_are_streamed(system: tuple[Controller, Client]) -> None:
    _, client = system
    count = 200_000
    text = ["some text that takes room"] * count
    await client.append("orders", id=list(range(count)), customer=text, amount=[1] * count)
    rows = await client.peek("orders", columns=["id", "customer"])
    assert sorted(row["id"] for row in rows) == list(range(count))


async def test_a_copy_is_one_file_whole_or_absent(system: tuple[Controller, Client]) -> None:
    controller, client = system
    await client.append("orders", id=[1, 2, 3], customer=["a", "b", "b"], amount=[1, 2, 3])
    copies = controller.config.data / "copies"
    assert await client.tags("COPY totals TO 'some/totals.parquet'") == ["COPY 2"]
    assert [str(p.relative_to(copies)) for p in copies.rglob("*") if p.is_file()] == [
        "some/totals.parquet"
    ]
    rows = pq.read_table(copies / "some" / "totals.parquet").to_pylist()
    assert sorted((r["customer"], int(r["total"])) for r in rows) == [("a", 1), ("b", 5)]
    for sql, error in (
        ("COPY totals TO '../out.parquet'", errors.InvalidArgument),
        ("COPY (SELECT 1 / (amount - 1) FROM orders) TO 'bad.parquet'", errors.DataError),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.sql(sql)
        assert isinstance(from_rpc_error(caught.value), error)
    assert len([p for p in copies.rglob("*") if p.is_file()]) == 1


async def test_a_data_error_is_an_answer_and_can_be_mended(
    system: tuple[Controller, Client],
) -> None:
    _, client = system
    await client.sql("CREATE VIEW inverse AS SELECT id, 100 / amount AS share FROM orders")
    await client.sql("CREATE INDEX inverse_by_id ON inverse (id)")
    await client.append("orders", id=[1, 2], customer=["a", "b"], amount=[5, 0])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.sql("SELECT * FROM inverse")
    assert isinstance(from_rpc_error(caught.value), errors.DataError)
    await client.sql("DELETE FROM orders WHERE id = 2")
    assert await client.sql("SELECT * FROM inverse") == [{"id": 1, "share": 20}]


async def test_killed_replicas_lose_and_double_nothing(
    system: tuple[Controller, Client],
) -> None:
    _, client = system
    subscriber = Subscriber(client, "totals")
    written = 0
    for victim in ("r1", "r2"):
        for _ in range(10):
            await client.append("orders", id=[written], customer=[str(written % 3)], amount=[1])
            written += 1
        killed = process_of(await client.status(), victim)
        os.kill(killed, signal.SIGKILL)
        for _ in range(10):
            reply = await client.append(
                "orders", id=[written], customer=[str(written % 3)], amount=[1]
            )
            written += 1
        (row,) = await client.sql("SELECT sum(n) AS n FROM totals")
        assert int(row["n"]) == written
        await replaced(client, victim, killed)
        await client.ready(2)
    await subscriber.reach(reply.time)
    totals = await client.sql("SELECT * FROM totals")
    assert subscriber.content() == {tuple(row.values()): 1 for row in totals}
    subscriber.stop()
    for name in ("r1", "r2"):
        (row,) = await answer_of(client, "SELECT count(*) AS n FROM orders", name)
        assert row["n"] == written


async def test_a_frozen_replica_is_noticed_and_the_other_answers(
    system: tuple[Controller, Client],
) -> None:
    _, client = system
    process_id = process_of(await client.status(), "r1")
    os.kill(process_id, signal.SIGSTOP)
    try:
        await client.append("orders", id=[1], customer=["a"], amount=[1])
        (row,) = await client.sql("SELECT n FROM totals")
        assert row == {"n": 1}

        async def noticed() -> bool:
            status = await client.status()
            return any(r.name == "r1" and r.link != "connected" for r in status.replicas)

        await until(noticed, "the silence")
    finally:
        os.kill(process_id, signal.SIGCONT)
    await client.ready(2)


async def test_a_subscriber_goes_on_where_it_was(system: tuple[Controller, Client]) -> None:
    _, client = system
    first = await client.append("orders", id=[1], customer=["a"], amount=[1])
    subscriber = Subscriber(client, "orders")
    await subscriber.reach(first.time)
    subscriber.stop()
    assert subscriber.upper is not None
    second = await client.append("orders", id=[2], customer=["b"], amount=[2])
    resumed = Subscriber(client, "orders", resume_from=frontier_to_proto(subscriber.upper))
    await resumed.reach(second.time)
    resumed.stop()
    assert resumed.content() == {(2, "b", 2): 1}


async def test_a_subscriber_that_died_comes_back_with_its_hold(tmp_path: Path) -> None:
    """Without a gap or a repeat, over the death of everybody."""
    settings = {"local_replicas": 1, "retain_ms": 0}
    async with serving(tmp_path, **settings) as (_, client):
        await client.sql(SCHEMA)
        first = await client.append("orders", id=[1], customer=["a"], amount=[1])
        await hold(client, collection="totals")
        subscriber = Subscriber(client, "totals", hold="mine")
        await subscriber.reach(first.time)
        subscriber.stop()
        assert subscriber.upper is not None
        await hold(client, acknowledged=frontier_to_proto(subscriber.upper))
        for number in range(2, 6):
            await client.append("orders", id=[number], customer=["a"], amount=[1])
            await asyncio.sleep(0.4)  # beats: without the hold this would be folded
    async with serving(tmp_path, **settings) as (_, client):
        last = await client.append("orders", id=[9], customer=["b"], amount=[1])
        resumed = Subscriber(client, "totals", hold="mine")
        resumed.rows, seen = subscriber.rows, subscriber.upper
        await resumed.reach(last.time)
        resumed.stop()
        assert resumed.first_lower == seen
        rows = [tuple(row.values()) for row in await client.sql("SELECT * FROM totals")]
        assert resumed.content() == dict.fromkeys(rows, 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await hold(client, collection="orders")
        assert isinstance(from_rpc_error(caught.value), errors.InvalidArgument)
        with pytest.raises(grpc.aio.AioRpcError, match="or of a query, not of both"):
            await hold(client, collection="totals", query="SELECT * FROM totals")
        await hold(client, release=True)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.control.Subscribe(pb.SubscribeRequest(hold="mine")).read()
        assert isinstance(from_rpc_error(caught.value), errors.HoldMissing)


async def hold(client: Client, **options: Any) -> None:
    await client.control.HoldSubscription(pb.HoldSubscriptionRequest(hold="mine", **options))


async def test_a_restarted_controller_finds_everything(tmp_path: Path) -> None:
    async with serving(tmp_path, local_replicas=1) as (_, client):
        await client.sql(SCHEMA)
        await client.append("orders", id=[1, 2], customer=["a", "b"], amount=[100, 200])
        assert len(await client.sql("SELECT * FROM large")) == 2
    async with serving(tmp_path, local_replicas=1) as (_, client):
        await client.append("orders", id=[3], customer=["a"], amount=[300])
        rows = await client.sql("SELECT id FROM large ORDER BY id")
        assert rows == [{"id": 1}, {"id": 2}, {"id": 3}]
        (row,) = await client.sql("SELECT n FROM totals WHERE customer = 'a'")
        assert row == {"n": 2}


@pytest.mark.slow
async def test_a_thousand_flaps_leave_no_task_pin_hold_or_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sync 33, over real streams to a real process."""
    monkeypatch.setattr(links, "RECONNECT_BACKOFF_MIN_MS", 1)
    monkeypatch.setattr(links, "LOCAL_BACKOFF_MAX_S", 0.001)
    async with serving(tmp_path, local_replicas=1) as (controller, client):
        await client.sql(SCHEMA)
        await client.append("orders", id=[1], customer=["a"], amount=[10])
        state = controller.driver.kernel.instance.state
        replica = state.replicas[ReplicaId("r1")]
        link = controller._links._links[replica.id]

        async def calm() -> bool:
            return replica.is_open and replica.accepted

        def counts() -> tuple[int, int, int, int]:
            holds = sum(len(collection.holds) for collection in state.collections.values())
            active = sum(view.active is not None for view in state.sync.views)
            return holds, len(state.retention.pins), active, len(state.peeks)

        await until(calm, "r1 is up to date")
        before, tasks, connections = counts(), len(asyncio.all_tasks()), replica.connections
        for flap in range(1_000):
            if flap % 10 == 0:  # the others end before they have begun
                await until(calm, "r1 is back")
            await until(lambda: link._session is not None, "a session")
            session = link._session
            session.end("a flap")
            while link._session in (None, session) or link.phase != "connected":
                await asyncio.sleep(0.001)
        await until(calm, "r1 is back")
        assert replica.connections - connections >= 1_000
        assert await answer_of(client, "SELECT id FROM orders", "r1") == [{"id": 1}]
        await until(lambda: counts() == before, "no hold, pin, session or read is left")
        await few_tasks(tasks)


async def test_flapping_connections_leave_nothing_behind_and_send_nothing_twice(
    system: tuple[Controller, Client],
) -> None:
    """Sync 33, over real streams; a thousand of them are in tests/controller/instance."""
    controller, client = system
    await client.append("orders", id=[1, 2], customer=["a", "b"], amount=[10, 200])
    state = controller.driver.kernel.instance.state
    replica = state.replicas[ReplicaId("r1")]
    link = controller._links._links[replica.id]

    def holders() -> int:
        return sum(
            1 for c in state.collections.values() for h in c.holds if h.replica == replica.id
        )

    async def calm() -> bool:
        await answer_of(client, "SELECT * FROM totals", "r1")
        return all(each.is_open and each.accepted for each in state.replicas.values())

    await until(calm, "both are up to date")
    tasks, held, decided = len(asyncio.all_tasks()), holders(), len(replica.decisions)
    for flap in range(6):
        connections = replica.connections
        assert link._session is not None
        link._session.end("a flap")
        await client.append("orders", id=[10 + flap], customer=["c"], amount=[1])

        async def is_back(after: int = connections) -> bool:
            return replica.connections > after and replica.is_open and replica.accepted

        await until(is_back, "r1 is back")
    found = await answer_of(client, "SELECT total FROM totals WHERE customer = 'c'", "r1")
    assert found == [{"total": 6}]
    reasons = [record.decision.code for record in list(replica.decisions)[decided:]]
    assert len(reasons) >= 6  # a machine that stalls may add to them
    assert set(reasons) == {"at_head"}
    assert state.peeks == {}
    assert set(state.retention.pins) == {"r1", "r2"}
    assert all(view.active is None for view in state.sync.views)
    await until(lambda: holders() == held, "no hold is left")
    await few_tasks(tasks)
