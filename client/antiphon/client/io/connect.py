"""How a client comes to be: address, security, patience, and a first word with the controller."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from antiphon.client.asynchronous import AsyncClient
from antiphon.client.blocking import Client
from antiphon.client.io.connection import Connection
from antiphon.client.io.controllers import Controllers
from antiphon.client.io.files import Files
from antiphon.client.io.loop import background_loop
from antiphon.client.io.retry import PATIENCE_S, Patience
from antiphon.protocol.errors import InvalidArgument, NotServed, Unavailable
from antiphon.protocol.ids import RANDOM_ID_BYTES
from antiphon.protocol.io.channel import check_address
from antiphon.protocol.io.security import ClientSecurity

DEFAULT_ADDRESS: Final = "127.0.0.1:6870"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM form. `ca`: whom to trust; `certificate` and `key`: who we are, if the server
    asks; `server_name`: the name in its certificate, if it is not that of the address."""

    ca: str
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None


def connect(
    address: str | Sequence[str] = DEFAULT_ADDRESS,
    *,
    token: str | None = None,
    tls: Tls | None = None,
    patience_s: float = PATIENCE_S,
    wait_s: float = 0.0,
) -> Client:
    """A blocking client of the controller at `address` (HOST:PORT or unix:PATH).

    Args:
        address: several, in a list or between commas, are those of one instance's live controller
            and of its standbys: the client goes on with whichever is live.
        patience_s: how long to repeat what is safe to repeat, from the first failure on.
        wait_s: how long to wait for the controller to answer at all; 0 asks once.

    Raises:
        Unavailable: nobody answers there.
        Unauthenticated: the token is missing or wrong.
        InvalidArgument: a TLS file cannot be read.
    """
    loop = background_loop()
    client = loop.run(
        connect_async(address, token=token, tls=tls, patience_s=patience_s, wait_s=wait_s)
    )
    return Client(client, loop)


async def connect_async(
    address: str | Sequence[str] = DEFAULT_ADDRESS,
    *,
    token: str | None = None,
    tls: Tls | None = None,
    patience_s: float = PATIENCE_S,
    wait_s: float = 0.0,
) -> AsyncClient:
    """The same for asyncio, on the running event loop. See `connect`."""
    security = _security(token, tls)
    addresses = split_addresses(address)
    connections = [Connection(one, security) for one in addresses]
    connection = connections[0] if len(connections) == 1 else Controllers(connections)
    address = ", ".join(addresses)
    try:
        await Patience(wait_s).run(
            connection.get_status, lambda error: isinstance(error, Unavailable)
        )
    except Unavailable as error:
        await connection.close()
        raise Unavailable(
            f"no controller answers at {address}: {error.message};"
            " `antiphon up` starts one, --address or ANTIPHON_ADDRESS say where it is",
            address=address,
        ) from error
    except NotServed as error:
        await connection.close()
        raise Unavailable(f"what answers at {address} is no controller", address=address) from error
    except BaseException:
        await connection.close()
        raise
    return AsyncClient(
        connection, Patience(patience_s), Files(), lambda: os.urandom(RANDOM_ID_BYTES)
    )


def split_addresses(address: str | Sequence[str]) -> list[str]:
    """
    Raises:
        InvalidArgument: there is none, or one that nobody could listen on.
    """
    given: Any = [address] if isinstance(address, str) else address
    if not (isinstance(given, Sequence) and all(isinstance(part, str) for part in given)):
        raise InvalidArgument(f"not the address of a controller: {address!r}", address=str(address))
    found = [one.strip() for part in given for one in part.split(",") if one.strip()]
    if not found:
        raise InvalidArgument("the address of a controller is empty", address=str(address))
    for one in found:
        check_address(one)
    return list(dict.fromkeys(found))


def _security(token: str | None, tls: Tls | None) -> ClientSecurity:
    if tls is None:
        return ClientSecurity(token=token)
    return ClientSecurity(
        authority=_read(tls.ca),
        certificate=_read(tls.certificate),
        key=_read(tls.key),
        token=token,
        server_name=tls.server_name,
    )


def _read(path: str | None) -> bytes | None:
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path}: {error.strerror}", path=path or "") from error
