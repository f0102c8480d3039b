"""Failures: `antiphon.v1.Error`."""

from __future__ import annotations

from antiphon.protocol.codec.field import require
from antiphon.protocol.response import Failure
from antiphon.v1 import types_pb2 as pb


def failure_to_proto(failure: Failure) -> pb.Error:
    assert failure.code, "a failure without a code"
    return pb.Error(
        code=failure.code,
        message=failure.message,
        definite=failure.definite,
        details=failure.details,
    )


def failure_from_proto(message: pb.Error) -> Failure:
    """Unknown codes are kept: a newer peer has reasons that we do not know."""
    require(message.code != "", "code", "empty")
    return Failure(
        code=message.code,
        message=message.message,
        definite=message.definite,
        details=dict(message.details),
    )
