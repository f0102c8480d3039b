"""Frontiers: absent is not closed."""

from __future__ import annotations

import pytest
from hypothesis import given

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.frontier import (
    frontier_field,
    frontier_from_proto,
    frontier_to_proto,
)
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.v1 import types_pb2 as pb
from tests.protocol import strategies


@given(strategies.frontiers)
def test_every_frontier_survives(frontier: Frontier) -> None:
    data = frontier_to_proto(frontier).SerializeToString()
    assert frontier_from_proto(pb.Frontier.FromString(data)) == frontier


def test_closed_is_empty_and_the_start_is_not() -> None:
    assert frontier_to_proto(CLOSED).SerializeToString() == b""
    assert len(frontier_to_proto(START).SerializeToString()) == 9


def test_a_frontier_that_must_be_said_is_missed() -> None:
    with pytest.raises(MalformedMessage, match="as_of: missing"):
        frontier_field("as_of", False, pb.Frontier())
    assert frontier_field("as_of", True, pb.Frontier()) == CLOSED
