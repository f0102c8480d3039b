"""Patience: what is repeated, and for how long."""

from __future__ import annotations

import pytest

from antiphon.client.io.retry import Patience
from antiphon.protocol.errors import InvalidArgument, Unavailable


class Server:
    """Fails as told, one error a call, and then answers with how often it was called."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def call(self) -> int:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return self.calls


def passes(error: BaseException) -> bool:
    return isinstance(error, Unavailable)


async def test_what_may_pass_is_tried_again_until_it_succeeds() -> None:
    server = Server(Unavailable("once"), Unavailable("twice"))
    assert await Patience().run(server.call, passes) == 3


async def test_what_cannot_pass_is_told_at_once() -> None:
    server = Server(InvalidArgument("no"))
    with pytest.raises(InvalidArgument, match="no"):
        await Patience().run(server.call, passes)
    late = Server(Unavailable("once"), InvalidArgument("no"))
    with pytest.raises(InvalidArgument, match="no"):
        await Patience().run(late.call, passes)
    assert (server.calls, late.calls) == (1, 2)


async def test_without_patience_there_is_one_attempt() -> None:
    server = Server(Unavailable("once"))
    with pytest.raises(Unavailable, match="once"):
        await Patience(0).run(server.call, passes)
    assert server.calls == 1
