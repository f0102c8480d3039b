"""Frontiers. An absent message is "unchanged or not said"; an absent time is "closed"."""

from __future__ import annotations

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.v1 import types_pb2 as pb


def frontier_to_proto(frontier: Frontier) -> pb.Frontier:
    return pb.Frontier(time=frontier.time)


def frontier_from_proto(message: pb.Frontier) -> Frontier:
    return Frontier(message.time) if message.HasField("time") else CLOSED


def frontier_field(name: str, present: bool, message: pb.Frontier) -> Frontier:
    """A frontier that must be said: pass `holder.HasField(name)` as `present`."""
    if not present:
        raise MalformedMessage("missing", name)
    return frontier_from_proto(message)
