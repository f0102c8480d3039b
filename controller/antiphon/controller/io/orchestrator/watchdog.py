"""Whether a local replica's front still answers anybody.

A process that is frozen keeps its socket, and ends by itself never: nobody else would start it
anew. The health service is asked, which needs no session and no token. What counts is questions
without an answer, not time: a machine that slept has asked none meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from antiphon.protocol.io.channel import open_channel

ASK_INTERVAL_S: Final = 5.0
ANSWER_S: Final = 5.0  # one question's deadline
# Of a process that has answered before; with the above, two minutes, as for a worker that hangs.
UNANSWERED_MAX: Final = 12
# Of one that has yet to start. A busy machine may need long for its imports.
UNANSWERED_AT_START_MAX: Final = 60
assert UNANSWERED_AT_START_MAX > UNANSWERED_MAX, "a start takes longer than an answer"


async def until_silent(address: str) -> None:
    """Returns once the server at `address` has left too many questions in a row unanswered."""
    left = UNANSWERED_AT_START_MAX
    async with open_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while left:
            left = UNANSWERED_MAX if await _answers(health) else left - 1
            await asyncio.sleep(ASK_INTERVAL_S)


async def _answers(health: health_pb2_grpc.HealthAsyncStub) -> bool:
    """Whatever it says: also a server that is not ready, or refuses, is one that runs."""
    try:
        await health.Check(health_pb2.HealthCheckRequest(), timeout=ANSWER_S)
    except grpc.aio.AioRpcError as error:
        silent = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        return error.code() not in silent
    return True
