"""Failures survive the wire, with codes that only a newer peer knows."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.codec.failure import failure_from_proto, failure_to_proto
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.response import Failure
from antiphon.v1 import types_pb2 as pb
from tests.protocol import strategies


@given(strategies.failures)
def test_every_failure_survives(failure: Failure) -> None:
    data = failure_to_proto(failure).SerializeToString()
    assert failure_from_proto(pb.Error.FromString(data)) == failure


def test_a_failure_without_a_code_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="code: empty"):
        failure_from_proto(pb.Error(message="?"))


def test_a_failure_that_does_not_say_that_it_is_definite_is_not() -> None:
    assert not failure_from_proto(pb.Error(code="x")).definite
