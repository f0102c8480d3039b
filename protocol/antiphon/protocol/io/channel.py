"""Channels and servers: every option of the transport is here, for both sides at once.

The two sides belong together. A client that pings more often than its server tolerates is thrown
off; a window that one side bounds the other side feels. Addresses are `HOST:PORT` or `unix:PATH`.

A Unix socket takes no TLS, whatever is configured for the network: it has no name that a
certificate could bear, and the kernel lets nobody in but its owner. Tokens are asked for on both.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

import grpc

from antiphon.protocol.errors import AddressInUse, InvalidArgument
from antiphon.protocol.io.security import (
    OPEN_CLIENT,
    OPEN_SERVER,
    ClientSecurity,
    ServerSecurity,
    channel_credentials,
    server_credentials,
)
from antiphon.protocol.io.token import TokenChannel
from antiphon.protocol.limits import (
    CONNECT_DEADLINE_MS,
    KEEPALIVE_INTERVAL_MS,
    KEEPALIVE_TIMEOUT_MS,
    MESSAGE_BYTES_MAX,
    MIB,
    PING_INTERVAL_MIN_MS,
    RECONNECT_BACKOFF_MAX_MS,
    RECONNECT_BACKOFF_MIN_MS,
)

Options = tuple[tuple[str, int | str], ...]

BOTH_SIDES: Final[Options] = (
    ("grpc.keepalive_time_ms", KEEPALIVE_INTERVAL_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    # Without it a frozen peer is noticed after about 60 s, whatever the keepalive says.
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.http2.max_pings_without_data", 0),  # no limit: an idle session is still a session
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # The automatic window lets megabytes pile up before a slow reader; ours is what is in flight.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", MIB),
    # A retry below us would replay commands under an old connection id.
    ("grpc.enable_retries", 0),
)
CHANNEL_OPTIONS: Final[Options] = (
    *BOTH_SIDES,
    # Short: who reconnects is tenacity, and the two must not multiply.
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_BACKOFF_MIN_MS),
    # No pause, whatever its name says: so long an attempt may take. With a deadline as short as the
    # first pause nobody ever connects on a machine that is busy enough.
    ("grpc.min_reconnect_backoff_ms", CONNECT_DEADLINE_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_BACKOFF_MAX_MS),
    # Channels to one address must not share a connection: each link lives and dies alone.
    ("grpc.use_local_subchannel_pool", 1),
)
SERVER_OPTIONS: Final[Options] = (
    *BOTH_SIDES,
    ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MIN_MS),
    # Else two servers share one port unseen, and the kernel deals connections out between them.
    ("grpc.so_reuseport", 0),
)
UNIX: Final = "unix:"
# The kernel's limit for the name of a socket, less its final zero.
UNIX_PATH_BYTES_MAX: Final = 107


def open_channel(address: str, security: ClientSecurity = OPEN_CLIENT) -> grpc.aio.Channel:
    """A channel to `address`; it connects when it is used. Close it in the loop that opened it.

    With a token, every call carries it, over TLS and in the clear.
    """
    options = list(CHANNEL_OPTIONS)
    if security.server_name is not None:
        options.append(("grpc.ssl_target_name_override", security.server_name))
    credentials = None if address.startswith(UNIX) else channel_credentials(security)
    if credentials is None:
        channel = grpc.aio.insecure_channel(address, options=options)
    else:
        channel = grpc.aio.secure_channel(address, credentials, options=options)
    return channel if security.token is None else TokenChannel(channel, security.token)


def create_server(interceptors: Sequence[grpc.aio.ServerInterceptor] = ()) -> grpc.aio.Server:
    """A server that listens nowhere yet. Pass a `Gate` of the same security as `listen`."""
    server = grpc.aio.server(interceptors=list(interceptors), options=list(SERVER_OPTIONS))
    # gRPC keeps a request open for each method that is registered by its name, and goes through all
    # of them for each call: with twenty methods that is a fifth of a call's time. The services'
    # generic handlers, which are added beside, serve the same methods with one open request.
    server.add_registered_method_handlers = _not_one_by_one  # type: ignore[method-assign]
    return server


def _not_one_by_one(service_name: str, method_handlers: object) -> None:
    """Stands for the registration of a service's methods by name."""


def listen(server: grpc.aio.Server, address: str, security: ServerSecurity = OPEN_SERVER) -> str:
    """Bind before `server.start()`. Returns the address as bound: port 0 becomes a real one.

    Raises:
        AddressInUse: somebody listens there.
        InvalidArgument: no such address, or not ours to listen on.
    """
    if address.startswith(UNIX):
        _check_unix(address.removeprefix(UNIX))
    else:
        _check_port(address)
    credentials = None if address.startswith(UNIX) else server_credentials(security)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        # The checks above passed a moment ago: somebody was faster, unless they pass still.
        if credentials is not None:
            _check_port(address)
            raise InvalidArgument(
                f"cannot listen on {address}: its certificate and key do not fit", address=address
            ) from None
        raise AddressInUse(f"cannot listen on {address}: {error}", address=address) from None
    if address.startswith(UNIX):
        os.chmod(address.removeprefix(UNIX), 0o600)
        return address
    return f"{address.rpartition(':')[0]}:{port}"


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach it."""
    host = address.rpartition(":")[0].strip("[]")
    return address.startswith(UNIX) or host in ("127.0.0.1", "::1", "localhost")


def reachable(address: str) -> str:
    """Where this machine finds what listens there: every interface is no place to call."""
    host, _, port = address.rpartition(":")
    loopback = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}.get(host)
    return address if loopback is None else f"{loopback}:{port}"


def _check_unix(path: str) -> None:
    if len(path.encode()) > UNIX_PATH_BYTES_MAX:
        raise InvalidArgument(
            f"the path of a socket has at most {UNIX_PATH_BYTES_MAX} bytes: {path}", path=path
        )
    # Binding removes what is there, also the socket of a living server; only its absence of an
    # answer tells a dead one's leftover.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return
        except OSError as error:
            raise InvalidArgument(f"cannot listen on {path}: {error.strerror}", path=path) from None
    raise AddressInUse(f"somebody listens on {path} already", address=f"{UNIX}{path}")


def _check_port(address: str) -> None:
    """gRPC is content with one of a name's addresses and reports no reason; we are neither."""
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except socket.gaierror as error:
        raise InvalidArgument(f"no such host: {host} ({error.strerror})", host=host) from None
    if port == 0:
        return
    for family, kind, protocol, _, place in found:
        with socket.socket(family, kind, protocol) as probe:
            # What is left of closed connections is no obstacle; a listener is.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(place)
            except OSError as error:
                _refuse(address, error)


def _refuse(address: str, error: OSError) -> None:
    if error.errno == errno.EADDRINUSE:
        raise AddressInUse(f"somebody listens on {address} already", address=address) from None
    raise InvalidArgument(
        f"cannot listen on {address}: {error.strerror}", address=address
    ) from None


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT` or `[IPV6]:PORT`.

    Raises:
        InvalidArgument: it is neither.
    """
    host, separator, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isdecimal() or int(port) > 65_535:
        raise InvalidArgument(f"not HOST:PORT or unix:PATH: {address}", address=address)
    return host, int(port)


def check_address(address: str) -> None:
    """Whether it is one that somebody could listen on.

    Raises:
        InvalidArgument
    """
    if not address.startswith(UNIX):
        _, port = split_address(address)
        if port == 0:
            raise InvalidArgument(f"nobody listens on port 0: {address}", address=address)
        return
    path = address.removeprefix(UNIX)
    if not path or len(path.encode()) > UNIX_PATH_BYTES_MAX:
        raise InvalidArgument(
            f"the path of a socket has 1 to {UNIX_PATH_BYTES_MAX} bytes: {path}", path=path
        )
