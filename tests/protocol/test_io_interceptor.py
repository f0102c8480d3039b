"""The gate: who comes in, what is observed, how errors leave."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from antiphon.protocol.errors import (
    CollectionMissing,
    LimitExceeded,
    NotServed,
    ProtocolViolated,
)
from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.protocol.io.health import add_health_and_reflection
from antiphon.protocol.io.interceptor import Gate
from antiphon.protocol.io.security import ClientSecurity, ServerSecurity
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.limits import MESSAGE_BYTES_MAX
from antiphon.v1 import command_pb2, compute_pb2, compute_pb2_grpc, response_pb2
from tests.protocol.serving import SERVICE, Context, Recorder, Served, serving

PROBE = f"/{SERVICE}/Probe"
FETCH = f"/{SERVICE}/FetchResult"


async def ended(recorder: Recorder) -> None:
    """Once a handler has ended, which a client may learn before the server does."""
    async with asyncio.timeout(100):
        while not recorder.ends:
            await asyncio.sleep(0.01)


async def test_a_call_is_seen_from_beginning_to_end() -> None:
    recorder = Recorder()
    async with serving(Served(), recorder=recorder) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        await stub.Probe(compute_pb2.ProbeRequest())
        chunks = [chunk async for chunk in stub.FetchResult(compute_pb2.FetchResultRequest())]
    assert [chunk.row_count for chunk in chunks] == [0, 1, 2]
    assert recorder.started_methods == [PROBE, FETCH]
    assert recorder.ends == [
        (PROBE, grpc.StatusCode.OK, None),
        (FETCH, grpc.StatusCode.OK, None),
    ]


async def test_an_error_in_the_middle_of_a_stream_arrives_after_what_came_before() -> None:
    def fail(index: int) -> None:
        if index == 2:
            raise CollectionMissing("there is no t", name="t")

    recorder = Recorder()
    servicer = Served(on_chunk=fail)
    async with serving(servicer, recorder=recorder) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        call = stub.FetchResult(compute_pb2.FetchResultRequest())
        seen = [await call.read(), await call.read()]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert seen == [compute_pb2.ResultChunk(row_count=index) for index in (0, 1)]
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    [(method, code, error)] = recorder.ends
    assert (method, code) == (FETCH, grpc.StatusCode.NOT_FOUND)
    assert isinstance(error, CollectionMissing)
    assert servicer.closed == ["FetchResult"]


@pytest.mark.parametrize("method", [PROBE, FETCH])
async def test_bytes_that_are_no_message_are_a_violation_of_the_protocol(method: str) -> None:
    recorder = Recorder()
    async with serving(Served(), recorder=recorder) as address, open_channel(address) as channel:
        call = channel.unary_stream(method)(b"\xff\xff\xff")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert await channel.unary_unary(PROBE)(b"")  # it serves on
    error = from_rpc_error(caught.value)
    assert isinstance(error, ProtocolViolated)
    assert error.definite
    assert "the request cannot be read" in error.message
    assert recorder.ends[0][:2] == (method, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("kind", ["unary_unary", "unary_stream", "stream_unary", "stream_stream"])
async def test_a_method_that_is_not_served_is_refused_with_details(kind: str) -> None:
    recorder = Recorder()
    async with serving(Served(), recorder=recorder) as address, open_channel(address) as channel:
        method = getattr(channel, kind)(f"/{SERVICE}/Frobnicate")
        call = method(b"what") if kind.startswith("unary") else method(iter([b"what"]))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call if kind.endswith("unary") else call.read())
    error = from_rpc_error(caught.value)
    assert isinstance(error, NotServed)
    assert error.message == f"/{SERVICE}/Frobnicate is not served here"
    assert "code" not in error.details  # it is ours, not gRPC's own
    assert recorder.ends[0][1] is grpc.StatusCode.UNIMPLEMENTED


async def test_strangers_do_not_learn_what_is_served() -> None:
    security = ServerSecurity(tokens=("secret",))
    async with serving(Served(), security=security) as address, open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/Frobnicate")(b"")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_request_above_the_limit_is_refused_and_was_not_done() -> None:
    large = b"x" * (MESSAGE_BYTES_MAX + 1)
    async with serving(Served()) as address:
        unlimited = grpc.aio.insecure_channel(
            address, options=[("grpc.max_send_message_length", -1)]
        )
        async with unlimited, open_channel(address) as limited:
            for channel in (unlimited, limited):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary(PROBE)(large)
                assert isinstance(from_rpc_error(caught.value), LimitExceeded)


async def test_a_bug_says_nothing_to_the_client_and_all_to_the_observer() -> None:
    async def crash(context: Context) -> compute_pb2.ReplicaStatus:
        raise KeyError("a secret")

    recorder = Recorder()
    servicer = Served(on_probe=crash)
    async with serving(servicer, recorder=recorder) as address, open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await compute_pb2_grpc.ComputeStub(channel).Probe(compute_pb2.ProbeRequest())
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert caught.value.details() == f"a bug in {PROBE}"
    [(_, code, error)] = recorder.ends
    assert code is grpc.StatusCode.INTERNAL
    assert isinstance(error, KeyError)


async def test_a_handler_that_aborts_by_itself_is_left_alone() -> None:
    async def abort(context: Context) -> compute_pb2.ReplicaStatus:
        await context.abort(grpc.StatusCode.ABORTED, "enough")

    recorder = Recorder()
    servicer = Served(on_probe=abort)
    async with serving(servicer, recorder=recorder) as address, open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await compute_pb2_grpc.ComputeStub(channel).Probe(compute_pb2.ProbeRequest())
        # The status is on its way before the handler has ended: the client may be first.
        await ended(recorder)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.ABORTED, "enough")
    assert [code for _, code, _ in recorder.ends] == [grpc.StatusCode.ABORTED]


async def test_a_client_that_leaves_runs_the_handlers_cleanup_at_once() -> None:
    recorder = Recorder()
    servicer = Served(chunks=1_000_000)
    async with serving(servicer, recorder=recorder) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        call = stub.FetchResult(compute_pb2.FetchResultRequest())
        await call.read()
        call.cancel()
        await ended(recorder)
        assert servicer.closed == ["FetchResult"]
    assert recorder.ends[0][1] is grpc.StatusCode.CANCELLED


class Echo(compute_pb2_grpc.ComputeServicer):
    """A session that reads and writes through its context, as a front does."""

    async def Session(self, request_iterator: object, context: Context) -> None:
        while (batch := await context.read()) is not grpc.aio.EOF:
            assert isinstance(batch, command_pb2.CommandBatch)
            await context.write(response_pb2.ResponseBatch(connection_id=b"n" * 16))


async def test_a_handler_that_writes_to_its_context_passes_the_gate() -> None:
    recorder = Recorder()
    server = create_server([Gate(observer=recorder)])
    compute_pb2_grpc.add_ComputeServicer_to_server(Echo(), server)
    address = listen(server, "127.0.0.1:0")
    await server.start()
    async with open_channel(address) as channel:
        call = compute_pb2_grpc.ComputeStub(channel).Session()
        for _ in range(3):
            await call.write(command_pb2.CommandBatch())
            assert isinstance(await call.read(), response_pb2.ResponseBatch)
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK
    await server.stop(None)
    assert recorder.ends == [(f"/{SERVICE}/Session", grpc.StatusCode.OK, None)]


async def test_health_needs_no_token_and_everything_else_does() -> None:
    security = ServerSecurity(tokens=("secret",))
    server = create_server([Gate(security)])
    compute_pb2_grpc.add_ComputeServicer_to_server(Served(), server)
    health = await add_health_and_reflection(server, [SERVICE])
    address = listen(server, "127.0.0.1:0", security)
    await server.start()
    await health.serve()
    async with open_channel(address) as stranger:
        check = health_pb2_grpc.HealthStub(stranger)  # type: ignore[no-untyped-call]
        answer = await check.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await compute_pb2_grpc.ComputeStub(stranger).Probe(compute_pb2.ProbeRequest())
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    async with open_channel(address, ClientSecurity(token="secret")) as known:
        stub = compute_pb2_grpc.ComputeStub(known)
        assert (await stub.Probe(compute_pb2.ProbeRequest())).replica == "r1"
    await server.stop(None)
