"""Health and reflection, the same on every server."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection


class Health:
    """Whether a server's services are to be used. Not serving until it says so."""

    def __init__(self, services: Sequence[str]) -> None:
        self._servicer = health.aio.HealthServicer()
        self._services = ("", *services)  # the empty name is the server as a whole

    async def serve(self) -> None:
        """Ready: let clients in."""
        for service in self._services:
            await self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def pause(self) -> None:
        """Up, but not ready."""
        for service in self._services:
            await self._servicer.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def drain(self) -> None:
        """Going away, for good: no later call of `serve` brings it back."""
        await self._servicer.enter_graceful_shutdown()

    def attach(self, server: grpc.aio.Server) -> None:
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)


async def add_health_and_reflection(server: grpc.aio.Server, services: Sequence[str]) -> Health:
    """Register both for `services` (full names, as `DESCRIPTOR.full_name`); call before `start`.

    Nothing is reported as serving until `Health.serve`.
    """
    status = Health(services)
    status.attach(server)
    await status.pause()
    names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return status
