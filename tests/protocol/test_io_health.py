"""Health and reflection: what any client may ask of any server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from antiphon.protocol.io.channel import create_server, listen, open_channel
from antiphon.protocol.io.health import add_health_and_reflection
from antiphon.v1 import compute_pb2_grpc
from tests.protocol.serving import SERVICE, Served

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def ask(channel: grpc.aio.Channel, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


async def test_a_server_serves_when_it_says_so_and_never_again_once_it_drains() -> None:
    server = create_server()
    compute_pb2_grpc.add_ComputeServicer_to_server(Served(), server)
    health = await add_health_and_reflection(server, [SERVICE])
    address = listen(server, "127.0.0.1:0")
    await server.start()
    async with open_channel(address) as channel:
        assert await ask(channel) == NOT_SERVING
        await health.serve()
        assert [await ask(channel), await ask(channel, SERVICE)] == [SERVING, SERVING]
        await health.pause()
        assert await ask(channel) == NOT_SERVING
        await health.serve()
        await health.drain()
        await health.serve()
        assert [await ask(channel), await ask(channel, SERVICE)] == [NOT_SERVING, NOT_SERVING]
    await server.stop(None)


async def test_reflection_lists_the_services_and_knows_their_files() -> None:
    server = create_server()
    compute_pb2_grpc.add_ComputeServicer_to_server(Served(), server)
    await add_health_and_reflection(server, [SERVICE])
    address = listen(server, "127.0.0.1:0")
    await server.start()

    async def questions() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE)

    async with open_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answers = [answer async for answer in stub.ServerReflectionInfo(questions())]
    await server.stop(None)
    names = {service.name for service in answers[0].list_services_response.service}
    assert {SERVICE, "grpc.health.v1.Health"} <= names
    assert answers[1].file_descriptor_response.file_descriptor_proto
