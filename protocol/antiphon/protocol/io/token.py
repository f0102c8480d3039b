"""A channel whose every call carries a token.

Call credentials refuse to work in the clear, and a client interceptor stands between a caller and
its stream on every message. The token is plain metadata instead, added once when a call begins.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import grpc

AUTHORIZATION: Final = "authorization"
SCHEME: Final = "Bearer "


class TokenChannel(grpc.aio.Channel):
    """Wraps a channel; owns it."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._metadata = ((AUTHORIZATION, SCHEME + token),)

    def _with_token(self, call: Callable[..., Any]) -> Any:
        def start(*arguments: Any, metadata: Any = None, **options: Any) -> Any:
            return call(*arguments, metadata=(*(metadata or ()), *self._metadata), **options)

        return start

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._with_token(self._channel.unary_unary(*arguments, **options))

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._with_token(self._channel.unary_stream(*arguments, **options))

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._with_token(self._channel.stream_unary(*arguments, **options))

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._with_token(self._channel.stream_stream(*arguments, **options))

    async def __aenter__(self) -> TokenChannel:
        await self._channel.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._channel.__aexit__(kind, error, traceback)

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()
