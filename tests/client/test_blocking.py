"""The blocking client: the same calls from plain threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from antiphon.client import Client, Frontier, connect
from antiphon.client.io.loop import background_loop
from antiphon.protocol.errors import CollectionMissing, InvalidArgument, Unavailable
from antiphon.protocol.schema import INT64, Column, Schema
from tests.client.fake_control import Chunk, ConnectionBroken, FakeControl, broken

NUMBERS = Schema((Column(name="n", type=INT64),))


@pytest.fixture
def control() -> Iterator[FakeControl]:
    # On the client's own loop: gRPC wants one loop in a process.
    loop = background_loop()
    server = FakeControl()
    loop.run(server.__aenter__())
    server.add("numbers", NUMBERS)
    yield server
    loop.run(server.stop())


@pytest.fixture
def client(control: FakeControl) -> Iterator[Client]:
    with connect(control.address, patience_s=5) as connected:
        yield connected


def test_calls_from_many_threads_share_one_loop_and_lose_nothing(
    control: FakeControl, client: Client
) -> None:
    control.fail("Append", *broken(5, applied=True))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.append("numbers", [{"n": n}]), range(40)))
    assert sorted(row["n"] for row in control.rows("numbers")) == list(range(40))
    names = [t.name for t in threading.enumerate() if t.name == "antiphon-client"]
    assert len(names) == 1


def test_it_works_inside_a_running_loop(control: FakeControl, client: Client) -> None:
    control.answers["SELECT 1"] = pa.table({"a": [1]})

    async def notebook() -> object:
        return client.sql("SELECT 1").scalar()

    assert asyncio.run(notebook()) == 1


def test_a_subscription_is_an_iterator_that_resumes(control: FakeControl, client: Client) -> None:
    control.streams.append(([Chunk(0, 5, ((1, 4, 1),))], ConnectionBroken()))
    control.streams.append(([Chunk(5, 6, ((2, 5, 1),)), Chunk(6, None)], None))
    with client.subscribe("numbers") as changes:
        values = [change.row[0] for batch in changes for change in batch]
        assert changes.frontier == Frontier(None)
    assert values == [1, 2]


def test_every_call_has_its_blocking_form(control: FakeControl, client: Client) -> None:
    assert client.address == control.address
    assert client.script("") == []
    assert [c.name for c in client.collections()] == ["numbers"]
    assert client.collection("numbers").arrow_schema.names == ["n"]
    assert client.peek("numbers").num_rows == 0
    assert client.delete("numbers", [{"n": 1}]).row_count == 1
    assert client.status().epoch == 2
    assert client.add_replica("r9").name == "r9"
    assert len(client.explain_replica("r1")) == 1
    assert client.history() == []
    client.remove_replica("r9")
    with pytest.raises(CollectionMissing):
        client.collection("nothing")


def test_nobody_there_is_an_error_at_once() -> None:
    with pytest.raises(Unavailable, match="antiphon up"):
        connect("127.0.0.1:1")


def test_a_closed_client_says_that_it_is_closed(control: FakeControl) -> None:
    client = connect(control.address)
    client.close()
    for call in (
        lambda: client.sql("SELECT 1"),
        client.status,
        lambda: client.append("numbers", [{"n": 1}]),
    ):
        with pytest.raises(InvalidArgument, match="the client is closed") as caught:
            call()
        assert caught.value.definite
