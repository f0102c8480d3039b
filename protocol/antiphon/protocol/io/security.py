"""TLS and tokens, as values. Everything is PEM or text; who reads files is the configuration.

nothing given               in the clear: for loopback and Unix sockets
certificate and key         TLS; the client checks the server
and an authority of peers   mutual TLS: each side checks the other
token                       beside any of these: a secret that every call carries
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import grpc

from antiphon.protocol.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecurity:
    """How a client proves itself, and whom it trusts.

    `server_name`: the name in the server's certificate, where the address is not that name.
    """

    authority: bytes | None = None  # of servers; None: no TLS
    certificate: bytes | None = None  # with `key`: who we are
    key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    server_name: str | None = None

    def __post_init__(self) -> None:
        """Raises InvalidArgument: no call can carry the token."""
        if self.token is not None:
            check_token(self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSecurity:
    """How a server proves itself, and whom it lets in.

    `peers`: names that a client's certificate may bear (its common name or an alternative name);
    empty: any that the authority signed.
    """

    certificate: bytes | None = None  # with `key`; None: no TLS
    key: bytes | None = field(default=None, repr=False)
    authority: bytes | None = None  # of clients; None: any client
    peers: tuple[str, ...] = ()
    tokens: tuple[str, ...] = field(default=(), repr=False)  # any of them; empty: none needed

    def __post_init__(self) -> None:
        """Raises InvalidArgument: no call can carry a token."""
        for token in self.tokens:
            check_token(token)


# gRPC takes any bytes, and says on connecting that nobody is there, or that the port is taken.
CERTIFICATE_MARK: Final = b"-----BEGIN CERTIFICATE-----"
KEY_MARK: Final = b"PRIVATE KEY-----"
OPEN_CLIENT: Final = ClientSecurity()
OPEN_SERVER: Final = ServerSecurity()


def channel_credentials(security: ClientSecurity) -> grpc.ChannelCredentials | None:
    """None: in the clear.

    Raises:
        InvalidArgument: half of a pair is missing, or a file is not what it should be.
    """
    _check_pair(security.certificate, security.key)
    check_authority(security.authority)
    if security.authority is None:
        if security.certificate is not None:
            raise InvalidArgument("a client's certificate needs the authority of its servers")
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=security.authority,
        private_key=security.key,
        certificate_chain=security.certificate,
    )


def server_credentials(security: ServerSecurity) -> grpc.ServerCredentials | None:
    """None: in the clear.

    Raises:
        InvalidArgument: half of a pair is missing, a file is not what it should be, or clients are
            to be checked without TLS.
    """
    _check_pair(security.certificate, security.key)
    check_authority(security.authority)
    if security.peers and security.authority is None:
        raise InvalidArgument("names of peers need the authority that signs them")
    if security.certificate is None or security.key is None:
        if security.authority is not None:
            raise InvalidArgument("checking clients needs the server's own certificate")
        return None
    return grpc.ssl_server_credentials(
        [(security.key, security.certificate)],
        root_certificates=security.authority,
        require_client_auth=security.authority is not None,
    )


def _check_pair(certificate: bytes | None, key: bytes | None) -> None:
    if (certificate is None) != (key is None):
        raise InvalidArgument("a certificate and its key come together")
    check_certificate(certificate)
    check_key(key)


def check_certificate(certificate: bytes | None) -> None:
    """Raises InvalidArgument; so do those below."""
    if certificate is not None and CERTIFICATE_MARK not in certificate:
        raise InvalidArgument("the certificate is no certificate in PEM")


def check_key(key: bytes | None) -> None:
    if key is not None and KEY_MARK not in key:
        raise InvalidArgument("the certificate's key is no private key in PEM")


def check_authority(authority: bytes | None) -> None:
    if authority is not None and CERTIFICATE_MARK not in authority:
        raise InvalidArgument("the authority is no certificate in PEM")


def check_token(token: str) -> None:
    """It travels as the value of a header, which has no other characters."""
    if not (token.isascii() and token.isprintable()):
        raise InvalidArgument("the token has characters other than printable ASCII", name="token")
