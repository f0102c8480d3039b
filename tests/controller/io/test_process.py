"""A controller as a process: it starts whole or not at all, says what is wrong, and stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from antiphon.controller.io.config import load_config
from antiphon.controller.io.process import Controller
from antiphon.protocol import errors
from antiphon.protocol.delta import decode_batch, delta_schema
from antiphon.protocol.errors import (
    AddressInUse,
    ComputeError,
    InvalidArgument,
    StoreLocked,
)
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.v1 import collections_pb2
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client, serving, until

K = Schema((Column(name="k", type=INT64),))


async def refused(call: Any) -> ComputeError:
    """The typed error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint PRIMARY KEY); CREATE VIEW w AS SELECT k FROM t")
        first = await client.append("t", k=[1, 2])
        names = await client.sql("SHOW TABLES")
    async with serving(tmp_path) as (controller, client):
        assert await client.sql("SHOW TABLES") == names
        assert controller.driver.timeline_upper == first.time + 1
        status = await client.status()
        assert (status.epoch, status.mode) == (2, "allocated_only")


async def test_a_retried_append_is_applied_once_even_after_a_restart(tmp_path: Path) -> None:
    producer = pb.Producer(producer_id=b"p" * 16, sequence=5)
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint)")
        first = await client.append("t", producer, k=[1])
    async with serving(tmp_path) as (_, client):
        again = await client.append("t", producer, k=[1])
        assert (again.time, again.duplicate) == (first.time, True)


async def test_a_port_in_use_is_said_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async with serving(tmp_path / "one") as (controller, _):
        config = load_config(data=tmp_path / "two", listen=controller.address)
        with pytest.raises(AddressInUse):
            await Controller(config).start()
    async with serving(tmp_path / "two") as (_, client):
        assert (await client.status()).epoch == 2, "the store was let go of"


async def test_a_store_has_one_controller(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        other = Controller(load_config(data=tmp_path, listen="127.0.0.1:0"))
        with pytest.raises(StoreLocked):
            await other.start()
        await client.sql("CREATE TABLE t (k bigint)")


async def test_stopping_waits_for_no_subscriber_and_may_be_repeated(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        subscribe = client.control.Subscribe(pb.SubscribeRequest(collection="t"))
        await until(lambda: controller.driver.status().subscribes_active, "a subscribe")
        async with asyncio.timeout(30):
            await controller.stop()
        assert (await refused(subscribe.read())).code == "unavailable"
        await controller.stop()


async def test_a_query_to_subscribe_to_is_read_as_the_client_wrote_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        begun = client.control.Subscribe(pb.SubscribeRequest(query="SELECT k FROM t -- all of it"))
        await until(lambda: controller.driver.status().subscribes_active, "a subscribe")
        begun.cancel()
        for query, place in (
            ("SELECT nope FROM t", "line 1:8:"),
            ("SELECT k\nFROM nope", "line 2:6:"),
            ("", "line 1:1:"),
            ("SELECT k FROM t) UNION (SELECT", "line 1:"),
        ):
            call = client.control.Subscribe(pb.SubscribeRequest(query=query))
            assert (await refused(call.read())).message.startswith(place), query


async def test_health_and_reflection_answer_a_stock_client(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        health = health_pb2_grpc.HealthStub(client.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="antiphon.v1.Control"))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(client.channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        call = reflection.ServerReflectionInfo(iter([asked]))
        found = await call.read()
        names = {service.name for service in found.list_services_response.service}
        assert {"antiphon.v1.Control", "antiphon.v1.Collections"} <= names


async def test_a_token_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path, token="secret") as (controller, client):
        assert (await client.status()).epoch == 1
        for token in (None, "guess"):
            stranger = Client(controller.address, token)
            error = await refused(stranger.status())
            assert isinstance(error, errors.Unauthenticated)
            await stranger.channel.close()


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", errors.InvalidSql),
        ("SELECT * FROM nowhere", errors.CollectionMissing),
        ("CREATE TABLE t (x bigint)", errors.CollectionExists),
        ("INSERT INTO t VALUES (1)", errors.DuplicateKey),
        ("INSERT INTO t VALUES ('x')", errors.TypeMismatch),
        ("INSERT INTO t VALUES (NULL)", errors.ConstraintViolation),
        ("DROP TABLE t", errors.DependencyExists),
        ("ALTER TABLE t ADD COLUMN z bigint", errors.UnsupportedSql),
    ],
)
async def test_bad_sql_is_one_typed_line_and_changes_nothing(
    tmp_path: Path, sql: str, error: type[ComputeError]
) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint PRIMARY KEY); CREATE VIEW w AS SELECT k FROM t")
        await client.sql("INSERT INTO t VALUES (1)")
        catalog = controller.driver.catalog
        found = await refused(client.sql(sql))
        assert type(found) is error
        assert "\n" not in found.message
        assert found.definite
        assert controller.driver.catalog is catalog


async def test_what_came_before_a_failing_statement_stays(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await refused(client.sql("CREATE TABLE a (x bigint); SELEC 1; CREATE TABLE b (x bigint)"))
        assert controller.driver.catalog.find("a") is not None
        assert controller.driver.catalog.find("b") is None


async def test_bad_appends_are_refused_by_name(tmp_path: Path) -> None:
    misfit = pa.DictionaryArray.from_arrays(pa.array([7]), pa.array([1]), safe=False)
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE VIEW w AS SELECT k FROM t")
        for call, error in (
            (client.append("nowhere", k=[1]), errors.CollectionMissing),
            (client.append("t", k=["x"]), errors.SchemaMismatch),
            (client.append("t", z=[1]), errors.SchemaMismatch),
            (client.append("t", k=misfit), errors.SchemaMismatch),
            (client.append("w", k=[1]), errors.InvalidArgument),
            (client.append("t", pb.Producer(producer_id=b"x"), k=[1]), errors.InvalidArgument),
            (
                client.control.Append(pb.AppendRequest(collection="t", arrow_stream=b"junk")),
                errors.SchemaMismatch,
            ),
        ):
            assert type(await refused(call)) is error


async def test_a_producer_stands_for_one_statement(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, client):
        await client.sql("CREATE TABLE t (k bigint)")
        producer = pb.Producer(producer_id=b"p" * 16, sequence=1)
        insert = "INSERT INTO t VALUES (1)"
        error = await refused(client.sql(f"{insert}; {insert}", producer=producer))
        assert isinstance(error, errors.InvalidArgument)
        for _ in range(2):
            assert await client.tags(insert, producer=producer) == ["INSERT 1"]
        latest = controller.driver.timeline_upper - 1
        request = collections_pb2.SnapshotRequest(collection=1, as_of=latest)
        chunks = [chunk async for chunk in client.collections.Snapshot(request)]
        (batch,) = [batch for chunk in chunks for batch in chunk.delta.batches]
        assert decode_batch(batch, delta_schema(K)).num_rows == 1


async def test_the_history_can_be_read_and_reduced(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint); CREATE INDEX i ON t (k)")
        await client.sql("CREATE INDEX j ON t (k); DROP INDEX j")

        async def read(**options: Any) -> list[tuple[int, str]]:
            call = client.control.ReadHistory(pb.ReadHistoryRequest(**options))
            return [(record.position, record.kind) async for record in call]

        create, drop = "create_dataflow", "allow_compaction"
        assert await read() == [(1, create), (2, create), (3, drop)]
        assert await read(from_position=2, records_max=1) == [(2, create)]
        assert await read(reduced=True) == [(1, create)]


async def test_collections_are_listed_with_their_keys(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        await client.sql("CREATE TABLE t (k bigint PRIMARY KEY, v text); CREATE INDEX i ON t (v)")
        answer = await client.control.ListCollections(pb.ListCollectionsRequest())
        shown = [(found.name, found.kind, list(found.key)) for found in answer.collections]
        assert shown == [("t", "table", ["k"]), ("i", "index", ["v"])]
        for name, expected in (("i", ["i"]), ("j", [])):
            answer = await client.control.ListCollections(pb.ListCollectionsRequest(name=name))
            assert [found.name for found in answer.collections] == expected


async def test_replicas_need_names_and_addresses(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        add = client.control.AddReplica
        error = await refused(add(pb.AddReplicaRequest(name="No Name", address="unix:x")))
        assert isinstance(error, InvalidArgument)
        await add(pb.AddReplicaRequest(name="r9", address=f"unix:{tmp_path}/nobody"))
        error = await refused(add(pb.AddReplicaRequest(name="r9", address="unix:x")))
        assert isinstance(error, errors.ReplicaExists)
        explained = client.control.ExplainReplica(pb.ExplainReplicaRequest(name="r8"))
        assert isinstance(await refused(explained), errors.ReplicaMissing)
        await client.control.RemoveReplica(pb.RemoveReplicaRequest(name="r9"))
        assert list((await client.status()).replicas) == []


async def test_what_was_said_of_replicas_holds_after_a_restart(tmp_path: Path) -> None:
    at = f"unix:{tmp_path}/nobody"
    async with serving(tmp_path / "d") as (_, client):
        for name, read_only in (("r8", True), ("r9", False)):
            await client.control.AddReplica(
                pb.AddReplicaRequest(name=name, address=at, read_only=read_only)
            )
        await client.control.Promote(pb.PromoteRequest(replica="r8"))
    async with serving(tmp_path / "d", replicas={"far": at}) as (_, client):
        found = [(r.name, r.address, r.read_only) for r in (await client.status()).replicas]
        assert found == [("r8", at, False), ("r9", at, False), ("far", at, False)]
        remove = client.control.RemoveReplica(pb.RemoveReplicaRequest(name="far"))
        assert "start the controller without it" in (await refused(remove)).message
    with pytest.raises(errors.ReplicaExists, match="the settings name it at unix:else"):
        async with serving(tmp_path / "d", replicas={"r9": "unix:else"}):
            pass
    async with serving(tmp_path / "d") as (_, client):
        assert [r.name for r in (await client.status()).replicas] == ["r8", "r9"]


async def test_addresses_that_cannot_be_are_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, client):
        for address in ("nowhere", "h:0", "h:99999", "unix:", "unix:" + "x" * 200):
            add = client.control.AddReplica(pb.AddReplicaRequest(name="r9", address=address))
            assert isinstance(await refused(add), InvalidArgument), address


async def test_a_bug_ends_the_process_and_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as (controller, _):
        controller.handle("no event")  # type: ignore[arg-type]
        assert controller.stopped.is_set()
        assert controller.exit_code == 70
        assert controller.failure is not None
