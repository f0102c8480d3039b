"""What a client hears that does not reach a controller: why, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from antiphon.client import Tls, connect_async
from antiphon.protocol.errors import NotServed, Unavailable
from antiphon.protocol.io.security import OPEN_SERVER, ServerSecurity
from tests.client.fake_control import FakeControl
from tests.protocol.certificates import Authority
from tests.protocol.serving import Served, serving

OURS, OTHERS = Authority("ours"), Authority("others")
CERTIFICATE, KEY = OURS.issue("localhost")
WITH_TLS: Final = ServerSecurity(certificate=CERTIFICATE, key=KEY)
MUTUAL: Final = ServerSecurity(certificate=CERTIFICATE, key=KEY, authority=OURS.root)


@pytest.mark.parametrize(
    ("server", "trusted", "name", "said"),
    [
        (WITH_TLS, None, None, "closed at once: TLS may be served there, which needs tls_ca"),
        (OPEN_SERVER, OURS, None, "served in the clear there: leave out tls_ca"),
        (WITH_TLS, OTHERS, None, "not signed by whom tls_ca trusts"),
        (WITH_TLS, OURS, "elsewhere", "does not bear the name that was called"),
        (MUTUAL, OURS, None, r"or certificates of callers be asked for \(tls_certificate, tls_key"),
    ],
)
async def test_two_sides_that_disagree_on_tls_are_told_how(
    server: ServerSecurity, trusted: Authority | None, name: str | None, said: str, tmp_path: Path
) -> None:
    tls = None
    if trusted is not None:
        (tmp_path / "ca.pem").write_bytes(trusted.root)
        tls = Tls(ca=str(tmp_path / "ca.pem"), server_name=name)
    async with serving(Served(), security=server) as address:
        with pytest.raises(Unavailable, match=f"{address}: .*{said}"):
            await connect_async(address, tls=tls)


@asynccontextmanager
async def speaking_http() -> AsyncIterator[str]:
    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_who_answers_and_is_no_controller_is_told_apart_from_nobody() -> None:
    async with speaking_http() as address:
        with pytest.raises(Unavailable, match="what listens there does not speak gRPC"):
            await connect_async(address)
    async with serving(Served()) as address:
        with pytest.raises(Unavailable, match="is no controller") as caught:
            await connect_async(address)
        assert isinstance(caught.value.__cause__, NotServed)
    async with FakeControl() as control:
        gone = control.address
    with pytest.raises(Unavailable, match=f"{gone}: nobody listens there; `antiphon up` starts"):
        await connect_async(gone)
    with pytest.raises(Unavailable, match="no such host"):
        await connect_async("no.invalid:1")
