"""Errors as gRPC statuses and back. Codes are assigned here and nowhere else.

A status carries the typed error twice: as `antiphon.v1.Error`, from which our own clients raise
the same type again, and as `google.rpc.ErrorInfo`, which any other client understands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from antiphon.protocol import errors
from antiphon.protocol.codec.failure import failure_from_proto, failure_to_proto
from antiphon.protocol.errors import (
    AntiphonError,
    ComputeError,
    Internal,
    LimitExceeded,
    LinkTimeout,
    NotServed,
    OutcomeUnknown,
    ProtocolError,
    ProtocolViolated,
    RemoteProtocolError,
    Unauthenticated,
    Unavailable,
)
from antiphon.protocol.failure import ERRORS, error_of, failure_of
from antiphon.protocol.limits import ERROR_DETAILS_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX
from antiphon.protocol.response import Failure
from antiphon.v1 import types_pb2

DOMAIN: Final = "antiphon"
DETAILS_KEY: Final = "grpc-status-details-bin"

CODES: Final[Mapping[type[ComputeError], grpc.StatusCode]] = MappingProxyType(
    {
        errors.InvalidSql: grpc.StatusCode.INVALID_ARGUMENT,
        errors.UnsupportedSql: grpc.StatusCode.UNIMPLEMENTED,
        errors.TypeMismatch: grpc.StatusCode.INVALID_ARGUMENT,
        errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
        errors.SchemaMismatch: grpc.StatusCode.INVALID_ARGUMENT,
        errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
        errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
        errors.NotServed: grpc.StatusCode.UNIMPLEMENTED,
        errors.CollectionMissing: grpc.StatusCode.NOT_FOUND,
        errors.CollectionExists: grpc.StatusCode.ALREADY_EXISTS,
        errors.DependencyExists: grpc.StatusCode.FAILED_PRECONDITION,
        errors.ReplicaMissing: grpc.StatusCode.NOT_FOUND,
        errors.ReplicaExists: grpc.StatusCode.ALREADY_EXISTS,
        errors.HoldMissing: grpc.StatusCode.NOT_FOUND,
        errors.HoldLost: grpc.StatusCode.OUT_OF_RANGE,
        errors.ReplicaFailed: grpc.StatusCode.UNAVAILABLE,
        errors.DuplicateKey: grpc.StatusCode.ALREADY_EXISTS,
        errors.ConstraintViolation: grpc.StatusCode.FAILED_PRECONDITION,
        errors.SinceViolation: grpc.StatusCode.OUT_OF_RANGE,
        errors.NotComplete: grpc.StatusCode.OUT_OF_RANGE,
        errors.DataError: grpc.StatusCode.FAILED_PRECONDITION,
        errors.Canceled: grpc.StatusCode.CANCELLED,
        errors.EpochFenced: grpc.StatusCode.ABORTED,
        errors.StaleFacts: grpc.StatusCode.FAILED_PRECONDITION,
        errors.VersionMismatch: grpc.StatusCode.FAILED_PRECONDITION,
        errors.InstanceMismatch: grpc.StatusCode.FAILED_PRECONDITION,
        errors.StoreLocked: grpc.StatusCode.FAILED_PRECONDITION,
        errors.DirectoryInUse: grpc.StatusCode.FAILED_PRECONDITION,
        errors.Standby: grpc.StatusCode.UNAVAILABLE,
        errors.StoreFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
        errors.UpperMismatch: grpc.StatusCode.ABORTED,
        errors.ClockJumped: grpc.StatusCode.FAILED_PRECONDITION,
        errors.ReadConflict: grpc.StatusCode.ABORTED,
        errors.AddressInUse: grpc.StatusCode.FAILED_PRECONDITION,
        errors.ProtocolViolated: grpc.StatusCode.INVALID_ARGUMENT,
        errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
        errors.LinkTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
        errors.OutcomeUnknown: grpc.StatusCode.UNKNOWN,
        # Not DATA_LOSS: what was acknowledged before is safe.
        errors.StorePoisoned: grpc.StatusCode.INTERNAL,
        errors.Internal: grpc.StatusCode.INTERNAL,
    }
)
assert set(CODES) == set(ERRORS.values()), "every error has a code"


def code_of(error: AntiphonError) -> grpc.StatusCode:
    return CODES[type(as_compute_error(error))]


def as_compute_error(error: AntiphonError) -> ComputeError:
    """The error as it is told to the peer; a protocol error becomes an answer, too."""
    match error:
        case ComputeError():
            return error
        case RemoteProtocolError():
            return ProtocolViolated(str(error))
        case ProtocolError():
            return Internal(str(error))
        case _:
            return Internal(f"{type(error).__name__}: {error}")


def to_status(error: AntiphonError) -> status_pb2.Status:
    """The status with both details, cut to what metadata can carry."""
    failure = _cut(failure_of(as_compute_error(error)))
    status = status_pb2.Status(code=code_of(error).value[0], message=failure.message)
    status.details.add().Pack(
        error_details_pb2.ErrorInfo(
            reason=failure.code.upper(), domain=DOMAIN, metadata=failure.details
        )
    )
    status.details.add().Pack(failure_to_proto(failure))
    return status


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: AntiphonError) -> NoReturn:
    """End the call with the error. Never cancel the handler's task instead: the peer would be told
    nothing and wait."""
    status = to_status(error)
    await context.abort(
        code_of(error), status.message, ((DETAILS_KEY, status.SerializeToString()),)
    )
    raise AssertionError("abort returned")


@contextmanager
def calling(peer: str) -> Iterator[None]:
    """A call that fails within raises its typed error.

    Raises:
        ComputeError: as `from_rpc_error`; OutcomeUnknown if the channel was closed under the call.
            gRPC tells that as if the calling task had been canceled: it would end without a word,
            and who waits for it would wait for ever.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise OutcomeUnknown(f"the connection to {peer} was closed") from error


def from_rpc_error(error: grpc.RpcError) -> ComputeError:
    """The typed error of a failed call.

    Without our detail the status comes from gRPC itself. Then nobody knows whether the call took
    effect, and the error says so, unless it is certain that no server ever saw it.
    """
    detail = _detail(error)
    if detail is not None:
        return error_of(detail)
    code, text = _code_and_text(error)
    match code:
        case grpc.StatusCode.UNAVAILABLE if text.startswith(NEVER_CONNECTED):
            return Unavailable(_why_unreachable(text), code=code.name)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if text.startswith(NEVER_READ):
            return LimitExceeded(
                f"the request is too large for one message: {text}",
                limit="MESSAGE_BYTES_MAX",
                code=code.name,
            )
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return Unauthenticated(text, code=code.name)
        case grpc.StatusCode.UNIMPLEMENTED:
            return NotServed(text, code=code.name)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return LinkTimeout(text, code=code.name)
        case _:
            return OutcomeUnknown(text, code=code.name)


# How gRPC's core says that no connection was ever made, so that the request was never sent.
NEVER_CONNECTED: Final = ("failed to connect to all addresses", "errors resolving ")
# How it says that a request was larger than what is let out here, or in there.
NEVER_READ: Final = ("CLIENT: Sent message larger", "SERVER: Received message larger")
# What a person would call that which it tells of a connection that was never made.
_UNREACHABLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Connection refused": "nobody listens there",
        "errors resolving": "no such host",
        "WRONG_VERSION_NUMBER": "it is served in the clear there: leave out tls_ca, or have TLS"
        " served",
        "CERTIFICATE_VERIFY_FAILED": "the certificate there is not signed by whom tls_ca trusts,"
        " or is out of date",
        "Hostname Verification Check failed": "the certificate there does not bear the name that"
        " was called",
        "Socket closed": "the connection is closed at once: TLS may be served there, which needs"
        " tls_ca, or certificates of callers be asked for (tls_certificate, tls_key)",
        "SETTINGS frame": "what listens there does not speak gRPC",
        "Handshake read failed": "what listens there does not speak TLS",
    }
)


def _why_unreachable(text: str) -> str:
    """What gRPC's core says, in words with a remedy; as it says it, if it is none of these."""
    return next((words for mark, words in _UNREACHABLE.items() if mark in text), text)


def _code_and_text(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    # Not every RpcError is a call: one without a code failed before it became one.
    if isinstance(error, grpc.aio.AioRpcError | grpc.Call):
        code = error.code()
        return code, error.details() or code.name
    return grpc.StatusCode.UNKNOWN, str(error)


def _detail(error: grpc.RpcError) -> Failure | None:
    """Our own detail of the status, if it has one that can be read."""
    if not isinstance(error, grpc.aio.AioRpcError | grpc.Call):
        return None
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return _parse(value)
    return None


def _parse(data: bytes) -> Failure | None:
    message = types_pb2.Error()
    try:
        for detail in status_pb2.Status.FromString(data).details:
            if detail.Unpack(message):
                return failure_from_proto(message)
    except (DecodeError, RemoteProtocolError):
        # Somebody between us and the server wrote it; the plain status still says something.
        return None
    return None


def _cut(failure: Failure) -> Failure:
    details: dict[str, str] = {}
    room = ERROR_DETAILS_BYTES_MAX
    for name, value in failure.details.items():
        room -= len(name.encode()) + len(value.encode())
        if room >= 0:
            details[name] = value
    return Failure(
        code=failure.code,
        message=_cut_text(failure.message, ERROR_MESSAGE_BYTES_MAX),
        definite=failure.definite,
        details=details,
    )


def _cut_text(text: str, bytes_max: int) -> str:
    data = text.encode()
    if len(data) <= bytes_max:
        return text
    return data[: bytes_max - 3].decode(errors="ignore") + "..."
