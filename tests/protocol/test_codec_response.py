"""Every response survives the wire, alone and in a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.codec.response import (
    response_from_proto,
    response_to_proto,
    responses_from_batch,
    responses_to_batch,
)
from antiphon.protocol.ids import CollectionId, ConnectionId
from antiphon.protocol.response import RESPONSES, Dropped, Response
from antiphon.v1 import response_pb2 as pb
from tests.protocol import strategies

CONNECTION = ConnectionId(b"n" * 16)


@given(strategies.responses)
def test_every_response_survives_the_wire(response: Response) -> None:
    data = response_to_proto(response).SerializeToString()
    assert response_from_proto(pb.Response.FromString(data)) == response


@given(st.lists(strategies.responses, min_size=1, max_size=3).map(tuple))
def test_a_batch_keeps_its_responses_in_order(responses: tuple[Response, ...]) -> None:
    data = responses_to_batch(CONNECTION, responses).SerializeToString()
    assert responses_from_batch(pb.ResponseBatch.FromString(data)) == (CONNECTION, responses)


def test_the_format_has_an_arm_for_every_response_and_no_other() -> None:
    arms = pb.Response.DESCRIPTOR.oneofs_by_name["kind"].fields
    assert [arm.message_type.name for arm in arms] == [kind.__name__ for kind in RESPONSES]
    assert set(strategies.RESPONSES) == set(RESPONSES)


def test_a_batch_names_its_connection() -> None:
    batch = responses_to_batch(CONNECTION, [Dropped(collection=CollectionId(1))])
    batch.ClearField("connection_id")
    with pytest.raises(MalformedMessage, match="connection_id: 0 bytes"):
        responses_from_batch(batch)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="responses: none"):
        responses_from_batch(pb.ResponseBatch(connection_id=CONNECTION.value))
