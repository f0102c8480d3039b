"""Introspection over the wire, without a single replica: the controller answers by itself."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from antiphon.cli.engine import Engine
from antiphon.protocol import errors
from antiphon.protocol.codec import frontier_from_proto, frontier_to_proto
from antiphon.protocol.frontier import START, Frontier
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.compute_server import ScriptedReplica
from tests.controller.io.serving import Client, serving, until
from tests.controller.io.test_process import refused


async def test_what_the_controller_knows_is_read_like_any_view(tmp_path: Path) -> None:
    async with serving(tmp_path, Engine()) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE INDEX i ON t (k)")
        await client.append("t", k=[1])
        upper = controller.driver.timeline_upper
        assert await client.sql("SELECT kind, name FROM antiphon.history") == [
            {"kind": "create_dataflow", "name": "i"}
        ]
        found = await client.sql(
            "SELECT d.name, f.write_frontier AS upper FROM antiphon.dataflows AS d "
            "JOIN antiphon.frontiers AS f ON f.name = d.imports WHERE f.replica IS NULL"
        )
        assert found == [{"name": "i", "upper": upper}]
        assert await client.tags("SELECT * FROM antiphon.replicas") == ["SELECT 0"]
        assert await client.peek("antiphon.dataflows", columns=["kind"]) == [{"kind": "index"}]
        # Nothing of it moved the instance's own timeline or history.
        assert controller.driver.timeline_upper == upper
        assert (await client.status()).history_head == 1
        await client.sql("DROP INDEX i")
        (row,) = await client.sql("SELECT count(*) AS n FROM antiphon.history")
        assert row == {"n": 2}


async def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path, Engine()) as (_, client):
        sql = "SELECT * FROM antiphon.replicas"
        assert isinstance(await refused(client.sql(sql, as_of=1)), errors.InvalidArgument)
        assert isinstance(await refused(client.sql(sql, replica="r1")), errors.InvalidArgument)
        peek = client.peek("antiphon.nothing")
        assert isinstance(await refused(peek), errors.CollectionMissing)
        request = pb.SubscribeRequest(
            collection="antiphon.peeks", resume_from=frontier_to_proto(Frontier(7))
        )
        call = client.control.Subscribe(request)
        assert isinstance(await refused(call.read()), errors.SinceViolation)
    async with serving(tmp_path) as (_, client):
        assert isinstance(await refused(client.sql(sql)), errors.NotServed)


@pytest.mark.parametrize("snapshot", [True, False])
async def test_a_subscribe_ticks_by_itself(tmp_path: Path, snapshot: bool) -> None:
    async with serving(tmp_path, Engine()) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE INDEX i ON t (k)")
        upper = controller.driver.timeline_upper
        request = pb.SubscribeRequest(query="SELECT name FROM antiphon.dataflows")
        request.with_snapshot = snapshot
        call = client.control.Subscribe(request)
        first = await call.read()
        assert frontier_from_proto(first.lower) == START
        assert bool(first.batches) is snapshot
        await client.sql("CREATE INDEX j ON t (k)")
        second = await call.read()
        assert second.lower == first.upper
        assert len(second.batches) == 1
        assert controller.driver.timeline_upper == upper
        call.cancel()


async def test_queries_that_end_leave_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.controller.io.inspection.QUERIES_MAX", 1)
    async with serving(tmp_path, Engine()) as (_, client):
        await _room(client)
        call = client.control.Subscribe(pb.SubscribeRequest(collection="antiphon.peeks"))
        await call.read()
        assert isinstance(await refused(_room(client)), errors.LimitExceeded)
        call.cancel()

        async def has_room() -> bool:  # the server hears of the cancellation in its own time
            try:
                await _room(client)
            except grpc.aio.AioRpcError:
                return False
            return True

        await until(has_room, "the subscribe's place is free again")


async def _room(client: Client) -> None:
    await client.sql("SELECT * FROM antiphon.peeks")


async def test_a_decision_is_said_in_the_same_words_everywhere(tmp_path: Path) -> None:
    replica = ScriptedReplica()
    await replica.start("127.0.0.1:0")
    replicas = {"r1": replica.address}
    try:
        async with serving(tmp_path, Engine(), replicas=replicas) as (_, client):
            await client.sql("CREATE TABLE t (k bigint); CREATE INDEX i ON t (k)")
            replica.hang_up()
            await until(lambda: replica.sessions >= 2, "it is opened a second session")
            status = await client.status()
            explained = await client.control.ExplainReplica(pb.ExplainReplicaRequest(name="r1"))
            rows = await client.sql("SELECT reason FROM antiphon.decisions WHERE replica = 'r1'")
    finally:
        await replica.stop()
    reasons = [decision.reason for decision in explained.decisions]
    assert "rebuild because it is new: it has applied nothing yet" in reasons
    assert sorted(row["reason"] for row in rows) == sorted(reasons)
    assert [one.reason for one in status.replicas] == reasons[-1:]
    assert status.mode_reason == "r1: its state is being rebuilt"
    assert explained.decisions[-1].outcome == "issued"
