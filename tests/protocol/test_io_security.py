"""TLS both ways and tokens, over real connections."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from antiphon.protocol.errors import ComputeError, InvalidArgument, Unauthenticated
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.security import (
    ClientSecurity,
    ServerSecurity,
    channel_credentials,
    server_credentials,
)
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import compute_pb2, compute_pb2_grpc
from tests.protocol.certificates import Authority
from tests.protocol.serving import Served, serving

OURS, THEIRS = Authority("ours"), Authority("theirs")
CERTIFICATE, KEY = OURS.issue("replica-1")
CLIENT_CERTIFICATE, CLIENT_KEY = OURS.issue("controller")
TLS = ServerSecurity(certificate=CERTIFICATE, key=KEY)
MUTUAL = replace(TLS, authority=OURS.root)
CHECKING = ClientSecurity(authority=OURS.root)
KNOWN = replace(CHECKING, certificate=CLIENT_CERTIFICATE, key=CLIENT_KEY)


async def reached(server: ServerSecurity, client: ClientSecurity) -> str:
    """The name of the replica that was probed."""
    async with (
        serving(Served(), security=server) as address,
        open_channel(address, client) as channel,
    ):
        stub = compute_pb2_grpc.ComputeStub(channel)
        status = await stub.Probe(compute_pb2.ProbeRequest(), timeout=100)
        return status.replica


async def refused(server: ServerSecurity, client: ClientSecurity) -> ComputeError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reached(server, client)
    return from_rpc_error(caught.value)


async def test_tls_lets_any_client_in_that_trusts_the_server() -> None:
    assert await reached(TLS, CHECKING) == "r1"


async def test_a_server_of_a_strange_authority_is_not_trusted() -> None:
    error = await refused(TLS, ClientSecurity(authority=THEIRS.root))
    assert not isinstance(error, Unauthenticated)
    assert "r1" not in error.message


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (replace(TLS, certificate=KEY), "no certificate"),
        (replace(TLS, key=CERTIFICATE), "no private key"),
        (replace(TLS, authority=b"x"), "authority is no"),
        (replace(TLS, key=CLIENT_KEY), "do not fit"),
    ],
)
async def test_files_that_are_something_else_are_refused(server: ServerSecurity, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        async with serving(Served(), security=server):
            pass


def test_a_client_with_no_authority_in_the_file_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="authority is no"):
        channel_credentials(ClientSecurity(authority=KEY))


async def test_a_unix_socket_takes_no_tls_but_a_token(tmp_path: Path) -> None:
    server, client = replace(MUTUAL, tokens=("secret",)), replace(KNOWN, token="secret")
    async with serving(Served(), f"unix:{tmp_path}/socket", security=server) as address:
        for security, expected in ((client, "r1"), (replace(client, token="other"), None)):
            async with open_channel(address, security) as channel:
                probe = compute_pb2_grpc.ComputeStub(channel).Probe(compute_pb2.ProbeRequest())
                if expected is not None:
                    assert (await probe).replica == expected
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await probe
                assert isinstance(from_rpc_error(caught.value), Unauthenticated)


async def test_a_client_in_the_clear_does_not_reach_a_server_with_tls() -> None:
    await refused(TLS, ClientSecurity())


async def test_mutual_tls_lets_a_signed_client_in() -> None:
    assert await reached(MUTUAL, KNOWN) == "r1"


async def test_mutual_tls_refuses_a_client_without_certificate() -> None:
    await refused(MUTUAL, CHECKING)


async def test_mutual_tls_refuses_a_client_of_a_strange_authority() -> None:
    certificate, key = THEIRS.issue("controller")
    await refused(MUTUAL, replace(CHECKING, certificate=certificate, key=key))


async def test_only_named_peers_come_in() -> None:
    assert await reached(replace(MUTUAL, peers=("controller",)), KNOWN) == "r1"
    error = await refused(replace(MUTUAL, peers=("somebody-else",)), KNOWN)
    assert isinstance(error, Unauthenticated)


async def test_a_server_may_be_known_by_another_name_than_its_address() -> None:
    assert await reached(TLS, replace(CHECKING, server_name="replica-1")) == "r1"
    await refused(TLS, replace(CHECKING, server_name="replica-2"))


@pytest.mark.parametrize("server", [ServerSecurity(), TLS], ids=["clear", "tls"])
async def test_a_token_is_checked_in_the_clear_and_over_tls(server: ServerSecurity) -> None:
    client = CHECKING if server.certificate else ClientSecurity()
    guarded = replace(server, tokens=("old", "new"))
    assert await reached(guarded, replace(client, token="old")) == "r1"
    assert await reached(guarded, replace(client, token="new")) == "r1"
    for wrong in (client, replace(client, token="ol"), replace(client, token="older")):
        error = await refused(guarded, wrong)
        assert isinstance(error, Unauthenticated)
        assert "old" not in error.message


@pytest.mark.parametrize(
    "security",
    [
        ServerSecurity(certificate=CERTIFICATE),
        ServerSecurity(key=KEY),
        ServerSecurity(authority=OURS.root),
        ServerSecurity(certificate=CERTIFICATE, key=KEY, peers=("controller",)),
    ],
)
def test_half_of_a_server_is_refused(security: ServerSecurity) -> None:
    with pytest.raises(InvalidArgument):
        server_credentials(security)


@pytest.mark.parametrize(
    "security",
    [
        ClientSecurity(certificate=CLIENT_CERTIFICATE),
        ClientSecurity(certificate=CLIENT_CERTIFICATE, key=CLIENT_KEY),
        ClientSecurity(authority=OURS.root, key=CLIENT_KEY),
    ],
)
def test_half_of_a_client_is_refused(security: ClientSecurity) -> None:
    with pytest.raises(InvalidArgument):
        channel_credentials(security)


def test_secrets_do_not_show() -> None:
    shown = repr(replace(KNOWN, token="hush")) + repr(replace(TLS, tokens=("hush",)))
    assert "hush" not in shown
    assert "PRIVATE" not in shown
