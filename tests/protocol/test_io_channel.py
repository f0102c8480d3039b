"""Channels and servers over real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc._cython import cygrpc

from antiphon.protocol.errors import AddressInUse, InvalidArgument
from antiphon.protocol.io.channel import (
    CHANNEL_OPTIONS,
    SERVER_OPTIONS,
    create_server,
    is_loopback,
    listen,
    open_channel,
    reachable,
    split_address,
)
from antiphon.protocol.limits import MIB
from antiphon.v1 import compute_pb2, compute_pb2_grpc
from tests.protocol.serving import Context, Served, serving


@pytest.fixture
async def idle() -> AsyncIterator[grpc.aio.Server]:
    """A server that has not been told where to listen."""
    server = create_server()
    yield server
    await server.stop(None)


async def probe(address: str) -> compute_pb2.ReplicaStatus:
    async with open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        return await stub.Probe(compute_pb2.ProbeRequest(), timeout=100)


async def test_port_zero_becomes_a_real_port() -> None:
    async with serving(Served()) as address:
        assert split_address(address)[1] > 0
        assert (await probe(address)).replica == "r1"


async def test_a_unix_socket_serves_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with serving(Served(), f"unix:{path}") as address:
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert (await probe(address)).replica == "r1"
    assert not path.exists()


async def test_a_port_in_use_is_an_error_of_its_own(idle: grpc.aio.Server) -> None:
    async with serving(Served()) as address:
        with pytest.raises(AddressInUse, match="somebody listens on") as caught:
            listen(idle, address)
        assert caught.value.details == {"address": address}
        assert (await probe(address)).replica == "r1"


async def test_a_port_that_something_else_uses_is_in_use_too(idle: grpc.aio.Server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AddressInUse):
            listen(idle, f"127.0.0.1:{other.getsockname()[1]}")


async def test_a_name_with_one_address_in_use_is_in_use(idle: grpc.aio.Server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(AddressInUse):
            listen(idle, f"localhost:{other.getsockname()[1]}")


async def test_the_socket_of_a_living_server_is_not_taken(
    idle: grpc.aio.Server, tmp_path: Path
) -> None:
    path = f"unix:{tmp_path / 'socket'}"
    async with serving(Served(), path):
        with pytest.raises(AddressInUse):
            listen(idle, path)
        assert (await probe(path)).replica == "r1"


async def test_the_socket_that_a_killed_server_left_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    async with serving(Served(), f"unix:{path}") as address:
        assert (await probe(address)).replica == "r1"


@pytest.mark.parametrize(
    "address", ["", "6870", ":6870", "localhost", "localhost:x", "localhost:99999", "a:b:-1"]
)
async def test_what_is_no_address_is_refused(idle: grpc.aio.Server, address: str) -> None:
    with pytest.raises(InvalidArgument, match="not HOST:PORT"):
        listen(idle, address)


async def test_a_host_that_is_not_ours_is_refused_with_the_reason(idle: grpc.aio.Server) -> None:
    with pytest.raises(InvalidArgument, match="Cannot assign requested address"):
        listen(idle, "192.0.2.1:6870")


async def test_a_path_that_cannot_be_a_socket_is_refused(
    idle: grpc.aio.Server, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument, match="at most 107 bytes"):
        listen(idle, f"unix:{tmp_path / ('x' * 200)}")


def test_ipv6_addresses_have_brackets() -> None:
    assert split_address("[::1]:6870") == ("::1", 6870)


def test_both_sides_agree_on_keepalive() -> None:
    client, server = dict(CHANNEL_OPTIONS), dict(SERVER_OPTIONS)
    tolerated = server["grpc.http2.min_ping_interval_without_data_ms"]
    assert isinstance(tolerated, int)
    assert int(client["grpc.keepalive_time_ms"]) > tolerated
    assert client["grpc.http2.max_pings_without_data"] == 0
    assert client["grpc.http2.ping_timeout_ms"] < 10_000
    assert server["grpc.so_reuseport"] == 0
    assert client["grpc.enable_retries"] == 0


def test_the_core_knows_every_option() -> None:
    # It ignores a name that it does not know; a misspelt one ended idle connections after 40 s.
    core = Path(cygrpc.__file__).read_bytes()
    for name, _ in (*CHANNEL_OPTIONS, *SERVER_OPTIONS):
        assert name.encode() + b"\0" in core, name


async def test_a_message_of_several_mebibytes_passes_both_ways() -> None:
    async def large(context: Context) -> compute_pb2.ReplicaStatus:
        return compute_pb2.ReplicaStatus(replica="r1", command_digest=b"x" * (20 * MIB))

    async with serving(Served(on_probe=large)) as address:
        assert len((await probe(address)).command_digest) == 20 * MIB


async def test_a_slow_reader_holds_the_writer_back() -> None:
    sent: list[int] = []
    servicer = Served(chunks=200, on_chunk=sent.append)
    original = servicer.FetchResult

    async def wide(
        request: compute_pb2.FetchResultRequest, context: Context
    ) -> asyncio.AsyncIterator[compute_pb2.ResultChunk]:  # type: ignore[name-defined]
        async for chunk in original(request, context):
            chunk.batch = b"x" * MIB
            yield chunk

    servicer.FetchResult = wide  # type: ignore[method-assign]
    async with serving(servicer) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        call = stub.FetchResult(compute_pb2.FetchResultRequest())
        assert isinstance(await call.read(), compute_pb2.ResultChunk)
        await asyncio.sleep(0.5)
        assert len(sent) < 20, "the window must bound what is in flight"
        call.cancel()


async def test_a_stopped_server_is_noticed_at_once(tmp_path: Path) -> None:
    # A port would be free again, for anybody.
    path = f"unix:{tmp_path / 'socket'}"
    async with serving(Served(), path) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        await stub.Probe(compute_pb2.ProbeRequest())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await probe(address)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_only_this_machine_reaches_some_addresses() -> None:
    for address in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/x"):
        assert is_loopback(address)
    for address in ("0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"):
        assert not is_loopback(address)


def test_every_interface_is_no_place_to_call() -> None:
    assert reachable("0.0.0.0:1") == "127.0.0.1:1"
    assert reachable("[::]:1") == "[::1]:1"
    for address in ("10.0.0.1:1", "localhost:1", "unix:/x"):
        assert reachable(address) == address


async def test_a_server_waits_for_one_call_however_many_methods_it_has() -> None:
    """gRPC would keep a task for each method, and look through all of them for each call."""
    async with serving(Served()) as address:
        assert (await probe(address)).replica == "r1"
        waiting = [repr(task) for task in asyncio.all_tasks()]
        assert any("AioServer" in task for task in waiting), "gRPC calls it otherwise now"
        assert not any("_request_registered_call" in task for task in waiting)


async def test_a_server_that_takes_long_to_say_its_first_word_is_waited_for() -> None:
    """As on a busy machine: links, which try each time anew, would never get through."""
    async with serving(Served()) as address:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(1.0)  # ten times the shortest pause between two attempts
            there, back = await asyncio.open_connection(*split_address(address))
            await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

        slow = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = slow.sockets[0].getsockname()[1]
        assert (await probe(f"127.0.0.1:{port}")).replica == "r1"
        slow.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()
