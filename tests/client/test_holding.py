"""A named hold in a subscriber's words."""

from __future__ import annotations

from antiphon.client.holding import Hold, acknowledged
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire


def test_it_is_taken_for_what_is_subscribed_to() -> None:
    hold = Hold(name="mine", deadline_ms=5)
    request = hold.take(wire.SubscribeRequest(query="SELECT 1"))
    assert (request.hold, request.query, request.deadline_ms) == ("mine", "SELECT 1", 5)
    assert not request.HasField("acknowledged")
    assert hold.take(wire.SubscribeRequest(collection="t")).collection == "t"


def test_it_is_acknowledged_and_released_by_name() -> None:
    hold = Hold(name="mine")
    seen = hold.acknowledge(Frontier(7))
    assert (seen.hold, seen.acknowledged.time, seen.release) == ("mine", 7, False)
    assert hold.release().release


def test_the_answer_says_where_to_go_on() -> None:
    assert acknowledged(wire.HoldSubscriptionResponse()) is None
    response = wire.HoldSubscriptionResponse(frontier=frontier_to_proto(Frontier(7)))
    assert acknowledged(response) == Frontier(7)
