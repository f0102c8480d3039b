"""Errors cross gRPC and arrive as the same type, with the same words."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc.aio import AioRpcError, Metadata

from antiphon.protocol import errors
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    LocalProtocolError,
    RemoteProtocolError,
)
from antiphon.protocol.failure import ERRORS
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.status import (
    CODES,
    DETAILS_KEY,
    code_of,
    from_rpc_error,
    to_status,
)
from antiphon.protocol.limits import ERROR_MESSAGE_BYTES_MAX
from antiphon.v1 import compute_pb2, compute_pb2_grpc, types_pb2
from tests.protocol.serving import Context, Served, serving

KINDS = sorted(ERRORS.values(), key=lambda kind: kind.code)


async def arrived(error: AntiphonError) -> AioRpcError:
    """What a client catches when a handler raises `error`."""

    async def fail(context: Context) -> compute_pb2.ReplicaStatus:
        raise error

    async with serving(Served(on_probe=fail)) as address, open_channel(address) as channel:
        stub = compute_pb2_grpc.ComputeStub(channel)
        with pytest.raises(AioRpcError) as caught:
            await stub.Probe(compute_pb2.ProbeRequest())
        return caught.value


def foreign(code: grpc.StatusCode, details: str = "", trailing: bytes | None = None) -> AioRpcError:
    """A status that none of our servers made."""
    metadata = Metadata() if trailing is None else Metadata((DETAILS_KEY, trailing))
    return AioRpcError(code, Metadata(), metadata, details=details)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
async def test_every_error_arrives_as_itself(kind: type[ComputeError]) -> None:
    status = await arrived(kind("it was so", table="t", rows=3))
    assert status.code() is CODES[kind]
    assert status.details() == "it was so"
    error = from_rpc_error(status)
    assert type(error) is kind
    assert error.message == "it was so"
    assert error.details == {"table": "t", "rows": "3"}


def test_every_error_has_a_code() -> None:
    assert set(CODES) == set(ERRORS.values())


def test_any_other_client_reads_the_error_info() -> None:
    status = to_status(errors.EpochFenced("a newer one was here", epoch=3))
    info, own = error_details_pb2.ErrorInfo(), types_pb2.Error()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "EPOCH_FENCED",
        "antiphon",
        {"epoch": "3"},
    )
    assert status.details[1].Unpack(own)
    assert (own.code, own.definite) == ("epoch_fenced", True)


async def test_a_peer_that_broke_the_protocol_is_told_so() -> None:
    status = await arrived(RemoteProtocolError("Peek in stage GREETING"))
    assert status.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = from_rpc_error(status)
    assert isinstance(error, errors.ProtocolViolated)
    assert error.message == "Peek in stage GREETING"


def test_our_own_bugs_are_internal() -> None:
    assert code_of(LocalProtocolError("no")) is grpc.StatusCode.INTERNAL
    assert code_of(AntiphonError("no")) is grpc.StatusCode.INTERNAL


async def test_a_long_message_is_cut_and_still_arrives() -> None:
    status = await arrived(errors.InvalidSql("é" * 50_000, near="x" * 50_000, line=3))
    error = from_rpc_error(status)
    assert isinstance(error, errors.InvalidSql)
    assert len(error.message.encode()) <= ERROR_MESSAGE_BYTES_MAX
    assert error.message.endswith("...")
    assert error.details == {}


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses", errors.Unavailable),
        (grpc.StatusCode.UNAVAILABLE, "errors resolving nowhere: [...]", errors.Unavailable),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", errors.OutcomeUnknown),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", errors.LinkTimeout),
        (grpc.StatusCode.CANCELLED, "", errors.OutcomeUnknown),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "too large", errors.OutcomeUnknown),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "SERVER: Received message larger than max (9 vs. 8)",
            errors.LimitExceeded,
        ),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "CLIENT: Received message larger than max (9 vs. 8)",
            errors.OutcomeUnknown,
        ),
        (grpc.StatusCode.UNAUTHENTICATED, "", errors.Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, "", errors.Unauthenticated),
        (grpc.StatusCode.UNIMPLEMENTED, "", errors.NotServed),
        (grpc.StatusCode.UNKNOWN, "", errors.OutcomeUnknown),
    ],
)
def test_a_status_of_grpc_itself_is_definite_only_if_nothing_was_sent(
    code: grpc.StatusCode, details: str, kind: type[ComputeError]
) -> None:
    error = from_rpc_error(foreign(code, details))
    assert type(error) is kind
    assert error.details["code"] == code.name


@pytest.mark.parametrize(
    "trailing", [b"\xff\xff", b"", to_status(errors.Canceled("x")).details[0].SerializeToString()]
)
def test_a_detail_that_cannot_be_read_leaves_the_plain_status(trailing: bytes) -> None:
    error = from_rpc_error(foreign(grpc.StatusCode.DEADLINE_EXCEEDED, "late", trailing))
    assert isinstance(error, errors.LinkTimeout)


def test_an_error_that_was_never_a_call_is_unknown() -> None:
    assert isinstance(from_rpc_error(grpc.RpcError("odd")), errors.OutcomeUnknown)
