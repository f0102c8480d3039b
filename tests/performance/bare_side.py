"""The floor under the controller's benchmarks: a grpc.aio server that does nothing.

It answers a unary call with the bytes it got, and each message of a stream with a fixed one. It
prints its address and runs until its standard input closes.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

ECHO: Final = "/bare.Bare/Echo"
STREAM: Final = "/bare.Bare/Stream"


class Bare(grpc.GenericRpcHandler):
    """Bytes in, bytes out: nothing is parsed. A stream's first message is what it is answered."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        if details.method == ECHO:
            return grpc.unary_unary_rpc_method_handler(self._echo)
        if details.method == STREAM:
            return grpc.stream_stream_rpc_method_handler(self._stream)
        return None

    async def _echo(self, request: bytes, context: object) -> bytes:
        return request

    async def _stream(
        self, requests: AsyncIterator[bytes], context: object
    ) -> AsyncIterator[bytes]:
        answer = await anext(requests)
        async for _ in requests:
            yield answer


async def serve() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Bare(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve())
